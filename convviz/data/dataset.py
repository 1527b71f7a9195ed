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

    `name`, `ids`, `labels` and `classes` may be plain attributes.

    Two further members are optional. `read(index) -> bytes` returns the encoded file of a photo:
    a sweep then decodes the photos itself, for large data sets in worker processes to which the
    data set is pickled, and records the size and hash of the file instead of those of the pixels.
    `notes` are sentences about omitted files and items without a label, which a run stores and
    displays.
    """

    @property
    def name(self) -> str:
        """Name shown to users."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """One unique, stable id per item, in the order of the sweep."""
        ...

    @property
    def labels(self) -> tuple[int | None, ...]:
        """One class index per item, or None for items without a label."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty without labels."""
        ...

    def load(self, index: int) -> np.ndarray:
        """Return the photo, uint8 `[h, w, 3]`; raise ImageError if it cannot be read."""
        ...


class Items(Protocol):
    """The items of a sweep as `DatasetExplainer.finish` gets them, without unreadable files."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One id per item."""
        ...

    @property
    def labels(self) -> tuple[int | None, ...]:
        """One class index per item, or None for items without a label."""
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
        """Return an array of zeros in a temporary file that is deleted after the sweep."""
        ...


@dataclass(frozen=True, eq=False)
class PathDataset:
    """Image files, one per item, read on demand.

    Attributes:
        name: shown to users.
        paths: the files.
        ids: one per item; unique.
        labels: one class index per item, or None.
        classes: names of the classes.
        notes: sentences about omitted files and items without a label.
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
        name: shown to users.
        images: uint8 `[n, h, w, 3]`, `[n, h, w, 1]` or `[n, h, w]`.
        ids: one per item; unique.
        labels: one class index per item, or None.
        classes: names of the classes.
        notes: sentences about items without a label.
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
    """Return a validated data set for objects in memory.

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
    """Return the data set; raise ParameterError for repeated ids or labels out of range."""
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
    """Return the notes of a data set, which a run stores."""
    return tuple(" ".join(str(note).split()) for note in getattr(dataset, "notes", ()))


def _of_lists(images: Sequence[Any], labels: Any) -> Dataset:
    if not all(isinstance(p, str | Path) for p in images):
        return from_sequence(images, labels)
    dataset, notes = from_paths(images), list[str]()
    known, classes = as_labels(labels, len(images), (), notes)
    return replace(dataset, labels=known, classes=classes, notes=tuple(notes))


def from_paths(paths: Sequence[str | Path]) -> PathDataset:
    """Return a data set of image files; their paths are the ids."""
    files = tuple(Path(p) for p in paths)
    return PathDataset(
        name=f"{len(files)} files",
        paths=files,
        ids=tuple(readable(str(p)) for p in files),
        labels=(None,) * len(files),
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
        classes: names of the classes; derived from the labels if empty.
        name: shown to users.
    """
    photos = channels_last(images)
    if photos.dtype != np.uint8 or photos.ndim not in (3, 4):
        raise ParameterError(
            "images must be uint8 [n, h, w, 3] or [n, h, w] (the model's Preprocess scales "
            f"them), not {photos.dtype} {list(photos.shape)}"
        )
    notes: list[str] = []
    known, names = as_labels(labels, len(photos), classes, notes)
    return ArrayDataset(name, photos, index_ids(len(photos)), known, names, tuple(notes))


def readable(name: str) -> str:
    """Return a file name as valid Unicode, with other bytes as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "ndim")
