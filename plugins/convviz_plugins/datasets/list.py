"""Lists of photos: a text file with one path a line, or a table with the columns path and label."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convviz import Dataset, ParameterError, PathDataset, as_labels, hookimpl, readable

from .patterns import check_options

DELIMITERS = {".csv": ",", ".tsv": "\t"}
HEADERS = ("path,label", "path\tlabel", "path")
SNIFFED = 4096

Row = tuple[str, str | None]


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open a list; None where there is no such file, or where it is no text."""
    path = Path(source).expanduser()
    if not path.is_file() or not _is_text(path):
        return None
    check_options("a list", options, ())
    return open_list(path)


def open_list(path: Path) -> PathDataset:
    """Open the photos that a list names, in its order. Paths are relative to the list's folder.

    In a text file a label may follow the path after a tab or, where no file is called like the
    whole line, a comma. Labels that are all whole numbers are class indices, others names.
    """
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    first = text.partition("\n")[0].strip().lower()
    delimiter = DELIMITERS.get(path.suffix.lower()) or ("\t" if "\t" in first else ",")
    if path.suffix.lower() in DELIMITERS or first in HEADERS:
        rows = _table(path, text, delimiter)
    else:
        rows = _lines(path, text)
    if not rows:
        raise ParameterError(f"list {str(path)!r} names no photos")
    labels, classes = as_labels(label_values([label for _, label in rows]), len(rows))
    return PathDataset(
        name=readable(path.name),
        paths=tuple(path.parent / Path(name).expanduser() for name, _ in rows),
        ids=tuple(readable(name) for name, _ in rows),
        labels=labels,
        classes=tuple(map(readable, classes)),
    )


def label_values(given: Sequence[str | None]) -> list[int | None] | list[str | None] | None:
    """Return labels written as text: as numbers where all are, None where there are none."""
    present = [v for v in given if v]
    if not present:
        return None
    if all(_is_index(v) for v in present):
        return [int(v) if v else None for v in given]
    return list(given)


def _is_index(text: str) -> bool:
    """Whether a label is a class index; "007" is a name."""
    return text.removeprefix("-").isdecimal() and text == str(int(text))


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    # Whatever else is in a name, a file of pictures has zero bytes near its beginning.
    return b"\0" not in head and not head.startswith((b"\xff\xd8\xff", b"PAR1", b"\x1f\x8b"))


def _table(path: Path, text: str, delimiter: str) -> list[Row]:
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if "path" not in columns:
        found = ", ".join(columns) or "none"
        raise ParameterError(
            f"list {str(path)!r} has the columns {found}; needed is path, and label where the "
            "photos have labels"
        )
    label = columns.get("label")
    return [
        (row[columns["path"]].strip(), (row[label] or "").strip() if label else None)
        for row in reader
        if row[columns["path"]]
    ]


def _lines(path: Path, text: str) -> list[Row]:
    return [_split(path.parent, line) for line in text.split("\n") if line.strip()]


def _split(folder: Path, line: str) -> Row:
    """Split a line into path and label."""
    line = line.rstrip("\r")
    if "\t" in line:
        name, _, label = line.rpartition("\t")
        return name.strip(), label.strip()
    if "," not in line or (folder / line.strip()).exists():
        return line.strip(), None
    name, _, label = line.rpartition(",")
    return name.strip(), label.strip()
