"""Regions of images that are covered: boxes, or masks of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import ParameterError
from .intervals import Ints


@dataclass(frozen=True, eq=False)
class Regions:
    """P regions, each of which is covered in turn.

    Attributes:
        boxes: `[P, 4]` on the CPU, x0, y0, x1, y1, half-open: the regions, or boxes around them.
        masks: bool `[P, H, W]`, the covered pixels; None if they are all pixels of the boxes.
    """

    boxes: Tensor
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, positions: Tensor) -> Regions:
        """Return the regions at these positions."""
        masks = None if self.masks is None else self.masks[positions.to(self.masks.device)]
        return Regions(self.boxes[positions], masks)

    def mask_windows(self, positions: Ints) -> Tensor:
        """Return the masks inside the boxes, bool `[n, 1, h, w]`, of boxes of one size."""
        assert self.masks is not None
        x0, y0, x1, y1 = self.boxes[positions].to(self.masks.device).unbind(1)
        height, width = int(y1[0] - y0[0]), int(x1[0] - x0[0])
        at = torch.from_numpy(positions).to(self.masks.device)
        y = y0[:, None] + torch.arange(height, device=at.device)
        x = x0[:, None] + torch.arange(width, device=at.device)
        return self.masks[at[:, None, None], y[:, :, None], x[:, None, :]][:, None]


def as_regions(regions: Tensor, images: Tensor) -> Regions:
    """Return checked regions of images `[N, C, H, W]`.

    Args:
        regions: integers `[P, 4]` (x0, y0, x1, y1 in pixels, half-open) or bool `[P, H, W]`.
        images: the images.

    Raises:
        ParameterError: the regions have another form, or are not inside the images.
    """
    if len(images) * len(regions) == 0:
        raise ParameterError(
            f"at least one image and one box or mask are required; got {len(images)} images and "
            f"{len(regions)} regions"
        )
    if regions.dtype == torch.bool:
        return _mask_regions(regions, images)
    return Regions(_check_boxes(regions, images))


def _check_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Return boxes as int64 on the CPU."""
    height, width = images.shape[-2:]
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.is_floating_point():
        raise ParameterError(
            "boxes must be integers [P, 4], x0, y0, x1, y1, and masks bool "
            f"[P, {height}, {width}]; got {_describe(boxes)}"
        )
    boxes = boxes.to("cpu", torch.int64)
    low, high = boxes[:, :2], boxes[:, 2:]
    fits = (low >= 0) & (low < high) & (high <= torch.tensor([width, height]))
    if not fits.all():
        first = boxes[int((~fits).any(1).nonzero()[0])].tolist()
        raise ParameterError(
            f"box {first} (x0, y0, x1, y1) is empty or not inside the image of {width} x {height} "
            "pixels"
        )
    return boxes


def _mask_regions(masks: Tensor, images: Tensor) -> Regions:
    if masks.ndim != 3 or masks.shape[1:] != images.shape[-2:]:
        height, width = images.shape[-2:]
        raise ParameterError(f"masks must be bool [P, {height}, {width}]; got {_describe(masks)}")
    rows, columns = masks.any(2).cpu().numpy(), masks.any(1).cpu().numpy()
    boxes = np.stack([*_spans(columns), *_spans(rows)], 1)[:, [0, 2, 1, 3]]
    return Regions(torch.from_numpy(boxes), masks.to(images.device))


def _spans(covered: np.ndarray) -> tuple[Ints, Ints]:
    """Return start and stop of the covered positions of each row of `[P, length]`.

    A row without any has the span of its first position, where its mask covers nothing.
    """
    empty = ~covered.any(1)
    start = covered.argmax(1)
    stop = covered.shape[1] - covered[:, ::-1].argmax(1)
    return start, np.where(empty, 1, stop)


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
