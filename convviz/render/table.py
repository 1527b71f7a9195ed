"""Tables of numbers as pictures."""

from __future__ import annotations

from ..results.types import Table
from .style import Picture, Scene, new_figure, number, picture_name, readable, title_block, to_png
from .text_table import draw_table, table_inches
from .tile_layout import page_notes

ROWS, COLUMNS, PAGES = 40, 10, 3


def draw(result: Table, scene: Scene) -> list[Picture]:
    """Draw the table, 40 rows and 10 columns a page, or the profile of rows with histograms."""
    if "histogram" in result.arrays:
        from .profile import draw_profile

        return draw_profile(result, scene)
    rows, columns = result.values.shape
    spots = [(r, c) for r in range(0, max(rows, 1), ROWS) for c in range(0, columns, COLUMNS)]
    return [_page(result, scene, i, len(spots), *at) for i, at in enumerate(spots[:PAGES], 1)]


def _page(result: Table, scene: Scene, index: int, pages: int, top: int, left: int) -> Picture:
    values = result.values[top : top + ROWS, left : left + COLUMNS].tolist()
    names = [readable(n, 18) for n in result.columns[left : left + COLUMNS]]
    names += [str(left + j) for j in range(len(names), len(values[0]) if values else 0)]
    shown = [
        [_row_name(result, top + i), *(number(float(v)) for v in row)]
        for i, row in enumerate(values)
    ]
    head = ["", *names]
    width, height = table_inches(head, shown)
    figure = new_figure(max(width, 4.5), height)
    draw_table(figure.add_subplot(), head, shown)
    rows = result.values.shape[0]
    part = f"rows {top}–{top + len(shown) - 1} of {rows}" if pages > 1 else ""
    if part and result.values.shape[1] > COLUMNS:
        part += f", columns {left}–{left + len(names) - 1} of {result.values.shape[1]}"
    notes = page_notes(result.notes, index, pages, PAGES)
    title_block(figure, scene.title(), scene.subtitle(None, result.unit, part), notes)
    caption = f"{rows} rows, {result.values.shape[1]} columns" + (f"; {part}" if part else "")
    return Picture(picture_name(index, min(pages, PAGES)), to_png(figure), caption)


def _row_name(result: Table, index: int) -> str:
    return readable(result.rows[index], 28) if index < len(result.rows) else str(index)
