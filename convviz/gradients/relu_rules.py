"""Backward rules for activations: guided backpropagation and the deconvnet.

An activation `y = f(x)` normally multiplies the gradient R of its output by its derivative:
`f'(x)·R`. The guided rule (Springenberg et al. 2014, Fig. 1) uses only the positive part of R:
`f'(x)·max(R, 0)`, for a ReLU `1[x>0]·1[R>0]·R`. The deconvnet (Zeiler & Fergus 2013) also omits
the derivative: `max(R, 0)`.

A `TorchFunctionMode` around the forward pass recognizes activations by name or as compositions of
other operators, and changes the gradient of each such call only: in `relu(x) + x` the skip path is
not affected. Activations that the mode cannot reach lead to an error or a note after the pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..errors import ModelError, ParameterError
from ..ops.checks import is_channels_last
from ..ops.guided_relu import guided_relu, guided_relu_, guided_relu_backward
from .autograd_graph import nodes_behind
from .composed_relus import COMPONENT_NAMES, ComposedRelus, Suspect
from .relu_calls import Activation, is_custom, named_activation, spelling_of
from .unreachable_relus import UnreachableActivations

Rule = Literal["plain", "guided", "deconv"]
NonReLU = Literal["clamp", "error"]


class RuleSettings(NamedTuple):
    """A rule, its treatment of activations other than ReLU, and the list for its notes.

    With `opens_gates`, units are differentiated before the activation that ends their layer.
    """

    rule: Rule
    nonrelu: NonReLU
    notes: list[str] | None
    opens_gates: bool = False

    def check(self) -> RuleSettings:
        """Return the settings; raises ParameterError if the rule or `nonrelu` is unknown."""
        if self.rule in ("plain", "guided", "deconv") and self.nonrelu in ("clamp", "error"):
            return self
        raise ParameterError(
            f"rule={self.rule!r}, nonrelu={self.nonrelu!r}: allowed are 'plain', 'guided', "
            "'deconv', and 'clamp', 'error'"
        )


WATCHED = (
    COMPONENT_NAMES
    | {"lp_pool1d", "lp_pool2d", "lp_pool3d"}
    | {f"i{name}" for name in COMPONENT_NAMES}
)
"""Names of functions, other than activations, whose calls are examined."""


class _Rectified(torch.autograd.Function):
    """A ReLU under a rule, in place or not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Rule, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
            y, bits = x, guided_relu_(x, rule)
        else:
            y, bits = guided_relu(x, rule)
        ctx.save_for_backward(bits)
        ctx.rule, ctx.channels_last = rule, is_channels_last(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (bits,) = ctx.saved_tensors
        with torch._C.DisableTorchFunction():  # the modes of the pass, which cost time
            result = guided_relu_backward(gradient, bits, ctx.rule, ctx.channels_last)
        return result, None, None


def rectify(x: Tensor, rule: Rule, inplace: bool = False) -> Tensor:
    """Return relu(x) whose gradient follows the guided or the deconvnet rule."""
    y: Tensor = _Rectified.apply(x, rule, inplace)
    return y


def only_positive(gradient: Tensor) -> Tensor:
    """Return max(R, 0); NaN is passed on, as by autograd's ReLU."""
    with torch._C.DisableTorchFunction():  # it would look like an activation of the network
        return gradient.clamp_min(0)


def _only_positive_gradients(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if gradient is None else only_positive(gradient) for gradient in gradients)


class _Ungated(torch.autograd.Function):
    """Any elementwise activation under the deconvnet rule, which omits its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        return function(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return only_positive(gradient), None


class _Gated(torch.autograd.Function):
    """A rectifier under a rule whose values are those of the network's own operators.

    It is `factor * relu(sign * x)`. NaN is passed on if the operators pass it on.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], rule: Rule, *how: float
    ) -> Tensor:
        ctx.rule, (ctx.sign, ctx.factor) = rule, how
        y = function(x)
        gate = torch.where(x.isnan(), y.isnan(), x * ctx.sign > 0)
        # uint8, unlike the masks that the operators save: if a checkpoint recomputes this call
        # without the rule, it then detects the difference.
        ctx.save_for_backward(gate.to(torch.uint8))
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (gate,) = ctx.saved_tensors
        passed = only_positive(gradient * ctx.factor) * ctx.sign
        if ctx.rule == "guided":
            passed = passed.masked_fill(gate == 0, 0)
        return passed, *[None] * 4


