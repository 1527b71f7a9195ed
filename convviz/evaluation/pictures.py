"""Pictures of a quality benchmark: intervals, curves, quality against time, agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..render.output import FAINT, INK, MUTED, PNG, SMALL_POINTS, Picture, encode, look
from ..render.style import (
    DIVERGING,
    colour_bar,
    new_figure,
    readable,
    sentence,
    title_block,
)
from .score_table import number_marks
from .scores import CURVE_SEPARATOR, Curve, MetricInfo, Scores
from .statistics import Row, Summary, bootstrap_means
from .styles import ExplainerStyle, styles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_LIMIT = 34
"""Letters of an explainer's name in a picture."""

CONTROLS_IN_CURVES = 4
"""Controls that are drawn in curves: more lines cannot be told apart."""

INTERVALS_WIDTH, CURVES_WIDTH = 5.0, 6.1
"""Widths in inches, with which the two pictures stand side by side in the page."""

MANY_METRICS = 3
"""Panels in a row of the picture of quality against time."""


def draw_pictures(summary: Summary, scores: Scores) -> dict[str, Picture]:
    """Return all pictures by name.

    The names are "intervals-METRIC", "curve-CURVE", "time" and "correlations"; a picture without
    data is left out.
    """
    styles = styles_of(scores.explainers, scores.controls)
    with look():
        pictures = [
            *(_intervals(summary, metric, styles) for metric in summary.metrics),
            *_curves(scores, styles),
            *_time(summary, scores, styles),
            *_correlations(summary),
        ]
    return {picture.name: picture for picture in pictures}


