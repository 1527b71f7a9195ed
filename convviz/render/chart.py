"""Charts of tables: counts as a matrix, and calibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Table
from .distribution import draw_distribution
from .effects import draw_effects
from .output import FAINT, INK, MUTED, SMALL_POINTS, Drawing
from .style import (
    ACCENT,
    SEQUENTIAL,
    Scene,
    colour_bar,
    measures_line,
    new_figure,
    readable,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL, LEAST = 0.36, 2.2
"""Side of a cell of a matrix, and the least side of the matrix, in inches."""

MOST_DRAWN = 40
"""Rows of a matrix that are drawn."""

CALIBRATION_WIDTH = 8.6
RIGHT, WRONG = "#0f766e", ACCENT


def draw_matrix(result: Table, scene: Scene) -> Drawing:
    """Draw counts by row and column, with the count in every cell that is not empty."""
    from matplotlib.colors import LogNorm

    shown = list(result.show or range(len(result.values)))[:MOST_DRAWN]
    counts = result.values[shown][:, shown].double().numpy()
    side = max(LEAST, CELL * len(shown))
    figure = new_figure(side + 3.2, side + 1.6)
    axes = figure.add_subplot()
    most = max(float(counts.max(initial=1)), 2.0)
    shades = np.where(counts > 0, counts, np.nan)
    drawn = axes.imshow(shades, cmap=scene.options.cmap or SEQUENTIAL, norm=LogNorm(1, most))
    for i, j in np.argwhere(counts > 0):
        dark = counts[i, j] < most**0.6  # the colours are logarithmic
        axes.text(
            j, i, f"{counts[i, j]:.0f}", size=SMALL_POINTS - 0.5, ha="center", va="center",
            color="white" if dark else INK,
        ).set_in_layout(False)  # fmt: skip
    names = [readable(result.rows[i], 22) for i in shown]
    axes.set_xticks(range(len(shown)), names, rotation=90)
    axes.set_yticks(range(len(shown)), names)
    axes.set(xlabel="predicted class", ylabel="label")
    axes.set_xticks(np.arange(len(shown) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(shown) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT, lw=0.5)
    axes.tick_params(which="both", length=0)
    _mark_diagonal(axes, len(shown))
    bar = colour_bar(figure, drawn, axes, result.unit, aspect=max(20.0, side / 0.17))
    ticks = [n for power in (1, 10, 100, 1000, 10**4, 10**5) for n in (power, 2 * power, 5 * power)]
    ticks = [n for n in ticks if n <= most]
    bar.set_ticks(ticks, labels=[f"{n:,}" for n in ticks])
    bar.ax.minorticks_off()
    part = f"{len(shown)} of {len(result.values)} classes"
    chosen = ""
    if len(shown) < len(result.values):
        chosen = "Only the classes of the most frequent confusions are drawn."
    notes = (chosen, "Framed cells on the diagonal are right predictions.", *result.notes)
    return Drawing(
        name="picture",
        figure=figure,
        caption=f"Images by label and predicted class, {part}.",
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=notes,
        uses_cmap=True,
    )


def _mark_diagonal(axes: Axes, size: int) -> None:
    from matplotlib.patches import Rectangle

    for i in range(size):
        axes.add_patch(
            Rectangle(
                (i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=MUTED, linewidth=1.2, zorder=3
            )
        )


def draw_calibration(result: Table, scene: Scene) -> Drawing:
    """Draw accuracy over confidence, and below it the number of images, by bins."""
    columns = dict(zip(result.columns, result.values.double().numpy().T, strict=True))
    figure = new_figure(CALIBRATION_WIDTH, 5.4)
    grid = figure.add_gridspec(2, 2, height_ratios=[3, 1], width_ratios=[1, 1])
    upper, lower = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    edges = np.append(columns["from"], columns["to"][-1])
    _draw_accuracy(upper, columns, edges)
    lower.stairs(columns["images"], edges, fill=True, color=MUTED)
    lower.set(xlim=(0, 1), xlabel="confidence: probability of the predicted class", ylabel="images")
    _list_measures(figure.add_subplot(grid[:, 1]), result)
    return Drawing(
        name="picture",
        figure=figure,
        caption=f"Calibration. {measures_line(result.measures)}",
        title=scene.title(),
        subtitle=scene.subtitle(),
        notes=result.notes,
    )


def _draw_accuracy(axes: Axes, columns: dict[str, np.ndarray], edges: np.ndarray) -> None:
    """Draw the accuracy of each bin with its interval, and the distance from the diagonal."""
    seen = columns["images"] > 0
    x, y = columns["confidence"][seen], columns["accuracy"][seen]
    spread = [y - columns["low"][seen], columns["high"][seen] - y]
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls="--", label="perfect calibration")
    axes.vlines(x, x, y, color=WRONG, lw=4, alpha=0.45, label="gap")
    axes.errorbar(
        x, y, yerr=np.maximum(spread, 0), fmt="o", color=RIGHT, ms=5, lw=1.2, capsize=2.5,
        label="accuracy, 95 % interval",
    )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="accuracy: share of right predictions")
    axes.grid(color=FAINT, lw=0.5)
    axes.legend(loc="lower right")


def _list_measures(axes: Axes, result: Table) -> None:
    """Write the measures beside the chart, one per line."""
    from .text_table import cell

    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(1, 0))
    for i, (name, value) in enumerate(result.measures.items()):
        at = 0.06 + 0.075 * i
        axes.text(0.06, at, readable(name, 30), color=MUTED, va="center")
        axes.text(1, at, cell(value), ha="right", va="center", color=INK)


CHARTS: dict[str, Callable[[Table, Scene], Any]] = {
    "matrix": draw_matrix,
    "calibration": draw_calibration,
    "distribution": draw_distribution,
    "effects": draw_effects,
}
