"""Summaries of scores as tables: cells, footnotes, and the table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import printable
from .scores import MetricInfo
from .statistics import Interval, Row, Summary

CELL_WIDTH, NAME_WIDTH = 18, 30
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def score_text(value: float) -> str:
    """Return a score with three decimals, or in scientific notation; "–" for NaN."""
    if np.isnan(value):
        return "–"
    is_plain = value == 0 or 5e-4 <= abs(value) < 1000
    return f"{value:.3f}" if is_plain else f"{value:.2e}"


def footnotes(summary: Summary) -> dict[str, str]:
    """Return the notes on single scores -> their number, as superscripts."""
    return number_marks(mark for row in summary.rows for mark in row.marks)


def number_marks(marks: Iterable[str]) -> dict[str, str]:
    """Return each different mark -> its number from 1, as superscripts."""
    unique = dict.fromkeys(marks)
    return {mark: str(i).translate(SUPERSCRIPTS) for i, mark in enumerate(unique, 1)}


def mean_text(row: Row, notes: dict[str, str]) -> str:
    """Return a mean with the letters of its groups and the numbers of its footnotes."""
    if np.isnan(row.mean.value):
        text = "undefined" if row.measured else "–"
    else:
        text = score_text(row.mean.value)
    letters = f" {row.group.replace(' ', '')}" if row.group else ""
    marks = "˒".join(notes[mark] for mark in row.marks)
    return f"{text}{letters}{' ' if marks else ''}{marks}"


def interval_text(interval: Interval) -> str:
    """Return the ends of an interval, or "" if there are none."""
    if np.isnan([interval.low, interval.high]).any():
        return ""
    return f"{score_text(interval.low)} … {score_text(interval.high)}"


def arrow(metric: MetricInfo) -> str:
    """Return the better direction as an arrow; "" for a metric that does not rank."""
    return {True: "↑", False: "↓", None: ""}[metric.higher_is_better]


def beats_baseline(row: Row, metric: MetricInfo) -> bool | None:
    """Return whether the interval of the difference lies on the better side of the baseline.

    None for a metric that does not rank, and without an interval.
    """
    if metric.higher_is_better is None or np.isnan(row.difference.low):
        return None
    return row.difference.low > 0 if metric.higher_is_better else row.difference.high < 0


def score_tables(summary: Summary, width: int = 120) -> Any:
    """Return rich tables with a row per explainer and a column per metric, and the notes below.

    A cell has the mean, the letters of the groups, and the 95 % interval. Metrics that do not fit
    a width in letters follow in a further table.
    """
    from rich.console import Group

    across = max(1, (width - NAME_WIDTH) // CELL_WIDTH)
    metrics = summary.metrics
    blocks = [metrics[i : i + across] for i in range(0, len(metrics), across)]
    notes = footnotes(summary)
    tables = [_rich_table(summary, block, notes) for block in blocks]
    return Group(*tables, *map(_text, [*_lines(summary, notes)]))


def _rich_table(summary: Summary, metrics: Sequence[MetricInfo], notes: dict[str, str]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("explainer", max_width=NAME_WIDTH)
    for metric in metrics:
        table.add_column(_text(f"{metric.title} {arrow(metric)}"), max_width=CELL_WIDTH + 4)
    for explainer in summary.explainers:
        rows = [summary.row(explainer, metric.name) for metric in metrics]
        style = "dim" if rows[0].is_control else ""
        cells = [f"{mean_text(row, notes)}\n{interval_text(row.mean)}" for row in rows]
        table.add_row(_text(explainer), *map(_text, cells), style=style)
    return table


def _lines(summary: Summary, notes: dict[str, str]) -> Iterator[str]:
    """Yield the lines below the tables."""
    yield (
        f"Means over {summary.images} images with 95 % bootstrap intervals. Explainers that share "
        "a letter in a column are not separated. There is no overall score."
    )
    yield from (f"{place} {mark}" for mark, place in notes.items())
    yield from summary.notes
    for metric in summary.metrics:
        count = sum(row.undefined for row in summary.rows if row.metric == metric.name)
        if count:
            yield f"{metric.title}: {count} undefined scores."


def _text(text: str) -> Any:
    from rich.text import Text

    return Text("\n".join(printable(line) for line in text.split("\n")))  # no markup
