"""The checks of metrics."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ..evaluation.scoring import Scorer, score_maps
from ..evaluation.sources import ExplainerSource, MapSet
from ..images.batch import Batch
from ..network.inputs import make_batch
from ..network.model import Model
from ..plugin.explained_image import AttributionMap, ExplainedImage
from ..plugin.explainer import Explainer, MapKind
from ..plugin.metric import Metric, MetricScores
from ..plugin.registry import identify
from ..results.types import Heatmap
from ..scores.outputs import Forward
from ..scores.targets import Target
from .bench import tiny_model, tiny_photos
from .checking import CheckFailedError, none_of
from .compare import changed_entries, snapshot

TOLERANCE = 1e-9
"""Relative difference of scores that should be equal."""


class _Gradient(Explainer):
    """The gradient, for metrics that repeat explanations."""

    @property
    def map_kind(self) -> MapKind | None:
        return "gradient"

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        gradient = model.gradient(batch.images, target).cpu()
        return Heatmap(gradient.sum(1), signed=True, arrays={"gradient": gradient})


@dataclass(frozen=True, eq=False)
class MetricBench:
    """A metric, and the model and photo on which it is checked.

    Attributes:
        metric: the metric.
        model: the model.
        photo: uint8 `[h, w, 3]`.
    """

    metric: Metric
    model: Model
    photo: np.ndarray

    @property
    def name(self) -> str:
        """The name of the metric."""
        return identify(self.metric).name

    def image(self, model: Model | None = None) -> ExplainedImage:
        """Return the input of the metric: a gradient, the controls, a flat map and one of zeros."""
        used = model or self.model
        scorer = Scorer(
            used,
            MapSet((ExplainerSource("gradient", _Gradient()),)),
            {self.name: self.metric},
            None,
            0,
            32,
            lambda images: used.forward(images).output,
            others=lambda: iter(_varied_images(used)),
        )
        batch = make_batch([self.photo], used)
        target, explained = scorer.explain(batch)
        height, width = batch.images.shape[-2:]
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height // 2, width // 3 :] = True
        maps = {name: single for name, (single,) in explained.maps.items()}
        image = scorer.with_maps(scorer.explained_image(batch, target, mask), maps)
        flat = np.ones((height, width))
        degenerate = [
            AttributionMap(name, values, "contribution", True, np.stack([values] * 3))
            for name, values in (("flat", flat), ("zero", 0 * flat))
        ]
        if "repeats" not in self.metric.needs:
            image = replace(image, maps=(*image.maps, *degenerate))
        return image

    def score(self, image: ExplainedImage | None = None, seed: int = 0) -> MetricScores:
        """Return the checked scores of an image; `seed` is that of the global generators."""
        image = image or self.image()
        with image.model.session():
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            return score_maps(self.name, self.metric, image)

    @cached_property
    def scores(self) -> MetricScores:
        """The scores of the image."""
        return self.score()


def _declares(bench: MetricBench) -> None:
    measures = bench.metric.measures()
    if not measures:
        raise CheckFailedError("measures returned nothing")
    suffixes = [measure.suffix for measure in measures]
    if len(set(suffixes)) < len(suffixes):
        raise CheckFailedError(f"measures of the same name: {suffixes}")
    for measure in measures:
        if not measure.title or measure.higher_is_better not in (True, False, None):
            raise CheckFailedError(f"{measure!r} has no title, or no direction")
        if not measure.range[0] < measure.range[1]:
            raise CheckFailedError(f"{measure!r} has an empty range")
    cost = bench.metric.cost()
    if min(cost.shared, cost.per_map, cost.explanations) < 0:
        raise CheckFailedError(f"{cost!r} is negative")
    if cost.explanations and "repeats" not in bench.metric.needs:
        raise CheckFailedError('it repeats explanations, but "repeats" is not in needs')


def _scores(bench: MetricBench) -> None:
    values = [np.asarray(row, float) for row in bench.scores.values.values()]
    if all(np.isnan(row).all() for row in values):
        raise CheckFailedError("no map has a score, not even a gradient")


def _repeats(bench: MetricBench) -> None:
    none_of(_differences(bench.scores, bench.score(seed=1)), "a second call has another score: ")


def _any_batch_size(bench: MetricBench) -> None:
    other = bench.score(replace(bench.image(), batch_size=3))
    none_of(_differences(bench.scores, other), "the batch size changes a score: ")


def _alone(bench: MetricBench) -> None:
    image = bench.image()
    repeat = image.repeat
    single = replace(
        image,
        maps=image.maps[:1],
        repeat=lambda images, model, other_seed: repeat(images, model, other_seed)[:1],
    )
    alone = bench.score(single)
    first = MetricScores({k: np.asarray(v, float)[:1] for k, v in bench.scores.values.items()})
    none_of(_differences(first, alone), "the other maps change a score: ")


def _no_trace(bench: MetricBench) -> None:
    image = bench.image()
    maps = [single.values.copy() for single in image.maps]
    before = snapshot(bench.model.module, image.image)
    bench.score(image)
    none_of(changed_entries(before, snapshot(bench.model.module, image.image)), "changed: ")
    if any(not np.array_equal(m.values, copy) for m, copy in zip(image.maps, maps, strict=True)):
        raise CheckFailedError("it writes to the maps, which other metrics share")


def _differences(a: MetricScores, b: MetricScores) -> Iterator[str]:
    for suffix, values in a.values.items():
        first, second = (np.asarray(row, float) for row in (values, b.values[suffix]))
        if not np.allclose(first, second, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            yield f"{suffix or 'the main measure'}: {first.tolist()} and {second.tolist()}"


def metric_bench(metric: Metric, model: Model | None, photos: np.ndarray | None) -> MetricBench:
    """Return a metric with the model and the first photo on which it is checked."""
    photo = tiny_photos(1)[0] if photos is None else photos[0]
    return MetricBench(metric, model or _balanced_model(photo), photo)


def _balanced_model(photo: np.ndarray) -> Model:
    """Return the tiny model, with another top class for the mean colour than for a photo.

    Otherwise no removal of pixels changes the class, and metrics that wait for it have no score.
    """
    model = tiny_model()
    image = make_batch([photo], model).images
    scores = model.forward(torch.cat([image, torch.zeros_like(image)])).output
    bias = dict(model.module.named_parameters())["fc.bias"]
    with torch.no_grad():
        bias.sub_(scores.mean(0))
    return model


def _varied_images(model: Model) -> torch.Tensor:
    """Return images `[N, C, H, W]` that a model puts into several classes."""
    images = make_batch(list(tiny_photos(16)), model).images
    return torch.cat([images, -images, images.flip(1), -images.flip(1)])


METRIC_CHECKS: dict[str, Callable[[MetricBench], None]] = {
    "declares its measures": _declares,
    "scores maps": _scores,
    "repeats": _repeats,
    "does not depend on the batch size": _any_batch_size,
    "scores a map alone as among others": _alone,
    "leaves no trace": _no_trace,
}
