"""The input of explainers: a batch of images and its items."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .affine import Affine


@dataclass(frozen=True)
class Item:
    """One image of a batch or data set.

    Attributes:
        id: stable name (the relative path in a data set).
        source: its origin, shown to users as one printable line.
        affine: maps model-input pixel corners to those of the original photo.
        size: height and width of the original photo. If the origin of the pixels is unknown
            (a preprocessed tensor, or a preprocess function), `affine` is the identity and
            `size` that of the model's input.
        label: class index, or None.
    """

    id: str
    source: str
    affine: Affine
    size: tuple[int, int]
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Preprocessed images with their displayable pixels and their items.

    Attributes:
        images: preprocessed, `[N, C, H, W]`, on the model's device.
        pixels: uint8 `[N, H, W, 3]`, the model's crop as a photo, on the CPU.
        items: one Item per image.
    """

    images: Tensor
    pixels: Tensor
    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)
