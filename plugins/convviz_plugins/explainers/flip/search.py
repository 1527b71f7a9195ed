"""The search for the smallest rectangles whose covering changes the top class."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from convviz import Model, ModelError, ParameterError
from convviz.authoring import Forward, Occluder, occluded, track

from .rectangles import rectangles_by_area, to_pixels

_ROUNDING = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Bound of the rounding errors of scores by dtype, as a share of the largest score."""

_ROUNDING_OF_HALF = 2e-2


@dataclass(frozen=True, eq=False)
class Flips:
    """The smallest rectangles of one image whose covering changes the top class.

    Attributes:
        old: the top class of the unchanged image; -1 if its scores are not finite.
        old_probability: its probability; NaN if the scores have no probabilities.
        area: area of the rectangles in cells; 0 if no rectangle changes the class.
        rectangles: in cells, int64 `[F, 4]`, x0, y0, x1, y1, half-open.
        new: the top class with each rectangle covered, int64 `[F]`.
        new_probability: its probability, `[F]`.
        margin: its score minus that of the old class, `[F]`, float64.
        evaluated: number of rectangles that were covered in turn.
        rechecked: number of these that were computed again in float64.
        undecided: number of these for which that was not possible.
        nonfinite: number of these with scores that are not finite, which count as no change.
    """

    old: int
    old_probability: float
    area: int
    rectangles: Tensor
    new: Tensor
    new_probability: Tensor
    margin: Tensor
    evaluated: int = 0
    rechecked: int = 0
    undecided: int = 0
    nonfinite: int = 0


class FlipSearch:
    """Searches images for the smallest rectangles whose covering changes the top class.

    Args:
        model: the model, inside its session.
        images: `[N, C, H, W]`.
        fill: the content of covered pixels, as `images`.
        grid: cells along each side of an image.
        max_area: largest area of a rectangle, as a share of the image.
        batch_size, engine: as in `occluded`.

    Raises:
        ParameterError: the grid is finer than the pixels, or the model has one class.
    """

    def __init__(
        self,
        model: Model,
        images: Tensor,
        fill: Tensor,
        grid: int,
        max_area: float,
        batch_size: int | None = None,
        engine: Literal["auto", "dense"] = "auto",
    ) -> None:
        self.size = (int(images.shape[2]), int(images.shape[3]))
        if grid > min(self.size):
            raise ParameterError(
                f"grid={grid} has more cells than the images of {self.size[0]} x {self.size[1]} "
                "have pixels"
            )
        self.model, self.images, self.grid = model, images, grid
        self.fill = fill.expand(images.shape)
        self.rectangles = {
            area: rectangles
            for area, rectangles in rectangles_by_area(grid).items()
            if area <= max_area * grid * grid * (1 + 1e-9)
        }
        self.batch_size, self.engine = batch_size, engine
        self.occluder = Occluder(
            model, images, self.fill, _scores, batch_size=batch_size, engine=engine
        )
        self.clean = model.forward(images).output
        if self.clean.shape[1] < 2:
            raise ParameterError(
                f"flip needs several classes; {model.name} has one output: give "
                "Model(…, labels=(negative, positive)) if it distinguishes two"
            )
        self._precise: Model | None = None

    def __iter__(self) -> Iterator[Flips]:
        """Yield the result of each image."""
        for index in track(range(len(self.images)), "searching", len(self.images)):
            yield self._search(index)

    def _search(self, index: int) -> Flips:
        clean = self.clean[index].double().cpu()
        if not clean.isfinite().all():
            return _no_flips(-1, float("nan"))
        old = self._clean_class(index, clean)
        probability = float(self._probabilities(clean[None])[0, old])
        evaluated = rechecked = undecided = nonfinite = 0
        for area, rectangles in self.rectangles.items():
            boxes = to_pixels(rectangles, self.grid, self.size)
            scores = self.occluder(boxes, [index]).scores[0].double()
            close = _within_rounding(_margins(scores, old), scores, self.model.dtype)
            precise = self._in_float64(index, boxes[close]) if close.any() else None
            if precise is not None:
                scores[close] = precise
            finite = scores.isfinite().all(1)
            evaluated, rechecked = evaluated + len(boxes), rechecked + int(close.sum())
            undecided += int((close & finite).sum()) if precise is None else 0
            nonfinite += int((~finite).sum())
            flips = finite & (_top_class(scores) != old)
            if flips.any():
                scores = scores[flips]
                new = _top_class(scores)
                row = torch.arange(len(new))
                return Flips(
                    *(old, probability, area, rectangles[flips], new),
                    self._probabilities(scores)[row, new],
                    _margins(scores, old),
                    *(evaluated, rechecked, undecided, nonfinite),
                )
        return _no_flips(old, probability, evaluated, rechecked, undecided, nonfinite)

    def _clean_class(self, index: int, scores: Tensor) -> int:
        """Return the top class of the unchanged image, in float64 where two are nearly equal."""
        old = int(_top_class(scores[None])[0])
        if _within_rounding(_margins(scores[None], old), scores[None], self.model.dtype)[0]:
            precise = self._in_float64(index, None)
            old = old if precise is None else int(_top_class(precise)[0])
        return old

    def _in_float64(self, index: int, boxes: Tensor | None) -> Tensor | None:
        """Return scores `[P, classes]` by full forward passes in float64; None if impossible.

        Args:
            index: of the image.
            boxes: covered in turn; None for the unchanged image.
        """
        image = self.images[index : index + 1].double()
        try:
            if self._precise is None:
                self._precise = copy.deepcopy(self.model)
                self._precise.module.double()
            if boxes is None:
                return self._precise.forward(image).output.double().cpu()
            fill = self.fill[index : index + 1].double()
            result = occluded(
                *(self._precise, image, boxes, fill, _scores),
                batch_size=self.batch_size,
                engine="dense",
            )
        except (ModelError, RuntimeError, TypeError):  # a network or device without float64
            return None
        return result.scores[0].double()

    def _probabilities(self, scores: Tensor) -> Tensor:
        return self.model.probabilities(scores).double()


def _scores(forward: Forward, owner: Tensor) -> Tensor:
    return forward.output


def _no_flips(old: int, probability: float, *counts: int) -> Flips:
    nothing = torch.zeros(0, dtype=torch.float64)
    integers = torch.zeros(0, dtype=torch.int64)
    return Flips(old, probability, 0, integers.reshape(0, 4), integers, nothing, nothing, *counts)


def _top_class(scores: Tensor) -> Tensor:
    """Return the class with the highest score, the first of equal ones, `[P]`."""
    classes = torch.arange(scores.shape[1])
    best = scores.amax(1, keepdim=True)
    return torch.where(scores == best, classes, scores.shape[1]).amin(1)


def _margins(scores: Tensor, old: int) -> Tensor:
    """Return the highest score of the other classes minus that of the old class, `[P]`."""
    others = scores.clone()
    others[:, old] = -torch.inf
    return others.amax(1) - scores[:, old]


def _within_rounding(margins: Tensor, scores: Tensor, dtype: torch.dtype) -> Tensor:
    """Return where rounding errors may decide which class is on top, bool `[P]`.

    That includes scores that are not finite, which may have overflowed.
    """
    bound = _ROUNDING.get(dtype, _ROUNDING_OF_HALF) * scores.abs().amax(1)
    return ~(margins.abs() > bound)
