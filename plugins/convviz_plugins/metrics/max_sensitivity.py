"""max_sensitivity: how much a map changes when the image hardly changes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from convviz import Preprocess
from convviz.authoring import (
    AttributionMap,
    ExplainedImage,
    Measure,
    Metric,
    MetricCost,
    MetricNeed,
    MetricScores,
    hookimpl,
)


class MaxSensitivity(Metric):
    """Largest relative change of a map under small random changes of the image.

    Yeh et al. 2019: the largest ||map(y) - map(x)|| / ||map(x)|| over samples y with values at most
    `radius` away from those of x, for the same target and seed. A second measure is the change
    without any change of the image, for another seed: the noise of the explainer itself.
    """

    needs: ClassVar[frozenset[MetricNeed]] = frozenset({"repeats"})

    radius: float = Field(0.02, gt=0, description="Largest change, of pixel values from 0 to 1.")
    samples: int = Field(10, gt=0, description="Changed images.")

    def measures(self) -> tuple[Measure, ...]:
        """Return the sensitivity, and the noise of the explainer."""
        limits = (0.0, np.inf)
        return (
            Measure(
                "Max-sensitivity",
                False,
                limits,
                "",
                "Largest relative change of the map when the image changes slightly.",
            ),
            Measure(
                "Own noise",
                None,
                limits,
                "noise",
                "Relative change of the map with another seed, image unchanged.",
            ),
        )

    def cost(self) -> MetricCost:
        """Return the work: one explanation per sample, and one for the noise."""
        return MetricCost(explanations=self.samples + 1)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the changes of all maps; NaN for a map of zeros."""
        shape = (self.samples, *image.image.shape)
        change = torch.from_numpy(image.rng("max_sensitivity").uniform(-1, 1, shape))
        limit = self.radius * _unit(image)
        changed = image.explain(image.image + change.to(image.image) * limit)
        again = image.explain(image.image[None], other_seed=True)
        return MetricScores(
            {
                "": [_change(m, maps) for m, maps in zip(image.maps, changed, strict=True)],
                "noise": [_change(m, maps) for m, maps in zip(image.maps, again, strict=True)],
            }
        )


def _unit(image: ExplainedImage) -> torch.Tensor:
    """Return the change of the model's input for a pixel value from 0 to 1, `[C, 1, 1]`."""
    preprocess = image.model.preprocess
    std = preprocess.std if isinstance(preprocess, Preprocess) else (1.0,) * len(image.image)
    return 1 / torch.tensor(std).to(image.image)[:, None, None]


def _change(first: AttributionMap, others: tuple[AttributionMap, ...]) -> float:
    norm = np.linalg.norm(first.values)
    if norm == 0:
        return float("nan")
    # Not `max`, whose result with NaN depends on the order.
    return float(np.max([np.linalg.norm(m.values - first.values) for m in others]) / norm)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [MaxSensitivity]
