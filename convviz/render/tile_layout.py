"""Pages, captions, value ranges and marks that all pictures of tiles share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results.types import Tiles
from .output import SMALL_POINTS
from .style import ACCENT

PAGES = 6
"""The most pages drawn of one result."""

LIST_INCHES = 7.0
"""The narrowest figure of the user with a table beside the tiles."""

NAN_COLOUR = (0.98, 0.75, 0.55)


@dataclass(frozen=True)
class Range:
    """The range of values that runs from black to white; NaN has a colour of its own.

    `cmap` is matplotlib's name of a colour map instead of grey.
    """

    low: float
    high: float
    cmap: str = "gray"

    def greys(self, values: np.ndarray) -> np.ndarray:
        """Turn values `[...]` into grey colours `[..., 3]`, or those of the colour map."""
        scaled = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        if self.cmap == "gray":
            colours = np.repeat(scaled[..., None], 3, axis=-1)
        else:
            import matplotlib

            colours = matplotlib.colormaps[self.cmap](scaled)[..., :3]
        return self._mark(colours, np.isnan(values))

    def colours(self, values: np.ndarray) -> np.ndarray:
        """Turn values `[..., 3, h, w]` into colours `[..., h, w, 3]`."""
        moved = np.moveaxis(values, -3, -1)
        scaled = np.clip((moved - self.low) / (self.high - self.low), 0, 1)
        return self._mark(scaled, np.isnan(moved).any(-1))

    @staticmethod
    def _mark(colours: np.ndarray, bad: np.ndarray) -> np.ndarray:
        colours[bad] = NAN_COLOUR
        return colours


def range_of(values: np.ndarray, signed: bool, cmap: str = "") -> Range:
    """Return the full range of values, symmetric about zero for signed ones."""
    low, high = _limits(values, signed)
    return Range(low, high, cmap or "gray")


def _limits(values: np.ndarray, signed: bool) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (-1.0, 1.0) if signed else (0.0, 1.0)
    if signed:
        limit = float(np.abs(finite).max()) or 1.0
        return -limit, limit
    low, high = float(finite.min()), float(finite.max())
    return low, high if high > low else low + 1.0


def slim(inches: float) -> float:
    """Return the aspect of a colour bar that stays slim beside axes of this height."""
    return max(20.0, inches / 0.17)


def page_notes(notes: Sequence[str], index: int, pages: int, most: int = PAGES) -> list[str]:
    """Return the notes of a page, with one on pages that are not drawn."""
    if index == most < pages:
        return [*notes, f"The first {most} of {pages} pages are drawn; the arrays hold all."]
    return list(notes)


def mark_legend(axes: Any, text: str, colour: str = ACCENT, right: bool = False) -> None:
    """Write the meaning of the outline below the axes, at the left or the right."""
    axes.annotate(
        f"■ {text}",
        (1 if right else 0, 0),
        xytext=(0, -6),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        ha="right" if right else "left",
        color=colour,
        size=SMALL_POINTS,
    )


def is_marked(result: Tiles, tile: int) -> bool:
    """Return whether a tile is marked as dead."""
    return "dead" in result.arrays and bool(result.arrays["dead"][tile])


def caption_of(result: Tiles, tile: int) -> str:
    """Return a tile's caption; its index where it has none."""
    return result.captions[tile] if tile < len(result.captions) else str(tile)


def part_of(page: Sequence[int], total: int, what: str) -> str:
    """Return the range of the tiles on a page, as text."""
    if list(page) == list(range(page[0], page[0] + len(page))):
        return f"{what} {page[0]}–{page[-1]} of {total}"
    return f"{len(page)} of {total} {what}"


def cut(items: list[int], size: int) -> list[list[int]]:
    """Cut a list into pages of nearly equal length."""
    pages = max(1, math.ceil(len(items) / size))
    each = math.ceil(len(items) / pages)
    return [items[i : i + each] for i in range(0, len(items), each)] or [[]]
