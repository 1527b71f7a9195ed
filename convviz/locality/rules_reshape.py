"""Rules of operators that move, cut and join axes without computing anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import fx

from .axis_maps import AxisMap, Piece, Window, identity
from .rules import Axes, Call, Edge, Local, rule, same, shape


@rule("permute")
def permute(call: Call) -> Local | None:
    """Axes in another order."""
    rank = len(call.shape)
    order = _several(call["dims"], rank)
    return call.moved(order.index)


@rule("transpose", "swapaxes", "swapdims")
def transpose(call: Call) -> Local | None:
    """Two axes exchanged."""
    rank = len(call.shape)
    a, b = (d % rank for d in list(call.arguments.values())[1:3])
    return call.moved(lambda axis: {a: b, b: a}.get(axis, axis))


@rule("movedim", "moveaxis")
def movedim(call: Call) -> Local | None:
    """Some axes moved, the others staying in order."""
    rank = len(call.shape)
    moves = [_several(call[name], rank) for name in ("source", "destination")]
    order = [d for d in range(rank) if d not in moves[0]]
    for to, axis in sorted(zip(moves[1], moves[0], strict=True)):
        order.insert(to, axis)
    return call.moved(order.index)


def _several(dims: Any, rank: int) -> list[int]:
    return [d % rank for d in ([dims] if isinstance(dims, int) else dims)]


@rule("unsqueeze")
def unsqueeze(call: Call) -> Local | None:
    """A new axis of one position."""
    dim = call["dim"] % len(call.shape)
    return call.moved(lambda axis: axis + (axis >= dim))


@rule("squeeze")
def squeeze(call: Call) -> Local | None:
    """Axes of one position taken away; global where an image axis is among them."""
    source = call.source
    if source is None:
        return None
    sizes = shape(source)
    dims = call.get("dim")
    asked = range(len(sizes)) if dims is None else _several(dims, len(sizes))
    gone = [d for d in asked if sizes[d] == 1]
    return _without(call, gone)


@rule("select", "unbind")
def select(call: Call) -> Local | None:
    """One position of an axis, or every one by itself; the axis goes."""
    return _without(call, [call["dim"] % len(shape(call["self"]))])


def _without(call: Call, gone: Sequence[int]) -> Local | None:
    return call.moved(lambda axis: None if axis in gone else axis - sum(d < axis for d in gone))


@rule("slice", "narrow")
def cut(call: Call) -> Local | None:
    """A range of positions, maybe every n-th."""
    dim = call["dim"] % len(call.shape)
    step = call.get("step", 1) or 1

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis != dim:
            return same(before, after)
        start = call["start"] or 0
        start = min(max(start + before, 0) if start < 0 else start, before)
        return Window(before, after, stride=step, padding=-start)

    return call.local(per_axis)


@rule("split", "split_with_sizes", "chunk", "tensor_split", "flip", "index_select", "roll")
def channels(call: Call) -> Local | None:
    """Cutting and reordering channels; along an image axis they are global."""
    source = call.source
    dims = call.get("dim", call.get("dims"))
    if source is None or dims is None or dims == [] or call.touches(dims):
        return None
    return call.moved(lambda axis: axis)


@rule("index")
def index(call: Call) -> Local | None:
    """Picking channels by a list of them."""
    source = call.source
    if source is None:
        return None
    picked = [i for i, v in enumerate(call["indices"]) if v is not None]
    if len(picked) != 1 or call.touches(picked) or len(shape(call["indices"][picked[0]])) != 1:
        return None
    return call.moved(lambda axis: axis)


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as")
def view(call: Call) -> Local | None:
    """Another shape for the same numbers; local where both image axes stay axes of their own."""
    source = call.source
    if source is None:
        return None
    old, new = shape(source), call.shape
    if str(old[0]) != str(new[0]):
        return None
    return call.moved(lambda axis: _kept(old, new, axis))


def _kept(old: Sequence[Any], new: Sequence[Any], axis: int) -> int | None:
    """Find the axis of the new shape with the same size and as much in front of it."""
    if axis == 0 or not all(isinstance(n, int) for n in [*old[1:], *new[1:]]):
        return None
    front = math.prod(old[1:axis])
    for other in range(1, len(new)):
        if new[other] == old[axis] and math.prod(new[1:other]) == front:
            return other
    return None


@rule("cat", "stack")
def cat(call: Call) -> Local | None:
    """Joining tensors along an axis, an image axis too."""
    tensors: Sequence[fx.Node] = call["tensors"]
    new = "stack" in str(call.node.target)
    dim = call["dim"] % len(call.shape)
    placed = {
        Axes(*(a + (new and a >= dim) for a in call.axes[t])) for t in tensors if t in call.axes
    }
    if len(placed) != 1 or (not new and any(len(shape(t)) != len(call.shape) for t in tensors)):
        return None
    axes = placed.pop()
    edges, offset = [], 0
    for tensor in tensors:
        size = 0 if new or dim not in axes else shape(tensor)[dim]
        if tensor in call.axes:
            edges.append(_piece(call, tensor, axes, dim, offset))
        offset += size
    return Local(axes, tuple(edges))


def _piece(call: Call, tensor: fx.Node, axes: Axes, dim: int, offset: int) -> Edge:
    sizes = [shape(tensor)[a] for a in call.axes[tensor]]
    maps: list[AxisMap] = [
        Piece(size, call.shape[axis], offset) if axis == dim else identity(size)
        for size, axis in zip(sizes, axes, strict=True)
    ]
    return Edge(tensor, maps[0], maps[1])


@rule("getitem")
def getitem(call: Call) -> Local | None:
    """One of several outputs, if it has the image's axes as the first one does."""
    source = call.node.args[0]
    if not isinstance(source, fx.Node) or len(call.shape) != len(shape(source)):
        return None
    return call.moved(lambda axis: axis)
