"""Estimates of the work of a benchmark, made before it starts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ConvvizError
from ..images.batch import Batch
from ..plugin.metric import Metric
from .scoring import Scorer

MIN_SECONDS_FOR_SECOND_RUN = 0.5
"""An explanation that takes longer is measured again: the first call may prepare something."""


@dataclass(frozen=True)
class Estimate:
    """The estimated work of a benchmark.

    Attributes:
        pass_seconds: seconds of a forward pass for one image.
        explanation_passes: explainer -> the time of an explanation, in forward passes.
        passes: forward passes of all metrics.
        explanations: number of explanations, repeated ones included.
        seconds: seconds in total.
        skipped: pairs of an explainer and a metric that exceed the budget.
    """

    pass_seconds: float
    explanation_passes: Mapping[str, float]
    passes: int
    explanations: int
    seconds: float
    skipped: frozenset[tuple[str, str]]

    def record(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        return {**asdict(self), "skipped": sorted(self.skipped)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Estimate:
        """Return the estimate of `record`; raises ConvvizError for other data."""
        try:
            skipped = frozenset((str(name), str(metric)) for name, metric in record["skipped"])
            return cls(**{**record, "skipped": skipped, "seconds": float(record["seconds"])})
        except (TypeError, ValueError, KeyError) as error:
            raise ConvvizError(f"the saved estimate is damaged: {error}") from error

    def __str__(self) -> str:
        minutes = self.seconds / 60
        length = f"{self.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min"
        if minutes >= 120:
            length = f"{minutes / 60:.1f} h"
        return (
            f"{self.passes:,} forward passes of metrics and {self.explanations:,} explanations, "
            f"about {length}"
        )


def metric_passes(metrics: Mapping[str, Metric], maps: int, images: int, repeat_images: int) -> int:
    """Return the forward passes of metrics for images with a number of maps each."""
    total = 0
    for metric in metrics.values():
        cost = metric.cost()
        count = repeat_images if "repeats" in metric.needs else images
        total += count * (cost.shared + cost.per_map * maps)
    return total


def estimate(
    scorer: Scorer, batch: Batch, images: int, repeat_images: int, budget: int | None
) -> Estimate:
    """Measure a forward pass and every explainer on one image, and add up the work.

    Args:
        scorer: the metrics and explainers.
        batch: the image.
        images: number of images.
        repeat_images: number of images for metrics that repeat explanations.
        budget: forward passes that a metric may take for one map.
    """
    copies = batch.images.expand(min(8, scorer.batch_size), -1, -1, -1)
    scorer.forward(copies)
    start = time.perf_counter()
    scorer.forward(copies)
    pass_seconds = (time.perf_counter() - start) / len(copies)
    _, explained = scorer.explain(batch)
    if max(explained.seconds.values(), default=0) > MIN_SECONDS_FOR_SECOND_RUN:
        _, explained = scorer.explain(batch)
    durations = {name: seconds / pass_seconds for name, seconds in explained.seconds.items()}
    skipped = _over_budget(scorer, durations, budget)
    passes, explanations, explaining = 0, images * len(durations), images * sum(durations.values())
    for name, metric in scorer.metrics.items():
        cost = metric.cost()
        count = repeat_images if "repeats" in metric.needs else images
        included = [s.name for s in scorer.map_set.sources if (s.name, name) not in skipped]
        passes += count * (cost.shared + cost.per_map * len(included))
        again = [source for source in included if source in durations]
        explanations += count * cost.explanations * len(again)
        explaining += count * cost.explanations * sum(durations[source] for source in again)
    seconds = (passes + explaining) * pass_seconds
    return Estimate(pass_seconds, durations, passes, explanations, seconds, skipped)


def _over_budget(
    scorer: Scorer, explanation_passes: Mapping[str, float], budget: int | None
) -> frozenset[tuple[str, str]]:
    """Return the pairs of an explainer and a metric that exceed the budget for one image."""
    if budget is None:
        return frozenset()
    costs = dict(explanation_passes)
    costs |= {f"blurred({name})": passes for name, passes in explanation_passes.items()}
    return frozenset(
        (source.name, name)
        for source in scorer.map_set.sources
        for name, metric in scorer.metrics.items()
        if metric.cost().per_map + metric.cost().explanations * costs.get(source.name, 0) > budget
    )
