"""Parquet files of encoded photos, as Hugging Face and others write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from convviz import ParameterError
from convviz.authoring import Dataset, as_labels, hookimpl, readable

from ._encoded import Encoded, unique_ids
from .patterns import check_options, is_pattern, named_files

MAGIC = b"PAR1"
OPTIONS = ("image", "label", "id")


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a file, a pattern, or a folder that holds Parquet files at its top and no others."""
    files = _files(source)
    if not files:
        return None
    check_options("parquet", options, OPTIONS)
    return open_parquet(files, readable(Path(source).name), options)


def open_parquet(
    files: Sequence[Path], name: str, options: Mapping[str, str] | None = None
) -> ParquetDataset:
    """Open Parquet files as one data set, in their order and that of their rows.

    Args:
        files: they share their columns.
        name: for a reader.
        options: the columns image, label and id by name. Not given, they are: "image", or the
            only column of bytes; "label"; "id", "path", or the paths kept with the images.
    """
    options = options or {}
    with _opened(files[0]) as first:
        schema = first.schema_arrow
    image = _image_column(files, schema, options.get("image"))
    label = _column(files, schema, "label", options.get("label"))
    groups: list[tuple[int, int, int]] = []
    ids: list[Any] = []
    labels: list[Any] = []
    wanted = _id_columns(schema, image, _column(files, schema, "id", options.get("id")))
    for place, path in enumerate(files):
        with _opened(path) as file:
            _check_columns(path, file.schema_arrow, schema, (image, label, *wanted))
            for group in range(file.num_row_groups):
                groups.append((place, group, file.metadata.row_group(group).num_rows))
            table = file.read(columns=[*wanted, *([label] if label else [])])
        if label:
            labels += table[label].to_pylist()
        if wanted:
            ids += _paths(table, wanted[0])
    count = sum(rows for _, _, rows in groups)
    notes: list[str] = []
    names = _class_names(schema, label)
    known, classes = as_labels(labels if label else None, count, names, notes)
    return ParquetDataset(
        name=name,
        files=tuple(files),
        column=image,
        groups=np.array(groups, np.int64).reshape(-1, 3),
        ids=unique_ids(ids, count, strict="id" in options),
        labels=known,
        classes=classes,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class ParquetDataset(Encoded):
    """Photos in Parquet files, read one row group at a time.

    Attributes:
        files: the files.
        column: the column of photos.
        groups: file, row group and number of rows of each row group, `[groups, 3]`.
    """

    files: tuple[Path, ...]
    column: str
    groups: np.ndarray

    def read(self, index: int) -> bytes:
        """Read the bytes of one photo."""
        group = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[group] - self.groups[group, 2])
        return self.bytes_in(self._group(group)[index - start].as_py(), index)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.groups[:, 2])

    @cached_property
    def _held(self) -> dict[tuple[int, int], Any]:
        """The one row group that is kept, since neighbours are asked for one after the other."""
        return {}

    def _group(self, group: int) -> Any:
        place, inside, _ = self.groups[group].tolist()
        changed = self.files[place].stat().st_mtime_ns
        if (group, changed) not in self._held:
            self._held.clear()
            with _opened(self.files[place]) as file:
                column = file.read_row_group(inside, columns=[self.column])[self.column]
            self._held[group, changed] = column
        return self._held[group, changed]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_held"}


def _files(source: str) -> tuple[Path, ...]:
    path = Path(source).expanduser()
    if path.is_dir():
        inside = [p for p in sorted(path.iterdir()) if not p.name.startswith(".")]
        files = tuple(p for p in inside if p.suffix == ".parquet")
        others = [p for p in inside if p.is_dir() or p.suffix not in (".parquet", ".json", ".md")]
        return () if others else files
    if path.is_file():
        with path.open("rb") as file:
            return (path,) if file.read(4) == MAGIC else ()
    if is_pattern(source) and source.endswith(".parquet"):
        return named_files(source)
    return ()


def _opened(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # Mapped rather than read ahead: a row group is asked for by several processes.
        return parquet.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{str(path)!r} is not a readable Parquet file: {reason}") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        return "bytes" in names and _holds_bytes(kind.field("bytes").type)
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _found(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _image_column(files: Sequence[Path], schema: Any, asked: str | None) -> str:
    fitting = [field.name for field in schema if _holds_bytes(field.type)]
    wanted = asked or ("image" if "image" in fitting or len(fitting) != 1 else fitting[0])
    if wanted not in fitting:
        raise ParameterError(
            f"{str(files[0])!r} has no column {wanted!r} of encoded photos (bytes, or a struct "
            f"with bytes and path); it has {_found(schema)}. ?image=COLUMN takes another"
        )
    return wanted


def _column(files: Sequence[Path], schema: Any, name: str, asked: str | None) -> str | None:
    if asked and asked not in schema.names:
        raise ParameterError(f"{str(files[0])!r} has no column {asked!r}; it has {_found(schema)}")
    return asked or (name if name in schema.names else None)


def _id_columns(schema: Any, image: str, asked: str | None) -> list[str]:
    """Return where ids are, as the one column to read, or nothing."""
    import pyarrow as pa

    kind = schema.field(image).type
    inner = pa.types.is_struct(kind) and "path" in [field.name for field in kind]
    named = asked or ("path" if "path" in schema.names else None)
    return [named] if named else [f"{image}.path"] if inner else []


def _check_columns(path: Path, found: Any, first: Any, columns: Sequence[str | None]) -> None:
    for column in columns:
        name = (column or "").partition(".")[0] if column not in first.names else column
        if name and (name not in found.names or found.field(name).type != first.field(name).type):
            raise ParameterError(
                f"{str(path)!r} has {_found(found)}, and the first file {_found(first)}"
            )


def _paths(table: Any, column: str) -> list[Any]:
    if column in table.column_names:
        return list(table[column].to_pylist())
    image = column.rpartition(".")[0]
    return [row and row["path"] for row in table[image].to_pylist()]


def _class_names(schema: Any, label: str | None) -> tuple[str, ...]:
    """Return the class names that Hugging Face keeps in a file's metadata."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[label]["names"]))
    except (TypeError, KeyError, ValueError):
        return ()
