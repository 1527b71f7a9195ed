"""The items of a run, read from its table when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from .images import Item


class ItemTable(Sequence[Item]):
    """The rows of a run's `items.parquet` as Items. Equal to any sequence of the same items.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _table(self) -> Any:
        from pyarrow import parquet

        return parquet.read_table(self.path)

    def __len__(self) -> int:
        from pyarrow import parquet

        return int(parquet.read_metadata(self.path).num_rows)

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

    def __iter__(self) -> Any:
        for batch in self._table.to_batches(max_chunksize=4096):
            yield from map(_item, batch.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} items of {self.path}>"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all items."""
        return tuple(self.column("id"))

    def column(self, name: str) -> list[Any]:
        """Return one column for all items."""
        return list(self._table[name].to_pylist())


def _item(row: dict[str, Any]) -> Item:
    size = (row["height"], row["width"])
    return Item(row["id"], row["source"], tuple(row["affine"]), size, row["label"])
