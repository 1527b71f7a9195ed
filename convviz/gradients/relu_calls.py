"""Recognize activations by the name of the called function and its arguments.

`composed_relus` recognizes rectifiers that consist of several operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

_NON_RELUS = {
    *("celu", "elu", "gelu", "hardswish", "hardtanh", "leaky_relu", "mish", "prelu", "relu6"),
    *("rrelu", "selu", "silu", "softplus"),
}
_CLAMPS = frozenset({"clamp", "clamp_min", "clamp_max", "clip"})
_ACTIVATIONS = _NON_RELUS | _CLAMPS | {"relu", "threshold"}
_KERNEL_NAMES = {"relu", "threshold", "clamp", "clamp_min", "clip"}


class Activation(NamedTuple):
    """The call of an activation.

    Attributes:
        name: of the called function.
        relu: whether it is a rectifier: `factor * relu(sign * x)`.
        inplace: whether it overwrites x.
        x: its input.
        again: repeats the call with another tensor.
        sign, factor: 1 for a ReLU; for `min(x, 0)` both are -1.
        kernel: whether its values are those of `torch.relu`.
    """

    name: str
    relu: bool
    inplace: bool
    x: Tensor
    again: Callable[[Tensor], Tensor]
    sign: int = 1
    factor: float = 1.0
    kernel: bool = False


def spelling_of(func: Any) -> str:
    """Return a function's name; for an operator of `torch.ops` without its overload."""
    return getattr(func, "__name__", "").split(".")[0]


def is_custom(func: Any) -> bool:
    """Return whether a function is a custom operator, whose implementation is not visible."""
    if not isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return False
    return str(func).split(".")[0] not in ("aten", "prim", "prims")


def named_activation(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Activation | None:
    """Return the activation of a call; None for other calls."""
    spelling = spelling_of(func)
    name = spelling.strip("_")
    if spelling.startswith("__") or name not in _ACTIVATIONS:
        return None
    x = args[0] if args else kwargs.get("input", kwargs.get("self"))
    if not isinstance(x, Tensor):
        return None
    sign = _rectified_side(name, args[1:], kwargs)
    if sign is None:
        return None
    inplace = overwrites(spelling) or bool(kwargs.get("inplace"))
    again = repeat(func, args, kwargs, x, inplace)
    kernel = name in _KERNEL_NAMES and sign == 1 and _bounds_fit(x, args[1:], kwargs)
    return Activation(spelling, sign != 0, inplace, x, again, sign, sign or 1.0, kernel)


def _rectified_side(name: str, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """Return 1 for a ReLU, -1 for `min(x, 0)`, 0 for another activation, None for none."""
    if name in _CLAMPS:
        low = None if name == "clamp_max" else _argument(rest, kwargs, 0, "min")
        high = _argument(rest, kwargs, 0 if name == "clamp_max" else 1, "max")
        return _clamped_side(low, high)
    if name == "threshold":
        bounds = (_argument(rest, kwargs, i, key) for i, key in enumerate(("threshold", "value")))
        return int(all(map(is_zero, bounds)))
    if name == "hardtanh":
        low, high = (_argument(rest, kwargs, i, f"{k}_val") for i, k in enumerate(("min", "max")))
        return 0 if low is None or high is None else _clamped_side(low, high) or 0
    return int(name == "relu" or _has_no_slope(name, rest, kwargs))


def _clamped_side(low: Any, high: Any) -> int | None:
    if is_zero(low):
        return int(_is_infinite(high, math.inf))
    if is_zero(high) and _is_infinite(low, -math.inf):
        return -1
    return None  # a clamp for numeric safety, not an activation


def _has_no_slope(name: str, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether an activation's slope below 0 is 0, so that it is a ReLU."""
    slopes = {
        "leaky_relu": ("negative_slope",),
        "prelu": ("weight",),
        "rrelu": ("lower", "upper"),
        "elu": ("alpha",),
    }
    names = slopes.get(name, ())
    return bool(names) and all(
        is_zero(_argument(rest, kwargs, i, key)) for i, key in enumerate(names)
    )


def _argument(rest: tuple[Any, ...], kwargs: Mapping[str, Any], index: int, name: str) -> Any:
    return rest[index] if len(rest) > index else kwargs.get(name)


def _bounds_fit(x: Tensor, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether tensor bounds leave the shape and the dtype of x unchanged."""
    bounds = [value for value in (*rest, *kwargs.values()) if isinstance(value, Tensor)]
    return all(b.ndim == 0 or (b.shape == x.shape and b.dtype == x.dtype) for b in bounds)


def is_zero(value: Any) -> bool:
    """Return whether a value is the number 0, or a tensor without gradient that is 0 everywhere."""
    if isinstance(value, Tensor):
        if value.requires_grad or is_wrapped(value) or value.is_complex():
            return False
        return value.numel() > 0 and bool((value.detach() == 0).all())
    return isinstance(value, int | float) and value == 0


def _is_infinite(value: Any, infinity: float) -> bool:
    if isinstance(value, Tensor):
        return not is_wrapped(value) and bool((value == infinity).all())
    return value is None or value == infinity


def is_wrapped(tensor: Tensor) -> bool:
    """Return whether a tensor belongs to a transformation of torch.func, which hides its values."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def overwrites(spelling: str) -> bool:
    """Return whether a function of this name writes into its first argument."""
    return spelling in ("__setitem__", "__imul__", "__iadd__", "__isub__") or (
        spelling.endswith("_") and not spelling.endswith("__")
    )


def repeat(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], x: Tensor, inplace: bool
) -> Callable[[Tensor], Tensor]:
    """Return a function that repeats a call with another tensor in place of x."""

    def again(tensor: Tensor) -> Tensor:
        tensor = tensor.clone() if inplace else tensor
        swapped = [tensor if value is x else value for value in args]
        named = {key: tensor if value is x else value for key, value in kwargs.items()}
        y = func(*swapped, **named)
        return tensor if inplace else y

    return again
