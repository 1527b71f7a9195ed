"""Scores of a photo with a rectangle covered, fast enough to follow the mouse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..images.preprocess import Preprocess
from ..occlusion.occluded_scores import Occluder

if TYPE_CHECKING:
    from ..network.model import Model

FAST_PASS_S = 0.1
"""A full forward pass that takes less needs no faster engine: people see no delay."""

TIMED_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""Sides of the rectangles that are timed, as shares of the sides of the image."""

REPEATS = 3
NOT_PREPARED = "it has not been prepared"


@dataclass(frozen=True, eq=False)
class CoveredScores:
    """The scores of a photo with a rectangle covered.

    Attributes:
        scores: `[classes]`.
        is_incremental: whether only the part that the rectangle changes was computed.
        seconds: the time it took.
    """

    scores: Tensor
    is_incremental: bool
    seconds: float


class RectangleScores:
    """Scores of one photo with rectangles covered by the mean colour.

    Two engines give the same scores up to rounding: a full forward pass, and the incremental
    engine, which computes only what the rectangle changes. The incremental engine is used for
    rectangles of the sizes for which `prepare` has measured that it is faster, so a rectangle
    never takes longer than a full pass.

    Args:
        model: the model.
        images: the model's input, `[1, C, H, W]`.

    Attributes:
        full_pass: seconds of a full forward pass.
        reason: why the incremental engine is not used; "" if it may be.
        max_area: largest area, in pixels, for which the incremental engine is used.
    """

    def __init__(self, model: Model, images: Tensor) -> None:
        self._height, self._width = images.shape[-2:]
        fill = fill_of(model, images)
        self._incremental = Occluder(model, images, fill, lambda forward, _: forward.output)
        self._dense = Occluder(
            model, images, fill, lambda forward, _: forward.output, engine="dense"
        )
        self.full_pass = seconds_of(self._dense, self._box(1 / 2))
        self.reason, self.max_area = NOT_PREPARED, 0
        if self.full_pass < FAST_PASS_S:
            self.reason = "a full forward pass is fast enough"

    def __call__(self, box: Sequence[int]) -> CoveredScores:
        """Return the scores with a rectangle covered.

        Args:
            box: x0, y0, x1, y1 in pixels of the model's input, half-open.
        """
        x0, y0, x1, y1 = box
        is_incremental = (x1 - x0) * (y1 - y0) <= self.max_area
        start = time.perf_counter()
        occlude = self._incremental if is_incremental else self._dense
        scores = occlude(torch.tensor([list(box)])).scores[0, 0]
        return CoveredScores(scores, is_incremental, time.perf_counter() - start)

    @property
    def may_be_faster(self) -> bool:
        """Whether `prepare` has not been called, and may reduce the time."""
        return self.full_pass >= FAST_PASS_S and self.reason == NOT_PREPARED

    def prepare(self) -> None:
        """Export the model, which takes seconds, and time both engines."""
        # The smallest rectangle needs the most of the network in windows.
        self.reason = self._incremental.prepare(torch.tensor([[0, 0, 1, 1]]))
        if not self.reason:
            self.max_area = self._largest_faster_area()
            self.reason = "" if self.max_area else "a full forward pass is faster"

    def _box(self, share: float) -> Tensor:
        """Return a box in the middle of the image with a share of its sides."""
        height, width = (max(1, round(side * share)) for side in (self._height, self._width))
        y0, x0 = (self._height - height) // 2, (self._width - width) // 2
        return torch.tensor([[x0, y0, x0 + width, y0 + height]])

    def _largest_faster_area(self) -> int:
        area = 0
        for share in TIMED_SHARES:
            box = self._box(share)
            if seconds_of(self._incremental, box) > seconds_of(self._dense, box):
                break
            x0, y0, x1, y1 = box[0].tolist()
            area = (x1 - x0) * (y1 - y0)
        return area


def fill_of(model: Model, images: Tensor) -> Tensor:
    """Return what covers a rectangle, `[1, C, 1, 1]`: the mean of the preprocessing or the image.

    The mean of the preprocessing is 0 in the space of the model's input.
    """
    if isinstance(model.preprocess, Preprocess):
        return images.new_zeros(1, images.shape[1], 1, 1)
    return images.mean((2, 3), keepdim=True)


def seconds_of(occlude: Occluder, box: Tensor) -> float:
    """Return the median time of a call, after one to warm up."""
    occlude(box)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        occlude(box)
        times.append(time.perf_counter() - start)
    return sorted(times)[REPEATS // 2]
