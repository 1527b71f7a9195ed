"""The Parquet tables of a run: the items that were used and the items that were skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ...storage.checksums import Checksum
from ...storage.parquet_file import read_batches
from ..input.loader import SkippedItem
from ..shard import ShardResult

AFFINE, AFFINE_LENGTH = "affine", 6
"""The column of the maps to the photos, and the numbers of each."""

OPTIONAL = frozenset({"bytes", "sha256"})
"""Columns that may contain nulls."""


def content_types() -> dict[str, Any]:
    """Return the columns that identify the content of an item, with their Arrow types."""
    import pyarrow as pa

    return {"id": pa.string(), "index": pa.int64(), "bytes": pa.int64(), "sha256": pa.string()}


def skipped_types() -> dict[str, Any]:
    """Return the columns of the table of skipped items, with their Arrow types."""
    import pyarrow as pa

    return {**content_types(), "reason": pa.string()}


def items_table(shard: ShardResult) -> bytes:
    """Return the used items of a shard as a Parquet file."""
    import pyarrow as pa

    items = shard.items
    return _parquet_bytes(
        {
            "id": pa.array([item.id for item in items], pa.string()),
            "source": pa.array([item.source for item in items], pa.string()),
            "label": pa.array([item.label for item in items], pa.int64()),
            "height": pa.array([item.size[0] for item in items], pa.int32()),
            "width": pa.array([item.size[1] for item in items], pa.int32()),
            "affine": pa.array([list(item.affine) for item in items], pa.list_(pa.float64(), 6)),
            "index": pa.array(shard.indices, pa.int64()),
            "bytes": pa.array([c[0] for c in shard.contents], pa.int64()),
            "sha256": pa.array([c[1] for c in shard.contents], pa.string()),
        }
    )


def skipped_table(skipped: Sequence[SkippedItem]) -> bytes:
    """Return the skipped items of a shard as a Parquet file."""
    import pyarrow as pa

    contents = [item.content for item in skipped]
    return _parquet_bytes(
        {
            "index": pa.array([item.index for item in skipped], pa.int64()),
            "id": pa.array([item.id for item in skipped], pa.string()),
            "reason": pa.array([item.reason for item in skipped], pa.string()),
            "bytes": pa.array([c and c.bytes for c in contents], pa.int64()),
            "sha256": pa.array([c and c.sha256 for c in contents], pa.string()),
        }
    )


def move_indices(path: Path, offset: int) -> bytes:
    """Return a table of a shard as a Parquet file, with another index of the first item."""
    import pyarrow as pa
    from pyarrow import compute, parquet

    table = parquet.read_table(path, memory_map=False)
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    columns["index"] = compute.add(columns["index"], pa.scalar(offset, pa.int64()))
    if AFFINE in columns:  # Parquet gives the values of a list another name than Arrow
        values = columns[AFFINE].flatten()
        columns[AFFINE] = pa.FixedSizeListArray.from_arrays(values, AFFINE_LENGTH)
    return _parquet_bytes(columns)


def join_tables(parts: Sequence[Path], path: Path, columns: list[str] | None = None) -> None:
    """Concatenate the tables of all shards into one file, loading one at a time.

    Args:
        parts: the tables.
        path: the file to write.
        columns: the columns to keep; all if None.
    """
    from pyarrow import parquet

    row_count = 0
    schema = parquet.read_table(parts[0], columns=columns).schema
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            table = parquet.read_table(part, columns=columns)
            row_count += len(table)
            # Empty tables add no row group, but the joined table has at least one.
            if len(table) or (part == parts[-1] and not row_count):
                writer.write_table(table)


def read_rows(
    path: Path, types: Mapping[str, Any], checksum: Checksum | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; raises ConvvizError if it is damaged."""
    for batch in read_batches(path.parent, path.name, types, checksum, OPTIONAL):
        yield from batch.to_pylist()


def _parquet_bytes(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = BytesIO()
    parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()
