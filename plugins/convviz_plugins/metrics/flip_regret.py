"""flip_regret: how soon a map finds a rectangle whose covering changes the top class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

UNKNOWN = -1
"""State of a rectangle that was not covered yet."""


class FlipRegret(Metric):
    """Area of the first flipping rectangle in the order of a map, over the smallest one.

    A rectangle of cells flips if covering it by the mean colour changes the top class. Rectangles
    are covered by rising area until one flips, so that the smallest area is known. For a map they
    are visited in the order of its mean over their cells; ties are in random order. The second
    measure is the share of rectangles that are visited up to the first flip. Both are undefined for
    images whose class no rectangle changes, and for targets that are not classes.
    """

    grid: int = Field(5, gt=1, le=16, description="Rows and columns of cells.")

    def measures(self) -> tuple[Measure, ...]:
        """Return the ratio of areas, and the share of visited rectangles."""
        return (
            Measure(
                "Flip regret",
                False,
                (1.0, float(self.grid**2)),
                "",
                "Area of the first rectangle to change the class, over that of the smallest.",
            ),
            Measure(
                "Flip search",
                False,
                (0.0, 1.0),
                "search",
                "Share of the rectangles that are tried until one changes the class.",
            ),
        )

    def cost(self) -> MetricCost:
        """Return the passes, at most one for each rectangle, which all maps share."""
        return MetricCost(shared=(self.grid * (self.grid + 1) // 2) ** 2)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the measures of all maps."""
        rectangles = self._rectangles()
        areas = (rectangles[:, 1] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 2])
        orders = [np.argsort(areas, kind="stable")]
        orders += [
            descending(self._means(single.values, rectangles), image.rng("ties"))
            for single in image.maps
        ]
        smallest, *first = self._first_flips(image, rectangles, orders)
        if smallest is None:
            undefined = np.full(len(image.maps), np.nan)
            return MetricScores({"": undefined, "search": undefined})
        flipped = [areas[order[place]] for order, place in zip(orders[1:], first, strict=True)]
        regret = np.array(flipped, float) / areas[orders[0][smallest]]
        return MetricScores({"": regret, "search": (np.array(first, float) + 1) / len(areas)})

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

    def _first_flips(
        self, image: ExplainedImage, rectangles: np.ndarray, orders: Sequence[np.ndarray]
    ) -> list[int | None]:
        """Return the place in each order of the first rectangle that changes the top class.

        All orders are searched side by side, and each rectangle is covered at most once, so that
        only those before the first flips are covered at all. Without any flip, all places are None.
        """
        if image.target.index is None:
            return [None] * len(orders)
        (top,) = image.compute_once("top class", lambda: image.top_classes([image.image]))
        flips = np.full(len(rectangles), UNKNOWN, np.int8)
        ahead = max(1, image.batch_size // len(orders))
        while candidates := _next_candidates(flips, orders, ahead):
            classes = image.top_classes(self._cover(image, rectangles[candidates]))
            flips[candidates] = classes != top
        return [
            int(place[0]) if len(place := np.flatnonzero(flips[o] == 1)) else None for o in orders
        ]

    def _cover(self, image: ExplainedImage, rectangles: np.ndarray) -> Iterator[Tensor]:
        height, width = image.image.shape[-2:]
        ys, xs = (np.linspace(0, n, self.grid + 1).round().astype(int) for n in (height, width))
        for y0, y1, x0, x1 in rectangles:
            variant = image.image.clone()
            variant[:, ys[y0] : ys[y1], xs[x0] : xs[x1]] = 0
            yield variant


def _next_candidates(flips: np.ndarray, orders: Sequence[np.ndarray], ahead: int) -> list[int]:
    """Return rectangles to cover next: the first unknown ones of each order without a flip.

    Args:
        flips: of each rectangle: whether it changes the top class, or UNKNOWN.
        orders: rectangles in the order of each search.
        ahead: number of rectangles per order.
    """
    candidates: dict[int, None] = {}
    for order in orders:
        states = flips[order]
        unknown = np.flatnonzero(states == UNKNOWN)[:ahead]
        known_flip = np.flatnonzero(states == 1)[:1]
        if len(known_flip):
            unknown = unknown[unknown < known_flip[0]]
        candidates |= dict.fromkeys(order[unknown].tolist())
    return list(candidates)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [FlipRegret]
