"""insertion: area under the probability while the most important pixels are revealed."""

from __future__ import annotations

from typing import ClassVar

from convviz.authoring import ExplainedImage, Metric, MetricScores, hookimpl

from ._exchange import PixelExchange
from ._fills import rise_blur


class Insertion(PixelExchange):
    """Area under the probability while the most important pixels are revealed in a blurred image.

    Petsiuk, Das, Saenko 2018 (RISE): 28 equal steps, from the image blurred by the published
    kernel of 11 x 11 pixels. A good map makes the probability rise early.
    """

    title: ClassVar[str] = "Insertion AUC"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the areas, and the curves over the share of revealed pixels."""
        curves = self.curves(image, lambda: rise_blur(image.image), lambda: image.image)
        return self.to_scores(curves, "probability", "revealed pixels")


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Insertion]
