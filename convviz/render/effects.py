"""Tables of signed numbers as a picture: chosen rows and columns in diverging colours."""

from __future__ import annotations

import math

import numpy as np

from ..results.types import Table
from .colour import scale_of
from .output import INK, SMALL_POINTS, Drawing
from .style import Scene, colour_bar, measures_line, new_figure, number, readable

WIDTH, ROW, COLUMN = 4.2, 0.3, 1.0
"""Width beside the cells, height and width of a cell, in inches."""

MOST_ROWS, MOST_COLUMNS = 40, 10


def draw_effects(result: Table, scene: Scene) -> Drawing:
    """Draw the numbers of some rows and columns, with a colour for sign and size."""
    rows = list(result.show or range(len(result.values)))[:MOST_ROWS]
    columns = list(result.show_columns or range(result.values.shape[1]))[:MOST_COLUMNS]
    values = result.values[rows][:, columns].double().numpy()
    scale = scale_of(values, signed=True, cmap=scene.options.cmap)
    figure = new_figure(WIDTH + COLUMN * len(columns), 1.8 + ROW * len(rows))
    axes = figure.add_subplot()
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=scale.cmap, norm=scale.norm, aspect="auto"
    )
    strong = scale.strength(values) > 0.6
    digits = max(0, 1 - math.floor(math.log10(scale.high))) if scale.high > 0 else 2
    for i, j in np.ndindex(values.shape):
        axes.text(
            *(j, i, f"{values[i, j]:.{digits}f}"),
            color="white" if strong[i, j] else INK,
            size=SMALL_POINTS,
            ha="center",
            va="center",
        )
    axes.set_yticks(range(len(rows)), [readable(result.rows[i], 24) for i in rows])
    names = [_column_name(result, j) for j in columns]
    axes.set_xticks(range(len(columns)), names, rotation=25, ha="left")
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    colour_bar(figure, image, axes, result.unit, scale.extend)
    return Drawing(
        name="picture",
        figure=figure,
        caption=f"{len(rows)} of {len(result.values)} rows, {len(columns)} columns.",
        title=scene.title(),
        subtitle=scene.subtitle(0),
        notes=[" ".join([*result.notes, measures_line(result.measures)]).strip()],
        uses_cmap=True,
    )


def _column_name(result: Table, column: int) -> str:
    """Return the name of a column, with its entry in the array "scores" if there is one."""
    name = readable(result.columns[column], 24)
    scores = result.arrays.get("scores")
    return name if scores is None else f"{name} ({number(float(scores[column]))})"
