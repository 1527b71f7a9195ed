"""Conversion of a layer's output to maps `[N, C, h, w]`, whatever its axes are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ..errors import ParameterError
from . import axes as ax
from .axes import Axes


@dataclass(frozen=True)
class AxisLayout:
    """The axes of a layer's output.

    Attributes:
        kind: "maps" if every axis is known, "tokens" if one axis enumerates a grid of places,
            "sequence" `[N, T, C]` if the positions form no grid, "vector" `[N, C]`, or "unknown",
            which no explainer accepts.
        order: the axes that are batch, channels, rows, columns; for "tokens" batch, channels,
            tokens. None in the place of channels if there are none.
        rank: number of axes of the output.
        channels: number of channels.
        grid: rows and columns of the grid of tokens.
        first: index of the first token of the grid. The tokens before and behind the grid (class
            and register tokens) have no place in the image and are left out.
        by_columns: whether the grid is enumerated column by column.
    """

    kind: Literal["maps", "tokens", "sequence", "vector", "unknown"]
    order: tuple[int | None, ...] = ()
    rank: int = 0
    channels: int = 1
    grid: tuple[int, int] = (0, 0)
    first: int = 0
    by_columns: bool = False

    def __call__(self, output: Tensor) -> Tensor:
        """Return an output as `[N, C, h, w]`, `[N, C]` or `[N, T, C]`; a view of it."""
        if self.kind in ("vector", "sequence"):
            return output
        n, c, *places = self.order
        assert n is not None
        ordered = output.permute([d for d in (n, c, *places) if d is not None])
        if c is None:
            ordered = ordered.unsqueeze(1)
        if self.kind == "maps":
            return ordered
        rows, columns = self.grid
        tokens = ordered[:, :, self.first : self.first + rows * columns]
        if self.by_columns:
            return tokens.reshape(*tokens.shape[:2], columns, rows).transpose(2, 3)
        return tokens.reshape(*tokens.shape[:2], rows, columns)

    @property
    def is_for_any_size(self) -> bool:
        """True if it also holds for images of other sizes; that of tokens in a grid does not."""
        return self.kind in ("maps", "vector", "sequence")

    def fits(self, output: Tensor, count: int) -> bool:
        """Return whether an output for a number of images can have this layout."""
        if self.kind == "unknown" or output.dim() != self.rank:
            return False
        if self.kind in ("vector", "sequence"):
            return len(output) == count
        n, c, *places = self.order
        assert n is not None
        channels = 1 if c is None else output.shape[c]
        if output.shape[n] != count or channels != self.channels:
            return False
        return self.kind == "maps" or output.shape[places[0] or 0] >= math.prod(self.grid)

    def shape(self, output: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of one image in the result, for an output of a shape."""
        if self.kind == "tokens":
            return self.channels, *self.grid
        if self.kind == "maps":
            _, _, y, x = self.order
            return self.channels, output[y or 0], output[x or 0]
        return tuple(output[1:])


UNKNOWN = AxisLayout("unknown")


def decide(axes: Axes | None, shape: Sequence[int]) -> AxisLayout:
    """Return the layout of an output, given its axes.

    Args:
        axes: the axes; None if nothing is known about them.
        shape: shape of the output for one image, with the batch axis.
    """
    rank = len(shape)
    if rank == 2:  # including outputs that do not visibly depend on the images
        return (
            AxisLayout("vector", rank=2, channels=shape[1]) if _rows_are_images(axes) else UNKNOWN
        )
    if axes is None or rank < 2:
        return UNKNOWN
    return _maps(axes, shape) or _tokens(axes, shape) or _sequence(axes, shape) or UNKNOWN


def _rows_are_images(axes: Axes | None) -> bool:
    return axes is None or ax.is_weak(axes[0]) or ax.kinds(axes[:1]) == {"n"}


def _place(axes: Axes, kind: str) -> int | None:
    """Return the index of the only axis of a kind (batch, rows or columns); None without one."""
    places = [i for i, a in enumerate(axes) if len(a) == 1 and a[0].kind == kind]
    whole = [i for i in places if kind == "n" or axes[i][0].major]
    elsewhere = any(kind in ax.kinds([a]) and a[0].kind != "c" for a in axes if len(a) > 1)
    return whole[0] if len(whole) == len(places) == 1 and not elsewhere else None


def _maps(axes: Axes, shape: Sequence[int]) -> AxisLayout | None:
    n, y, x = (_place(axes, kind) for kind in "nyx")
    empty = [i for i, axis in enumerate(axes) if axis == ()]
    if len(shape) == 4 and y is None and x is None and len(empty) >= 2:  # after global pooling
        y, x = empty[-2:]
    if n is None or y is None or x is None or "!" in ax.kinds(axes):
        return None
    rest = [i for i in range(len(axes)) if i not in (n, y, x)]
    if len(rest) > 1 or any(ax.kinds([axes[i]]) & set("nt") for i in rest):
        return None
    c = rest[0] if rest else None
    return AxisLayout("maps", (n, c, y, x), len(shape), 1 if c is None else shape[c])


def _tokens(axes: Axes, shape: Sequence[int]) -> AxisLayout | None:
    n = _place(axes, "n")
    places = [i for i, a in enumerate(axes) if ax.is_grid(a) or ax.kinds([a]) == {"t"}]
    if n is None or len(shape) != 3 or len(places) != 1:
        return None
    (t,) = places
    (c,) = {0, 1, 2} - {n, t}
    if not ax.is_weak(axes[c]):
        return None
    tokens = axes[t][0]
    grid, first = (tokens.grid, tokens.before) if tokens.kind == "t" else (axes[t], 0)
    sizes = {factor.kind: factor.size for factor in grid}
    by_columns = grid[0].kind == "x"
    return AxisLayout("tokens", (n, c, t), 3, shape[c], (sizes["y"], sizes["x"]), first, by_columns)


def _sequence(axes: Axes, shape: Sequence[int]) -> AxisLayout | None:
    fits = len(shape) == 3 and ax.kinds(axes[:1]) == {"n"} and ax.kinds(axes[2:]) == {"c"}
    if not fits or not ax.kinds(axes[1:2]) <= {"u"}:
        return None
    return AxisLayout("sequence", (0, 2, 1), 3, shape[2])


def arrange(
    outputs: Mapping[str, Tensor], layouts: Mapping[str, AxisLayout], count: int
) -> dict[str, Tensor]:
    """Return layers' outputs as maps `[N, C, h, w]`, `[N, C]` or `[N, T, C]`.

    Args:
        outputs: layer -> its output, as returned by the network.
        layouts: layer -> its axes.
        count: N, the number of images.

    Raises:
        ParameterError: the axes of an output are unknown.
    """
    arranged = {}
    for name, output in outputs.items():
        layout = layouts.get(name, UNKNOWN)
        if not layout.fits(output, count):
            raise ParameterError(
                f"layer {name!r} returns {list(output.shape)} for {count} image(s): which axes are "
                "channels, rows and columns is unknown; choose a layer that returns maps, or "
                "tokens for the places of the image"
            )
        arranged[name] = layout(output)
    return arranged
