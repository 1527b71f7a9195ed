"""The images of a benchmark, and the masks of their objects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..data.dataset import Dataset
from ..errors import ImageError, ParameterError
from ..images.batch import Batch
from ..images.decode import load_image
from ..images.preprocess import Preprocess
from ..network.inputs import collate, prepare
from ..network.model import Model

Masks = str | os.PathLike[str] | Mapping[str, Any] | Callable[[str], Any] | None
"""Masks of the objects in images, see `benchmark`."""


@dataclass(frozen=True, eq=False)
class BenchmarkInputs:
    """The images of a benchmark.

    Attributes:
        dataset: the data set.
        model: the model.
        masks: the object in each image, see `benchmark`.
        unreadable: id -> why an image cannot be used; filled by `batch`.
    """

    dataset: Dataset
    model: Model
    masks: Masks = None
    unreadable: dict[str, str] = field(default_factory=dict)

    def batch(self, index: int) -> Batch | None:
        """Return the image with an index in the data set as a batch; None if it is unreadable."""
        name, label = self.dataset.ids[index], self.dataset.labels[index]
        try:
            prepared = prepare(self.dataset.load(index), self.model, name)
        except ImageError as error:
            self.unreadable[name] = " ".join(str(error).split())
            return None
        return collate([prepared], [name], self.model, [label])

    def mask(self, batch: Batch) -> np.ndarray | None:
        """Return the mask of a batch of one image in the model's input, `[H, W]` bool, or None.

        Raises:
            ParameterError: the mask does not have the size of the photo.
        """
        item = batch.items[0]
        mask = self._mask_of_photo(item.id)
        if mask is None:
            return None
        if mask.ndim != 2 or mask.shape != tuple(item.size):
            raise ParameterError(
                f"the mask of {item.id!r} has the shape {list(mask.shape)}, and the photo "
                f"{list(item.size)}"
            )
        if not isinstance(self.model.preprocess, Preprocess):
            return mask > 0
        photo = np.repeat((mask > 0).astype(np.uint8)[..., None] * 255, 3, axis=2)
        return self.model.preprocess.cut(photo)[..., 0] > 127

    def photo(self, name: str) -> np.ndarray:
        """Return the photo with an id, uint8 `[h, w, 3]`."""
        return self.dataset.load(self.dataset.ids.index(name))

    def _mask_of_photo(self, name: str) -> np.ndarray | None:
        if self.masks is None:
            return None
        if callable(self.masks):
            mask = self.masks(name)
        elif isinstance(self.masks, Mapping):
            mask = self.masks.get(name)
        else:
            path = Path(self.masks, name).with_suffix(".png")
            mask = load_image(path).max(axis=2) if path.is_file() else None
        return None if mask is None else np.asarray(mask)


@dataclass(frozen=True, eq=False)
class AllImages:
    """Yields all readable images of a benchmark, `[C, H, W]`, in each call.

    Any prefix of the order is spread over the data set, since many data sets are sorted by class.

    Attributes:
        inputs: the images.
        indices: those of the benchmark.
    """

    inputs: BenchmarkInputs
    indices: Sequence[int]

    def __call__(self) -> Iterator[Tensor]:
        """Yield the images in the order of `scatter_order`."""
        for batch in (self.inputs.batch(self.indices[i]) for i in scatter_order(len(self.indices))):
            if batch is not None:
                yield batch.images[0]


def spread(count: int, limit: int | None) -> list[int]:
    """Return up to `limit` of the numbers below `count`, evenly spaced; all for None."""
    if limit is None or limit >= count:
        return list(range(count))
    return [int(number) for number in np.linspace(0, count - 1, limit).round()]


def scatter_order(count: int) -> list[int]:
    """Return the numbers below `count` in an order of which every beginning is spread evenly."""
    bits = count.bit_length()
    return sorted(range(count), key=lambda number: f"{number:0{bits}b}"[::-1])
