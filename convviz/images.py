"""Photos: the one intake, and the batches that explainers get."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a*x + b*y + c, y' = d*x + e*y + f, pixel corners at integers."""


@dataclass(frozen=True)
class Item:
    """One image of a batch or data set.

    Attributes:
        id: stable name (the relative path in a data set).
        source: where it came from, for a reader.
        affine: maps model-input pixel corners back to the original photo.
        size: height and width of the original photo.
        label: class index, or None.
    """

    id: str
    source: str
    affine: Affine
    size: tuple[int, int]
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as the model gets them, and as a person sees them.

    Attributes:
        images: preprocessed, `[N, C, H, W]`, on the model's device.
        pixels: uint8 `[N, H, W, 3]`, the model's crop as a photo, on the CPU.
        items: one Item an image.
    """

    images: Tensor
    pixels: Tensor
    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)


def load_image(path: str | Path) -> np.ndarray:  # helper: intake
    """Read a photo, uint8 `[h, w, 3]`, upright."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
