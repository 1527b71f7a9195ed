"""The photos of a finished run, and pictures of units and images that are chosen afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..data.dataset import Dataset
from ..data.item_names import index_of_name
from ..data.item_table import ItemTable
from ..data.parts import JoinedPhotos
from ..errors import ConvvizError, ImageError, ParameterError
from ..explanation.explanation import Explanation
from ..images.affine import Affine
from ..images.batch import Item
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer
from ..plugin.sources import as_dataset, open_place, open_recorded_dataset
from ..render.unit import check_units, has_pictures, restrict
from ..results.number_ranges import numbers_of_parts
from ..results.types import Matches, Result

PHOTOS_HINT = "photos=… (--photos DATASET) names the place of the photos"


class OpenedRun(Protocol):
    """The part of a finished run that drawing reads."""

    folder: Path
    plan: dict[str, Any]
    model: Model | None

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
    """

    def __init__(self, run: OpenedRun, photos: Any = None) -> None:
        self._run, self._photos = run, photos

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
            photo = dataset.load(places[item.id])
        except (ConvvizError, OSError) as error:
            raise ImageError(f"{error}; {PHOTOS_HINT}") from error
        if photo.shape[:2] != tuple(item.size):
            raise ImageError(
                f"{item.id!r} has another size in {dataset.name!r} than in the run; {PHOTOS_HINT}"
            )
        return photo

    def affine(self, index: int) -> Affine:
        """Return the map from pixels of the model input to pixels of the original photo."""
        return self._run.items[index].affine

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)


def open_dataset_of(run: OpenedRun, photos: Any = None) -> Dataset:
    """Open the data set of a run, see `Run.open_dataset`."""
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


def draw_chosen(
    run: OpenedRun,
    explanation: Explanation,
    units: int | str | Iterable[int | str],
    queries: str | Iterable[str],
    photos: Any,
) -> Explanation:
    """Return an explanation of chosen units, see `Run.draw`."""
    chosen = numbers_of_parts(units)
    names = [queries] if isinstance(queries, str) else list(queries)
    if names and not isinstance(explanation.result, Matches):
        raise ParameterError(f"{explanation.name} has no queries; neighbors has")
    chosen = (*chosen, *(index_of_name(name, _ids(explanation.items)) for name in names))
    if not chosen:
        raise ParameterError("no units and no queries are given")
    check_units(explanation.result, explanation.scene, chosen)
    items = PhotosOfRun(run, photos)
    result = explanation.result
    if not has_pictures(result, chosen):
        result = _draw_again(run, explanation, chosen, items) or result
    return replace(explanation, result=restrict(result, chosen, explanation.items, items.load_item))


def _draw_again(
    run: OpenedRun, explanation: Explanation, units: tuple[int, ...], items: PhotosOfRun
) -> Result | None:
    """Return a result with units drawn as in a sweep; None without the explainer or the model."""
    explainer = explanation.explainer
    if not isinstance(explainer, DatasetExplainer):
        return None
    if type(explainer).draw_units is DatasetExplainer.draw_units:
        return None
    try:
        model = run.model or run.load_model()
    except ConvvizError:  # the photos alone show the patches
        return None
    with model.session():
        return explainer.draw_units(model, explanation.layer, explanation.result, units, items)


def _ids(items: Sequence[Item]) -> tuple[str, ...]:
    return items.ids if isinstance(items, ItemTable) else tuple(item.id for item in items)
