"""flip_regret: how soon a map finds a rectangle whose covering changes the top class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field
from torch import Tensor

from convviz.authoring import (
    ExplainedImage,
    Measure,
    Metric,
    MetricCost,
    MetricScores,
    descending,
    hookimpl,
)

from .sds import cell_sums


class FlipRegret(Metric):
    """Area of the first flipping rectangle in the order of a map, over the smallest one.

    A rectangle of cells flips if covering it by the mean colour changes the top class. All
    rectangles are covered, so that the smallest flipping ones are known. They are visited in the
    order of the mean of the map over their cells; ties are in random order. The second measure is
    the share of rectangles that are visited up to the first flip. Both are undefined for images
    whose class no rectangle changes, and for targets that are no class.
    """

    grid: int = Field(7, gt=1, le=16, description="Rows and columns of cells.")

    def measures(self) -> tuple[Measure, ...]:
        """Return the ratio of areas, and the share of visited rectangles."""
        return (
            Measure("Flip regret", False, (1.0, float(self.grid**2)), "", "Ratio of areas."),
            Measure("Flip search", False, (0.0, 1.0), "search", "Share of visited rectangles."),
        )

    def cost(self) -> MetricCost:
        """Return the passes, one for each rectangle, which all maps share."""
        return MetricCost(shared=(self.grid * (self.grid + 1) // 2) ** 2)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the measures of all maps."""
        rectangles = self._rectangles()
        flips = image.compute_once(("flips", self.grid), lambda: self._flips(image, rectangles))
        areas = (rectangles[:, 1] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 2])
        rows = []
        for single in image.maps:
            if not flips.any():
                rows.append((np.nan, np.nan))
                continue
            order = descending(self._means(single.values, rectangles), image.rng("ties"))
            first = int(flips[order].argmax())
            rows.append((areas[order[first]] / areas[flips].min(), (first + 1) / len(order)))
        regret, search = np.array(rows).reshape(-1, 2).T
        return MetricScores({"": regret, "search": search})

    def _rectangles(self) -> np.ndarray:
        """Return all rectangles in cells, `[P, 4]`: first and last row, first and last column."""
        spans = [(a, b) for a in range(self.grid) for b in range(a + 1, self.grid + 1)]
        return np.array([(*rows, *columns) for rows in spans for columns in spans])

    def _means(self, values: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
        """Return the mean of the cell sums of a map over each rectangle."""
        sums = cell_sums(values, self.grid).reshape(self.grid, self.grid)
        total = np.pad(sums.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        y0, y1, x0, x1 = rectangles.T
        inside = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
        # Rounded, so that cells of equal values tie however they were added up.
        return np.asarray(np.round(inside / ((y1 - y0) * (x1 - x0)) / (np.abs(sums).max() or 1), 9))

    def _flips(self, image: ExplainedImage, rectangles: np.ndarray) -> np.ndarray:
        """Return which rectangles change the top class, bool `[P]`."""
        if image.target.index is None:
            return np.zeros(len(rectangles), bool)
        (top,) = image.top_classes([image.image])
        return image.top_classes(self._cover(image, rectangles)) != top

    def _cover(self, image: ExplainedImage, rectangles: np.ndarray) -> Iterator[Tensor]:
        height, width = image.image.shape[-2:]
        ys, xs = (np.linspace(0, n, self.grid + 1).round().astype(int) for n in (height, width))
        for y0, y1, x0, x1 in rectangles:
            variant = image.image.clone()
            variant[:, ys[y0] : ys[y1], xs[x0] : xs[x1]] = 0
            yield variant


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [FlipRegret]
