"""The calibration of a model as an SVG drawing: accuracy by confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

PLOT = 340
"""Side of the square plot, in pixels."""

LEFT, TOP, COUNTS = 62, 12, 56
"""Margins, and height of the histogram below the plot, in pixels."""

Bins = Mapping[str, Sequence[float]]
"""Columns "from", "to", "images", "confidence", "accuracy", "low" and "high" of the bins."""


def calibration_chart(bins: Bins) -> Markup:
    """Return a reliability diagram with 95 % intervals, over a histogram of the confidence."""
    most = max(bins["images"], default=0) or 1
    parts = [_head(bins), _axes()]
    for i, images in enumerate(bins["images"]):
        if not images:
            continue
        row = {name: column[i] for name, column in bins.items()}
        start, width = _x(row["from"]), (row["to"] - row["from"]) * PLOT - 1.5
        title = (
            f"confidence {_percent(row['from'])} to {_percent(row['to'])}: {images:.0f} images, "
            f"{_percent(row['accuracy'])} right ({_percent(row['low'])} to "
            f"{_percent(row['high'])}), mean confidence {_percent(row['confidence'])}"
        )
        tall = max(row["accuracy"] * PLOT, 1)
        parts.append(
            Markup(
                "<g><title>{}</title>"
                '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
                '<line class="whisker" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
                '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"/>'
                '<rect class="bar muted" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
                "</g>"
            ).format(
                title,
                start, _y(0) - tall, width, tall,
                start + width / 2, start + width / 2, _y(row["low"]), _y(row["high"]),
                _x(row["confidence"]), _y(row["accuracy"]),
                start, *_count_bar(images / most, width),
            )
        )  # fmt: skip
    return Markup("").join([*parts, _diagonal(), Markup("</svg>")])


def _count_bar(share: float, width: float) -> tuple[float, float, float]:
    """Return top, width and height of a bar of the histogram."""
    tall = max(share * (COUNTS - 6), 1)
    return TOP + PLOT + 22 + COUNTS - tall, width, tall


def _head(bins: Bins) -> Markup:
    occupied = sum(1 for images in bins["images"] if images)
    width, height = LEFT + PLOT + 24, TOP + PLOT + 22 + COUNTS + 40
    return Markup(
        '<svg class="chart calibration" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" '
        'aria-label="Accuracy by confidence in {2} bins; the table below has the numbers">'
    ).format(width, height, occupied)


def _axes() -> Markup:
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        text = f"{share:.0%}"
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
                '<text x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
                '<text x="{6:.1f}" y="{7}" text-anchor="middle">{5}</text>'
            ).format(
                LEFT, LEFT + PLOT, _y(share), LEFT - 6, _y(share) + 4, text, _x(share),
                TOP + PLOT + 15,
            )
        )  # fmt: skip
    middle, below = TOP + PLOT / 2, TOP + PLOT + 22 + COUNTS
    parts.append(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="axis-title" x="12" y="{:.1f}" text-anchor="middle" '
            'transform="rotate(-90 12 {:.1f})">share that is right</text>'
            '<text class="axis-title" x="{:.1f}" y="{}" text-anchor="middle">'
            "confidence · number of images</text>"
        ).format(
            LEFT, LEFT + PLOT, below, below, middle, middle, _x(0.5),
            below + 20,
        )
    )  # fmt: skip
    return Markup("").join(parts)


def _diagonal() -> Markup:
    """Return the line of perfect calibration."""
    line = '<line class="ideal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
    return Markup(line).format(_x(0), _y(0), _x(1), _y(1))


def _x(share: float) -> float:
    return LEFT + PLOT * share


def _y(share: float) -> float:
    return TOP + PLOT * (1 - share)


def _percent(share: float) -> str:
    return "–" if not math.isfinite(share) else f"{100 * share:.0f} %"
