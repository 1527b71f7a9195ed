"""Base class of data sets whose photos are encoded bytes inside larger files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convviz import ImageError, ParameterError
from convviz.authoring import decode_image, readable


@dataclass(frozen=True, eq=False)
class EncodedDataset(ABC):
    """Photos as encoded bytes.

    Attributes:
        name: name for display.
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
        """Return the bytes of a table cell: bytes, or a struct with a field `bytes`."""
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise ImageError(f"image {self.ids[index]!r}: the row has no bytes")
        return bytes(data)


def unique_ids(values: Sequence[Any], count: int, strict: bool) -> tuple[str, ...]:
    """Return the ids of a column, or row numbers if some are missing or equal."""
    ids = tuple(readable(str(v)) for v in values if v is not None and v != "")
    if len(ids) == count and (strict or len(set(ids)) == count):
        return ids
    if strict:
        raise ParameterError(f"the column of ids is empty in {count - len(ids)} of {count} rows")
    digits = len(str(max(count - 1, 0)))
    return tuple(f"{i:0{digits}d}" for i in range(count))