class RuleMode(TorchFunctionMode):
    """Applies a rule to every activation of the block.

    Args:
        rule: "guided" or "deconv".
        nonrelu: treatment of activations other than ReLU: "clamp" passes only positive gradients
            to them, "error" raises ModelError.
        real: returns the tensor that a placeholder stands for, and anything else as it is. It is
            needed because this mode passes tensors to autograd functions, inside which an outer
            mode does not see them.
    """

    def __init__(
        self, rule: Rule, nonrelu: NonReLU, real: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__()
        self.rule, self.nonrelu = rule, nonrelu
        self._real = real or (lambda value: value)
        self._composed = ComposedRelus(self._real)
        self._unreachable = UnreachableActivations()
        self._nodes: list[Any] = []  # references, because nodes are compared by identity
        self._suspects: list[tuple[Any, Suspect]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        custom = is_custom(func)
        call = None if custom else named_activation(func, args, kwargs)
        if custom or (call is None and spelling_of(func).strip("_") in WATCHED):
            return self._watch(func, args, kwargs)
        return func(*args, **kwargs) if call is None else self._handle(call, func, args, kwargs)

    def _watch(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run a call that may be a part of a composed rectifier."""
        call = None if is_custom(func) else self._composed.recognize(func, args, kwargs)
        if call is not None:
            y = self._handle(call, func, args, kwargs)
        elif torch.is_grad_enabled():
            before = self._composed.inputs_before(func, args, kwargs)
            y = func(*args, **kwargs)
            self._examine_result(func, args, kwargs, before, y)
        else:
            y = func(*args, **kwargs)
        self._composed.note(func, args, kwargs, y)
        return y

    def _examine_result(
        self, func: Any, args: Any, kwargs: dict[str, Any], before: list[Any], y: Any
    ) -> None:
        """Record the graph node of a call that was not recognized, and whether it is suspect."""
        name = spelling_of(func)
        y = args[0] if name == "__setitem__" else y[0] if isinstance(y, tuple) else y
        if not isinstance(y, Tensor) or not y.requires_grad:
            return
        if name.startswith("lp_pool"):  # contains a ReLU of a value that is never negative
            self._unreachable.pass_over(y, before)
        self._unreachable.mark_seen(y.grad_fn)
        suspect = self._composed.suspect(func, args, kwargs, before, y)
        if suspect is not None:
            self._suspects.append((y.grad_fn, suspect))

    def _handle(self, call: Activation, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if not torch.is_grad_enabled():
            self._unreachable.hide(call.name)
            return func(*args, **kwargs)
        if not call.x.requires_grad:
            return func(*args, **kwargs)
        if not call.relu and self.nonrelu == "error":
            raise ModelError(
                f"{self.rule} rule: the network uses {call.name}, which is not a ReLU; "
                "nonrelu='clamp' passes only positive gradients to it"
            )
        call = call._replace(x=self._real(call.x))
        # Views and leaves have special rules for in-place writes, so these are left to autograd's
        # own `copy_` in `_apply`.
        inplace = call.inplace and not call.x._is_view() and not call.x.is_leaf
        if inplace and self.rule == "guided" and not call.relu:
            return self._guide(func(*args, **kwargs))
        return self._apply(call, inplace)

    def _guide(self, y: Tensor) -> Tensor:
        """Pass only positive gradients to the operator that computed y."""
        # On the node, not on the tensor: the gradient of y itself stays as it is, as that of a
        # ReLU's output does.
        assert y.grad_fn is not None
        y.grad_fn.register_prehook(_only_positive_gradients)
        self._nodes.append(y.grad_fn)
        return y

    def _apply(self, call: Activation, inplace: bool) -> Tensor:
        if call.kernel:
            y = rectify(call.x, self.rule, inplace)
            if inplace:
                self._nodes.append(y.grad_fn)
                return y
        elif call.relu:
            y = self._apply_rule(call)
        elif self.rule == "deconv":
            y = _Ungated.apply(call.x, call.again)
        else:
            y = self._guide(call.again(call.x))
        self._nodes.append(y.grad_fn)
        # Written back, so that other references to the tensor see the activation, too.
        return call.x.copy_(y) if call.inplace else y

    def _apply_rule(self, call: Activation) -> Tensor:
        """Run a rectifier whose values are not those of `torch.relu`, under the rule."""
        with torch.no_grad():
            values = call.again(call.x)
        x = call.x.to(values.dtype).expand(values.shape)
        y: Tensor = _Gated.apply(x, lambda _: values, self.rule, call.sign, call.factor)
        return y

    def check(self, score: Tensor) -> tuple[str, ...]:
        """Return notes on operators between the images and the score that may be rectifiers.

        Raises:
            ModelError: an activation that the score depends on was not reached, or there is none.
        """
        behind = set(nodes_behind(score))
        suspects = [suspect for node, suspect in self._suspects if node in behind]
        sure = [suspect.name for suspect in suspects if suspect.sure]
        unreached = self._unreachable.find(behind - set(self._nodes))
        if sure:
            raise ModelError(
                f"{self.rule} rule: {sure[0]} acts as a ReLU here, but in a form that is not "
                f"recognized, so the rule is not applied to it; {_INSTEAD}"
            )
        if unreached.refused:
            raise ModelError(f"{self.rule} rule: {unreached.refused[0]}")
        if behind.isdisjoint(self._nodes):
            raise ModelError(
                f"{self.rule} rule: no activation function was found in the network between "
                "the images and the scores"
            )
        names = dict.fromkeys([*(suspect.name for suspect in suspects), *unreached.doubtful])
        if not names:
            return ()
        return (
            f"The {self.rule} rule was not applied to {', '.join(names)}, which may be a "
            f"rectifier; its ordinary gradient was used. If it is a rectifier, {_INSTEAD}.",
        )


_INSTEAD = "write it as torch.nn.functional.relu"
