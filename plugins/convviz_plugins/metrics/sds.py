"""sds: rank correlation of the map with the drops of the score when a cell is removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field
from torch import Tensor

from convviz.authoring import ExplainedImage, Measure, Metric, MetricCost, MetricScores, hookimpl

from ..shared.fills import fill_image
from ._correlation import spearman

SECOND = "blur"


class SingleDeletion(Metric):
    """Rank correlation of cell sums of the map with the drops of the score per removed cell.

    Hesse, Schaub-Meyer, Roth 2024: each cell of a grid is removed in turn. The main measure sets
    the cell to 0 in the normalized image, the second one to the blurred image, for explainers
    that compute their map by the same replacement.
    """

    grid: int = Field(4, gt=1, description="Rows and columns of cells.")

    def measures(self) -> tuple[Measure, ...]:
        """Return the correlation for both fills."""
        text = "Rank correlation of cell sums of the map with the drops when a cell is {}."
        return (
            Measure("SDS", True, (-1.0, 1.0), "", text.format("set to the mean colour")),
            Measure("SDS, blur", True, (-1.0, 1.0), SECOND, text.format("blurred")),
        )

    def cost(self) -> MetricCost:
        """Return the passes, which all maps share."""
        return MetricCost(shared=2 * self.grid**2 + 1)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the correlations; NaN for a map or drops that are the same in all cells."""
        sums = [cell_sums(single.values, self.grid) for single in image.maps]
        fills: dict[str, Literal["mean", "blur"]] = {"": "mean", SECOND: "blur"}
        return MetricScores(
            {
                suffix: [spearman(total, self._drops(image, fill)) for total in sums]
                for suffix, fill in fills.items()
            }
        )

    def circular_with(self, explainer: BaseModel) -> bool:
        """Return whether an explainer covers windows with the same fill."""
        fill = getattr(explainer, "fill", None)
        is_same = isinstance(fill, str | float) and fill in ("mean", 0.0)
        return is_same and hasattr(explainer, "window")

    def _drops(self, image: ExplainedImage, fill: Literal["mean", "blur"]) -> np.ndarray:
        """Return the drop of the score for each removed cell, `[grid · grid]`."""

        def compute() -> np.ndarray:
            scores = image.scores([image.image, *self._variants(image, fill)])
            return scores[0] - scores[1:]

        return image.compute_once(("sds", self.grid, fill), compute)

    def _variants(self, image: ExplainedImage, fill: Literal["mean", "blur"]) -> Iterator[Tensor]:
        size = image.image.shape[-2:]
        cover = image.image.new_zeros(())
        if fill == "blur":
            window = (-(-size[0] // self.grid), -(-size[1] // self.grid))
            cover = fill_image("blur", image.model, image.image[None], window, 0)[0]
        cover = cover.expand(image.image.shape)
        for y0, y1, x0, x1 in cells(size[0], size[1], self.grid):
            variant = image.image.clone()
            variant[:, y0:y1, x0:x1] = cover[:, y0:y1, x0:x1]
            yield variant


def cells(height: int, width: int, grid: int) -> list[tuple[int, int, int, int]]:
    """Return the cells of a grid row by row: first and last row, first and last column."""
    ys = np.linspace(0, height, grid + 1).round().astype(int).tolist()
    xs = np.linspace(0, width, grid + 1).round().astype(int).tolist()
    return [
        (ys[row], ys[row + 1], xs[column], xs[column + 1])
        for row in range(grid)
        for column in range(grid)
    ]


def cell_sums(values: np.ndarray, grid: int) -> np.ndarray:
    """Return the sum of a map `[H, W]` over each cell, `[grid · grid]`."""
    height, width = values.shape
    return np.array([values[y0:y1, x0:x1].sum() for y0, y1, x0, x1 in cells(height, width, grid)])


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [SingleDeletion]
