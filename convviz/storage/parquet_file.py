"""Parquet tables of untrusted folders, read in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConvvizError
from .checksums import Checksum, read_verified

BATCH_ROWS = 4096
MAX_EXPANSION = 1000
"""Maximum ratio of the size of a table to that of its file; tables of runs reach about 50."""

MIN_BUDGET = 64 << 20
MAX_TEXT = 1 << 16
"""Maximum length of a text in a table in bytes."""

Types = Mapping[str, Any]
"""Column -> its Arrow type."""


def read_batches(
    folder: Path,
    name: str,
    types: Types,
    expected: Checksum | None = None,
    optional: frozenset[str] = frozenset(),
) -> Iterator[Any]:
    """Yield the rows of a table as Arrow record batches.

    Args:
        folder, name: the file, see `open_regular`.
        types: the columns to read, which must have these types.
        expected: the checksum of the file; not checked if None.
        optional: the columns that may contain nulls.

    Raises:
        ConvvizError: the file is damaged, has other columns, or expands to an implausible size.
    """
    path = Path(folder, name)
    buffer = read_verified(folder, name, expected, mapped=True)
    try:
        yield from _batches(buffer, types, optional)
    except Exception as error:  # PyArrow's errors derive from many classes
        if isinstance(error, ConvvizError):
            raise
        reason = " ".join(str(error).split())
        raise ConvvizError(f"{path} cannot be read: {reason or type(error).__name__}") from error


def _batches(buffer: Any, types: Types, optional: frozenset[str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    # Dictionaries decode a repeated text once, so that a small file cannot fill the memory.
    texts = [column for column, kind in types.items() if kind == pa.string()]
    budget = MIN_BUDGET + MAX_EXPANSION * len(buffer)
    with parquet.ParquetFile(pa.BufferReader(buffer), read_dictionary=texts) as file:
        _check_schema(file.schema_arrow, types)
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        if sum(group.total_byte_size for group in groups) > budget:
            raise ValueError("it expands to more than tables of a run do")
        batches = file.iter_batches(BATCH_ROWS, columns=list(types), use_threads=False)
        for batch in batches:
            batch = _plain_batch(batch, types, optional)
            budget -= batch.nbytes
            if budget < 0:
                raise ValueError("it expands to more than tables of a run do")
            yield batch


def _check_schema(schema: Any, types: Types) -> None:
    import pyarrow as pa

    for column, kind in types.items():
        if schema.get_field_index(column) < 0:
            raise ValueError(f"it has no column {column!r}, or several")
        actual = schema.field(column).type
        if pa.types.is_dictionary(actual):
            actual = actual.value_type
        if actual != kind:
            raise ValueError(f"column {column!r} is {actual}, not {kind}")


def _plain_batch(batch: Any, types: Types, optional: frozenset[str]) -> Any:
    """Return a batch with checked values, and with texts instead of dictionary indices."""
    import pyarrow as pa
    from pyarrow import compute

    columns = []
    for column in types:
        values = batch.column(column)
        if pa.types.is_dictionary(values.type):
            longest = compute.max(compute.binary_length(values.dictionary)).as_py()
            if (longest or 0) > MAX_TEXT:
                raise ValueError(f"a text of column {column!r} is longer than {MAX_TEXT} bytes")
            values = values.dictionary_decode()
        values.validate(full=True)
        nulls = values.null_count
        if pa.types.is_fixed_size_list(values.type):
            nulls += values.flatten().null_count
        if nulls and column not in optional:
            raise ValueError(f"column {column!r} lacks values")
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, names=list(types))
