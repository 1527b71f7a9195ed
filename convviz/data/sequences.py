"""Data sets that wrap torch data sets, Hugging Face data sets and plain sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ImageError, ParameterError
from ..images.in_memory import as_photo, is_pil_image, is_tensor
from .labels import as_labels

IMAGE_KEYS = ("image", "img", "photo", "picture", "jpg", "png")
LABEL_KEYS = ("label", "labels", "target", "class", "cls", "fine_label")
"""Keys of images and labels in items that are dicts, in the order of preference."""


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """A torch data set, or any sequence, of images that `as_photo` takes.

    Attributes:
        name: shown to users.
        source: its items are images, pairs of image and label, or dicts with both.
        ids: one per item; unique.
        labels: one class index per item, or None.
        classes: names of the classes.
        notes: sentences about items without a label.
    """

    name: str
    source: Any
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def load(self, index: int) -> np.ndarray:
        """Return one photo, uint8 `[h, w, 3]`."""
        image, _ = _parts(self.source[index])
        return as_photo(image, f"item {self.ids[index]!r}")


def from_sequence(source: Any, labels: Any = None) -> SequenceDataset:
    """Return a data set that wraps a torch data set or another sequence.

    Args:
        source: a sequence with a length, whose items are images, pairs or dicts.
        labels: one per item; None uses `.targets`, a column of labels, or the items themselves.
    """
    if isinstance(source, Mapping):
        raise ParameterError(
            f"a {type(source).__name__} is not a data set; choose one of "
            f"{', '.join(map(repr, source))}"
        )
    count = len(source)
    names = tuple(map(str, _declared_value(source, "classes") or _feature_names(source)))
    notes: list[str] = []
    labels = _labels_of(source) if labels is None else labels
    known, classes = as_labels(labels, count, names, notes)
    return SequenceDataset(
        name=type(source).__name__,
        source=source,
        ids=index_ids(count),
        labels=known,
        classes=classes,
        notes=tuple(notes),
    )


def index_ids(count: int) -> tuple[str, ...]:
    """Return the indices of items as ids of equal length."""
    digits = len(str(max(count - 1, 0)))
    return tuple(f"{i:0{digits}d}" for i in range(count))


def _labels_of(source: Any) -> Any:
    """Return the labels of a torch data set or sequence; None if it has none."""
    if (known := _declared_value(source, "targets")) is not None:
        return _apply_target_transform(source, known)
    if (column := _label_column(source)) is not None:
        rows = source.with_format(None) if hasattr(source, "with_format") else source
        return list(rows.select_columns([column])[column][:])
    labels: list[Any] = []
    readable = 0
    for i in range(len(source)):
        try:
            label = _parts(source[i])[1]
        except Exception:  # the sweep skips the item and records the reason
            label = None
        else:
            if label is None and not readable:
                return None
            readable += 1
        labels.append(label)
    return labels


def _apply_target_transform(source: Any, targets: Any) -> Any:
    """Apply the data set's `target_transform`, which `.targets` does not include."""
    transform = _declared_value(source, "target_transform")
    if transform is None:
        return targets
    return [transform(v.item() if hasattr(v, "item") else v) for v in targets]


def _declared_value(source: Any, name: str) -> Any:
    """Return an attribute of a torch data set, or of the parent of a Subset."""
    from torch.utils.data import Subset

    value = getattr(source, name, None)
    if value is not None or type(source) is not Subset:  # a subclass may change its items
        return value
    value = _declared_value(source.dataset, name)
    return value if value is None or name != "targets" else [value[i] for i in source.indices]


def _label_column(source: Any) -> str | None:
    """Return the column of labels of a data set of Hugging Face's library."""
    columns = getattr(source, "column_names", None)
    if not isinstance(columns, list) or not hasattr(source, "select_columns"):
        return None
    return next((key for key in LABEL_KEYS if key in columns), None)


def _feature_names(source: Any) -> tuple[str, ...]:
    """Return the class names that Hugging Face's library stores with a column."""
    column = _label_column(source)
    features = getattr(source, "features", None) or {}
    return tuple(getattr(features.get(column), "names", None) or ()) if column else ()


def _parts(item: Any) -> tuple[Any, Any]:
    """Split an item of a data set into image and label; the label may be None."""
    if isinstance(item, Mapping):
        return _parts_of_mapping(item)
    if isinstance(item, tuple | list):
        if not item:
            raise ImageError("an item is an empty sequence; it must hold an image")
        return item[0], (item[1] if len(item) > 1 else None)
    return item, None


def _parts_of_mapping(item: Mapping[Any, Any]) -> tuple[Any, Any]:
    image = next((key for key in IMAGE_KEYS if item.get(key) is not None), None)
    if image is None:
        images = [key for key, value in item.items() if _is_image(value)]
        image = images[0] if len(images) == 1 else None
    if image is None:
        raise ImageError(
            f"an item has the keys {', '.join(map(repr, item))}; required is 'image' (or one of "
            f"{', '.join(IMAGE_KEYS[1:])}), and 'label' if it has a label"
        )
    label = next((item[key] for key in LABEL_KEYS if key in item), None)
    return item[image], label


def _is_image(value: Any) -> bool:
    if is_pil_image(value):
        return True
    return (isinstance(value, np.ndarray) or is_tensor(value)) and value.ndim >= 2


def are_images_and_labels(pair: tuple[Any, ...]) -> bool:
    """Return whether a tuple is a list of images and a list of their labels, not two items."""
    both = all(isinstance(v, Sequence) and not isinstance(v, str | bytes) for v in pair)
    return len(pair) == 2 and both and not any(map(_is_image, pair[1]))
