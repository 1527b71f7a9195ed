"""grid_pointing: how much of a map lies in the right cell of a mosaic of several images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from convviz.authoring import (
    ExplainedImage,
    Measure,
    Metric,
    MetricCost,
    MetricNeed,
    MetricScores,
    hookimpl,
)


class GridPointing(Metric):
    """Share of the positive values of a map that lie in the right cell of a mosaic.

    The grid pointing game (GridPG, Rao, Böhle, Schiele 2022): the image and images of other classes
    form a mosaic, and the class of the image is explained on it. Random maps score 1 / cells on
    average, and so do maps that do not depend on the images, since the cell is drawn at random. The
    other images are drawn at random for each mosaic, from the most confident images of `classes`
    classes: those with the highest probabilities, one per class, among `candidates` images from all
    over the data set. They are more confident than most explained images, so that maps that depend
    on the images but not on the class may score more or less than 1 / cells. A map without positive
    values scores 0. The score is undefined for targets that are not classes, data sets with too few
    classes, and networks that accept one size only. The second measure is the lowest probability
    with which the images of a mosaic are classified; the publication uses images of at least 0.99.
    """

    needs: ClassVar[frozenset[MetricNeed]] = frozenset({"repeats"})

    grid: int = Field(2, gt=1, le=4, description="Rows and columns of the mosaic.")
    candidates: int = Field(64, gt=0, description="Images that are classified to find the others.")
    classes: int = Field(
        16, gt=0, description="Most confident classes, from which the others are drawn."
    )

    def measures(self) -> tuple[Measure, ...]:
        """Return the share, and the probability."""
        unit = (0.0, 1.0)
        return (
            Measure(
                "Grid pointing",
                True,
                unit,
                "",
                "Share of the positive values in the right cell of a mosaic of images.",
            ),
            Measure(
                "Mosaic confidence",
                None,
                unit,
                "confidence",
                "Lowest probability of the images of the mosaic.",
            ),
        )

    def cost(self) -> MetricCost:
        """Return the work: one explanation of an image that is `grid` squared times as large."""
        return MetricCost(explanations=self.grid**2)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the share of each map, and the probability."""
        partners = self._partners(image)
        if partners is None:
            undefined = [np.nan] * len(image.maps)
            return MetricScores({"": undefined, "confidence": undefined})
        cell = int(image.rng("grid_pointing cell").integers(self.grid**2))
        parts = [partner.image for partner in partners]
        parts.insert(cell, image.image)
        again = [maps[0] for maps in image.explain(_mosaic(parts, self.grid)[None])]
        (probability,) = image.scores([image.image], probability=True)
        confidence = min(probability, *(partner.probability for partner in partners))
        shares = [_share(single.values, cell, self.grid) for single in again]
        return MetricScores({"": shares, "confidence": [confidence] * len(shares)})

    def _partners(self, image: ExplainedImage) -> list[_Candidate] | None:
        """Return random images of other classes; None if there are too few."""
        if image.target.index is None:
            return None
        best = image.compute_once(
            ("grid_pointing", self), lambda: self._candidates(image), all_images=True
        )
        (top,) = image.compute_once("top class", lambda: image.top_classes([image.image]))
        count = self.grid**2 - 1
        # At least two more than needed, since the image's target and its top class are left out.
        confident = best[: max(self.classes, count + 2)]
        others = [c for c in confident if c.top not in (top, image.target.index)]
        if len(others) < count:
            return None
        chosen = image.rng("grid_pointing others").choice(len(others), count, replace=False)
        return [others[i] for i in chosen]

    def _candidates(self, image: ExplainedImage) -> list[_Candidate]:
        """Return the image of the highest probability of each class, by falling probability."""
        best: dict[int, _Candidate] = {}
        for other, _ in zip(image.others(), range(self.candidates), strict=False):
            probabilities = image.model.probabilities(image.forward(other[None]))[0]
            top = int(probabilities.argmax())
            candidate = _Candidate(other, top, float(probabilities[top]))
            best[top] = max(candidate, best.get(top, candidate), key=lambda c: c.probability)
        return sorted(best.values(), key=lambda c: -c.probability)


class _Candidate(NamedTuple):
    """An image `[C, H, W]` with its top class and the probability of this class."""

    image: Tensor
    top: int
    probability: float


def _mosaic(parts: Sequence[Tensor], grid: int) -> Tensor:
    """Return images `[C, H, W]` side by side, row by row, `[C, grid * H, grid * W]`."""
    rows = [torch.cat(list(parts[i : i + grid]), 2) for i in range(0, grid**2, grid)]
    return torch.cat(rows, 1)


def _share(values: np.ndarray, cell: int, grid: int) -> float:
    """Return the share of positive values in a cell; 0 without any, NaN for an undefined map."""
    positive = np.clip(values, 0, None)
    total = positive.sum()
    if not total:
        return 0.0
    row, column = divmod(cell, grid)
    height, width = (side // grid for side in values.shape)
    inside = positive[row * height : (row + 1) * height, column * width : (column + 1) * width]
    return float(inside.sum() / total)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [GridPointing]
