"""Tables of counts by ordered category as a picture: all rows together, and one strip per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..results.types import Table
from .output import SMALL_POINTS, Drawing
from .style import SEQUENTIAL, Scene, colour_bar, measures_line, new_figure, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

MOST_ROWS = 30
"""Rows that are drawn as strips."""

WIDTH, BARS, ROW = 9.6, 2.6, 0.22
"""Width of the figure, and heights of the bars and of a strip, in inches."""

COLOUR = "#2a5588"


def draw_distribution(result: Table, scene: Scene) -> Drawing:
    """Draw the shares of the first row as bars, and those of the other rows as strips."""
    counts = result.values.double().numpy()
    further = counts[1 : 1 + MOST_ROWS]
    if len(further):
        heights = (BARS, 0.6 + ROW * len(further))
        figure = new_figure(WIDTH, sum(heights) + 0.4)
        bars, strips = figure.subplots(2, 1, sharex=True, height_ratios=heights)
        image = _draw_strips(strips, further, result, scene)
        colour_bar(figure, image, [bars, strips], f"share of the {result.unit} of a row (%)")
        lowest = strips
    else:
        figure = new_figure(WIDTH, BARS + 0.8)
        lowest = bars = figure.add_subplot()
    _draw_bars(bars, counts[0], result.rows[0])
    lowest.set_xticks(
        range(counts.shape[1]), [readable(name, 12) for name in result.columns], rotation=90
    )
    lowest.set_xlabel(readable(result.axis))
    left_out = len(counts) - 1 - len(further)
    part = f"{left_out} more rows are not drawn." if left_out else ""
    return Drawing(
        name="picture",
        figure=figure,
        caption=f"Distribution, {len(counts)} rows. {measures_line(result.measures)}",
        title=scene.title(),
        subtitle=scene.subtitle(),
        notes=[" ".join([*result.notes, part, measures_line(result.measures)]).strip()],
        uses_cmap=bool(len(further)),
    )


def _draw_bars(axes: Axes, counts: np.ndarray, name: str) -> None:
    """Draw shares as bars, with the counts above them."""
    shares = 100 * counts / max(counts.sum(), 1)
    axes.bar(range(len(counts)), shares, width=0.8, color=COLOUR)
    for place in np.flatnonzero(counts).tolist():
        text = f"{counts[place]:.0f}"
        axes.text(place, shares[place], text, size=SMALL_POINTS, ha="center", va="bottom")
    axes.set_ylabel(f"share of\n{readable(name, 30)} (%)")
    axes.margins(x=0.01, y=0.15)
    axes.tick_params(axis="x", length=0)


def _draw_strips(axes: Axes, counts: np.ndarray, result: Table, scene: Scene) -> AxesImage:
    """Draw the shares of each row as colours."""
    totals = counts.sum(1)
    shares = 100 * counts / np.maximum(totals, 1)[:, None]
    names = [f"{readable(result.rows[i + 1], 26)} ({n:.0f})" for i, n in enumerate(totals)]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    cmap = scene.options.cmap or f"{SEQUENTIAL}_r"
    visible = np.ma.masked_less_equal(shares, 0)
    return axes.imshow(visible, aspect="auto", interpolation="nearest", cmap=cmap, vmin=0, vmax=100)
