"""The meaning of each axis of a tensor: batch, rows and columns of the image, channels.

An axis is a tuple of factors, the slowest first. An example with images of 28 x 28 pixels and
windows of 7 x 7, as in a Swin transformer:

    [N, 28, 28, C]             (n) (y 28) (x 28) (c)
    .view(N, 4, 7, 4, 7, C)    (n) (y 4, stride 7) (y 7) (x 4, stride 7) (x 7) (c)
    .transpose(2, 3)           (n) (y 4, stride 7) (x 4, stride 7) (y 7) (x 7) (c)
    .flatten(0, 2)             (n, y 4, x 4) (y 7) (x 7) (c)

The same operations backwards give factors that fit together again, (y 4, stride 7)(y 7) = (y 28),
and so the rows and columns of the whole image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Factor(NamedTuple):
    """One factor of an axis.

    Attributes:
        kind: "n" batch, "y" rows of the image, "x" columns, "c" channels computed by a layer,
            "t" tokens of which some form a grid, "u" unknown, "!" contradictory.
        size: number of positions.
        total: for rows and columns, number of positions of the whole axis.
        stride: for rows and columns, distance of two positions in the whole axis.
        grid: for tokens, the factors of those that form a grid.
        before: for tokens, number of tokens before the grid.
    """

    kind: str
    size: int
    total: int = 0
    stride: int = 1
    grid: tuple[Factor, ...] = ()
    before: int = 0

    @property
    def major(self) -> bool:
        """True for rows or columns that, in order, cover the whole image."""
        return self.kind in "yx" and self.size * self.stride == self.total


Axis = tuple[Factor, ...]
"""The factors of an axis; an axis of size 1 may have none."""

Axes = tuple[Axis, ...]
"""The axes of a tensor, in its own order."""

_WEAK = "cu"
"""Kinds that say nothing about the image: channels and unknown axes."""


def spatial(kind: str, size: int) -> Axis:
    """Return an axis of all rows ("y") or all columns ("x")."""
    return (Factor(kind, size, size),)


def channels(size: int) -> Axis:
    """Return an axis of channels."""
    return (Factor("c", size),) if size != 1 else ()


def unknown(size: int) -> Axis:
    """Return an axis with no known meaning."""
    return (Factor("u", size),) if size != 1 else ()


def image_axes(shape: Sequence[int]) -> Axes:
    """Return the axes of images `[N, C, H, W]`."""
    n, c, h, w = shape
    return (Factor("n", n),), channels(c), spatial("y", h), spatial("x", w)


def is_weak(axis: Axis) -> bool:
    """Return whether an axis contains no factor of the batch, the image or tokens."""
    return all(factor.kind in _WEAK for factor in axis)


def kinds(axes: Iterable[Axis]) -> set[str]:
    """Return the kinds of all factors."""
    return {factor.kind for axis in axes for factor in axis}


def join_factors(factors: Iterable[Factor]) -> Axis:
    """Return an axis of factors in order; neighbors that continue each other are joined."""
    joined: list[Factor] = []
    factors = list(factors)
    several = sum(f.size != 1 for f in factors) > 0 or len(factors) > 1
    for factor in factors:
        if several and factor.size == 1 and factor.kind != "n":
            continue
        last = joined[-1] if joined else None
        if last is not None and {last.kind, factor.kind} <= set(_WEAK):
            kind = "c" if last.kind == factor.kind == "c" else "u"
            joined[-1] = Factor(kind, last.size * factor.size)
        elif last is not None and _continues(last, factor):
            size = last.size * factor.size
            joined[-1] = Factor(factor.kind, size, factor.total, factor.stride)
        else:
            joined.append(factor)
    return tuple(joined)


def _continues(major: Factor, minor: Factor) -> bool:
    """Return whether two factors are the slow and the fast part of one: (y 4, stride 7)(y 7)."""
    same = major.kind == minor.kind and major.kind in "yx" and major.total == minor.total
    return same and major.stride == minor.size * minor.stride


def _split(factor: Factor, size: int) -> tuple[Factor, Factor] | None:
    """Split a factor into a slow one of a size and a fast one; None if that is not possible."""
    if factor.size % size or factor.kind in "nt!":
        return None
    rest = factor.size // size
    if factor.kind in _WEAK:
        return Factor(factor.kind, size), Factor(factor.kind, rest)
    slow = Factor(factor.kind, size, factor.total, factor.stride * rest)
    return slow, Factor(factor.kind, rest, factor.total, factor.stride)


def view(axes: Axes, sizes: Sequence[int]) -> Axes:
    """Return the axes of a contiguous tensor after a reshape; all unknown if factors do not fit."""
    # A stack with the slowest factor on top. Each new axis takes factors until it has its size.
    remaining = [factor for axis in axes for factor in axis][::-1]
    result = []
    for size in sizes:
        axis = _pop_factors(remaining, size)
        if axis is None:
            return tuple(map(unknown, sizes))
        result.append(axis)
    return tuple(result)


def _pop_factors(remaining: list[Factor], size: int) -> Axis | None:
    """Pop factors (the slowest is last) with a given product, the last one split if necessary."""
    if size == 1:
        return (remaining.pop(),) if remaining and remaining[-1].size == 1 else ()
    popped: list[Factor] = []
    product = 1
    while product < size:
        if not remaining or size % product:
            return None
        factor = remaining.pop()
        if factor.size > size // product:
            parts = _split(factor, size // product)
            if parts is None:
                return None
            factor, rest = parts
            remaining.append(rest)
        popped.append(factor)
        product *= factor.size
    return join_factors(popped) if product == size else None


def combine(operands: Sequence[Axes], shape: Sequence[int]) -> Axes:
    """Return the axes of an elementwise result of operands, which are aligned at the last axis."""
    result = []
    for i, size in enumerate(shape):
        place = i - len(shape)
        axes = [axes[place] for axes in operands if len(axes) >= -place]
        result.append(_common_axis([a for a in axes if length(a) == size], size))
    return tuple(result)


def _common_axis(axes: list[Axis], size: int) -> Axis:
    """Return the common meaning of the operands' axes.

    Channels and unknown axes give way to all others. Two different meanings of the image, as rows
    added to columns, are a contradiction: "!".
    """
    strong = {axis for axis in axes if not is_weak(axis)}
    if len(strong) == 1:
        return strong.pop()
    if strong:
        return (Factor("!", size),)
    if axes and all(kinds([axis]) <= {"c"} for axis in axes):
        return channels(size)
    return unknown(size)


def length(axis: Axis) -> int:
    """Return the number of positions of an axis."""
    return math.prod(factor.size for factor in axis)


def settle(axes: Axes) -> Axes:
    """Return axes in which coarse rows or columns without a fine part count as whole ones.

    After pooling over the fine part, (y 4, stride 7) are the 4 rows of a smaller map.
    """
    factors = [factor for axis in axes for factor in axis]
    result = axes
    for kind in "yx":
        parts = [f for f in factors if f.kind == kind]
        if len(parts) == 1 and parts[0].major and parts[0].stride > 1:
            whole = Factor(kind, parts[0].size, parts[0].size)
            result = tuple(tuple(whole if f == parts[0] else f for f in axis) for axis in result)
    return result


def cut(axis: Axis, start: int, size: int, step: int = 1) -> Axis:
    """Return an axis after slicing: `size` positions from `start` on, every `step`-th."""
    if length(axis) == size and step == 1:
        return axis
    if is_weak(axis):
        return channels(size) if kinds([axis]) == {"c"} else unknown(size)
    if len(axis) == 1 and axis[0].major:
        return spatial(axis[0].kind, size)  # a crop, or a map of another size, is a map
    if len(axis) == 1 and axis[0].kind == "t" and step == 1:
        return _cut_tokens(axis[0], start, size)
    return unknown(size)


def _cut_tokens(tokens: Factor, start: int, size: int) -> Axis:
    grid = math.prod(f.size for f in tokens.grid)
    before, behind = tokens.before - start, start + size - tokens.before - grid
    if before < 0 or behind < 0:
        return unknown(size)
    return with_others(tokens.grid, before, behind)


def with_others(axis: Axis, before: int, behind: int) -> Axis:
    """Return an axis of a grid with further tokens before and behind it, such as a class token."""
    if before == behind == 0:
        return axis
    if len(axis) == 1 and axis[0].kind == "t":
        tokens = axis[0]
        size = tokens.size + before + behind
        return (Factor("t", size, grid=tokens.grid, before=tokens.before + before),)
    if not is_grid(axis):
        return unknown(length(axis) + before + behind)
    size = length(axis) + before + behind
    return (Factor("t", size, grid=axis, before=before),)


def is_grid(axis: Axis) -> bool:
    """Return whether an axis enumerates all places of the image, row by row or column by column."""
    return len(axis) == 2 and all(f.major for f in axis) and {f.kind for f in axis} == {"y", "x"}


def like_maps(axes: Axes, shape: Sequence[int], count: int) -> Axes:
    """Return the axes of the input of an operator that works on `[N, C, H, W]` only.

    Unknown axes are assumed to be batch, channels, rows and columns, unless they contradict it.

    Args:
        axes: axes of the operator's input.
        shape: shape of the input.
        count: number of images.
    """
    if len(shape) != 4:
        return axes
    n, c, y, x = axes
    y, x = _coarse(y, "y", shape[2]), _coarse(x, "x", shape[3])
    if not is_weak(c) or kinds([y]) & set("nxt!") or kinds([x]) & set("nyt!"):
        return axes
    if is_weak(n) and shape[0] == count:
        n = (Factor("n", count),)
    y = spatial("y", shape[2]) if is_weak(y) else y
    return n, c, y, spatial("x", shape[3]) if is_weak(x) else x


def _coarse(axis: Axis, kind: str, size: int) -> Axis:
    """Return whole rows or columns for an axis of coarse ones with unknown fine parts."""
    is_divided = axis[:1] != () and axis[0].kind == kind and axis[0].major
    return spatial(kind, size) if is_divided and is_weak(axis[1:]) else axis
