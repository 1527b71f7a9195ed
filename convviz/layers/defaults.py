"""Default layers of explainers, determined from a trace of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from ..errors import ModelError
from .capture import LayerCall, LayerCalls
from .trunk import stages_of, trunk_of

LayerKind = Literal["filters", "activations", "class_maps", "patches", "features"]
"""Kinds of default layers, see `default_layers`."""


def default_layers(kind: LayerKind, module: nn.Module, calls: LayerCalls) -> tuple[str, ...]:
    """Return the layers of a kind; raise ModelError if the network has none.

    "filters": the first convolution (its module path). "activations": the output of the last
    stage. "class_maps": the same, but in a transformer with a class token the first norm of its
    last block, because the tokens of the image have no gradient after that block. "patches": the
    output of each stage. "features": the input of the last linear layer, or of the last
    convolution in a network without one.
    """
    if kind == "features":
        return (_features(module, calls),)
    if kind == "filters":
        convs = _convolutions(module, calls)
        if not convs:
            raise ModelError(f"{type(module).__name__} has no convolution; name a layer")
        return (convs[0].path,)
    if calls.stages is None:
        calls.stages = tuple(_stages(module, calls))
    stages = calls.stages
    if not stages:
        raise ModelError(f"{type(module).__name__} has no layer that gives maps; name a layer")
    if kind == "class_maps":
        return (_before_class_token(calls, stages[-1]),)
    return tuple(stages[-1:] if kind == "activations" else stages)


def _before_class_token(calls: LayerCalls, block: str) -> str:
    """Return the first norm inside a block with a class token; the block if there is none."""
    layout = calls.layouts[block]
    if layout.kind != "tokens" or not layout.first:
        return block
    inner = [c for c in calls if c.path.startswith(f"{block}.") and c.layout == layout]
    return next((c.name for c in inner if "norm" in c.kind.lower()), block)


def _stages(module: nn.Module, calls: LayerCalls) -> list[str]:
    """Return the last layers of the stages; if there are none, the last layer with maps."""
    containers = {
        path for path, m in module.named_modules() if type(m) in (nn.Sequential, nn.ModuleList)
    }
    stages = stages_of(calls, frozenset(containers))
    if stages:
        return stages
    maps = [c.name for c in calls if c.layout.kind in ("maps", "tokens") and _has_places(c)]
    return maps[-1:]


def _has_places(call: LayerCall) -> bool:
    _, *size = call.layout.shape(call.shape)
    return max(size) > 1


def _convolutions(module: nn.Module, calls: Sequence[LayerCall]) -> list[LayerCall]:
    """Return the convolutions, without those on 1x1 maps, which gate channels."""
    convs = [c for c in calls if _is_a(nn.Conv2d, module, c)]
    return [c for c in convs if len(c.shape) == 4 and max(c.shape[2:]) > 1] or convs


def _features(module: nn.Module, calls: LayerCalls) -> str:
    """Return the layer whose output is the input of the last linear layer."""
    linear = [c for c in calls if c.op == "linear" or _is_a(nn.Linear, module, c)]
    convs = [c for c in calls if _is_a(nn.Conv2d, module, c)]
    # Blocks that gate channels have linear layers, too, but on a branch beside the trunk.
    trunk = trunk_of(calls)
    places = {part.value for part in trunk}
    last = [part.value for part in trunk if part.weighted_count][-1:]
    heads = [c for c in linear if c.value in places] or [c for c in convs if c.value in last]
    heads = heads or linear or convs
    if not heads:
        raise ModelError(
            f"{type(module).__name__} has no linear layer and no convolution; name a layer"
        )
    head = heads[-1]
    if head.source is None:
        raise ModelError(
            f"the input of {head.name!r} is not the output of a named layer; name a layer"
        )
    return calls[head.source].name


def _is_a(kind: type[nn.Module], module: nn.Module, call: LayerCall) -> bool:
    return not call.op and isinstance(module.get_submodule(call.path), kind)
