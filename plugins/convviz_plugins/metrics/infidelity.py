"""infidelity: agreement of signed maps with the changes of the score under removed squares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

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


class Infidelity(Metric):
    """Cosine of the changes that a signed map predicts and those of the score.

    Yeh et al. 2019: squares of random sides and places are set to 0 in the normalized image. For a
    gradient, the predicted change of a square is the sum of gradient times removed values; for a
    contribution, the sum of the map. A map that only ranks pixels predicts no change, and has no
    score. The published measure, the mean squared difference, depends on the scale of the map; it
    and its minimum over all scales are reported beside the cosine.
    """

    needs: ClassVar[frozenset[MetricNeed]] = frozenset({"signed"})

    squares: int = Field(100, gt=0, description="Squares per image.")
    smallest: float = Field(1 / 8, gt=0, le=1, description="Smallest side, a share of the image.")
    largest: float = Field(1 / 2, gt=0, le=1, description="Largest side, a share of the image.")

    def measures(self) -> tuple[Measure, ...]:
        """Return the cosine, and the two mean squared differences."""
        infinite = (0.0, np.inf)
        return (
            Measure(
                "Fidelity (cosine)",
                True,
                (-1.0, 1.0),
                "",
                "Cosine between predicted and actual changes of the score.",
            ),
            Measure(
                "Infidelity, scaled",
                False,
                infinite,
                "scaled",
                "Mean squared difference of these changes, with the map at the best scale.",
            ),
            Measure(
                "Infidelity",
                False,
                infinite,
                "original",
                "Mean squared difference of these changes, with the map as it is.",
            ),
        )

    def cost(self) -> MetricCost:
        """Return the passes, which all maps share."""
        return MetricCost(shared=self.squares + 1)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the measures of each map; NaN for maps that predict nothing."""
        boxes = self._boxes(image)
        actual = image.compute_once(("infidelity", self), lambda: self._changes(image, boxes))
        photo = image.image.double().cpu().numpy()
        rows = [_compare(predicted_changes(m, photo, boxes), actual) for m in image.maps]
        cosine, scaled, original = np.array(rows).reshape(-1, 3).T
        return MetricScores({"": cosine, "scaled": scaled, "original": original})

    def _boxes(self, image: ExplainedImage) -> np.ndarray:
        """Return random squares, `[squares, 4]`: first and last row, first and last column."""
        height, width = image.image.shape[-2:]
        rng, side = image.rng("infidelity"), min(height, width)
        low, high = (max(1, round(share * side)) for share in (self.smallest, self.largest))
        sides = rng.integers(low, max(high, low) + 1, self.squares)
        top = rng.integers(0, height - sides + 1)
        left = rng.integers(0, width - sides + 1)
        return np.stack([top, top + sides, left, left + sides], 1)

    def _changes(self, image: ExplainedImage, boxes: np.ndarray) -> np.ndarray:
        """Return the drop of the score under each square."""

        def variants():  # type: ignore[no-untyped-def]
            yield image.image
            for y0, y1, x0, x1 in boxes.tolist():
                variant = image.image.clone()
                variant[:, y0:y1, x0:x1] = 0
                yield variant

        scores = image.scores(variants())
        return scores[0] - scores[1:]


def predicted_changes(
    attribution: AttributionMap, photo: np.ndarray, boxes: np.ndarray
) -> np.ndarray | None:
    """Return the drop of the score that a map predicts for each square; None if it has no unit."""
    if attribution.kind == "gradient" and attribution.channels is not None:
        density = (attribution.channels * photo).sum(0)
    elif attribution.kind == "contribution":
        density = attribution.values
    else:
        return None
    total = np.pad(density.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    y0, y1, x0, x1 = boxes.T
    return np.asarray(total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0])


def _compare(predicted: np.ndarray | None, actual: np.ndarray) -> tuple[float, float, float]:
    """Return cosine, scaled and original infidelity."""
    if predicted is None:
        return np.nan, np.nan, np.nan
    original = float(((predicted - actual) ** 2).mean())
    norms = np.linalg.norm(predicted) * np.linalg.norm(actual)
    if norms == 0:
        return np.nan, np.nan, original
    cosine = float(predicted @ actual / norms)
    return cosine, float((actual**2).mean() * (1 - cosine**2)), original


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Infidelity]
