"""Backward rules for activations: guided backpropagation and the deconvnet.

An activation with output `y = f(x)` normally passes the gradient R of its output on as
`f'(x)·R`. The guided rule (Springenberg et al. 2014, Fig. 1) lets through only what is
positive: `f'(x)·max(R, 0)`, for a ReLU `1[x>0]·1[R>0]·R`. The deconvnet (Zeiler & Fergus
2013) leaves out the first factor: `max(R, 0)`.

A `TorchFunctionMode` around the forward pass sees every spelling of an activation and changes
the gradient of that call alone: in `relu(x) + x` the skip path keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from . import ops
from .errors import ModelError
from .lean import is_lean, nodes_behind

Rule = Literal["plain", "guided", "deconv"]
NonReLU = Literal["clamp", "error"]

_OTHERS = {
    *("celu", "elu", "gelu", "hardswish", "hardtanh", "leaky_relu", "mish", "prelu", "relu6"),
    *("rrelu", "selu", "silu", "softplus"),
}
_CLAMPS = frozenset({"clamp", "clamp_min", "clip"})

# What autograd calls the backward pass of an activation; one that is left in the graph was
# made where no function mode sees it.
_NODES = (
    *("CeluBackward", "EluBackward", "GeluBackward", "HardswishBackward", "HardtanhBackward"),
    *("LeakyReluBackward", "MishBackward", "PreluKernelBackward", "ReluBackward"),
    *("RreluWithNoiseBackward", "SeluBackward", "SiluBackward", "SoftplusBackward"),
    "ThresholdBackward",
)


class _Rectified(torch.autograd.Function):
    """A ReLU under a rule, in place or not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Rule, inplace: bool) -> Tensor:
        if inplace:
            ctx.mark_dirty(x)
            y, bits = x, ops.guided_relu_(x, rule)
        else:
            y, bits = ops.guided_relu(x, rule)
        ctx.save_for_backward(bits)
        ctx.rule, ctx.channels_last = rule, ops.is_channels_last(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (bits,) = ctx.saved_tensors
        return ops.guided_relu_backward(gradient, bits, ctx.rule, ctx.channels_last), None, None


def rectify(x: Tensor, rule: Rule, inplace: bool = False) -> Tensor:
    """Return relu(x) whose gradient follows the guided or the deconvnet rule."""
    y: Tensor = _Rectified.apply(x, rule, inplace)
    return y


def only_positive(gradient: Tensor) -> Tensor:
    """Return max(R, 0); NaN passes, as it does in autograd's own ReLU."""
    return gradient.masked_fill(gradient <= 0, 0)


class _Ungated(torch.autograd.Function):
    """Any elementwise activation under the deconvnet rule: its own derivative is left out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        return function(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return only_positive(gradient), None


class _Activation(NamedTuple):
    """An activation as it is called: the tensor, and the same call on another tensor."""

    name: str
    relu: bool
    inplace: bool
    x: Tensor
    again: Callable[[Tensor], Tensor]


class RuleMode(TorchFunctionMode):
    """Sends every activation of the block through a rule.

    Args:
        rule: "guided" or "deconv".
        nonrelu: what to do with activations other than ReLU: "clamp" lets only positive
            gradients into them, "error" refuses them.
        real: gives the tensor that a placeholder stands for, anything else as it is. This mode
            hands its tensors to autograd functions, where no mode around it would see them.

    Attributes:
        matched: how many activations on the way from the images the rule was applied to.
    """

    def __init__(
        self, rule: Rule, nonrelu: NonReLU, real: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.rule, self.nonrelu, self._real = rule, nonrelu, real
        self.matched = 0
        self._hidden: list[str] = []
        self._nodes: list[Any] = []  # kept alive: they are told apart by identity

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        call = _activation(func, args, kwargs)
        if call is None or not call.x.requires_grad:
            return func(*args, **kwargs)
        if not torch.is_grad_enabled():
            self._hidden.append(call.name)
            return func(*args, **kwargs)
        if not call.relu and self.nonrelu == "error":
            raise ModelError(
                f"{self.rule} rule: the network uses {call.name}, which is no ReLU; "
                "nonrelu='clamp' lets only positive gradients into it"
            )
        self.matched += 1
        if self._real is not None:
            call = call._replace(x=self._real(call.x))
        return self._apply(call)

    def _apply(self, call: _Activation) -> Tensor:
        if call.relu:
            # Into a view or a leaf autograd writes by its own rules, as it does below.
            inplace = call.inplace and not call.x._is_view() and not call.x.is_leaf
            y = rectify(call.x, self.rule, inplace)
            if inplace:
                self._nodes.append(y.grad_fn)
                return y
        elif self.rule == "deconv":
            y = _Ungated.apply(call.x, call.again)
        else:
            y = call.again(call.x)
            y.register_hook(only_positive)  # type: ignore[no-untyped-call]
        self._nodes.append(y.grad_fn)
        # Written back, so that whoever else holds the tensor sees the activation in it too.
        return call.x.copy_(y) if call.inplace else y

    def check(self, score: Tensor) -> None:
        """Raise ModelError where an activation that the score depends on was not reached."""
        unknown = self._unknown(score)
        custom = [
            node.name() for node in unknown if isinstance(node, _CustomNode) and not is_lean(node)
        ]
        if custom and self._hidden:
            raise ModelError(
                f"{self.rule} rule: {self._hidden[0]} is called inside the autograd function "
                f"{custom[0]}, whose gradient is its own; the rule cannot reach it"
            )
        missed = [node.name() for node in unknown if node.name().startswith(_NODES)]
        if missed:
            raise ModelError(
                f"{self.rule} rule: an activation ({missed[0]}) was not reached; it is called "
                "where Python does not see it (a scripted, traced or compiled part)"
            )
        if not self.matched:
            raise ModelError(
                f"{self.rule} rule: no activation function was found in the network between "
                "the images and the scores"
            )

    def _unknown(self, score: Tensor) -> list[Any]:
        """List the graph's nodes that no rule made."""
        known = set(self._nodes)
        return [node for node in nodes_behind(score) if node not in known]


_CustomNode: Any = torch.autograd.function.BackwardCFunction


def _activation(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Activation | None:
    """Recognise an activation in whatever way it is spelled; None for anything else."""
    spelling = getattr(func, "__name__", "")
    name = spelling.strip("_")
    if spelling.startswith("__") or not (
        name in _OTHERS or name in _CLAMPS or name in ("relu", "threshold")
    ):
        return None
    x = args[0] if args else kwargs.get("input", kwargs.get("self"))
    relu = _is_relu(name, args[1:], kwargs)
    if relu is None or not isinstance(x, Tensor):
        return None
    inplace = spelling.endswith("_") or bool(kwargs.get("inplace"))
    rest = {k: v for k, v in kwargs.items() if k not in ("input", "self")}

    def again(tensor: Tensor) -> Tensor:
        own = tensor.clone() if inplace else tensor
        y: Tensor = func(own, *args[1:], **rest)
        return y

    return _Activation(spelling, relu, inplace, x, again)


def _is_relu(name: str, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> bool | None:
    """Say whether a call is a ReLU; None where it is no activation at all."""
    if name == "threshold":
        return _zero(_argument(rest, kwargs, 0, "threshold")) and _zero(
            _argument(rest, kwargs, 1, "value")
        )
    if name not in _CLAMPS:
        return name == "relu"
    if not _zero(_argument(rest, kwargs, 0, "min")):
        return None  # a clamp for numeric safety, not an activation
    return _argument(rest, kwargs, 1, "max") is None


def _argument(rest: tuple[Any, ...], kwargs: dict[str, Any], index: int, name: str) -> Any:
    return rest[index] if len(rest) > index else kwargs.get(name)


def _zero(value: Any) -> bool:
    """Say whether a bound is the number 0, or a tensor of one element that is."""
    if isinstance(value, Tensor):
        return value.numel() == 1 and not value.requires_grad and float(value) == 0
    return isinstance(value, int | float) and value == 0
