"""Curves of the score while pixels are exchanged in the order of a map."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
from pydantic import Field
from torch import Tensor

from convviz.authoring import ExplainedImage, Metric, MetricCost, MetricScores, ScoreCurve

from ._fills import exchange_pixels, ranks

STEPS = 28
"""Steps of a curve: 224 · 8 pixels each for an image of 224 x 224."""


class PixelExchange(Metric):
    """Area under the curve of the probability while pixels are exchanged."""

    steps: int = Field(STEPS, gt=0, description="Steps of equal size.")

    def cost(self) -> MetricCost:
        """Return the passes: the ends of the curves are the same for all maps."""
        return MetricCost(shared=2, per_map=self.steps - 1)

    def curves(
        self, image: ExplainedImage, start: Callable[[], Tensor], finish: Callable[[], Tensor]
    ) -> np.ndarray:
        """Return the probabilities from the first to the last image, `[maps, steps + 1]`."""
        before, after = start(), finish()
        counts = np.linspace(0, before[0].numel(), self.steps + 1).round().astype(int)[1:-1]
        inner = chain.from_iterable(
            exchange_pixels(ranks(single, image), before, after, counts.tolist())
            for single in image.maps
        )
        scores = image.scores(chain([before, after], inner), probability=True)
        ends, inside = scores[:2], scores[2:].reshape(len(image.maps), -1)
        return np.column_stack(
            [np.full(len(inside), ends[0]), inside, np.full(len(inside), ends[1])]
        )

    def to_scores(self, curves: np.ndarray, name: str, x_label: str) -> MetricScores:
        """Return the areas under the curves: (sum - half of both ends) / (n - 1)."""
        ends = (curves[:, 0] + curves[:, -1]) / 2
        area = (curves.sum(1) - ends) / (curves.shape[1] - 1)
        x = np.linspace(0, 1, curves.shape[1])
        return MetricScores({"": area}, {name: ScoreCurve(x, curves, x_label, "probability")})
