"""The photos of a finished run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..data.dataset import Dataset
from ..data.fingerprint import photo_of
from ..data.item_table import ItemTable
from ..data.parts import JoinedPhotos
from ..errors import ConvvizError, ImageError
from ..images.affine import Affine
from ..images.batch import Item
from ..network.model import Model
from ..plugin.sources import as_dataset, open_place, open_recorded_dataset
from ..storage.checksums import CHECKSUMS
from .store.file_names import ITEMS
from .store.tables import content_types, read_rows

PHOTOS_HINT = "photos=… (--photos DATASET) names the place of the photos"


class OpenedRun(Protocol):
    """The part of a finished run that drawing reads."""

    folder: Path
    plan: dict[str, Any]
    model: Model | None
    photos: Any

    @property
    def items(self) -> ItemTable:
        """The items that were used."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""

    def load_model(self) -> Model:
        """Load the model of the run again."""


class PhotosOfRun:
    """The items of a finished run with their photos, see `Items`. The data set is opened once.

    Args:
        run: the run.
        photos: the data set or its source; None for the recorded one.
        verify: refuse photos whose content has changed since they were swept.
    """

    def __init__(self, run: OpenedRun, photos: Any = None, verify: bool = False) -> None:
        self._run, self._photos, self._verify = run, photos, verify

    def __len__(self) -> int:
        return len(self._run.items)

    @property
    def ids(self) -> tuple[str, ...]:
        """One id per item."""
        return self._run.items.ids

    @property
    def labels(self) -> tuple[int | None, ...]:
        """One class index per item, or None."""
        return tuple(self._run.items.column("label"))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._run.classes

    @cached_property
    def _dataset(self) -> tuple[Dataset, dict[str, int]]:
        dataset = open_dataset_of(self._run, self._photos)
        return dataset, {name: i for i, name in enumerate(dataset.ids)}

    def load(self, index: int) -> np.ndarray:
        """Read a photo, uint8 `[h, w, 3]`; raises ImageError if it is not available or changed."""
        return self.load_item(self._run.items[index])

    def load_item(self, item: Item) -> np.ndarray:
        """Read the photo of an item."""
        try:
            dataset, places = self._dataset
            if item.id not in places:
                raise ImageError(f"{dataset.name!r} has no item {item.id!r}")
            photo = self._read(dataset, places[item.id])
        except (ConvvizError, OSError) as error:
            raise ImageError(f"{error}; {PHOTOS_HINT}") from error
        if photo.shape[:2] != tuple(item.size):
            raise ImageError(
                f"{item.id!r} has another size in {dataset.name!r} than in the run; {PHOTOS_HINT}"
            )
        return photo

    def _read(self, dataset: Dataset, place: int) -> np.ndarray:
        if not (self._verify and hasattr(dataset, "read")):
            return dataset.load(place)
        photo, content = photo_of(dataset, place)
        name = dataset.ids[place]
        if self._hashes.get(name) != content.sha256:
            raise ImageError(f"{name!r} in {dataset.name!r} has changed since it was swept")
        return photo

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """The hash of the content of each item that was used."""
        checksum = self._run.plan[CHECKSUMS][ITEMS]
        rows = read_rows(self._run.folder / ITEMS, content_types(), checksum)
        return {row["id"]: row["sha256"] for row in rows}

    def affine(self, index: int) -> Affine:
        """Return the map from pixels of the model input to pixels of the original photo."""
        return self._run.items[index].affine

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)


def open_dataset_of(run: OpenedRun, photos: Any = None) -> Dataset:
    """Open the data set of a run, see `Run.open_dataset`."""
    if photos is None:
        photos = run.photos
    if photos is not None:
        return as_dataset(photos)
    record = run.plan["dataset"]
    if pieces := record.get("pieces"):
        return JoinedPhotos(record["name"], [_open_recorded(run, piece) for piece in pieces])
    return _open_recorded(run, record)


def _open_recorded(run: OpenedRun, record: dict[str, Any]) -> Dataset:
    place = record.get("place") or {}
    for path in _candidates(run, place):
        dataset = open_place(path, place.get("scheme", ""), place.get("options", {}))
        if dataset is not None:
            return dataset
    return open_recorded_dataset(record["name"])


def _candidates(run: OpenedRun, place: dict[str, Any]) -> Iterator[str]:
    if place.get("relative"):
        yield str((run.folder.absolute() / place["relative"]).resolve())
    if place.get("path"):
        yield place["path"]
