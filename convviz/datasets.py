"""A data set as an ordered list of items with stable ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .affine import Affine
from .decode import load_image, read_image_file
from .errors import ImageError, ParameterError

MAX_CLASSES = 1_000_000
"""More than any data set has; a larger label is something else, such as an id."""


@runtime_checkable
class Dataset(Protocol):
    """What `convviz_open_dataset` returns: an ordered list of photos.

    Plain attributes will do for `name`, `ids`, `labels` and `classes`.

    A data set whose photos are stored encoded may also have `read(index) -> bytes`, the bytes
    of a photo's file. A sweep then decodes these itself (instead of calling `load`) and keeps
    their size and hash (without `read` those of the pixels). Of many items it does so in other
    processes, to which the data set is pickled.
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
    """The items that a sweep kept, as `finish` sees them (bad files are left out)."""

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
    """

    name: str
    paths: tuple[Path, ...]
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()

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
    """

    name: str
    images: np.ndarray
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()

    def load(self, index: int) -> np.ndarray:
        """Return one photo, uint8 `[h, w, 3]`."""
        return as_photo(self.images[index])


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """A torch data set, or any sequence, of PIL images or uint8 arrays, alone or with a label."""

    name: str
    source: Any
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()

    def load(self, index: int) -> np.ndarray:
        """Return one photo, uint8 `[h, w, 3]`."""
        photo, _ = _parts(self.source[index])
        return as_photo(photo)


def as_dataset(source: Any) -> Dataset:
    """Open whatever `analyze` accepts as a data set.

    Args:
        source: a source string or folder, a list of paths, a Dataset, a pair (images, labels)
            of arrays, one array of images, or a torch data set of PIL images.
    """
    dataset: Dataset
    if isinstance(source, str | Path):
        from .sources import open_dataset

        dataset = open_dataset(source)
    elif isinstance(source, Dataset):
        dataset = source
    elif _is_array(source):
        dataset = array_dataset(source, None)
    elif isinstance(source, tuple) and len(source) == 2 and _is_array(source[0]):
        dataset = array_dataset(*source)
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
    return checked(dataset)


def checked(dataset: Dataset) -> Dataset:
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
    wrong = [v for v in dataset.labels if v is not None and not 0 <= v < len(dataset.classes)]
    if wrong:
        raise ParameterError(
            f"data set {dataset.name!r} has label {wrong[0]} and {len(dataset.classes)} classes"
        )
    return dataset


def from_paths(paths: Sequence[str | Path]) -> PathDataset:
    """Make a data set of image files; their paths are the ids."""
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
    """Make a data set of photos in memory.

    Args:
        images: uint8 `[n, h, w, 3]`, `[n, h, w, 1]` or `[n, h, w]`.
        labels: class indices `[n]`, class names, or None.
        classes: names of the classes; made from the labels when empty.
        name: for a reader.
    """
    photos = np.asarray(images)
    if photos.dtype != np.uint8 or photos.ndim not in (3, 4):
        raise ParameterError(
            "images must be uint8 [n, h, w, 3] or [n, h, w] (the model's Preprocess does the "
            f"rest), not {photos.dtype} {list(photos.shape)}"
        )
    known, names = as_labels(labels, len(photos), classes)
    digits = len(str(len(photos) - 1))
    ids = tuple(f"{i:0{digits}d}" for i in range(len(photos)))
    return ArrayDataset(name, photos, ids, known, names)


def from_sequence(source: Any) -> SequenceDataset:
    """Make a data set of a torch data set; labels come from `.targets` or from the items."""
    n = len(source)
    names = tuple(map(str, _declared(source, "classes") or ()))
    known, classes = as_labels(_labels_of(source), n, names)
    digits = len(str(max(n - 1, 0)))
    ids = tuple(f"{i:0{digits}d}" for i in range(n))
    return SequenceDataset(type(source).__name__, source, ids, known, classes)


def _labels_of(source: Any) -> Any:
    """Return the labels of a torch data set or sequence; None where it has none."""
    if (known := _declared(source, "targets")) is not None:
        return known
    labels: list[Any] = []
    readable = 0
    for i in range(len(source)):
        try:
            label = _parts(source[i])[1]
        except Exception:  # the sweep will skip it, and say why
            label = None
        else:
            if label is None and not readable:
                return None
            readable += 1
        labels.append(label)
    return labels


def _declared(source: Any, name: str) -> Any:
    """Return `targets` or `classes` as a torch data set, or the parent of a Subset, has them."""
    from torch.utils.data import Subset

    found = getattr(source, name, None)
    if found is not None or type(source) is not Subset:  # one that derives may change its items
        return found
    found = _declared(source.dataset, name)
    return found if found is None or name == "classes" else [found[i] for i in source.indices]


def as_labels(
    labels: Any, count: int, classes: Sequence[str] = ()
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Return labels as class indices (or None) and the names of the classes.

    Args:
        labels: class indices (None or negative: no label), class names (None or "": no
            label), or None for no labels at all.
        count: how many items there are.
        classes: names of the classes; the sorted label names, or the numbers, when empty.
    """
    if labels is None:
        return (None,) * count, ()
    given = labels.tolist() if hasattr(labels, "tolist") else [_plain(v) for v in labels]
    if len(given) != count:
        raise ParameterError(f"{count} images need {count} labels, not {len(given)}")
    present = [v for v in given if v is not None]
    if all(isinstance(v, str) for v in present):
        return _named_labels(given, classes)
    if not all(isinstance(v, int) for v in present):
        kinds = sorted({type(v).__name__ for v in present})
        raise ParameterError(f"labels are class indices or names, not {', '.join(kinds)}")
    known = tuple(None if v is None or v < 0 else int(v) for v in given)
    last = max((v for v in known if v is not None), default=-1)
    if last >= MAX_CLASSES and not classes:
        raise ParameterError(f"label {last} is no class index: below {MAX_CLASSES:,} is allowed")
    return known, tuple(classes) or tuple(str(i) for i in range(last + 1))


def _named_labels(
    given: Sequence[str | None], classes: Sequence[str]
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    names = tuple(classes) or tuple(sorted({v for v in given if v}))
    places = {name: i for i, name in enumerate(names)}
    if unknown := next((v for v in given if v and v not in places), None):
        raise ParameterError(f"label {unknown!r} is none of the {len(names)} classes")
    return tuple(places[v] if v else None for v in given), names


def as_photo(image: Any) -> np.ndarray:
    """Return a PIL image or uint8 array as a photo, uint8 `[h, w, 3]`."""
    photo = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    if photo.dtype != np.uint8:
        raise ImageError(
            f"a photo is a PIL image or a uint8 array, not {photo.dtype} {list(photo.shape)}; "
            "leave out the data set's own transform, the model's Preprocess does it"
        )
    if photo.ndim == 2:
        photo = photo[..., None]
    if photo.ndim != 3 or photo.shape[2] not in (1, 3) or not photo.size:
        raise ImageError(f"a photo has shape [h, w, 3] or [h, w], not {list(photo.shape)}")
    return np.ascontiguousarray(np.broadcast_to(photo, (*photo.shape[:2], 3)))


def readable(name: str) -> str:
    """Return a file name as valid Unicode: bytes that are none are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    """Return an array of a single value as that value."""
    return value.item() if hasattr(value, "item") else value


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "ndim")


def _parts(item: Any) -> tuple[Any, Any]:
    """Split an item of a data set into photo and label (None where it has none)."""
    if isinstance(item, tuple | list):
        return item[0], (item[1] if len(item) > 1 else None)
    return item, None
