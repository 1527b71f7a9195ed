"""Checks of the arguments of `occluded`."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..errors import ParameterError

Engine = Literal["auto", "dense"]
Precision = Literal["model", "bf16"]


def check_options(
    engine: Engine,
    memory: int | None,
    precision: Precision,
    approximate: float | None,
    batch_size: int | None,
) -> None:
    """Raise ParameterError unless the options of `occluded` have allowed values."""
    if engine not in ("auto", "dense"):
        raise ParameterError(f"engine={engine!r}: allowed are 'auto' and 'dense'")
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"batch_size must be at least 1, got {batch_size}")
    if memory is not None and memory < 1:
        raise ParameterError(f"memory must be at least 1 byte, got {memory}")
    if precision not in ("model", "bf16"):
        raise ParameterError(f"precision={precision!r}: allowed are 'model' and 'bf16'")
    if approximate is None:
        return
    if not 0 < approximate <= 1:
        raise ParameterError(f"approximate must be above 0 and at most 1, got {approximate}")
    if engine == "dense":
        raise ParameterError(
            f'approximate={approximate} requires engine="auto"; engine="dense" is always exact'
        )


def check_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Return the boxes as int64 on the CPU; raise unless all are inside the images."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.is_floating_point():
        raise ParameterError(
            "boxes must be integers [P, 4], x0, y0, x1, y1; got "
            f"{str(boxes.dtype).removeprefix('torch.')} {list(boxes.shape)}"
        )
    if len(images) * len(boxes) == 0:
        raise ParameterError(
            f"at least one image and one box are required; got {len(images)} images and "
            f"{len(boxes)} boxes"
        )
    boxes = boxes.to("cpu", torch.int64)
    height, width = images.shape[-2:]
    low, high = boxes[:, :2], boxes[:, 2:]
    fits = (low >= 0) & (low < high) & (high <= torch.tensor([width, height]))
    if not fits.all():
        first = boxes[int((~fits).any(1).nonzero()[0])].tolist()
        raise ParameterError(
            f"box {first} (x0, y0, x1, y1) is empty or not inside the image of {width} x {height} "
            "pixels"
        )
    return boxes


def check_fill(fill: Tensor, images: Tensor) -> Tensor:
    """Return the fill on the images' device and in their dtype; raise unless it fits them."""
    kind = str(images.dtype).removeprefix("torch.")
    if images.ndim != 4 or not images.is_floating_point():
        raise ParameterError(
            f"images must be floating point [N, C, H, W]; got {kind} {list(images.shape)}"
        )
    try:
        fill.expand(images.shape)
    except RuntimeError as error:
        raise ParameterError(
            f"fill {list(fill.shape)} does not fit images {list(images.shape)}; a color is "
            "[C, 1, 1]"
        ) from error
    return fill.to(images)
