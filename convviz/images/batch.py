"""The images that explainers get: a batch and its items."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .affine import Affine


@dataclass(frozen=True)
class Item:
    """One image of a batch or data set.

    Attributes:
        id: stable name (the relative path in a data set).
        source: where it came from, for a reader: one printable line.
        affine: maps model-input pixel corners back to the original photo.
        size: height and width of the original photo. Where the photo's pixels cannot be
            traced (a preprocessed tensor, a preprocess of the user's own) affine is the
            identity and size the model input's.
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
        items: one Item an image.
    """

    images: Tensor
    pixels: Tensor
    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)
