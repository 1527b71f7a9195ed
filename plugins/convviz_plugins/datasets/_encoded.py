"""What data sets share whose photos are encoded bytes inside larger files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convviz import ImageError, ParameterError
from convviz.authoring import decode_image, readable


@dataclass(frozen=True, eq=False)
class Encoded(ABC):
    """Photos as encoded bytes.

    Attributes:
        name: for a reader.
        ids, labels, classes, notes: as in Dataset.
    """

    name: str
    ids: tuple[str, ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = field(kw_only=True, default=())

    def load(self, index: int) -> np.ndarray:
        """Read one photo, uint8 `[h, w, 3]`."""
        return decode_image(self.read(index), f"image {self.ids[index]!r}")

    @abstractmethod
    def read(self, index: int) -> bytes:
        """Read the bytes of one photo."""

    def bytes_in(self, value: Any, index: int) -> bytes:
        """Return the bytes in a table's cell: bytes, or a struct that has them."""
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise ImageError(f"image {self.ids[index]!r}: the row holds no bytes")
        return bytes(data)


def unique_ids(given: Sequence[Any], count: int, strict: bool) -> tuple[str, ...]:
    """Return ids from a column; numbers where it names not every photo, or two alike."""
    ids = tuple(readable(str(v)) for v in given if v is not None and v != "")
    if len(ids) == count and (strict or len(set(ids)) == count):
        return ids
    if strict:
        raise ParameterError(f"the column of ids is empty in {count - len(ids)} of {count} rows")
    digits = len(str(max(count - 1, 0)))
    return tuple(f"{i:0{digits}d}" for i in range(count))
