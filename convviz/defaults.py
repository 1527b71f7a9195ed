"""Which layers an explainer takes when none are given, read off one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import nn

from .capture import Call
from .errors import ModelError

Kind = Literal["filters", "activations", "patches", "features"]


def default_layers(kind: Kind, module: nn.Module, calls: Sequence[Call]) -> tuple[str, ...]:
    """Return the layers of a kind; raises ModelError where the network has none.

    "filters": the first convolution (its module path). "activations": the last one. "patches":
    the last of each stage. "features": the input of the last linear layer, or of the last
    convolution in a network without one.
    """
    if kind == "features":
        return (_features(module, calls),)
    convs = _convolutions(module, calls)
    if not convs:
        raise ModelError(f"{type(module).__name__} has no convolution; name a layer")
    if kind == "filters":
        return (convs[0].path,)
    return (convs[-1].name,) if kind == "activations" else _stages(module, calls, convs)


def _convolutions(module: nn.Module, calls: Sequence[Call]) -> list[Call]:
    """List the convolutions, without those on 1x1 maps, which gate channels."""
    convs = [c for c in calls if not c.op and isinstance(_at(module, c), nn.Conv2d)]
    return [c for c in convs if len(c.shape) == 4 and max(c.shape[2:]) > 1] or convs


def _at(module: nn.Module, call: Call) -> nn.Module:
    return module.get_submodule(call.path)


def _stages(module: nn.Module, calls: Sequence[Call], convs: Sequence[Call]) -> tuple[str, ...]:
    """Take the last convolution of each stage.

    A stage is what has about the same resolution (a border cut by a convolution without
    padding opens no new one). A convolution inside a block that goes down (ResNet-50's
    `layer3.0.conv1`) belongs to the next stage.
    """
    stages: list[list[Call]] = []
    for conv in convs:
        size = min(conv.shape[2:])
        home = next((s for s in stages if 2 / 3 < size / min(s[0].shape[2:]) < 1.5), None)
        if home is None:
            stages.append([conv])
        else:
            home.append(conv)
    sizes = {c.path: c.shape[2:] for c in calls if not c.op and len(c.shape) == 4}
    last = [_last_of(module, stage, sizes, convs) for stage in stages]
    return tuple(c.name for c in sorted(last, key=convs.index))


def _last_of(
    module: nn.Module,
    stage: Sequence[Call],
    sizes: Mapping[str, tuple[int, ...]],
    convs: Sequence[Call],
) -> Call:
    staying = [c for c in stage if not _goes_down(module, c, sizes, convs)]
    return (staying or stage)[-1]


def _goes_down(
    module: nn.Module, conv: Call, sizes: Mapping[str, tuple[int, ...]], convs: Sequence[Call]
) -> bool:
    """Say whether a block around the convolution returns a coarser map than it does."""
    parts = conv.path.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:depth])
        around = module.get_submodule(path)
        if isinstance(around, nn.Sequential | nn.ModuleList) or path not in sizes:
            continue
        inside = {c.shape[2:] for c in convs if c.path.startswith(path + ".")}
        if len(inside) > 2:
            return False  # no block but a network of stages
        if min(sizes[path]) * 1.5 <= min(conv.shape[2:]):
            return True
    return False


def _features(module: nn.Module, calls: Sequence[Call]) -> str:
    """Find what the last linear layer gets, as a layer that can be captured."""
    heads = [c for c in calls if c.op == "linear" or (not c.op and _is_linear(module, c))]
    heads = heads or _convolutions(module, calls)
    if not heads:
        raise ModelError(
            f"{type(module).__name__} has no linear layer and no convolution; name a layer"
        )
    head = heads[-1]
    if head.source is None:
        raise ModelError(
            f"the input of {head.name!r} is the output of no layer that can be named; name a layer"
        )
    return calls[head.source].name


def _is_linear(module: nn.Module, call: Call) -> bool:
    return isinstance(_at(module, call), nn.Linear)
