"""Rules of operators that work on each place separately: elementwise, or across channels only."""

from __future__ import annotations

from typing import Any

import torch

from .axis_maps import AxisMap, BroadcastMap, identity
from .rules import Edge, ImageAxes, Local, OperatorCall, rule, same, shape

POINTWISE = frozenset(
    """
    _to_copy alias alpha_dropout clone contiguous detach dropout expand expand_as
    feature_alpha_dropout feature_dropout hardswish lift_fresh_copy native_dropout rsub to type_as
    """.split()  # noqa: SIM905
)
"""Elementwise operators that ATen does not tag as pointwise."""


def is_pointwise(target: Any, name: str) -> bool:
    """Return whether an operator works element by element, with broadcasting."""
    tagged = isinstance(target, torch._ops.OpOverload) and torch.Tag.pointwise in target.tags
    return tagged or name in POINTWISE


def pointwise(call: OperatorCall) -> Local | None:
    """Elementwise operators; inputs are aligned at their last axes and broadcast."""
    rank = len(call.shape)
    candidates = {
        ImageAxes(*(a + rank - len(shape(source)) for a in call.axes[source]))
        for source in call.sources
    }
    if len(candidates) != 1:  # rows of one input would meet columns of another, say
        return None
    axes = candidates.pop()
    edges = [_broadcast(call, source, axes) for source in call.sources]
    valid = tuple(edge for edge in edges if edge is not None)
    return Local(axes, valid) if len(valid) == len(edges) else None


def _broadcast(call: OperatorCall, source: Any, axes: ImageAxes) -> Edge | None:
    sizes = shape(source)
    maps = [_stretch(sizes[a], call.shape[b]) for a, b in zip(call.axes[source], axes, strict=True)]
    return None if maps[0] is None or maps[1] is None else Edge(source, maps[0], maps[1])


def _stretch(before: int, after: int) -> AxisMap | None:
    if before == after:
        return identity(before)
    return BroadcastMap(before, after) if before == 1 else None


@rule("repeat")
def repeat(call: OperatorCall) -> Local | None:
    """Repetition; an image axis is unchanged, or has a single position."""
    added = len(call["repeats"]) - len(shape(call["self"]))
    return call.local(lambda axis, before, after: _stretch(before, after), lambda a: a + added)


@rule("batch_norm", "cudnn_batch_norm", "native_batch_norm")
@rule("_native_batch_norm_legit_no_training")
def batch_norm(call: OperatorCall) -> Local | None:
    """Batch norm with running statistics; with those of the batch it is global."""
    return None if call.get("training", False) else of_channels(call)


@rule("prelu", "channel_shuffle")
def of_channels(call: OperatorCall) -> Local | None:
    """Operators whose channels are axis 1; they are global if it is an image axis."""
    return None if call.touches(1) else call.local(_same)


@rule("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm")
def layer_norm(call: OperatorCall) -> Local | None:
    """Layer norm over channels; it is global over an image axis."""
    count = len(call["normalized_shape"])
    return None if call.touches(range(-count, 0)) else call.local(_same)


@rule("linear")
def linear(call: OperatorCall) -> Local | None:
    """A linear layer across the channels, which are the last axis."""
    return None if call.touches(-1) else call.local(_same)


@rule("matmul")
def matmul(call: OperatorCall) -> Local | None:
    """A product with a constant matrix, across the last axis."""
    fixed = len(shape(call["other"])) == 2
    return call.local(_same) if fixed and not call.touches(-1) else None


@rule("softmax", "_softmax", "log_softmax", "_log_softmax", "cumsum", "glu")
def along(call: OperatorCall) -> Local | None:
    """Operators along one axis; they are global if it is an image axis."""
    return None if call.touches(call["dim"]) else call.local(_same)


@rule("mean", "sum", "amax", "amin", "max", "min", "argmax", "argmin", "prod", "var", "std")
@rule("logsumexp", "linalg_vector_norm", "norm", "any", "all")
def reduction(call: OperatorCall) -> Local | None:
    """Reductions over channels; they are global over an image axis."""
    if "other" in call.arguments:  # torch.max(a, b)
        return pointwise(call)
    dims = call.get("dim")
    if dims is None or dims == [] or call.touches(dims):
        return None
    rank = len(shape(call["self"]))
    gone = sorted({d % rank for d in ([dims] if isinstance(dims, int) else dims)})
    if call.get("keepdim", False):
        gone = []
    return call.local(_same, lambda axis: axis - sum(d < axis for d in gone))


def _same(axis: int, before: int, after: int) -> AxisMap | None:
    return same(before, after)
