"""Scores of the maps of one image by all metrics."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ConvvizError, PluginError, message_of
from ..images.batch import Batch
from ..network.model import Model
from ..plugin.explained_image import AttributionMap, ExplainedImage, seeded_rng
from ..plugin.metric import Measure, Metric, MetricScores
from ..scores.targets import Target, TargetSpec
from ..state.device import is_out_of_memory
from .image_scores import CurveRecord, ImageScores
from .scores import CURVE_SEPARATOR
from .sources import BlurredSource, MapSet, MapsOfImages


@dataclass(frozen=True, eq=False)
class Scorer:
    """Computes the scores of images.

    Attributes:
        model: the model.
        map_set: the explainers and controls.
        metrics: the metrics by name.
        target: the explained target, as in `explain`.
        seed: of metrics and controls.
        batch_size: images per forward pass.
        forward: returns the output of the model for images.
        skipped: pairs of an explainer and a metric that are not computed.
        others: returns an iterator over all images, preprocessed, `[C, H, W]`.
    """

    model: Model
    map_set: MapSet
    metrics: Mapping[str, Metric]
    target: TargetSpec
    seed: int
    batch_size: int
    forward: Callable[[Tensor], Tensor]
    skipped: frozenset[tuple[str, str]] = frozenset()
    others: Callable[[], Iterator[Tensor]] = lambda: iter(())
    shared_cache: dict[Hashable, Any] = field(default_factory=dict)

    def explain(self, batch: Batch, blurred: bool = True) -> tuple[Target, MapsOfImages]:
        """Return the target of an image, and its maps by all explainers and controls.

        Args:
            batch: the image.
            blurred: also return the blurred maps.
        """
        forward = self.model.forward(batch.images, self.model.target_layers(self.target))
        (target,) = self.model.resolve(self.target, forward)
        rng = partial(seeded_rng, self.seed, batch.items[0].id)
        names = frozenset(
            source.name
            for source in self.map_set.sources
            if blurred or not isinstance(source, BlurredSource)
        )
        return target, self.map_set.maps(self.model, batch.images, target, rng, names=names)

    def score(self, batch: Batch, with_repeats: bool, mask: np.ndarray | None) -> ImageScores:
        """Return the scores of one image.

        Args:
            batch: the image.
            with_repeats: also run the metrics that repeat explanations, and score blurred maps.
            mask: `[H, W]` bool, the object in the image.
        """
        target, explained = self.explain(batch, with_repeats)
        image = self.explained_image(batch, target, mask)
        maps = {name: single for name, (single,) in explained.maps.items()}
        scores = ImageScores(
            batch.items[0].id, target.label, {}, {}, explained.seconds, explained.failures
        )
        for name, metric in self.metrics.items():
            if with_repeats or "repeats" not in metric.needs:
                chosen = {s: m for s, m in maps.items() if (s, name) not in self.skipped}
                scores = self._with_metric(scores, name, metric, image, chosen)
        return scores

    def explained_image(
        self, batch: Batch, target: Target, mask: np.ndarray | None = None
    ) -> ExplainedImage:
        """Return the input of metrics for an image, without maps."""
        return ExplainedImage(
            id=batch.items[0].id,
            model=self.model,
            image=batch.images[0],
            pixels=batch.pixels[0].numpy(),
            target=target,
            maps=(),
            forward=self.forward,
            repeat=lambda images, model, other_seed: [],
            others=self.others,
            mask=mask,
            seed=self.seed,
            batch_size=self.batch_size,
            shared_cache=self.shared_cache,
        )

    def _with_metric(
        self,
        scores: ImageScores,
        name: str,
        metric: Metric,
        image: ExplainedImage,
        maps: Mapping[str, AttributionMap],
    ) -> ImageScores:
        """Return the scores of an image with those of one more metric."""
        defined = {source: single for source, single in maps.items() if single.is_defined}
        result = MetricScores({m.suffix: [] for m in metric.measures()})
        if defined:
            result = score_maps(name, metric, self.with_maps(image, defined))
        values = dict(scores.values)
        for measure in metric.measures():
            row = dict.fromkeys(maps, float("nan"))
            row |= zip(defined, map(float, result.values[measure.suffix]), strict=True)
            values[measure.name(name)] = row
        curves = {
            f"{name}{CURVE_SEPARATOR}{title}": CurveRecord(
                curve.x.tolist(),
                dict(zip(defined, curve.y.tolist(), strict=True)),
                curve.x_label,
                curve.y_label,
            )
            for title, curve in result.curves.items()
        }
        return replace(scores, values=values, curves={**scores.curves, **curves})

    def with_maps(
        self, image: ExplainedImage, maps: Mapping[str, AttributionMap]
    ) -> ExplainedImage:
        """Return the input of a metric, with maps and the function that explains again."""

        def repeat(
            images: Tensor, model: Model, other_seed: bool
        ) -> list[tuple[AttributionMap, ...]]:
            # Metrics on the same variants share the explanations.
            key = ("repeat", _digest(images), id(model), other_seed)

            def compute() -> MapsOfImages:
                return self.map_set.maps(
                    model, images, image.target, image.rng, other_seed, frozenset(maps)
                )

            again = image.compute_once((*key, frozenset(maps)), compute)
            return [again.maps[source] for source in maps]

        return replace(image, maps=tuple(maps.values()), repeat=repeat)


def score_maps(name: str, metric: Metric, image: ExplainedImage) -> MetricScores:
    """Return the checked scores of a metric.

    Raises:
        PluginError: the metric fails, or returns something else than its contract requires.
    """
    try:
        returned = metric.score(image)
    except ConvvizError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {message_of(error)}"
        raise PluginError(f"metric {name!r} failed on {image.id!r}: {reason}") from error
    scores = returned if isinstance(returned, MetricScores) else MetricScores({"": returned})
    if problem := problem_of(scores, metric.measures(), len(image.maps)):
        raise PluginError(f"metric {name!r}: {problem}")
    return scores


def problem_of(scores: MetricScores, measures: tuple[Measure, ...], count: int) -> str:
    """Return how the scores of `count` maps break the contract of a metric; "" if they do not."""
    suffixes = [measure.suffix for measure in measures]
    if sorted(scores.values) != sorted(suffixes):
        return f"score returned the measures {sorted(scores.values)}, not {sorted(suffixes)}"
    for measure in measures:
        values = np.asarray(scores.values[measure.suffix], dtype=float)
        if values.shape != (count,):
            return f"score returned {list(values.shape)} numbers for {count} maps"
        defined = values[~np.isnan(values)]
        low, high = measure.range
        slack = 1e-9 * max(1.0, *(abs(limit) for limit in (low, high) if np.isfinite(limit)), 0.0)
        if np.isinf(defined).any():
            return "score returned an infinite number; NaN stands for an undefined score"
        if ((defined < low - slack) | (defined > high + slack)).any():
            return f"score returned {defined.tolist()}, outside of the range {measure.range}"
    for title, curve in scores.curves.items():
        if curve.y.shape != (count, len(curve.x)):
            return f"the curve {title!r} has the shape {list(curve.y.shape)}"
    return ""


def _digest(images: Tensor) -> int:
    raw = images.detach().to("cpu", torch.float64).contiguous().numpy()
    return zlib.crc32(raw.tobytes())
