"""deletion: area under the probability while the most important pixels are removed."""

from __future__ import annotations

from typing import ClassVar

import torch

from convviz.authoring import ExplainedImage, Metric, MetricScores, hookimpl

from ._exchange import PixelExchange


class Deletion(PixelExchange):
    """Area under the probability while the most important pixels are set to the mean colour.

    Petsiuk, Das, Saenko 2018 (RISE): 28 equal steps, removed pixels become 0 in the normalized
    image, and the score is the probability of the explained class. A good map makes it fall early.
    """

    title: ClassVar[str] = "Deletion AUC"
    higher_is_better: ClassVar[bool | None] = False
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the areas, and the curves over the share of removed pixels."""
        curves = self.curves(image, lambda: image.image, lambda: torch.zeros_like(image.image))
        return self.to_scores(curves, "probability", "removed pixels")


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Deletion]
