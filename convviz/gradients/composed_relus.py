"""Recognize rectifiers that are composed of several operators, such as `where(x > 0, x, 0)`.

`ComposedRelus` records which masks are comparisons of which tensors with 0, and verifies each
candidate by its values. A call that is not recognized but has the values of a rectifier, or may
be one, is reported as a suspect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .relu_calls import Activation, is_wrapped, is_zero, overwrites, repeat, spelling_of

_ABOVE = {"gt", "ge", "greater", "greater_equal"}
_BELOW = {"lt", "le", "less", "less_equal"}
_COPIES = {
    *("bool", "clone", "contiguous", "cpu", "detach", "double", "float", "half", "bfloat16"),
    *("int", "long", "to", "type", "type_as", "view_as", "expand_as", "byte"),
}
_INVERSIONS = {"invert", "logical_not", "bitwise_not"}
_MIXTURES = {"and", "or", "xor", "logical_and", "logical_or", "bitwise_and", "bitwise_or"}
_PRODUCTS = {"mul", "multiply"}
_FILLS = {"masked_fill", "setitem", "index_put"}
_LARGER, _SMALLER = {"maximum", "fmax", "max"}, {"minimum", "fmin", "min"}
_SUMS = {"add", "sub", "subtract"}
_SLICED = {"max", "amax", "min", "amin"}
_GATES = _PRODUCTS | _FILLS | {"where"}
_MARKING = _ABOVE | _BELOW | _COPIES | _INVERSIONS | _MIXTURES | _PRODUCTS
_MARKING |= {"abs", "absolute", "signbit", "heaviside", "div", "rsub", "where"}
COMPONENT_NAMES = frozenset(_MARKING | _GATES | _LARGER | _SMALLER | _SUMS | _SLICED)
"""Names of the functions that composed rectifiers consist of."""

_MIN_VALUES = 8
"""Minimum number of values of either sign with which a match of values is no coincidence."""


class Suspect(NamedTuple):
    """A call that was not recognized but works like a rectifier.

    Attributes:
        name: of the called function.
        sure: whether its values are those of a rectifier.
    """

    name: str
    sure: bool


class _Mark(NamedTuple):
    """The relation of a tensor to another one, its base.

    Attributes:
        kind: "positive" (1 where the base is above 0, else 0), "negative" (1 where it is below),
            "mixed" (a mask that also depends on other values), "threshold" (a comparison with
            another value than 0), or "absolute" (a positive multiple of the base's absolute
            value).
        base: the other tensor, referenced so that its memory is not reused.
        version: of the base when it was read.
    """

    kind: str
    base: Tensor
    version: int

    def is_of(self, x: Tensor) -> bool:
        """Return whether the base holds the values of x."""
        return (
            self.base.data_ptr() == x.data_ptr()
            and self.base.shape == x.shape
            and self.base.stride() == x.stride()
            and self.base.dtype == x.dtype
            and self.version == x._version
        )


_OPPOSITE = {"positive": "negative", "negative": "positive"}


class ComposedRelus:
    """Recognizes rectifiers that are composed of several calls of one forward pass.

    Args:
        real: returns the tensor that a placeholder stands for, and anything else as it is.
    """

    def __init__(self, real: Callable[[Any], Any]) -> None:
        self._real = real
        self._marks: Any = WeakTensorKeyDictionary()

    def recognize(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Activation | None:
        """Return the rectifier of which a call is the last part; None for other calls."""
        spelling = spelling_of(func)
        name = spelling.strip("_").removeprefix("i" if spelling.startswith("__i") else "")
        if any(is_wrapped(t) for t in args if isinstance(t, Tensor)):
            return None
        match = self._match(name, func, args, kwargs)
        if match is None:
            return None
        x, sign, factor = match
        inplace = overwrites(spelling) and bool(args) and args[0] is x
        again = repeat(func, args, kwargs, x, inplace)
        with torch.no_grad():
            real = self._real(x)
            if not _is_rectified(real, again(real), sign, factor):
                return None
        return Activation(spelling, True, inplace, x, again, sign, factor)

    def _match(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Tensor, int, float] | None:
        """Return the input, the sign and the factor of a possible rectifier."""
        if name in _LARGER or name in _SMALLER:
            side = 1 if name in _LARGER else -1
            x = _beside_zero(_operands(args, kwargs))
            return None if x is None else (x, side, float(side))
        if name in _SUMS:
            return None if "alpha" in kwargs else self._sum(name, _operands(args, kwargs))
        for x, mask, keeps_where_true in _gates(name, func, args, kwargs):
            kind = self._kind(mask, x)
            if kind in _OPPOSITE:
                side = 1 if (kind == "positive") == keeps_where_true else -1
                return x, side, float(side)
        return None

    def _sum(self, name: str, pair: tuple[Any, Any]) -> tuple[Tensor, int, float] | None:
        """Recognize x + |x| (twice a ReLU), x - |x| and |x| - x."""
        for (x, other), first in ((pair, True), (pair[::-1], False)):
            mark = self._marks.get(other) if isinstance(other, Tensor) else None
            if mark is None or mark.kind != "absolute" or not _like(x, other):
                continue
            with torch.no_grad():
                if not _close(self._real(x).abs(), self._real(other)):
                    continue
            if name == "add":
                return x, 1, 2.0
            return x, -1, -2.0 if first else 2.0
        return None

    def _kind(self, mask: Any, x: Any) -> str | None:
        """Return the kind of a mask with respect to x; None if it does not depend on x."""
        mark = self._marks.get(mask) if isinstance(mask, Tensor) else None
        if mark is None or not isinstance(x, Tensor) or not mark.is_of(self._real(x)):
            return None
        return str(mark.kind)

    def note(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Record how the result of a call depends on its inputs."""
        name = spelling_of(func).strip("_")
        if name not in _MARKING or not isinstance(result, Tensor) or not args:
            return
        if any(is_wrapped(t) for t in (result, *args) if isinstance(t, Tensor)):
            return
        mark = self._comparison_mark(name, args) if name in _ABOVE | _BELOW else None
        if name in ("abs", "absolute", "signbit", "heaviside") and isinstance(args[0], Tensor):
            kinds = {"signbit": "negative", "heaviside": "positive"}
            mark = _mark(kinds.get(name, "absolute"), self._real(args[0]))
        mark = mark or self._derived_mark(name, func, args)
        if mark is not None:
            self._marks[result] = mark

    def _comparison_mark(self, name: str, args: tuple[Any, ...]) -> _Mark | None:
        x, other = args if len(args) == 2 else (args[0], None)
        above = name in _ABOVE
        if not is_zero(other):
            if not (is_zero(x) and isinstance(other, Tensor)):
                return _mark("threshold", self._real(x))
            x, above = other, not above
        return _mark("positive" if above else "negative", self._real(x))

    def _derived_mark(self, name: str, func: Any, args: tuple[Any, ...]) -> _Mark | None:
        """Return the mark of the result of a call with marked arguments."""
        marked = [a for a in args if isinstance(a, Tensor) and a in self._marks]
        if not marked:
            return None
        mark: _Mark = self._marks[marked[0]]
        if name in _COPIES:
            return mark if marked[0] is args[0] else None
        if name in _INVERSIONS or (name == "rsub" and args[1] == 1):
            return mark._replace(kind=_OPPOSITE.get(mark.kind, mark.kind))
        if name in _MIXTURES:
            return mark._replace(kind="mixed")
        if name == "where":
            return self._choice_mark(mark, args)
        scaled = name in _PRODUCTS or name == "div"
        if scaled and mark.kind == "absolute" and isinstance(args[1], int | float):
            return mark if args[1] > 0 else None
        if name in _PRODUCTS and len(args) == 2 and not any(_differentiable(a) for a in args):
            return mark._replace(kind="mixed")
        return None

    def _choice_mark(self, mark: _Mark, args: tuple[Any, ...]) -> _Mark | None:
        """Return the mark of where(mask, 1, 0) or where(mask, 0, 1)."""
        if len(args) != 3 or any(_differentiable(a) for a in args[1:]):
            return None
        if is_zero(args[2]):
            return mark
        return mark._replace(kind=_OPPOSITE.get(mark.kind, "mixed")) if is_zero(args[1]) else None

    def inputs_before(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return the values before a call of the operands to compare its result with."""
        spelling = spelling_of(func)
        tensors = [a for a in (*args, *kwargs.values()) if _differentiable(a)]
        if not overwrites(spelling):
            return [self._real(t) for t in tensors if not is_wrapped(t)]
        masks = [a for a in _flat((*args[1:], *kwargs.values())) if isinstance(a, Tensor)]
        name = spelling.strip("_")
        whole = tensors and any(m.shape == tensors[0].shape for m in masks)
        if not whole or name.removeprefix("i") not in _GATES or is_wrapped(tensors[0]):
            return []
        return [self._real(tensors[0]).detach().clone()]

    def suspect(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        before: list[Any],
        y: Tensor,
    ) -> Suspect | None:
        """Return whether a call that was not recognized works like a rectifier."""
        name = spelling_of(func).strip("_")
        if is_wrapped(y):
            return None
        # Bypasses function modes, which would intercept every operator here.
        with torch.no_grad(), torch._C.DisableTorchFunction():
            if name in _SLICED:
                return Suspect(name, True) if _beats_zeros(name, args, kwargs, before) else None
            sure = [_works_as_rectifier(x, y) for x in before if _like(x, y)]
        if any(answer is not None for answer in sure):
            return Suspect(name, any(sure))
        for x, mask, _ in _gates(name.removeprefix("i"), func, args, kwargs, loose=True):
            mark = self._marks.get(mask) if isinstance(mask, Tensor) else None
            if mark is None or mark.kind == "absolute" or mask.shape != y.shape:
                continue
            if _differentiable(x) and (mark.kind != "threshold" or mark.is_of(self._real(x))):
                return Suspect(name, False)
        return None


def _mark(kind: str, base: Tensor) -> _Mark | None:
    return _Mark(kind, base.detach(), base._version) if base.is_floating_point() else None


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _like(x: Any, y: Tensor) -> bool:
    return isinstance(x, Tensor) and x.shape == y.shape and x.is_floating_point()


def _flat(values: tuple[Any, ...]) -> list[Any]:
    """Return the values with lists and tuples expanded by one level."""
    return [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]


def _operands(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    values = [*args, *(kwargs[key] for key in ("input", "self", "other") if key in kwargs)]
    return (values[0], values[1]) if len(values) == 2 else (None, None)


def _beside_zero(pair: tuple[Any, Any]) -> Tensor | None:
    """Return the tensor of a pair whose other element is 0 everywhere."""
    for x, other in (pair, pair[::-1]):
        # Inside an autograd function no tensor has a gradient.
        followed = _differentiable(x) or not torch.is_grad_enabled()
        if followed and isinstance(x, Tensor) and isinstance(other, Tensor) and is_zero(other):
            return x
    return None


def _gates(
    name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], loose: bool = False
) -> list[tuple[Any, Any, bool]]:
    """Return the interpretations of a call as masking: a tensor in some places, 0 elsewhere.

    Args:
        name, func, args, kwargs: the call.
        loose: also accept computed values in place of the 0.

    Returns:
        For each interpretation the tensor, the mask, and whether the mask is true where the
        result is the tensor.
    """
    keys = ("condition", "mask", "input", "self", "indices", "other", "value", "values")
    values = [*args, *(kwargs[key] for key in keys if key in kwargs)]
    if name in _PRODUCTS and len(values) == 2:
        return [(values[0], values[1], True), (values[1], values[0], True)]
    if len(values) != 3 or name not in _GATES:
        return []
    x, mask, other = values
    if name == "where":
        mask, x = (mask, x) if func is Tensor.where else (x, mask)
    elif isinstance(mask, list | tuple) and len(mask) == 1:
        mask = mask[0]
    ways = [(x, mask, name == "where")] if _is_left_out(other, loose) else []
    if name == "where" and _is_left_out(x, loose):
        ways.append((other, mask, False))
    return ways


def _is_left_out(value: Any, loose: bool) -> bool:
    return is_zero(value) or (loose and _differentiable(value))


def _close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal except for rounding; NaN equals anything."""
    if a.shape != b.shape:
        return False
    eps = torch.finfo(b.dtype).eps
    near = (a - b).abs() <= 4 * eps * b.abs()
    return bool((near | (a == b) | a.isnan() | b.isnan()).all())


def _is_rectified(x: Tensor, y: Tensor, sign: int, factor: float) -> bool:
    """Return whether y is factor * relu(sign * x); y may be NaN or 0 where x is not finite."""
    want = ((x * sign).clamp(min=0) * factor).to(y.dtype)
    return _close(y.masked_fill(~x.isfinite(), torch.nan), want.expand(y.shape))


def _works_as_rectifier(x: Tensor, y: Tensor) -> bool | None:
    """Return whether y is a multiple of relu(x) or relu(-x).

    None means that it is not, False that x has too few values of either sign to be sure.
    """
    row = (0,) * (x.ndim - 1)
    for sign in (1, -1):
        # For almost all calls the first row already shows that they are not rectifiers.
        if not x.numel() or bool((y[row] != 0)[x[row] * sign < 0].any()):
            continue
        above, below = int((x * sign > 0).sum()), int((x * sign < 0).sum())
        if not above or not below:
            continue
        peak = (x * sign).nan_to_num(-torch.inf, 0, -torch.inf).argmax()
        factor = float(y.flatten()[peak] / (x.flatten()[peak] * sign))
        if factor and math.isfinite(factor) and _is_rectified(x, y, sign, factor):
            return min(above, below) >= _MIN_VALUES
    return None


def _beats_zeros(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], before: list[Any]
) -> bool:
    """Return whether a reduction is a maximum or minimum of a tensor and stacked zeros."""
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    dim = dim[0] if isinstance(dim, list | tuple) and len(dim) == 1 else dim
    if not isinstance(dim, int) or len(before) != 1 or before[0].ndim == 0:
        return False
    if before[0].shape[dim] != 2:
        return False
    return sum(is_zero(part) for part in before[0].detach().unbind(dim)) == 1
