"""What runs before and after a convolution, seen by watching one forward pass."""

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


SPOKEN = {"max_pool2d": "max pooling", "avg_pool2d": "average pooling", "hardtanh": "ReLU6"}
"""How a note names a function; others by their own name, without underscores."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a torch function: what it was called with and what it returned."""

    name: str
    python: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument, given by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def source(self) -> Tensor | None:
        """The tensor that the function works on."""
        first = self.argument(0, "input")
        return first if isinstance(first, Tensor) else None


@dataclass(eq=False)
class Watch(TorchFunctionMode):
    """Notes every torch function that returns a tensor; the network itself is not touched."""

    steps: list[Step] = field(default_factory=list)

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
            # Holding the tensors keeps their identities unique for the whole pass.
            name = str(getattr(func, "__name__", func)).strip("_")
            python = hasattr(func, "__code__")
            self.steps.append(Step(name, python, args, dict(kwargs or {}), output))
        return output


def watch(model: Model, images: Tensor) -> list[Step]:
    """Run the model once and return the torch functions it called, in order."""
    with Watch() as seen:
        model.forward(images)
    return seen.steps


def conv_at(steps: list[Step], conv: nn.Conv2d, weight: Tensor, layer: str) -> int:
    """Return the index of the step in which a conv layer ran first.

    Args:
        steps: what `watch` returned.
        conv: the layer's module.
        weight: what it uses as its weight, as of `model.weight`.
        layer: what an error calls it.
    """
    used = {i: s.argument(1, "weight") for i, s in enumerate(steps) if s.name in CONVS}
    attribute = conv.weight
    by_identity = (i for i, tensor in used.items() if tensor is attribute)
    # A weight that is computed in the forward pass is another tensor each time.
    by_value = (i for i, tensor in used.items() if torch.equal(tensor, weight))
    at = next(by_identity, None)
    at = next(by_value, None) if at is None else at
    if at is None:
        raise ConvvizError(f"layer {layer!r} did not run as a convolution in a forward pass")
    return at


def norm_behind(steps: list[Step], at: int) -> Step | None:
    """Return the batch norm that takes the output of step `at` and nothing else, if any."""
    output = steps[at].output
    for step in steps[at + 1 :]:
        if step.name == "batch_norm" and step.source is output:
            return step
        if step.output is output:  # overwritten in place by something else
            return None
    return None


@dataclass(frozen=True)
class Between:
    """What lies between two convolutions.

    Attributes:
        names: functions that are not the identity, in the order they run.
        stride: the product of the pools' strides, (y, x).
    """

    names: tuple[str, ...]
    stride: tuple[int, int]


def between(steps: list[Step], first: int, second: int, layer: str) -> Between:
    """Walk back from one conv to another through functions of a single input.

    Raises:
        ParameterError: another conv, a branch or any other function lies in between.
    """
    names: list[str] = []
    stride = (1, 1)
    at = second
    while (found := producer(steps, at)) != first:
        step = steps[found] if found is not None else None
        if step is None or step.name not in POOLS | LINEAR | POINTWISE:
            what = "the input image" if step is None else f"{step.name!r}"
            raise ParameterError(
                f"view='pixel' needs a layer whose input comes from the first conv alone, through "
                f"norms, activations and pools; before layer {layer!r} there is {what}"
            )
        if step.name in POOLS:
            sy, sx = pool_stride(step)
            stride = (stride[0] * sy, stride[1] * sx)
        if step.name not in LINEAR:
            names.append(spoken(step))
        at = found  # type: ignore[assignment]
    return Between(tuple(reversed(names)), stride)


def spoken(step: Step) -> str:
    """Name a function for a reader."""
    if step.name == "hardtanh" and step.argument(2, "max_val", 1.0) != 6.0:
        return "hardtanh"
    return SPOKEN.get(step.name, step.name.replace("_", " "))


def producer(steps: list[Step], at: int) -> int | None:
    """Return the last step before `at` that made the input of step `at`."""
    source = steps[at].source
    for i in range(at - 1, -1, -1):
        if steps[i].output is source:
            return i
    return None


def pool_stride(step: Step) -> tuple[int, int]:
    """Return the stride of a pooling step, (y, x)."""
    kernel = step.argument(1, "kernel_size")
    stride = step.argument(2, "stride")
    return pair(stride if stride not in (None, [], ()) else kernel)


def pair(value: Any) -> tuple[int, int]:
    """Return a size that may be one number as (y, x)."""
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[-1]))
