"""The tables of a run as Parquet: items that were used, and items that could not be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...storage.checksums import Checksum
from ...storage.parquet_file import read_batches

if TYPE_CHECKING:
    from ..input.loader import Skipped
    from ..shard import Shard

ITEMS, SKIPPED = "items.parquet", "skipped.parquet"
"""The tables of a run, and what the names of those of a shard end in."""

LEAF_ITEMS = "leaf-items.parquet"
OPTIONAL = frozenset({"bytes", "sha256"})
"""The columns that may be empty."""


def content_types() -> dict[str, Any]:
    """Return the columns that tell what an item's file held, with their Arrow types."""
    import pyarrow as pa

    return {"id": pa.string(), "index": pa.int64(), "bytes": pa.int64(), "sha256": pa.string()}


def skipped_types() -> dict[str, Any]:
    """Return the columns of the table of skipped items, with their Arrow types."""
    import pyarrow as pa

    return {**content_types(), "reason": pa.string()}


def items_table(shard: Shard) -> bytes:
    """Return the items that a shard used as a Parquet file."""
    import pyarrow as pa

    items = shard.items
    return _packed(
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


def skipped_table(skipped: Sequence[Skipped]) -> bytes:
    """Return the items that could not be used as a Parquet file."""
    import pyarrow as pa

    contents = [one.content for one in skipped]
    return _packed(
        {
            "index": pa.array([one.index for one in skipped], pa.int64()),
            "id": pa.array([one.id for one in skipped], pa.string()),
            "reason": pa.array([one.reason for one in skipped], pa.string()),
            "bytes": pa.array([c and c.bytes for c in contents], pa.int64()),
            "sha256": pa.array([c and c.sha256 for c in contents], pa.string()),
        }
    )


def join_tables(parts: Sequence[Path], path: Path, columns: list[str] | None = None) -> None:
    """Concatenate the tables of all shards into one file, one at a time; all columns, or some."""
    from pyarrow import parquet

    rows = 0
    schema = parquet.read_table(parts[0], columns=columns).schema
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            table = parquet.read_table(part, columns=columns)
            rows += len(table)
            if len(table) or (part == parts[-1] and not rows):
                writer.write_table(table)


def rows(
    path: Path, types: Mapping[str, Any], checksum: Checksum | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; raises ConvvizError where it is damaged."""
    for batch in read_batches(path.parent, path.name, types, checksum, OPTIONAL):
        yield from batch.to_pylist()


def _packed(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = BytesIO()
    parquet.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()