def picture_of(name: str) -> str:
    """Return the name of a metric or curve in the form of a file name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def direction(metric: MetricInfo) -> str:
    """Return which direction of a metric is better, in words."""
    if metric.higher_is_better is None:
        return "describes maps and does not rank them"
    return "higher is better" if metric.higher_is_better else "lower is better"


def best_first(rows: Sequence[Row], metric: MetricInfo) -> list[Row]:
    """Return rows by falling quality; explainers without a score come last."""
    sign = 1 if metric.higher_is_better is False else -1
    return sorted(rows, key=lambda row: (np.isnan(row.mean.value), sign * row.mean.value))


def _labels(marks: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[str]]:
    """Return names with the numbers of their marks, and the notes that explain the numbers.

    Args:
        marks: explainer -> its marks.
    """
    numbers = number_marks(mark for of_explainer in marks.values() for mark in of_explainer)
    labels = {
        name: readable(name, NAME_LIMIT) + "".join(f" {numbers[mark]}" for mark in of_explainer)
        for name, of_explainer in marks.items()
    }
    return labels, [f"{place} {mark}" for mark, place in numbers.items()]


def _picture(
    figure: Figure, name: str, title: str, subtitle: str, notes: Sequence[str] = ()
) -> Picture:
    title_block(figure, title, subtitle, notes)
    return Picture(name, encode(figure, PNG), " ".join([sentence(title), sentence(subtitle)]))


# Intervals


def _intervals(
    summary: Summary, metric: MetricInfo, styles: Mapping[str, ExplainerStyle]
) -> Picture:
    rows = best_first([row for row in summary.rows if row.metric == metric.name], metric)
    figure = new_figure(INTERVALS_WIDTH, 0.7 + 0.24 * len(rows))
    axes = figure.add_subplot()
    for y, row in enumerate(rows):
        _draw_interval(axes, y, row, styles[row.explainer])
    labels, notes = _labels({row.explainer: row.marks for row in rows})
    axes.set_yticks(range(len(rows)), [labels[row.explainer] for row in rows])
    axes.locator_params(axis="x", nbins=6)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(MUTED if row.is_control else INK)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=readable(f"{metric.title} ({direction(metric)})"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, lw=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if summary.baseline:
        baseline = summary.row(summary.baseline, metric.name).mean.value
        if not np.isnan(baseline):
            axes.axvline(baseline, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
            notes.append(f"Dashed: {summary.baseline}. Grey: controls.")
    if groups := summary.groups.get(metric.name):
        _write_groups(axes, rows, groups)
        notes.append("Explainers that share a letter are not separated.")
    subtitle = f"mean over images with 95 % interval, {_images_text(rows)}"
    name = f"intervals-{picture_of(metric.name)}"
    return _picture(figure, name, metric.title, subtitle, notes)


def _draw_interval(axes: Axes, y: int, row: Row, style: ExplainerStyle) -> None:
    if np.isnan(row.mean.value):
        axes.text(
            0.01, y, "undefined" if row.measured else "not measured", color=MUTED,
            va="center", size=SMALL_POINTS, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        return
    ends = (row.mean.low, row.mean.high)
    if not np.isnan(ends).any():
        axes.plot(ends, (y, y), color=style.colour, lw=2.2, solid_capstyle="butt")
    axes.plot(row.mean.value, y, style.marker, color=style.colour, ms=5.5)


def _write_groups(axes: Axes, rows: Sequence[Row], groups: Sequence[Sequence[str]]) -> None:
    """Write the letters of the groups at the right, one column per letter."""
    letters = sorted({letter for row in rows for letter in row.group.split()}, key=_letter_order)
    for y, row in enumerate(rows):
        for letter in row.group.split():
            axes.annotate(
                letter, (1, y), (6 + 8 * letters.index(letter), 0),
                xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                size=SMALL_POINTS, va="center", color=INK,
            )  # fmt: skip


def _letter_order(letter: str) -> tuple[int, str]:
    return len(letter), letter


def _images_text(rows: Sequence[Row]) -> str:
    counts = [row.measured for row in rows if row.measured]
    undefined = sum(row.undefined for row in rows)
    images = _image_count_text(counts)
    return f"{images}, {undefined} undefined scores" if undefined else images


def _image_count_text(counts: Sequence[int]) -> str:
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{high} images" if low == high else f"{low} to {high} images"


# Curves


def _curves(scores: Scores, styles: Mapping[str, ExplainerStyle]) -> Iterator[Picture]:
    titles = {metric.name: metric.title for metric in scores.metrics}
    for name in dict.fromkeys(name for name, _ in scores.curves):
        explainers = [e for e in scores.explainers if (name, e) in scores.curves]
        counts = {e: _images_of(scores.curves[name, e]) for e in explainers}
        # Controls of all images first, then those that only some images have.
        controls = sorted((e for e in explainers if e in scores.controls), key=lambda e: -counts[e])
        left_out = set(controls[CONTROLS_IN_CURVES:])
        drawn = [e for e in explainers if e not in left_out]
        figure = new_figure(CURVES_WIDTH, max(3.4, 0.6 + 0.21 * len(drawn)))
        axes = figure.add_subplot()
        bands = bootstrap_means(np.stack([scores.curves[name, e].y for e in drawn], axis=1))
        curve = scores.curves[name, drawn[0]]
        metric, _, variant = name.partition(CURVE_SEPARATOR)
        labels, notes = _labels({e: scores.marks_of(e, metric) for e in drawn})
        for explainer, band in zip(drawn, bands, strict=True):
            is_control = explainer in scores.controls
            _draw_curve(axes, curve.x, band, labels[explainer], styles[explainer], is_control)
        axes.set(xlabel=readable(curve.x_label), ylabel=readable(curve.y_label))
        axes.set_xlim(curve.x[0], curve.x[-1])
        axes.grid(color=FAINT, lw=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, handlelength=2.6)
        title = " – ".join(part for part in (titles[metric], variant) if part)
        rest = f"Not drawn: {', '.join(e for e in controls if e in left_out)}." if left_out else ""
        subtitle = f"mean over {_image_count_text([counts[e] for e in drawn])} with 95 % bands"
        yield _picture(figure, f"curve-{picture_of(name)}", title, subtitle, [*notes, rest])


def _images_of(curve: Curve) -> int:
    """Return the number of images with a defined curve."""
    return int(np.isfinite(curve.y).all(axis=1).sum())


def _draw_curve(
    axes: Axes,
    x: np.ndarray,
    band: np.ndarray,
    label: str,
    style: ExplainerStyle,
    is_control: bool,
) -> None:
    """Draw a mean curve and its band; `band` is `[steps, 3]`: mean, lower and upper end."""
    mean, low, high = band.T
    order = 1 if is_control else 2
    axes.fill_between(x, low, high, color=style.colour, alpha=0.16, lw=0, zorder=order)
    axes.plot(
        x, mean, color=style.colour, ls=style.dash, lw=1.3 if is_control else 1.8,
        label=label, zorder=order,
    )  # fmt: skip


# Quality against time


def _time(
    summary: Summary, scores: Scores, styles: Mapping[str, ExplainerStyle]
) -> Iterator[Picture]:
    seconds = {
        name: float(np.nanmedian(values))
        for name, values in scores.seconds.items()
        if name not in scores.controls and np.nan_to_num(values).any()
    }
    metrics = [metric for metric in summary.metrics if metric.name in summary.groups]
    if not seconds or not metrics:
        return
    columns = min(MANY_METRICS, len(metrics))
    lines = -(-len(metrics) // columns)
    figure = new_figure(3.0 * columns + 2.2, 2.7 * lines)
    grid = figure.subplots(lines, columns, squeeze=False)
    labels, notes = _labels({name: scores.marks.get((name, ""), ()) for name in seconds})
    for axes, metric in zip(grid.flat, metrics, strict=False):
        _draw_time(axes, summary, metric, seconds, styles, labels)
    for axes in grid.flat[len(metrics) :]:
        axes.set_visible(False)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    grid[0, -1].legend(
        handles, labels, loc="upper left", bbox_to_anchor=(1.04, 1.0), borderaxespad=0
    )
    notes += [f"Dashed: {summary.baseline}."] if summary.baseline else []
    subtitle = "mean score with 95 % interval over the median time of an explanation"
    yield _picture(figure, "time", "Quality against time", subtitle, notes)


def _draw_time(
    axes: Axes,
    summary: Summary,
    metric: MetricInfo,
    seconds: Mapping[str, float],
    styles: Mapping[str, ExplainerStyle],
    labels: Mapping[str, str],
) -> None:
    for name, value in seconds.items():
        mean = summary.row(name, metric.name).mean
        error = np.nan_to_num([[mean.value - mean.low], [mean.high - mean.value]])
        axes.errorbar(
            value, mean.value, yerr=np.maximum(error, 0), fmt=styles[name].marker,
            color=styles[name].colour, ms=6, lw=1.3, label=labels[name],
        )  # fmt: skip
    if summary.baseline:
        baseline = summary.row(summary.baseline, metric.name).mean.value
        axes.axhline(baseline, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    arrow = "↑" if metric.higher_is_better else "↓"
    axes.set_title(readable(f"{metric.title} {arrow}", 44))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    low, high = min(seconds.values()), max(seconds.values())
    # At least one power of ten lies within the limits, and has a label.
    axes.set_xlim(10 ** np.floor(np.log10(low / 1.2)), 10 ** np.ceil(np.log10(high * 1.2)))
    axes.set_xlabel("seconds per image")
    axes.grid(color=FAINT, lw=0.5)
    axes.spines[["top", "right"]].set_visible(False)


# Agreement of metrics and of images


def _correlations(summary: Summary) -> Iterator[Picture]:
    count = len(summary.metrics)
    if count < 2 or np.isnan(summary.correlations).all():
        return
    side = max(2.6, 0.46 * count)
    figure = new_figure(side + 4.6, side + 1.3)
    axes = figure.add_subplot()
    image = axes.imshow(summary.correlations, cmap=DIVERGING, vmin=-1, vmax=1)
    for (i, j), value in np.ndenumerate(summary.correlations):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        colour = "white" if abs(value) > 0.6 else INK
        axes.text(j, i, text, ha="center", va="center", size=SMALL_POINTS, color=colour)
    names = [readable(_name_with_direction(metric), NAME_LIMIT) for metric in summary.metrics]
    alphas = [summary.alphas[metric.name] for metric in summary.metrics]
    axes.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.annotate("α", (1, 1), (14, 4), xycoords="axes fraction", textcoords="offset points")
    for i, alpha in enumerate(alphas):
        axes.annotate(
            "–" if np.isnan(alpha) else f"{alpha:.2f}", (1, i), (8, 0),
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
        )  # fmt: skip
    bar = colour_bar(figure, image, axes, "rank correlation")
    bar.ax.set_box_aspect(14)
    notes = [
        "Spearman's rank correlation of metrics over explainers without controls, mean over "
        "images; metrics where lower is better (↓) enter negated.",
        "α: Krippendorff's ordinal α of the ranks of explainers, images as raters: 1 if all images "
        "rank alike, 0 by chance.",
    ]
    yield _picture(
        figure, "correlations", "Agreement of metrics and of images",
        "do metrics, and do images, rank explainers alike?", notes,
    )  # fmt: skip


def _name_with_direction(metric: MetricInfo) -> str:
    return f"{metric.title} ↓" if metric.higher_is_better is False else metric.title
