"""Speeds as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import printable
from .speed_record import FORWARD, Change, SpeedRecord, SpeedRow

LAYOUT_CODES = {"contiguous": "NCHW", "channels_last": "NHWC"}

HEADER = ("explainer", "s/image", "spread", "×forward", "passes", "first s", "MB", "batch")


def speed_table(record: SpeedRecord, changes: Sequence[Change] = ()) -> Any:
    """Return a rich renderable with a row per explainer, and what failed or changed below.

    "spread" is half the distance between the quartiles, in percent of the median; "×forward" the
    time over that of the network's forward pass; "first s" the seconds of the first call; "MB" the
    peak memory; "batch" the images per call and the order of axes in memory. A peer stands below
    the explainer that it is compared with, indented.
    """
    from rich.console import Group
    from rich.table import Table

    verdicts = {change.name: _verdict(change) for change in changes}
    table = Table(*HEADER, *(["compared"] if changes else []), box=None, pad_edge=False)
    for column in table.columns[1:8]:
        column.justify, column.no_wrap = "right", True
    table.columns[0].overflow = "fold"  # a name is never cut
    for row in record.rows:
        verdict = [verdicts.get(row.name, "")] if changes else []
        table.add_row(*map(_text, [*cells(row, record), *verdict]))
    return Group(table, *map(_text, _lines(record)))


def cells(row: SpeedRow, record: SpeedRecord) -> list[str]:
    """Return the cells of a row of the table, below `HEADER`."""
    reference = record.row(FORWARD)
    low, high = row.quartiles
    return [
        f"  {row.name}" if row.peer_of else row.name,
        f"{row.median:.3g}",
        f"±{(high - low) / 2 / row.median:.0%}",
        f"{row.median / reference.median:.1f}" if reference else "",
        f"{row.passes:g}",
        f"{row.first_call_s:.3g}",
        "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
        f"{row.batch} {LAYOUT_CODES.get(row.layout, row.layout)}",
    ]


def _verdict(change: Change) -> str:
    if change.ratio is None:
        return f"{change.verdict}: {change.reason}"
    return f"{change.verdict} ({change.ratio:.2f}×)"


def _lines(record: SpeedRecord) -> Iterator[str]:
    """Yield the lines below the table: the place of measurement, notes and failures."""
    facts = record.machine
    threads = facts.get("threads")
    yield (
        f"{record.model.get('name')} on {record.model.get('device')}, {record.images}; "
        f"{facts.get('cpu')}, {threads} {'thread' if threads == 1 else 'threads'}"
    )
    yield from record.notes
    notes: dict[str, list[str]] = {}
    for row in record.rows:
        for note in row.notes:
            notes.setdefault(note, []).append(row.name)
    yield from (f"{', '.join(names)}: {note}" for note, names in notes.items())
    yield from (f"not measured: {name}: {reason}" for name, reason in record.failed.items())


def _text(line: str) -> Any:
    from rich.text import Text

    return Text(printable(line))  # no markup: names may contain brackets
