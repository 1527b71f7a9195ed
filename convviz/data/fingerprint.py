"""Contents of the items of a data set: photos, and sizes and hashes to detect changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ImageError
from ..images.decode import decode_image
from .dataset import Dataset


class Content(NamedTuple):
    """Identifies the content of an item.

    Attributes:
        bytes: its size.
        sha256: its hash, in hexadecimal.
    """

    bytes: int
    sha256: str


def photo_of(dataset: Dataset, index: int) -> tuple[np.ndarray, Content]:
    """Return an item's photo, uint8 `[h, w, 3]`, and its content.

    The content is that of the encoded file if the data set has `read`, otherwise of the pixels.
    """
    data = encoded_bytes(dataset, index)
    if data is None:
        photo = dataset.load(index)
        return photo, content_of_bytes(np.ascontiguousarray(photo).data.cast("B"))
    return decode_image(data, f"image {dataset.ids[index]!r}"), content_of_bytes(data)


def content_of(dataset: Dataset, index: int) -> Content:
    """Return an item's content, without decoding it if the data set has `read`."""
    data = encoded_bytes(dataset, index)
    return photo_of(dataset, index)[1] if data is None else content_of_bytes(data)


def encoded_bytes(dataset: Dataset, index: int) -> bytes | None:
    """Return the bytes of an item's file; None if the data set has no `read`."""
    read = getattr(dataset, "read", None)
    if read is None:
        return None
    data = read(index)
    if not isinstance(data, bytes):
        raise ImageError(
            f"item {dataset.ids[index]!r}: read() of the data set returned a "
            f"{type(data).__name__}, not bytes"
        )
    return data


def verify(dataset: Dataset, items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Read items again and return the ids of those whose content has changed.

    Args:
        dataset: the data set of the items.
        items: rows with index, id, bytes and sha256, as in a run's tables. Unreadable items
            count as changed; items without a known hash are ignored.
    """
    return [row["id"] for row in items if row["sha256"] and _has_changed(dataset, row)]


def _has_changed(dataset: Dataset, row: Mapping[str, Any]) -> bool:
    try:
        content = content_of(dataset, row["index"])
    except Exception:  # a plugin may raise anything
        return True
    return content != Content(row["bytes"], row["sha256"])


def content_of_bytes(data: bytes | memoryview) -> Content:
    """Return the size and hash of bytes."""
    return Content(len(data), hashlib.sha256(data).hexdigest())
