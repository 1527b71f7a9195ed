"""Parts of a data set, and several data sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import ImageError
from .dataset import Dataset, notes_of


@dataclass(frozen=True, eq=False)
class PartOfDataset:
    """Consecutive items of a data set, with the classes of the whole one.

    Attributes:
        whole: the data set.
        items: the indices of the items.
    """

    whole: Dataset
    items: range

    @property
    def name(self) -> str:
        """The name of the whole data set."""
        return self.whole.name

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the items."""
        return tuple(self.whole.ids[self.items.start : self.items.stop])

    @cached_property
    def labels(self) -> tuple[int | None, ...]:
        """The labels of the items."""
        return tuple(self.whole.labels[self.items.start : self.items.stop])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the whole data set."""
        return self.whole.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the whole data set."""
        return notes_of(self.whole)

    def load(self, index: int) -> np.ndarray:
        """Return a photo, uint8 `[h, w, 3]`."""
        return self.whole.load(self.items[index])


class PartOfFiles(PartOfDataset):
    """Consecutive items of a data set of encoded photos."""

    def read(self, index: int) -> bytes:
        """Return the bytes of a file."""
        content: bytes = self.whole.read(self.items[index])  # type: ignore[attr-defined]
        return content


def part_of(dataset: Dataset, items: range) -> PartOfDataset:
    """Return consecutive items of a data set."""
    return (PartOfFiles if hasattr(dataset, "read") else PartOfDataset)(dataset, items)


class JoinedPhotos:
    """The items of several data sets with their photos, which are found by id.

    Args:
        name: shown to users.
        datasets: the data sets; the first one that has an id is read.
        ids: the ids of the items; those of all data sets if not given.
        labels: one class index per item, or None.
        classes: names of the classes.
    """

    def __init__(
        self,
        name: str,
        datasets: Sequence[Dataset],
        ids: Sequence[str] = (),
        labels: Sequence[int | None] = (),
        classes: Sequence[str] = (),
    ) -> None:
        self.name, self._datasets = name, tuple(datasets)
        self._places = {
            item: (dataset, i)
            for dataset in reversed(self._datasets)
            for i, item in enumerate(dataset.ids)
        }
        self.ids = tuple(ids) or tuple(self._places)
        self.labels = tuple(labels) or (None,) * len(self.ids)
        self.classes = tuple(classes)

    def load(self, index: int) -> np.ndarray:
        """Return a photo, uint8 `[h, w, 3]`; raises ImageError if no data set has it."""
        item = self.ids[index]
        if item not in self._places:
            raise ImageError(f"no data set of {self.name!r} has an item {item!r}")
        dataset, place = self._places[item]
        return dataset.load(place)
