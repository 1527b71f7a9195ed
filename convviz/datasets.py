"""A data set as an ordered list of items with stable ids."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .images import Affine


class Dataset(Protocol):
    """What `convviz_open_dataset` returns: an ordered list of photos.

    Attributes:
        name: for a reader.
        ids: one stable id an item, unique, in the order of the sweep.
        labels: one class index an item, or None where it has none.
        classes: names of the classes; empty without labels.
    """

    name: str
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...]

    def load(self, index: int) -> np.ndarray:
        """Return the photo, uint8 `[h, w, 3]`; raises ImageError where it cannot be read."""
        ...


class Items(Protocol):
    """The items that a sweep kept, as `finish` sees them (bad files are left out)."""

    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int: ...

    def load(self, index: int) -> np.ndarray:
        """Read the original photo, uint8 `[h, w, 3]`."""
        ...

    def affine(self, index: int) -> Affine:
        """Map model-input pixel corners back to those of the original photo."""
        ...
