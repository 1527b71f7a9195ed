"""Tables of numbers as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..results.types import Table
from .output import Drawing
from .style import (
    PAGE_INCHES,
    Scene,
    new_figure,
    number,
    picture_name,
    readable,
    shortened_path,
)
from .text_table import draw_table, table_inches
from .tile_layout import page_notes

ROWS, COLUMNS, PAGES = 40, 10, 3
NUMBER_LETTERS = 8
"""The longest number in a cell."""


def draw(result: Table, scene: Scene) -> Iterator[Drawing]:
    """Draw the table, its chart, or the profile of rows with histograms.

    A table has at most 40 rows and 10 columns a page.
    """
    if "histogram" in result.arrays:
        from .profile import draw_profile

        return draw_profile(result, scene)
    if result.chart != "numbers":
        from . import chart

        return iter([chart.CHARTS[result.chart](result, scene)])
    if result.show:
        result = _rows_to_show(result)
    rows, columns = result.values.shape
    across = _columns_across(result)
    spots = [(r, c) for r in range(0, max(rows, 1), ROWS) for c in range(0, columns, across)]
    return (
        _page(result, scene, i, len(spots), *spot, across)
        for i, spot in enumerate(spots[:PAGES], 1)
    )


def _rows_to_show(result: Table) -> Table:
    """Return the table with only the first rows of `show`."""
    rows = list(result.show[:ROWS])
    names = tuple(_row_name(result, row) for row in rows)
    notes = result.notes
    if len(rows) < len(result.values):
        notes = (*notes, f"{len(rows)} of {len(result.values)} rows are drawn.")
    return replace(result, values=result.values[rows], rows=names, notes=notes)


def _columns_across(result: Table) -> int:
    """Return how many columns fit the width of a page, at most COLUMNS."""
    widest = max((len(_column_name(name)) for name in result.columns), default=0)
    names = max((len(_row_name(result, i)) for i in range(len(result.rows))), default=0)
    width = table_inches(["x" * names, *["x" * max(widest, NUMBER_LETTERS)] * COLUMNS], [])[0]
    share = (PAGE_INCHES - table_inches(["x" * names], [])[0]) / width
    return max(1, min(COLUMNS, int(share * COLUMNS)))


def _page(
    result: Table, scene: Scene, index: int, pages: int, top: int, left: int, across: int
) -> Drawing:
    values = result.values[top : top + ROWS, left : left + across].tolist()
    names = [_column_name(name) for name in result.columns[left : left + across]]
    names += [str(left + j) for j in range(len(names), len(values[0]) if values else 0)]
    shown = [
        [_row_name(result, top + i), *row]
        for i, row in enumerate(zip(*map(_cells, zip(*values, strict=True)), strict=True))
    ]
    head = ["", *names]
    width, height = table_inches(head, shown)
    figure = new_figure(max(width, 4.5), height)
    draw_table(figure.add_subplot(), head, shown)
    rows = result.values.shape[0]
    part = f"rows {top}–{top + len(shown) - 1} of {rows}" if pages > 1 else ""
    if part and result.values.shape[1] > across:
        part += f", columns {left}–{left + len(names) - 1} of {result.values.shape[1]}"
    return Drawing(
        name=picture_name(index, min(pages, PAGES)),
        figure=figure,
        caption=f"{rows} rows, {result.values.shape[1]} columns" + (f"; {part}" if part else ""),
        title=scene.title(),
        subtitle=scene.subtitle(None, result.unit, part),
        notes=page_notes(result.notes, index, pages, PAGES),
    )


def _column_name(name: str) -> str:
    return readable(name, 18)


def _cells(column: Sequence[float]) -> list[str]:
    """Write the numbers of a column; whole numbers without decimals, NaN as a dash."""
    whole = all(v != v or (abs(v) < 1e9 and v == int(v)) for v in column)
    return ["–" if v != v else f"{v:.0f}" if whole else number(v) for v in map(float, column)]


def _row_name(result: Table, index: int) -> str:
    return (
        readable(shortened_path(result.rows[index]), 28) if index < len(result.rows) else str(index)
    )
