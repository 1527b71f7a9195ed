"""Parquet files with encoded photos, as written by Hugging Face and others."""

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

from ._encoded import EncodedDataset, unique_ids
from ._patterns import check_options, is_pattern, named_files

MAGIC = b"PAR1"
OPTIONS = ("image", "label", "id")


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a file, the files of a pattern, or a folder that contains only Parquet files."""
    files = _files(source)
    if not files:
        return None
    check_options("parquet", options, OPTIONS)
    return open_parquet(files, readable(Path(source).name), options)


def open_parquet(
    files: Sequence[Path], name: str, options: Mapping[str, str] | None = None
) -> ParquetDataset:
    """Open Parquet files as one data set, in the order of the files and their rows.

    Args:
        files: files with the same columns.
        name: name for display.
        options: names of the columns `image`, `label` and `id`. Defaults: "image", or the only
            column of bytes; "label"; "id", "path", or the paths stored with the images.
    """
    options = options or {}
    with _open(files[0]) as first:
        schema = first.schema_arrow
    image = _image_column(files, schema, options.get("image"))
    label = _column(files, schema, "label", options.get("label"))
    groups: list[tuple[int, int, int]] = []
    ids: list[Any] = []
    labels: list[Any] = []
    id_columns = _id_columns(schema, image, _column(files, schema, "id", options.get("id")))
    for place, path in enumerate(files):
        with _open(path) as file:
            _check_columns(path, file.schema_arrow, schema, (image, label, *id_columns))
            for group in range(file.num_row_groups):
                groups.append((place, group, file.metadata.row_group(group).num_rows))
            table = file.read(columns=[*id_columns, *([label] if label else [])])
        if label:
            labels += table[label].to_pylist()
        if id_columns:
            ids += _paths(table, id_columns[0])
    count = sum(rows for _, _, rows in groups)
    notes: list[str] = []
    names = _class_names(schema, label)
    class_indices, classes = as_labels(labels if label else None, count, names, notes)
    return ParquetDataset(
        name=name,
        files=tuple(files),
        column=image,
        groups=np.array(groups, np.int64).reshape(-1, 3),
        ids=unique_ids(ids, count, strict="id" in options),
        labels=class_indices,
        classes=classes,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class ParquetDataset(EncodedDataset):
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
    def _cached_group(self) -> dict[tuple[int, int], Any]:
        """The row group read last: consecutive photos come from the same one."""
        return {}

    def _group(self, group: int) -> Any:
        place, inside, _ = self.groups[group].tolist()
        changed = self.files[place].stat().st_mtime_ns
        if (group, changed) not in self._cached_group:
            self._cached_group.clear()
            with _open(self.files[place]) as file:
                column = file.read_row_group(inside, columns=[self.column])[self.column]
            self._cached_group[group, changed] = column
        return self._cached_group[group, changed]

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


def _open(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # Memory-mapped, because several processes read the same row group.
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


def _describe_schema(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _image_column(files: Sequence[Path], schema: Any, asked: str | None) -> str:
    fitting = [field.name for field in schema if _holds_bytes(field.type)]
    column = asked or ("image" if "image" in fitting or len(fitting) != 1 else fitting[0])
    if column not in fitting:
        raise ParameterError(
            f"{str(files[0])!r} has no column {column!r} of encoded photos (bytes, or a struct "
            f"with bytes and path); it has {_describe_schema(schema)}. ?image=COLUMN selects "
            "another"
        )
    return column


def _column(files: Sequence[Path], schema: Any, name: str, asked: str | None) -> str | None:
    if asked and asked not in schema.names:
        raise ParameterError(
            f"{str(files[0])!r} has no column {asked!r}; it has {_describe_schema(schema)}"
        )
    return asked or (name if name in schema.names else None)


def _id_columns(schema: Any, image: str, asked: str | None) -> list[str]:
    """Return the column of the ids as a list, or an empty list."""
    import pyarrow as pa

    kind = schema.field(image).type
    inner = pa.types.is_struct(kind) and "path" in [field.name for field in kind]
    column = asked or ("path" if "path" in schema.names else None)
    return [column] if column else [f"{image}.path"] if inner else []


def _check_columns(path: Path, schema: Any, first: Any, columns: Sequence[str | None]) -> None:
    for column in columns:
        name = (column or "").partition(".")[0] if column not in first.names else column
        if name and (name not in schema.names or schema.field(name).type != first.field(name).type):
            raise ParameterError(
                f"{str(path)!r} has {_describe_schema(schema)}, but the first file has "
                f"{_describe_schema(first)}"
            )


def _paths(table: Any, column: str) -> list[Any]:
    if column in table.column_names:
        return list(table[column].to_pylist())
    image = column.rpartition(".")[0]
    return [row and row["path"] for row in table[image].to_pylist()]


def _class_names(schema: Any, label: str | None) -> tuple[str, ...]:
    """Return the class names in the metadata of Hugging Face."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[label]["names"]))
    except (TypeError, KeyError, ValueError):
        return ()
