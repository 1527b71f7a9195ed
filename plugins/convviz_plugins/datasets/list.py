"""Lists of photos: text files with one path per line, or tables with columns path and label."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz import ParameterError
from convviz.authoring import (
    IMAGE_SUFFIXES,
    Dataset,
    PathDataset,
    as_labels,
    hookimpl,
    readable,
    values_of_text,
)

from ._patterns import check_options

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
"""Possible delimiters of the columns of a table, by the suffix of its file."""
HEADERS = ("path,label", "path\tlabel", "path")
OPTIONS = ("path", "label")
SNIFFED_BYTES = 4096
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Row = tuple[str, str | None]

_SPACED = re.compile(r"(.*\S)\s+(-?\d+)")
_EXCEL = re.compile(r"sep=(.)\s*")


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a list; None if there is no such file, or it is not a text file."""
    path = Path(source).expanduser()
    if not path.is_file() or not _is_text(path):
        return None
    check_options("a list", options, OPTIONS)
    return open_list(path, options)


def open_list(path: Path, options: Mapping[str, str] | None = None) -> PathDataset:
    """Return the photos of a list, in its order. Paths are relative to the folder of the list.

    In a text file a label may follow the path after a tab, after a comma or, if it is a number,
    after spaces, unless the whole line is the name of a file. If all labels are whole numbers, they
    are class indices, otherwise names. Lines that begin with "#" are comments.

    Args:
        path: the list.
        options: names of the columns `path` and `label` of a table, if they differ.
    """
    options = options or {}
    text = _text(path)
    first = text.partition("\n")[0].strip().lower()
    suffix = path.suffix.lower()
    if suffix in DELIMITERS or first in HEADERS or options:
        rows = _table(path, text, DELIMITERS.get(suffix, ",\t;|"), options)
    else:
        rows = _lines(path, text)
    if not rows:
        raise ParameterError(f"list {str(path)!r} contains no photos")
    notes: list[str] = []
    values = values_of_text([label for _, label in rows])
    labels, classes = as_labels(values, len(rows), (), notes)
    return PathDataset(
        name=readable(path.name),
        paths=tuple(path.parent / _expand_user(name) for name, _ in rows),
        ids=tuple(readable(name) for name, _ in rows),
        labels=labels,
        classes=tuple(map(readable, classes)),
        notes=tuple(notes),
    )


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    if head.startswith(UTF16_MARKS):
        return True
    # Image files contain zero bytes near their beginning, text files do not.
    return b"\0" not in head and not head.startswith((b"\xff\xd8\xff", b"PAR1", b"\x1f\x8b"))


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith(UTF16_MARKS):
        try:
            text = data.decode("utf-16")
        except UnicodeError as error:
            raise ParameterError(f"list {str(path)!r} is not valid UTF-16: {error}") from error
    else:
        text = data.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _expand_user(name: str) -> Path:
    return Path(name).expanduser() if name.startswith("~/") else Path(name)


# Tables


def _table(path: Path, text: str, delimiters: str, options: Mapping[str, str]) -> list[Row]:
    if excel := _EXCEL.match(text.partition("\n")[0]):
        delimiters, text = excel[1], text.partition("\n")[2]
    path_column = options.get("path", "path")
    delimiter = _delimiter(text.partition("\n")[0], delimiters, path_column)
    try:
        lines = [
            (number, row)
            for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), 1)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise ParameterError(f"list {str(path)!r} is not a readable table: {error}") from error
    if not lines:
        return []
    header = [cell.strip().lower() for cell in lines[0][1]]
    if not options and "path" not in header and _names_a_photo(path.parent, lines[0][1][0]):
        columns, body = (0, 1 if len(header) > 1 else None), lines
    else:
        columns, body = _columns(path, header, path_column, options.get("label")), lines[1:]
    return [_row(path, number, row, len(header), columns) for number, row in body]


def _delimiter(first: str, allowed: str, path_column: str) -> str:
    """Return the delimiter that yields the column of paths, or otherwise the most columns."""

    def rank(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([first], delimiter=delimiter), [])
        return path_column.lower() in [cell.strip().lower() for cell in cells], len(cells)

    return max(allowed, key=rank)


def _columns(
    path: Path, header: Sequence[str], path_column: str, label: str | None
) -> tuple[int, int | None]:
    for name in [path_column] + ([label] if label else []):
        if name.strip().lower() not in header:
            raise ParameterError(
                f"list {str(path)!r} has the columns {', '.join(header)}, but not {name}; "
                "?path=COLUMN&label=COLUMN selects others"
            )
    label = (label or "label").strip().lower()
    label_index = header.index(label) if label in header else None
    return header.index(path_column.strip().lower()), label_index


def _row(
    path: Path, number: int, row: Sequence[str], width: int, columns: tuple[int, int | None]
) -> Row:
    if len(row) > width:
        raise ParameterError(
            f"list {str(path)!r}, row {number}: {len(row)} cells for {width} columns; cells that "
            "contain a delimiter need quotes"
        )
    cells = [*row, *[""] * (width - len(row))]
    place, label = columns
    if not cells[place].strip():
        raise ParameterError(f"list {str(path)!r}, row {number}: the path is empty")
    return cells[place].strip(), cells[label].strip() if label is not None else None


# One path a line


def _lines(path: Path, text: str) -> list[Row]:
    lines = [line for line in text.split("\n") if line.strip()]
    return [
        _split(path.parent, line)
        for line in lines
        if not line.startswith("#") or _is_there(path.parent, line.strip())
    ]


def _split(folder: Path, line: str) -> Row:
    """Return path and label of a line."""
    if "\t" in line:
        name, _, label = line.rpartition("\t")
        return name.strip(), label.strip()
    line = line.strip()
    if _is_there(folder, line):
        return line, None
    spaced = _SPACED.fullmatch(line)
    if spaced and _is_there(folder, spaced[1]):
        return spaced[1], spaced[2]
    name, comma, label = (part.strip() for part in line.rpartition(","))
    if comma and (_is_there(folder, name) or not _is_image_name(label)):
        return name, label
    if spaced and _names_a_photo(folder, spaced[1]):
        return spaced[1], spaced[2]
    return line, None


def _names_a_photo(folder: Path, name: str) -> bool:
    return _is_image_name(name) or _is_there(folder, name.strip())


def _is_image_name(name: str) -> bool:
    return Path(name.strip()).suffix.lower() in IMAGE_SUFFIXES


def _is_there(folder: Path, name: str) -> bool:
    try:
        return (folder / _expand_user(name)).is_file()
    except (OSError, ValueError):
        return False
