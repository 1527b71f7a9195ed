"""Colours: scales of values, colours of classes, and maps laid over photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .style import DIVERGING, SEQUENTIAL, number

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

OKABE_ITO = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#D55E00",
    "#0072B2",
    "#CC79A7",
    "#F0E442",
    "#000000",
)
"""The colour-blind safe palette of Okabe and Ito (2008)."""

_PALETTE = (*OKABE_ITO, "#8C6D4F", "#9AA0A6")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_ROBUST = 0.995
_CLIP_FROM = 1.5


@dataclass(frozen=True)
class Scale:
    """A mapping from values to colours.

    Attributes:
        low, high: values at the two ends of the colour map.
        signed: zero is in the middle, and the colour map diverges from it.
        extend: the ends beyond which there are values: "neither", "min", "max" or "both".
        note: a sentence about clipped or constant values; empty if there are none.
        map_name: matplotlib's name of the colour map; "" for the default.
    """

    low: float
    high: float
    signed: bool = False
    extend: str = "neither"
    note: str = ""
    map_name: str = ""

    @property
    def cmap(self) -> Colormap:
        """The colour map; NaN is transparent."""
        import matplotlib

        default = DIVERGING if self.signed else SEQUENTIAL
        chosen = matplotlib.colormaps[self.map_name or default]
        return chosen.with_extremes(bad=(0, 0, 0, 0))

    @property
    def norm(self) -> Normalize:
        """The range, for matplotlib."""
        from matplotlib.colors import Normalize

        return Normalize(self.low, self.high)

    def colours(self, values: np.ndarray) -> np.ndarray:
        """Return the colours of values `[...]` as float RGBA `[..., 4]`; NaN is transparent."""
        masked = np.ma.masked_invalid(np.asarray(values, dtype=float))
        return np.asarray(self.cmap(self.norm(masked)))

    def strength(self, values: np.ndarray) -> np.ndarray:
        """Return the distance of each value from neutral, 0 to 1; 0 for NaN."""
        values = np.nan_to_num(
            np.asarray(values, dtype=float), nan=0.0 if self.signed else self.low
        )
        if self.signed:
            return np.asarray(np.clip(np.abs(values) / self.high, 0, 1))
        return np.asarray(np.clip((values - self.low) / (self.high - self.low), 0, 1))


def scale_of(values: np.ndarray, signed: bool = False, cmap: str = "") -> Scale:
    """Return the scale of a map: its full range, or less if a few values would dominate it.

    If the largest magnitude is more than 1.5 times the 99.5 % quantile, the scale ends at the
    quantile, with a note. `cmap` is matplotlib's name of the colour map; "" for the default.
    """
    return replace(_limits(values, signed), map_name=cmap)


def _limits(values: np.ndarray, signed: bool) -> Scale:
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return Scale(-1.0 if signed else 0.0, 1.0, signed, note="there is no finite value")
    if signed:
        return _symmetric(finite)
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return Scale(
            low, low + (abs(low) or 1.0), note=f"the map is flat: {number(low)} everywhere"
        )
    top = float(np.quantile(finite, _ROBUST))
    if top > low and high - low > _CLIP_FROM * (top - low):
        return Scale(low, top, extend="max", note=_clip_note(high))
    return Scale(low, high)


def fixed_scale(values: np.ndarray, limit: float, cmap: str = "") -> Scale:
    """Return the signed scale from -limit to limit, independent of the values.

    For pictures that are compared with each other, such as those of several layers. `extend` tells
    whether values lie beyond an end.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    over, under = bool((finite > limit).any()), bool((finite < -limit).any())
    extend = "both" if over and under else "max" if over else "min" if under else "neither"
    return Scale(-limit, limit, True, extend, map_name=cmap)


def _symmetric(finite: np.ndarray) -> Scale:
    sizes = np.abs(finite)
    limit, largest = float(np.quantile(sizes, _ROBUST)), float(sizes.max())
    if largest == 0:
        return Scale(-1.0, 1.0, True, note="the map is flat: 0 everywhere")
    if limit > 0 and largest > _CLIP_FROM * limit:
        over, under = bool(finite.max() > limit), bool(finite.min() < -limit)
        extend = "both" if over and under else "max" if over else "min"
        return Scale(-limit, limit, True, extend, _clip_note(largest))
    return Scale(-largest, largest, True)


def _clip_note(largest: float) -> str:
    return f"colours end at the 99.5 % quantile; the largest value is {number(largest)}"


def class_colours(count: int) -> list[str]:
    """Return a colour for each of `count` classes.

    The first ten are Okabe and Ito's eight, brown and grey; the next ten are these lightened,
    then darkened, and so on. Pair them with `class_markers`, which change every ten classes.
    """
    return [_shade(_PALETTE[i % 10], (i // 10) % 3) for i in range(count)]


def _shade(colour: str, turn: int) -> str:
    """Return a colour as it is, lightened, or darkened (a dark one: lightened once more)."""
    from matplotlib.colors import to_hex, to_rgb

    base = np.array(to_rgb(colour))
    if turn == 1 or (turn == 2 and base.max() < 0.3):
        base += (1 - base) * 0.4 * turn
    elif turn == 2:
        base *= 0.55
    return to_hex(tuple(base))


def class_markers(count: int) -> list[str]:
    """Return a marker for each of `count` classes; each ten classes share one."""
    return [_MARKERS[(i // 10) % len(_MARKERS)] for i in range(count)]


def grey(photo: np.ndarray, lift: float = 0.25) -> np.ndarray:
    """Return a photo, uint8 `[H, W, 3]`, as pale grey floats `[H, W, 3]`, to lay colours on."""
    luma = photo.astype(float) @ np.array([0.299, 0.587, 0.114]) / 255
    return np.repeat((luma * (1 - lift) + lift)[..., None], 3, axis=2)


def laid_over(photo: np.ndarray, colours: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay colours `[H, W, 3 or 4]` over a photo, floats or uint8, with opacity `[H, W]`."""
    below = photo / 255 if photo.dtype == np.uint8 else photo
    alpha = np.clip(opacity, 0, 1)[..., None]
    if colours.shape[2] == 4:
        alpha = alpha * colours[..., 3:]
    return np.asarray(np.clip(below * (1 - alpha) + colours[..., :3] * alpha, 0, 1))


def about_grey(values: np.ndarray, limit: float) -> np.ndarray:
    """Colour signed channels `[C, H, W]` (C is 1 or 3) about mid-grey, floats `[H, W, 3]`."""
    scaled = np.nan_to_num(values / (2 * limit) + 0.5, nan=0.5)
    rgb = np.broadcast_to(scaled, (3, *scaled.shape[1:])).transpose(1, 2, 0)
    return np.asarray(np.clip(rgb, 0, 1))


def resize_nearest(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resize a map `[h, w, ...]` to the size of a photo by nearest neighbour."""
    if tuple(values.shape[:2]) == tuple(shape):
        return values
    rows = (np.arange(shape[0]) + 0.5) * values.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * values.shape[1] / shape[1]
    return np.asarray(values[rows.astype(int)][:, columns.astype(int)])
