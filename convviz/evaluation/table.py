"""From the scores of images to one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np

from ..errors import printable
from ..plugin.metric import Metric
from .image_scores import ImageScores
from .scores import Curve, MetricInfo, Scores
from .sources import BlurredSource, MapSet

CIRCULAR = "circular"
OVER_BUDGET = "over the budget"
MAX_WIDTH = 1000
"""Width of the printed table, which is not cut to that of a terminal."""


def collect_scores(
    images: Sequence[ImageScores],
    map_set: MapSet,
    metrics: Mapping[str, Metric],
    skipped: frozenset[tuple[str, str]],
    pass_seconds: float,
    notes: Sequence[str],
) -> Scores:
    """Return the table of a benchmark.

    Args:
        images: the scores of each image.
        map_set: the explainers and controls.
        metrics: the metrics by name.
        skipped: pairs of an explainer and a metric that were not computed.
        pass_seconds: seconds of a forward pass for one image.
        notes: sentences on the whole table.
    """
    names = tuple(source.name for source in map_set.sources)
    columns = [(name, metric, m) for name, metric in metrics.items() for m in metric.measures()]
    infos = tuple(
        MetricInfo(m.name(name), m.title, m.higher_is_better, m.range, m.description)
        for name, _, m in columns
    )
    shape = (len(images), len(names), len(infos))
    values, measured = np.full(shape, np.nan), np.zeros(shape, bool)
    for i, image in enumerate(images):
        for k, info in enumerate(infos):
            row = image.values.get(info.name, {})
            for j, name in enumerate(names):
                if name in row:
                    values[i, j, k], measured[i, j, k] = row[name], True
    seconds = {
        source.name: np.array([image.seconds.get(source.name, np.nan) for image in images])
        for source in map_set.explainers
    }
    return Scores(
        values=values,
        images=tuple(image.id for image in images),
        explainers=names,
        metrics=infos,
        controls=frozenset(source.name for source in map_set.sources if source.is_control),
        curves=_curves(images, names),
        marks=_marks(map_set, metrics, skipped, names, infos, values),
        seconds=seconds,
        passes={name: times / pass_seconds for name, times in seconds.items()},
        notes=tuple(notes),
        measured=measured,
    )


def _curves(images: Sequence[ImageScores], names: Sequence[str]) -> dict[tuple[str, str], Curve]:
    """Return the curves of all images by metric and explainer."""
    curves = {}
    first = {name: curve for image in reversed(images) for name, curve in image.curves.items()}
    for title, record in first.items():
        rows = [image.curves.get(title) for image in images]
        missing = [float("nan")] * len(record.x)
        for name in names:
            y = [row.y.get(name, missing) if row is not None else missing for row in rows]
            if any(values is not missing for values in y):
                curves[title, name] = Curve(
                    np.array(record.x), np.array(y), record.x_label, record.y_label
                )
    return curves


def _marks(
    map_set: MapSet,
    metrics: Mapping[str, Metric],
    skipped: frozenset[tuple[str, str]],
    names: Sequence[str],
    infos: Sequence[MetricInfo],
    values: np.ndarray,
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the notes on scores: circular, over the budget, and verdicts of metrics."""
    marks: dict[tuple[str, str], tuple[str, ...]] = {}

    def add(name: str, metric: str, mark: str) -> None:
        marks[name, metric] = (*marks.get((name, metric), ()), mark)

    columns = [info.name for info in infos]
    for metric_name, metric in metrics.items():
        for source in map_set.explainers:
            if metric.circular_with(source.explainer):
                add(source.name, metric_name, CIRCULAR)
                if map_set.controls:
                    add(BlurredSource(source).name, metric_name, CIRCULAR)
        for j, name in enumerate(names):
            if (name, metric_name) in skipped:
                add(name, metric_name, OVER_BUDGET)
                continue
            by_suffix = {}
            for measure in metric.measures():
                column = values[:, j, columns.index(measure.name(metric_name))]
                by_suffix[measure.suffix] = column[~np.isnan(column)]
            if verdict := metric.verdict(by_suffix):
                add(name, "", verdict)
    return marks


def means_table(scores: Scores) -> str:
    """Return the means over images as text; "-" where no score is defined.

    Arrows show the better direction of a metric. An asterisk marks scores with a note; the notes
    follow the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    arrows = {True: " ↑", False: " ↓", None: ""}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("explainer")
    for info in scores.metrics:
        table.add_column(f"{info.name}{arrows[info.higher_is_better]}", justify="right")
    for name in scores.explainers:
        cells = []
        for info in scores.metrics:
            values = scores.of(name, info.name)
            defined = values[~np.isnan(values)]
            mark = "*" if scores.marks.get((name, info.name)) else ""
            cells.append(f"{mark}{defined.mean():.3g}" if len(defined) else f"{mark}-")
        table.add_row(printable(name), *cells)
    console = Console(width=MAX_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
    return "\n".join((*lines, *_marks_in_words(scores), *map(printable, scores.notes)))


def _marks_in_words(scores: Scores) -> list[str]:
    """Return one line for each note: to which explainers and metrics it applies."""
    places: dict[str, list[str]] = {}
    for (name, metric), marks in scores.marks.items():
        for mark in marks:
            places.setdefault(mark, []).append(f"{metric} of {name}" if metric else name)
    return [printable(f"* {mark}: {', '.join(where)}") for mark, where in places.items()]


def scores_table(scores: Scores) -> bytes:
    """Return all scores as a Parquet file: image, explainer, metric, value, measured."""
    import pyarrow as pa
    from pyarrow import parquet

    shape = scores.values.shape
    measured = np.ones(shape, bool) if scores.measured is None else scores.measured
    i, j, k = (index.ravel() for index in np.indices(shape))
    table = pa.table(
        {
            "image": pa.array([scores.images[n] for n in i], pa.string()),
            "explainer": pa.array([scores.explainers[n] for n in j], pa.string()),
            "metric": pa.array([scores.metrics[n].name for n in k], pa.string()),
            "value": pa.array(scores.values.ravel(), pa.float64()),
            "measured": pa.array(measured.ravel(), pa.bool_()),
        }
    )
    buffer = BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
