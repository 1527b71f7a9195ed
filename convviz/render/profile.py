"""Tables with histograms: statistics of channels over a data set, and their class means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Table
from .captions import measures_in_words
from .colour import fixed_scale
from .output import FAINT, INK, MUTED, SMALL_POINTS, Drawing
from .style import ACCENT, PAPER, Scene, add_outline, colour_bar, new_figure, number, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE, DEEP, MEAN = "#9dbbdb", "#2a5588", "#1f2430"
FREQUENT = "magma_r"
"""From pale (rare; white is reserved for no value) to dark."""

MOST_CHANNELS, MOST_CLASSES = 32, 24
DEVIATIONS = 2.0
"""Ends of the colour scale of class means, in standard deviations; equal for all layers."""

FEWEST_IN_BIN = 1e-3

CLASS_MEAN = "mean of the class − mean of all (σ)"
"""Label of the colour bar of class means; σ is the standard deviation over all positions."""


def draw_profile(result: Table, scene: Scene) -> Iterator[Drawing]:
    """Draw an overview of all rows and the class means; or single rows."""
    if result.show:
        for row in result.show:
            drawing = draw_row(result, row, scene)
            several = len(result.show) > 1
            yield replace(drawing, name=f"{drawing.name}-{row}") if several else drawing
        return
    yield _overview(result, scene)
    if "class_mean" in result.arrays and len(result.values) > 1:
        yield from _by_class(result, scene)


def draw_row(result: Table, row: int, scene: Scene) -> Drawing:
    """Draw one row: its histogram and its mean by class."""
    means = _class_means(result)
    if means is None:
        figure = new_figure(8.0, 3.6)
        _row_histogram(figure.add_subplot(), result, row)
    else:
        below = 0.5 + 0.24 * min(MOST_CLASSES, int(np.isfinite(means[:, row]).sum()))
        figure = new_figure(8.0, 3.0 + below)
        # Both panels have the same axis of values.
        histogram, classes = figure.subplots(2, 1, sharex=True, height_ratios=(3.0, below))
        _row_histogram(histogram, result, row)
        _row_classes(classes, result, row, means[:, row])
        classes.set_xlabel(histogram.get_xlabel())
        histogram.set_xlabel("")
    facts = {n: float(v) for n, v in zip(result.columns, result.values[row].tolist(), strict=True)}
    state = "dead: it never rises above zero" if _dead(result)[row] else ""
    name = result.rows[row] if row < len(result.rows) else f"row {row}"
    return Drawing(
        name="profile",
        figure=figure,
        caption=f"{name}: {measures_in_words(facts)}",
        title=scene.title(what=name),
        subtitle=scene.subtitle(None, _images(result), state),
        notes=[measures_in_words(facts)],
    )


def _overview(result: Table, scene: Scene) -> Drawing:
    """Draw firing, means and histograms of all rows, ordered by firing."""
    order = _order(result)
    dead = _dead(result)[order]
    figure = new_figure(9.6, 7.4)
    grid = figure.add_gridspec(3, 2, height_ratios=(1.0, 1.0, 1.9), width_ratios=(6, 1))
    top, middle = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    below, side = figure.add_subplot(grid[2, 0]), figure.add_subplot(grid[2, 1])
    _firing(top, result, order, dead)
    _means(middle, result, order, dead)
    _histograms(figure, below, side, result, order, scene.options.cmap or FREQUENT)
    for ax in (top, middle, below):
        ax.set_xlim(-0.5, len(order) - 0.5)
    for ax in (top, middle):
        ax.tick_params(labelbottom=False)
    _name_channels(below, order)
    if dead.any():
        from matplotlib.patches import Patch

        figure.legend(
            handles=[Patch(color=ACCENT, alpha=0.25)],
            labels=[f"dead: {int(dead.sum())} channels"],
            loc="outside right upper",
        )
    return Drawing(
        name="profile",
        figure=figure,
        caption="How often each channel fires, its mean and spread, and its histogram.",
        title=scene.title(what="channels over the data set"),
        subtitle=scene.subtitle(None, _images(result)),
        notes=result.notes,
        uses_cmap=True,
    )


def _name_channels(ax: Axes, order: np.ndarray) -> None:
    """Label the columns with channels, or with ranks if there are too many."""
    if len(order) <= MOST_CHANNELS:
        ax.set_xticks(np.arange(len(order)), [str(c) for c in order])
        ax.set_xlabel("channel, the one that fires on most images first")
    else:
        ax.set_xlabel(f"rank among {len(order)} channels, the one that fires on most images first")


def _firing(ax: Axes, result: Table, order: np.ndarray, dead: np.ndarray) -> None:
    x = np.arange(len(order) + 1) - 0.5
    for name, label, colour in (
        ("fires", "images in which it fires", SHARE),
        ("active", "positions at which it fires", DEEP),
    ):
        if name in result.columns:
            ax.stairs(100 * _column(result, name)[order], x, fill=True, lw=0, color=colour)
            ax.plot([], [], lw=5, label=label, color=colour)
    ax.set_ylim(0, 104)
    ax.set_ylabel("share of images or\npositions (%)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    _mark_dead(ax, dead)


def _means(ax: Axes, result: Table, order: np.ndarray, dead: np.ndarray) -> None:
    x, mean = np.arange(len(order) + 1) - 0.5, _column(result, "mean")[order]
    spread = np.sqrt(_column(result, "variance")[order])
    ax.stairs(mean + spread, x, baseline=mean - spread, fill=True, color=FAINT, lw=0)
    ends = np.concatenate([mean - spread, mean + spread, [0.0]])
    ends = ends[np.isfinite(ends)]
    margin = 0.06 * (np.ptp(ends) or 1.0)  # matplotlib leaves none below the band
    ax.set_ylim(ends.min() - margin, ends.max() + margin)
    ax.stairs(mean, x, baseline=None, color=MEAN, lw=0.9)
    ax.plot([], [], color=MEAN, lw=0.9, label="mean")
    ax.plot([], [], color=FAINT, lw=5, label="± standard deviation")
    ax.axhline(0, color=MUTED, lw=0.6)
    ax.set_ylabel(readable(result.unit or "value", 24))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    _mark_dead(ax, dead)


def _mark_dead(ax: Axes, dead: np.ndarray) -> None:
    for x in np.flatnonzero(dead):
        ax.axvspan(x - 0.5, x + 0.5, color=ACCENT, alpha=0.25, lw=0)


def _histograms(
    figure: Figure, ax: Axes, side: Axes, result: Table, order: np.ndarray, cmap: str
) -> None:
    """Draw one column of bins per row of the table, and their sum beside it."""
    from matplotlib.colors import LogNorm

    counts, first, last = _used_bins(result)
    shares = counts[order] / np.maximum(counts.sum(1)[order], 1)[:, None]
    image = ax.imshow(
        np.ma.masked_less_equal(shares[:, first:last].T, 0),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        norm=LogNorm(FEWEST_IN_BIN, 1),
        cmap=cmap,
    )
    edges = result["edges"].double().numpy()[first : last + 1]
    ticks, names = _bin_ticks(edges)
    ax.set_yticks(ticks, names)
    ax.set_ylabel(f"{readable(result.unit or 'value', 20)} (logarithmic, both signs)")
    total = counts.sum(0)[first:last] / max(counts.sum(), 1)
    side.barh(np.arange(len(total)), 100 * total, height=1.0, color=DEEP, lw=0)
    side.set_ylim(*ax.get_ylim())
    side.set_yticks(ticks, [])
    side.set_xlabel("share of all\nvalues (%)")
    label = "share of a channel's values (white: none)"
    bar = colour_bar(figure, image, [side], label, "min", aspect=20)
    bar.set_ticks([1e-3, 1e-2, 1e-1, 1], labels=["0.1 %", "1 %", "10 %", "100 %"])
    bar.ax.minorticks_off()


def _used_bins(result: Table) -> tuple[np.ndarray, int, int]:
    """Return the counts, and the first and the end of the bins that are not empty."""
    counts = result["histogram"].double().numpy()
    used = np.flatnonzero(counts.sum(0))
    return counts, int(used[0]) if len(used) else 0, int(used[-1]) + 1 if len(used) else 1


def _bin_ticks(edges: np.ndarray) -> tuple[list[float], list[str]]:
    """Choose about nine edges to name, zero always."""
    inner = [i for i, e in enumerate(edges) if np.isfinite(e) and e != 0]
    step = max(2, 2 * round(len(inner) / 16))
    whole = [i for i in inner if np.log2(abs(edges[i])) % 1 == 0]
    chosen = [i for i in whole if round(2 * np.log2(abs(edges[i]))) % step == 0]
    ticks = [i - 0.5 for i in chosen]
    names = [_short(float(edges[i])) for i in chosen]
    zeros = np.flatnonzero((edges[:-1] == 0) & (edges[1:] == 0))
    if len(zeros):
        near = [k for k, t in enumerate(ticks) if abs(t - zeros[0]) > len(edges) / 20]
        ticks, names = [ticks[k] for k in near], [names[k] for k in near]
        ticks.append(float(zeros[0]))
        names.append("exactly 0")
    return ticks, names


def _short(edge: float) -> str:
    """Write an edge with two digits, without an exponent where that is short."""
    if abs(edge) >= 1:
        return f"{edge:g}"
    if abs(edge) < 1e-5:
        return f"{edge:.1e}"
    return np.format_float_positional(edge, 2, fractional=False)


def _row_histogram(ax: Axes, result: Table, row: int) -> None:
    counts, first, last = _used_bins(result)
    shares = 100 * counts[row, first:last] / max(counts[row].sum(), 1)
    ax.bar(np.arange(last - first), shares, width=1.0, color=DEEP, lw=0)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_ylim(0, 130)
    ax.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    ticks, names = _bin_ticks(result["edges"].double().numpy()[first : last + 1])
    ax.set_xticks(ticks, names, rotation=60)
    ax.set_xlabel(f"{readable(result.unit or 'value', 20)} (logarithmic, both signs)")
    ax.set_ylabel("share of values (%)")


def _row_classes(ax: Axes, result: Table, row: int, means: np.ndarray) -> None:
    """Draw the mean of each class as a dot on the axis of the histogram above."""
    _, first, last = _used_bins(result)
    edges = result["edges"].double().numpy()[first : last + 1]
    known = int(np.isfinite(means).sum())
    order = np.argsort(-np.nan_to_num(means, nan=-np.inf), kind="stable")[
        : min(MOST_CLASSES, known)
    ]
    rows = np.arange(len(order))[::-1]
    places = np.array([bin_place(edges, float(means[i])) for i in order])
    ax.hlines(rows, -0.5, places, color=FAINT, lw=1)
    ax.scatter(places, rows, s=28, color=DEEP, zorder=3)
    for place, y, index in zip(places, rows, order, strict=True):
        label = ax.annotate(
            number(float(means[index])),
            (place, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=SMALL_POINTS,
            zorder=4,
        )
        add_outline(label, PAPER, 3)
    ax.set_yticks(rows, [readable(result.classes[i], 20) for i in order])
    ax.set_ylim(-0.7, len(order) - 0.3)
    ax.set_ylabel(
        "mean of the class" + (f" (highest {len(order)} of {known})" if len(order) < known else "")
    )
    mean = float(_column(result, "mean")[row])
    ax.axvline(bin_place(edges, mean), color=ACCENT, lw=1, label=f"mean of all: {number(mean)}")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)


def bin_place(edges: np.ndarray, value: float) -> float:
    """Return where a value lies on an axis with one unit per bin, the first bin around 0.

    Args:
        edges: the edges of the bins, ascending; the outermost may be infinite, and two may be equal
            (the bin of that value alone).
        value: the value; values beyond the edges lie at the ends.
    """
    equal = np.flatnonzero((edges[:-1] == value) & (edges[1:] == value))
    if len(equal):
        return float(equal[0])
    index = int(np.clip(np.searchsorted(edges, value, "right") - 1, 0, len(edges) - 2))
    low, high = float(edges[index]), float(edges[index + 1])
    if not (np.isfinite(low) and np.isfinite(high)) or low == high:
        return float(index)
    return index - 0.5 + float(np.clip((value - low) / (high - low), 0, 1))


def _by_class(result: Table, scene: Scene) -> Iterator[Drawing]:
    """Draw the class means of the most selective rows, in standard deviations of each row."""
    classes, channels, apart = _selective(result)
    if not len(channels):
        return
    drawn = apart[np.ix_(classes, channels)]
    scale = fixed_scale(drawn, DEVIATIONS, scene.options.cmap)
    figure = new_figure(max(5.2, 2.6 + 0.25 * len(channels)), 1.5 + 0.25 * len(classes))
    ax = figure.add_subplot()
    image = ax.imshow(drawn, cmap=scale.cmap, norm=scale.norm, aspect="auto")
    ax.set_yticks(np.arange(len(classes)), [readable(result.classes[c], 22) for c in classes])
    ax.set_xticks(np.arange(len(channels)), [str(c) for c in channels], rotation=90)
    ax.tick_params(length=0, colors=INK)
    ax.set_xlabel("channel")
    colour_bar(figure, image, [ax], CLASS_MEAN, scale.extend)
    largest = float(np.nanmax(np.abs(drawn)))
    chosen = (
        f"All {len(channels)} channels"
        if len(channels) == len(result.values)
        else f"The {len(channels)} of {len(result.values)} channels with the largest difference"
    )
    notes = [
        f"{chosen}, ordered by the class with the largest mean.",
        f"The scale is the same for all layers; the largest difference here is {number(largest)}.",
    ]
    with_images = int(result["class_mean"].isfinite().any(1).sum())
    if len(classes) < with_images:
        notes.append(f"{len(classes)} of {with_images} classes are drawn.")
    yield Drawing(
        name="classes",
        figure=figure,
        caption=f"{CLASS_MEAN}. {notes[0]}",
        title=scene.title(what="channels that tell classes apart"),
        subtitle=scene.subtitle(None, _images(result)),
        notes=notes,
        uses_cmap=True,
    )


def _selective(result: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the classes and rows to draw, and how far each class mean lies from the row's.

    Distances are in standard deviations of the row over all positions, `[classes, rows]`.
    """
    means = result["class_mean"].double().numpy()
    deviation = np.sqrt(_column(result, "variance"))
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (means - _column(result, "mean")) / np.where(deviation > 0, deviation, np.nan)
    peak = np.nan_to_num(apart, nan=-np.inf).max(0)
    best = np.argsort(-peak, kind="stable")
    channels = best[np.isfinite(peak[best])][:MOST_CHANNELS]
    winners = np.nan_to_num(apart, nan=-np.inf)[:, channels].argmax(0)
    known = np.flatnonzero(np.isfinite(means).any(1))
    classes = known if len(known) <= MOST_CLASSES else np.unique(winners)[:MOST_CLASSES]
    channels = channels[np.isin(winners, classes)]
    winners = winners[np.isin(winners, classes)]
    return classes, channels[np.lexsort((-peak[channels], winners))], apart


def _class_means(result: Table) -> np.ndarray | None:
    means = result.arrays.get("class_mean")
    return None if means is None else means.double().numpy()


def _order(result: Table) -> np.ndarray:
    fires = _column(result, "fires") if "fires" in result.columns else _column(result, "mean")
    # Means of different channels have no common scale; shares of positions have.
    second = _column(result, "active" if "active" in result.columns else "mean")
    return np.lexsort((-np.nan_to_num(second, nan=-np.inf), -np.nan_to_num(fires, nan=-np.inf)))


def _dead(result: Table) -> np.ndarray:
    rows = len(result.values)
    return result.arrays["dead"].numpy() if "dead" in result.arrays else np.zeros(rows, bool)


def _column(result: Table, name: str) -> np.ndarray:
    column: np.ndarray = result.values[:, result.columns.index(name)].double().numpy()
    return column


def _images(result: Table) -> str:
    measures: Any = result.measures
    return f"{measures['images']} images" if "images" in measures else ""
