"""Short tables drawn as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .output import FAINT, INK, MUTED, SMALL_POINTS
from .style import number, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES = 0.2


def cell(value: Any) -> str:
    """Write one value of a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return number(value)
    return readable(str(value), 24)


def top_rows(table: Mapping[str, Sequence[Any]], count: int) -> list[int]:
    """Return the rows with the greatest values of the first column of numbers, best first."""
    for column in table.values():
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in column):
            ranked = sorted(range(len(column)), key=lambda i: (_key(column[i]), i))
            return ranked[:count]
    longest = max((len(column) for column in table.values()), default=0)
    return list(range(longest))[:count]


def _key(value: float) -> float:
    return -value if value == value else float("inf")


def draw_table(ax: Axes, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table into an axes, from the top: numbers to the right, a rule under the head."""
    ax.set_axis_off()
    widths = [
        max(len(head[j]), *(len(row[j]) for row in rows)) if rows else len(head[j])
        for j in range(len(head))
    ]
    total = sum(widths) + 2 * len(widths)
    ax.set_xlim(0, total)
    ax.set_ylim(max(len(rows), 1) + 1.2, 0)
    right = 0
    for j, width in enumerate(widths):
        right += width + 2
        _write(ax, right, 0.5, head[j], MUTED)
        for i, row in enumerate(rows):
            _write(ax, right, i + 1.7, row[j], INK)
    ax.plot([0, total], [1.0, 1.0], color=FAINT, lw=0.8)


def _write(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    drawn_text = ax.text(x, y, text, ha="right", va="center", size=SMALL_POINTS, color=colour)
    drawn_text.set_in_layout(False)  # it lies inside the axes, and measuring is slow


def table_inches(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return the width and height a table needs, in inches."""
    letters = sum(
        max(len(head[j]), *(len(row[j]) for row in rows)) if rows else len(head[j])
        for j in range(len(head))
    )
    return (letters + 2 * len(head)) * SMALL_POINTS * 0.58 / 72, (len(rows) + 1.2) * ROW_INCHES
