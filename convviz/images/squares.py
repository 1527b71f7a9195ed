"""Photos as small squares of one size, for pictures with many photos."""

from __future__ import annotations

import numpy as np

MARGIN = 255
"""The grey level beside photos that are not square."""

ENLARGED_BELOW = 100
"""Longer side in pixels below which the pixels of a photo are repeated instead of smoothed."""


def fit_into_square(photo: np.ndarray, side: int) -> np.ndarray:
    """Return a photo scaled to fit into a square, centred on white.

    Args:
        photo: uint8 `[h, w, 3]`.
        side: of the square, in pixels.

    Returns:
        uint8 `[side, side, 3]`.
    """
    from PIL import Image

    height, width = photo.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = Image.Resampling.NEAREST if max(height, width) < ENLARGED_BELOW else None
    resized = Image.fromarray(photo).resize(size, smooth or Image.Resampling.BICUBIC)
    square = np.full((side, side, 3), MARGIN, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = np.asarray(resized)
    return square
