"""Text tables."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns; those in `right` are aligned to the right."""
    all_rows = [list(header), *(list(map(_line, row)) for row in rows)]
    widths = [max(len(row[i]) for row in all_rows) for i in range(len(header))]
    lines = []
    for row in all_rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _line(cell: str) -> str:
    return printable(" ".join(str(cell).split()))
