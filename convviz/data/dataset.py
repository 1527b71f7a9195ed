"""A data set as an ordered list of items with stable ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import ParameterError
from ..images.affine import Affine
from ..images.decode import load_image, read_image_file
from ..images.in_memory import as_photo, channels_last
from .labels import as_labels
from .sequences import are_images_and_labels, from_sequence, index_ids


@runtime_checkable
class Dataset(Protocol):
    """Protocol of a data set: an ordered list of photos.

    Plain attributes will do for `name`, `ids`, `labels` and `classes`.

    A data set whose photos are stored encoded may also have `read(index) -> bytes`, the bytes
    of a photo's file. A sweep then decodes these itself (instead of calling `load`) and keeps
    their size and hash (without `read` those of the pixels). Of many items it does so in other
    processes, to which the data set is pickled. It may also have `notes`, sentences about what was
    left out of it and about items without a label, which a run keeps and shows.
    """

    @property
    def name(self) -> str:
        """For a reader."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """One stable id an item, unique, in the order of the sweep."""
        ...

    @property
    def labels(self) -> tuple[int | None, ...]:
        """One class index an item, or None where it has none."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty without labels."""
        ...

    def load(self, index: int) -> np.ndarray:
        """Return the photo, uint8 `[h, w, 3]`; raises ImageError where it cannot be read."""
        ...


class Items(Protocol):
    """The items of a sweep as `DatasetExplainer.finish` gets them, without unreadable files."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One id an item."""
        ...

    @property
    def labels(self) -> tuple[int | None, ...]:
        """One class index an item, or None where it has none."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty without labels."""
        ...

    def __len__(self) -> int: ...

    def load(self, index: int) -> np.ndarray:
        """Read the original photo, uint8 `[h, w, 3]`."""
        ...

    def affine(self, index: int) -> Affine:
        """Map model-input pixel corners back to those of the original photo."""
        ...

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of zeros that lives in a file for as long as the sweep does."""
        ...


@dataclass(frozen=True, eq=False)
class PathDataset:
    """Image files, one an item, read when they are asked for.

    Attributes:
        name: for a reader.
        paths: the files.
        ids: one an item; unique.
        labels: one class index an item, or None.
        classes: names of the classes.
        notes: sentences about what was left out, and about items without a label.
    """

    name: str
    paths: tuple[Path, ...]
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def load(self, index: int) -> np.ndarray:
        """Read one photo, uint8 `[h, w, 3]`."""
        return load_image(self.paths[index])

    def read(self, index: int) -> bytes:
        """Read the bytes of one file."""
        return read_image_file(self.paths[index])


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """Photos in memory.

    Attributes:
        name: for a reader.
        images: uint8 `[n, h, w, 3]`, `[n, h, w, 1]` or `[n, h, w]`.
        ids: one an item; unique.
        labels: one class index an item, or None.
        classes: names of the classes.
        notes: sentences about what was left out, and about items without a label.
    """

    name: str
    images: np.ndarray
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def load(self, index: int) -> np.ndarray:
        """Return one photo, uint8 `[h, w, 3]`."""
        return as_photo(self.images[index], f"item {self.ids[index]!r}")


def dataset_from(source: Any) -> Dataset:
    """Return a data set made from objects in memory, checked.

    Args:
        source: a list of paths, a Dataset, a pair (images, labels)
            of arrays or lists, one array of images, or a torch data set of images.
    """
    dataset: Dataset
    if isinstance(source, Dataset):
        dataset = source
    elif _is_array(source):
        dataset = array_dataset(source, None)
    elif isinstance(source, tuple) and len(source) == 2 and _is_array(source[0]):
        dataset = array_dataset(*source)
    elif isinstance(source, tuple) and are_images_and_labels(source):
        dataset = _of_lists(*source)
    elif isinstance(source, list | tuple) and all(isinstance(p, str | Path) for p in source):
        dataset = from_paths(source)
    elif hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        dataset = from_sequence(source)
    else:
        raise ParameterError(
            f"{type(source).__name__} is not a data set; allowed are a folder or source string, "
            "a list of paths, (images, labels) arrays, a torch data set of PIL images, or an "
            "object with name, ids, labels, classes and load(index)"
        )
    return check_dataset(dataset)


def check_dataset(dataset: Dataset) -> Dataset:
    """Return a data set that keeps its contract: items, unique ids, labels within the classes."""
    n = len(dataset.ids)
    if not n:
        raise ParameterError(f"data set {dataset.name!r} is empty")
    if (odd := next((i for i in dataset.ids if not isinstance(i, str)), None)) is not None:
        raise ParameterError(f"data set {dataset.name!r} has the id {odd!r}; ids are strings")
    if len(set(dataset.ids)) != n:
        seen: set[str] = set()
        twice = next(i for i in dataset.ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise ParameterError(f"data set {dataset.name!r} has the id {twice!r} twice")
    if len(dataset.labels) != n:
        raise ParameterError(
            f"data set {dataset.name!r} has {n} items and {len(dataset.labels)} labels"
        )
    kinds = {type(v).__name__ for v in dataset.labels if v is not None and type(v) is not int}
    if kinds:
        raise ParameterError(
            f"data set {dataset.name!r} has labels of type {', '.join(sorted(kinds))}; "
            "allowed are int, the index of a class, and None"
        )
    count = len(dataset.classes)
    for index, label in enumerate(dataset.labels):
        if label is not None and not 0 <= label < count:
            raise ParameterError(
                f"data set {dataset.name!r}: item {dataset.ids[index]!r} has label {label}, and "
                f"there are {count} classes"
            )
    return dataset


def notes_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the sentences that a run keeps about what its data set lacks."""
    return tuple(" ".join(str(note).split()) for note in getattr(dataset, "notes", ()))


def _of_lists(images: Sequence[Any], labels: Any) -> Dataset:
    if not all(isinstance(p, str | Path) for p in images):
        return from_sequence(images, labels)
    dataset, notes = from_paths(images), list[str]()
    known, classes = as_labels(labels, len(images), (), notes)
    return replace(dataset, labels=known, classes=classes, notes=tuple(notes))


def from_paths(paths: Sequence[str | Path]) -> PathDataset:
    """Return a data set of image files; their paths are the ids."""
    found = tuple(Path(p) for p in paths)
    return PathDataset(
        name=f"{len(found)} files",
        paths=found,
        ids=tuple(readable(str(p)) for p in found),
        labels=(None,) * len(found),
    )


def array_dataset(
    images: Any, labels: Any = None, classes: Sequence[str] = (), name: str = "arrays"
) -> ArrayDataset:
    """Return a data set of photos in memory.

    Args:
        images: uint8 `[n, h, w, 3]`, `[n, h, w, 1]` or `[n, h, w]`, or a uint8 tensor
            `[n, 3, h, w]`. An array of three axes is one image if its last axis has the length
            1 or 3.
        labels: as for `as_labels`.
        classes: names of the classes; made from the labels when empty.
        name: for a reader.
    """
    photos = channels_last(images)
    if photos.dtype != np.uint8 or photos.ndim not in (3, 4):
        raise ParameterError(
            "images must be uint8 [n, h, w, 3] or [n, h, w] (the model's Preprocess does the "
            f"rest), not {photos.dtype} {list(photos.shape)}"
        )
    notes: list[str] = []
    known, names = as_labels(labels, len(photos), classes, notes)
    return ArrayDataset(name, photos, index_ids(len(photos)), known, names, tuple(notes))


def readable(name: str) -> str:
    """Return a file name as valid Unicode, with other bytes as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "ndim")
