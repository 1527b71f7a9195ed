"""Functions that run before and after a convolution, recorded in one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from convviz import ConvvizError, Model, ParameterError

CONVS = frozenset({"conv2d"})
POOLS = frozenset({"max_pool2d", "avg_pool2d", "lp_pool2d"})
LINEAR = frozenset({"dropout", "dropout2d", "feature_dropout", "contiguous", "clone", "pad"})
POINTWISE = frozenset(
    {
        "batch_norm",
        "group_norm",
        "layer_norm",
        "instance_norm",
        "local_response_norm",
        "relu",
        "relu6",
        "hardtanh",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "hardsigmoid",
        "sigmoid",
        "tanh",
        "softplus",
        "prelu",
        "clamp",
        "clamp_min",
        "threshold",
    }
)


READABLE_NAMES = {"max_pool2d": "max pooling", "avg_pool2d": "average pooling", "hardtanh": "ReLU6"}
"""Names of functions in notes; other functions appear under their own name, with spaces."""


@dataclass(frozen=True, eq=False)
class TorchCall:
    """A call of a torch function, with its arguments and its output."""

    name: str
    python: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument that was passed by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def source(self) -> Tensor | None:
        """The input tensor of the function."""
        first = self.argument(0, "input")
        return first if isinstance(first, Tensor) else None


@dataclass(eq=False)
class CallRecorder(TorchFunctionMode):
    """Records the calls of torch functions that return a tensor; the network is not changed."""

    calls: list[TorchCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if isinstance(output, Tensor):
            # Calls are linked by the identity of tensors. Keeping a reference to each of them
            # prevents Python from reusing an identity during the pass.
            name = str(getattr(func, "__name__", func)).strip("_")
            python = hasattr(func, "__code__")
            self.calls.append(TorchCall(name, python, args, dict(kwargs or {}), output))
        return output


def record_calls(model: Model, images: Tensor) -> list[TorchCall]:
    """Return the calls of torch functions in a forward pass of the model, in order."""
    with CallRecorder() as recorder:
        model.forward(images)
    return recorder.calls


def conv_at(calls: list[TorchCall], conv: nn.Conv2d, weight: Tensor, layer: str) -> int:
    """Return the index of the first call of a conv layer.

    Args:
        steps: what `watch` returned.
        conv: the layer's module.
        weight: what it uses as its weight, as in `model.weight`.
        layer: what an error calls it.
    """
    used = {i: s.argument(1, "weight") for i, s in enumerate(calls) if s.name in CONVS}
    attribute = conv.weight
    by_identity = (i for i, tensor in used.items() if tensor is attribute)
    # A weight that is computed in the forward pass (weight norm) is a new tensor in each pass.
    by_value = (i for i, tensor in used.items() if torch.equal(tensor, weight))
    at = next(by_identity, None)
    at = next(by_value, None) if at is None else at
    if at is None:
        raise ConvvizError(f"layer {layer!r} did not run as a convolution in a forward pass")
    return at


def norm_behind(calls: list[TorchCall], at: int) -> TorchCall | None:
    """Return the batch norm whose input is the output of call `at`; None if there is none."""
    output = calls[at].output
    for call in calls[at + 1 :]:
        if call.name == "batch_norm" and call.source is output:
            return call
        if call.output is output:  # another function has overwritten it in place
            return None
    return None


@dataclass(frozen=True)
class Gap:
    """The functions between two convolutions.

    Attributes:
        names: names of the pools and element-wise functions, in execution order.
        stride: the product of the strides of the pools, (y, x).
    """

    names: tuple[str, ...]
    stride: tuple[int, int]


def find_gap(calls: list[TorchCall], first: int, second: int, layer: str) -> Gap:
    """Return the functions between two convs, which must form a chain of single inputs.

    Raises:
        ParameterError: there is another conv, a branch or any other function between them.
    """
    names: list[str] = []
    stride = (1, 1)
    at = second
    while (previous := producer(calls, at)) != first:
        call = calls[previous] if previous is not None else None
        if call is None or call.name not in POOLS | LINEAR | POINTWISE:
            what = "the input image" if call is None else f"{call.name!r}"
            raise ParameterError(
                f"view='pixel' needs a layer whose input comes from the first conv alone, through "
                f"norms, activations and pools; before layer {layer!r} there is {what}"
            )
        if call.name in POOLS:
            sy, sx = pool_stride(call)
            stride = (stride[0] * sy, stride[1] * sx)
        if call.name not in LINEAR:
            names.append(readable_name(call))
        at = previous  # type: ignore[assignment]
    return Gap(tuple(reversed(names)), stride)


def readable_name(call: TorchCall) -> str:
    """Return the name of a function for notes."""
    if call.name == "hardtanh" and call.argument(2, "max_val", 1.0) != 6.0:
        return "hardtanh"
    return READABLE_NAMES.get(call.name, call.name.replace("_", " "))


def producer(calls: list[TorchCall], at: int) -> int | None:
    """Return the index of the last call before `at` whose output is the input of call `at`."""
    source = calls[at].source
    for i in range(at - 1, -1, -1):
        if calls[i].output is source:
            return i
    return None


def pool_stride(call: TorchCall) -> tuple[int, int]:
    """Return the stride of a pooling call, (y, x)."""
    kernel = call.argument(1, "kernel_size")
    stride = call.argument(2, "stride")
    return pair(stride if stride not in (None, [], ()) else kernel)


def pair(value: Any) -> tuple[int, int]:
    """Return a number or a pair as (y, x)."""
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[-1]))
