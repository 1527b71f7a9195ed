"""Division of an image into parts that are covered together."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from convviz import ConvvizError


def image_parts(image: Tensor, features: Literal["grid", "slic"], count: int) -> Tensor:
    """Return the index of the part that each pixel belongs to, int64 `[H, W]`, without gaps.

    Args:
        image: `[C, H, W]`.
        features: the cells of a grid, or superpixels.
        count: number of parts, roughly.

    Raises:
        ConvvizError: superpixels require scikit-image, which is not installed.
    """
    labels = _grid(image, count) if features == "grid" else _superpixels(image, count)
    return torch.unique(labels, return_inverse=True)[1].to(image.device)


def _grid(image: Tensor, count: int) -> Tensor:
    height, width = image.shape[-2:]
    rows = min(height, max(1, round((count * height / width) ** 0.5)))
    columns = min(width, max(1, round(count / rows)))
    row = torch.arange(height) * rows // height
    column = torch.arange(width) * columns // width
    return row[:, None] * columns + column[None]


def _superpixels(image: Tensor, count: int) -> Tensor:
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ConvvizError(
            "features='slic' requires scikit-image: pip install 'convviz[segments]'; "
            "or use features='grid'"
        ) from error
    pixels = image.detach().cpu().double()
    low, high = pixels.amin(), pixels.amax()
    scaled = ((pixels - low) / (high - low).clamp(min=1e-12)).movedim(0, -1).numpy()
    return torch.from_numpy(slic(scaled, n_segments=count, channel_axis=-1, start_label=0)).long()
