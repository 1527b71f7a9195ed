"""Tables of named columns, as Parquet and as the lists of the overview page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

Columns = Mapping[str, Sequence[Any]]
"""Name -> one value per row; None for a missing value."""

MAX_LISTED = 100
"""Rows that the JSON of a table lists; the Parquet file holds all."""


def to_parquet(columns: Columns) -> bytes:
    """Return a Parquet file; equal columns give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def first_rows(columns: Columns, rows: Sequence[int]) -> dict[str, tuple[Any, ...]]:
    """Return some rows of the columns, at most `MAX_LISTED`."""
    return {
        name: tuple(values[row] for row in rows[:MAX_LISTED]) for name, values in columns.items()
    }


def numbers(values: Tensor) -> list[float | None]:
    """Return numbers as a list, with None for NaN."""
    return [None if value != value else value for value in values.tolist()]
