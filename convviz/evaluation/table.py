"""From the scores of images to one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..plugin.metric import Metric
from .image_scores import ImageScores
from .scores import Curve, MetricInfo, Scores
from .sources import BlurredSource, MapSet

CIRCULAR = "circular"
OVER_BUDGET = "over the budget"


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
