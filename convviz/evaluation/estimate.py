"""Estimates of the work of a benchmark, made before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from ..errors import ConvvizError
from ..images.batch import Batch
from ..plugin.explained_image import AttributionMap, ExplainedImage
from ..plugin.metric import Metric
from .clock import timed
from .scoring import Scorer, score_maps
from .sources import BlurredSource

BATCH_SIZES = (2, 4, 8, 16, 32)
"""Batch sizes that are tried. Small ones can be faster on a CPU, whose caches hold their maps."""

MIN_SECONDS_FOR_SECOND_RUN = 0.5
"""An explanation that takes longer is measured again: the first call may prepare something."""


@dataclass(frozen=True)
class Estimate:
    """The estimated work of a benchmark.

    Attributes:
        pass_seconds: seconds of a forward pass for one image.
        explanation_passes: explainer -> the time of an explanation, in forward passes.
        passes: forward passes of all metrics; fewer are needed where a search ends early.
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


def fastest_batch(forward: Callable[[Tensor], Tensor], image: Tensor) -> int:
    """Return the batch size with the fewest seconds per image.

    Sizes are tried in ascending order until two in a row are slower than the best.

    Args:
        forward: runs the model on images `[N, C, H, W]`.
        image: `[1, C, H, W]`.
    """
    seconds = {}
    for size in BATCH_SIZES:
        copies = image.expand(size, -1, -1, -1).contiguous()
        runs = [timed(lambda: forward(copies), image.device.type)[0] for _ in range(3)]  # noqa: B023
        seconds[size] = min(runs) / size
        if min(seconds, key=lambda size: seconds[size]) <= size // 4:
            break
    return min(seconds, key=lambda size: seconds[size])


def estimate(
    scorer: Scorer, batch: Batch, images: int, repeat_images: int, budget: int | None
) -> Estimate:
    """Measure a forward pass, every explainer and the other work of metrics on one image.

    Args:
        scorer: the metrics and explainers.
        batch: the image.
        images: number of images.
        repeat_images: number of images for metrics that repeat explanations, and for blurred maps.
        budget: forward passes that a metric may take for one map.
    """
    copies = batch.images.expand(scorer.batch_size, -1, -1, -1).contiguous()
    output = scorer.forward(copies)
    runs = [timed(lambda: scorer.forward(copies), batch.images.device.type) for _ in range(3)]
    pass_seconds = sum(seconds for seconds, _ in runs) / len(runs) / len(copies)
    target, explained = scorer.explain(batch)
    if max(explained.seconds.values(), default=0) > MIN_SECONDS_FOR_SECOND_RUN:
        target, explained = scorer.explain(batch)
    durations = {name: seconds / pass_seconds for name, seconds in explained.seconds.items()}
    skipped = _over_budget(scorer, durations, budget)
    passes, explanations, seconds = (
        0.0,
        images * len(durations),
        images * sum(explained.seconds.values()),
    )
    image = scorer.explained_image(batch, target)
    for name, metric in scorer.metrics.items():
        included = [s for s in scorer.map_set.sources if (s.name, name) not in skipped]
        if "repeats" in metric.needs:
            again = [s.name for s in included if s.name in durations]
            count = repeat_images * metric.cost().explanations
            explanations += count * len(again)
            seconds += count * sum(explained.seconds[source] for source in again)
            continue
        # Blurred maps are scored on fewer images.
        scored = [images if not isinstance(s, BlurredSource) else repeat_images for s in included]
        share = sum(scored) / max(1, len(scored) * images)
        maps = {s.name: explained.maps[s.name][0] for s in included}
        shared, of_maps, host = _dry_run(scorer, name, image, maps, output)
        passes += images * (shared + of_maps * share)
        seconds += images * host * share
    seconds += passes * pass_seconds
    return Estimate(pass_seconds, durations, round(passes), explanations, seconds, skipped)


def _dry_run(
    scorer: Scorer,
    name: str,
    image: ExplainedImage,
    maps: Mapping[str, AttributionMap],
    output: Tensor,
) -> tuple[int, int, float]:
    """Score maps without any forward pass.

    Args:
        scorer: the metrics.
        name: name of the metric.
        image: the image.
        maps: its maps.
        output: an output of the model, which is returned for all variants.

    Returns:
        The forward passes that all maps share, those of single maps, and the seconds of the rest.
    """
    cost = scorer.metrics[name].cost()
    defined = {source: single for source, single in maps.items() if single.is_defined}
    if image.target.index is None or not defined:
        return cost.shared, cost.per_map * len(maps), 0.0
    total = 0

    def forward(images: Tensor) -> Tensor:
        nonlocal total
        total += len(images)
        return output[:1].expand(len(images), -1)

    dry = replace(scorer.with_maps(image, defined), forward=forward, cache={}, shared_cache={})
    seconds, _ = timed(lambda: score_maps(name, scorer.metrics[name], dry))
    shared = min(cost.shared, total)
    return shared, total - shared, seconds


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
