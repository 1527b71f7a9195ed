"""The items of a run, read from a table on first access."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from ..errors import ConvvizError, printable
from ..images.batch import Item
from ..storage.checksums import Checksum
from ..storage.parquet_file import read_batches
from ..storage.table_formats import arrow_table, to_pandas
from ..storage.untrusted_files import copy_regular

OPTIONAL = frozenset({"label"})
"""The columns of an item that may be empty."""


def item_types() -> dict[str, Any]:
    """Return the columns that make an Item, with their Arrow types."""
    import pyarrow as pa

    return {
        "id": pa.string(),
        "source": pa.string(),
        "label": pa.int64(),
        "height": pa.int32(),
        "width": pa.int32(),
        "affine": pa.list_(pa.float64(), 6),
    }


class ItemTable(Sequence[Item]):
    """The rows of a table of items as Items; equal to any sequence of the same items.

    Attributes:
        path: the Parquet file; `items.parquet` of a run or of a saved result.

    Args:
        path: the file.
        checksum: its length and SHA-256, verified when it is first read; None skips that.
        count: the expected number of rows; None allows any.
        classes: names of the labels, for `to_pandas`.
    """

    def __init__(
        self,
        path: Path,
        checksum: Checksum | None = None,
        count: int | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        self.path = path
        self._checksum, self._count, self._classes = checksum, count, classes

    @cached_property
    def _table(self) -> Any:
        return self._read(item_types())

    def _read(self, types: dict[str, Any]) -> Any:
        """Read columns; raise ConvvizError if the file is damaged."""
        import pyarrow as pa

        batches = read_batches(self.path.parent, self.path.name, types, self._checksum, OPTIONAL)
        schema = pa.schema(list(types.items()))
        table = pa.Table.from_batches(batches, schema)
        if self._count is not None and len(table) != self._count:
            raise ConvvizError(
                f"{self.path} is damaged: it has {len(table)} items instead of {self._count}"
            )
        return table

    def __len__(self) -> int:
        return len(self._table) if self._count is None else self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        [row] = self._table.slice(index % len(self), 1).to_pylist()
        return _item(row)

    def __iter__(self) -> Iterator[Item]:
        for batch in self._table.to_batches(max_chunksize=4096):
            yield from map(_item, batch.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} items of {printable(str(self.path))}>"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all items."""
        return tuple(self.column("id"))

    def column(self, name: str) -> list[Any]:
        """Return one column for all items; also columns that are not in Item, such as "index"."""
        import pyarrow as pa

        types = item_types()
        table = self._table if name in types else self._read({name: pa.int64()})
        return list(table[name].to_pylist())

    def to_arrow(self) -> Any:
        """Return the columns item (the index), id, source, label, class, height and width.

        The class is left out if the labels have no names.
        """
        table = self._table.select(["id", "source", "label", "height", "width"])
        if self._classes:
            known = dict(enumerate(self._classes))
            names = [known.get(label) for label in table["label"].to_pylist()]
            table = table.add_column(3, "class", arrow_table({"class": names})["class"])
        index = arrow_table({"item": list(range(len(table)))})["item"]
        return table.add_column(0, "item", index)

    def to_pandas(self) -> Any:
        """Return the items as a pandas data frame, see `to_arrow`.

        Raises:
            ConvvizError: pandas is not installed.
        """
        return to_pandas(self.to_arrow())

    def save(self, path: Path) -> None:
        """Create a hard link to the table at a path, so that results share one file.

        If the file system does not support links, the table is copied.
        """
        _ = self._table  # reading it verifies the checksum
        try:
            os.link(self.path, path, follow_symlinks=False)
        except (OSError, NotImplementedError):
            copy_regular(self.path.parent, self.path.name, path)


def _item(row: dict[str, Any]) -> Item:
    size = (row["height"], row["width"])
    return Item(row["id"], row["source"], tuple(row["affine"]), size, row["label"])
