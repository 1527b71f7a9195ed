"""HTML fragments for notebooks; all texts are escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from .errors import printable

_STYLE = "font: 14px/1.5 system-ui, sans-serif"
ROWS_SHOWN = 300
"""Rows of a table that are shown; the others are counted."""


def facts(title: str, entries: Mapping[str, str]) -> str:
    """Return a title with a line per entry, without those that are empty."""
    lines = "".join(
        f"<div>{_escape(name)}: {_escape(text)}</div>" for name, text in entries.items() if text
    )
    return f'<div style="{_STYLE}"><strong>{_escape(title)}</strong>{lines}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; of many rows only the first."""
    head = "".join(f'<th style="text-align: left">{_escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align: left">{_escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows[:ROWS_SHOWN]
    )
    others = len(rows) - ROWS_SHOWN
    foot = f"<div>and {others} more</div>" if others > 0 else ""
    return (
        f'<div style="{_STYLE}"><table style="font: inherit"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{foot}</div>"
    )


def _escape(text: str) -> str:
    return html.escape(printable(text))
