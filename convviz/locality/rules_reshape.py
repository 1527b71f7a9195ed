"""Rules of operators that permute, slice, reshape and join axes without computing anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import fx

from .axis_maps import AxisMap, ConcatMap, WindowMap, identity
from .rules import Edge, ImageAxes, Local, OperatorCall, rule, same, shape


@rule("permute")
def permute(call: OperatorCall) -> Local | None:
    """Permutation of the axes."""
    rank = len(call.shape)
    order = _several(call["dims"], rank)
    return call.renumber(order.index)


@rule("transpose", "swapaxes", "swapdims")
def transpose(call: OperatorCall) -> Local | None:
    """Exchange of two axes."""
    rank = len(call.shape)
    a, b = (d % rank for d in list(call.arguments.values())[1:3])
    return call.renumber(lambda axis: {a: b, b: a}.get(axis, axis))


@rule("movedim", "moveaxis")
def movedim(call: OperatorCall) -> Local | None:
    """Axes moved to other places; the others keep their order."""
    rank = len(call.shape)
    moves = [_several(call[name], rank) for name in ("source", "destination")]
    order = [d for d in range(rank) if d not in moves[0]]
    for to, axis in sorted(zip(moves[1], moves[0], strict=True)):
        order.insert(to, axis)
    return call.renumber(order.index)


def _several(dims: Any, rank: int) -> list[int]:
    return [d % rank for d in ([dims] if isinstance(dims, int) else dims)]


@rule("unsqueeze")
def unsqueeze(call: OperatorCall) -> Local | None:
    """A new axis of one position."""
    dim = call["dim"] % len(call.shape)
    return call.renumber(lambda axis: axis + (axis >= dim))


@rule("squeeze")
def squeeze(call: OperatorCall) -> Local | None:
    """Removal of axes of size 1; global if an image axis is among them."""
    source = call.source
    if source is None:
        return None
    sizes = shape(source)
    dims = call.get("dim")
    dims = range(len(sizes)) if dims is None else _several(dims, len(sizes))
    return _without(call, [d for d in dims if sizes[d] == 1])


@rule("select", "unbind")
def select(call: OperatorCall) -> Local | None:
    """One position of an axis, or all as separate tensors; the axis is removed."""
    return _without(call, [call["dim"] % len(shape(call["self"]))])


def _without(call: OperatorCall, removed: Sequence[int]) -> Local | None:
    return call.renumber(
        lambda axis: None if axis in removed else axis - sum(d < axis for d in removed)
    )


@rule("slice", "narrow")
def slices(call: OperatorCall) -> Local | None:
    """A range of positions, possibly with a step."""
    dim = call["dim"] % len(call.shape)
    step = call.get("step", 1) or 1

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis != dim:
            return same(before, after)
        start = call["start"] or 0
        start = min(max(start + before, 0) if start < 0 else start, before)
        return WindowMap(before, after, stride=step, padding=-start)

    return call.local(per_axis)


@rule("split", "split_with_sizes", "chunk", "tensor_split", "flip", "index_select", "roll")
def channels(call: OperatorCall) -> Local | None:
    """Splitting and reordering of channels; global along an image axis."""
    source = call.source
    dims = call.get("dim", call.get("dims"))
    if source is None or dims is None or dims == [] or call.touches(dims):
        return None
    return call.renumber(lambda axis: axis)


@rule("index")
def index(call: OperatorCall) -> Local | None:
    """Selection of channels by a list of indices."""
    source = call.source
    if source is None:
        return None
    picked = [i for i, v in enumerate(call["indices"]) if v is not None]
    if len(picked) != 1 or call.touches(picked) or len(shape(call["indices"][picked[0]])) != 1:
        return None
    return call.renumber(lambda axis: axis)


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as")
def view(call: OperatorCall) -> Local | None:
    """Reshapes; local if both image axes remain separate axes."""
    source = call.source
    if source is None:
        return None
    old, new = shape(source), call.shape
    if str(old[0]) != str(new[0]):
        return None
    return call.renumber(lambda axis: _axis_after(old, new, axis))


def _axis_after(old: Sequence[Any], new: Sequence[Any], axis: int) -> int | None:
    """Return the axis of a reshaped tensor that an axis has become; None if it was merged or split.

    In row-major order, an axis is unchanged if it has the same size and the product of the sizes
    before it is the same: in (N, 6, 5, 7) -> (N, 2, 3, 5, 7), 5 is preceded by 6 = 2 * 3.
    """
    if axis == 0 or not all(isinstance(n, int) for n in [*old[1:], *new[1:]]):
        return None
    before = math.prod(old[1:axis])
    for other in range(1, len(new)):
        if new[other] == old[axis] and math.prod(new[1:other]) == before:
            return other
    return None


@rule("cat", "stack")
def cat(call: OperatorCall) -> Local | None:
    """Concatenation along any axis, also an image axis."""
    tensors: Sequence[fx.Node] = call["tensors"]
    new = "stack" in str(call.node.target)
    dim = call["dim"] % len(call.shape)
    candidates = {
        ImageAxes(*(a + (new and a >= dim) for a in call.axes[t]))
        for t in tensors
        if t in call.axes
    }
    if len(candidates) != 1 or (not new and any(len(shape(t)) != len(call.shape) for t in tensors)):
        return None
    axes = candidates.pop()
    # Along an image axis, each tensor is offset by those before it, also by constant ones.
    edges, offset = [], 0
    for tensor in tensors:
        size = 0 if new or dim not in axes else shape(tensor)[dim]
        if tensor in call.axes:
            edges.append(_piece(call, tensor, axes, dim, offset))
        offset += size
    return Local(axes, tuple(edges))


def _piece(call: OperatorCall, tensor: fx.Node, axes: ImageAxes, dim: int, offset: int) -> Edge:
    sizes = [shape(tensor)[a] for a in call.axes[tensor]]
    maps: list[AxisMap] = [
        ConcatMap(size, call.shape[axis], offset) if axis == dim else identity(size)
        for size, axis in zip(sizes, axes, strict=True)
    ]
    return Edge(tensor, maps[0], maps[1])


@rule("getitem")
def getitem(call: OperatorCall) -> Local | None:
    """One of several outputs, if its rank is that of the first."""
    source = call.node.args[0]
    if not isinstance(source, fx.Node) or len(call.shape) != len(shape(source)):
        return None
    return call.renumber(lambda axis: axis)
