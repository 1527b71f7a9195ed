"""`run.json` and `plan.json`: their entries with types, reading and writing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...errors import ConvvizError, ParameterError
from ...explanation.document import Count, FileChecksum, validate
from ...storage.checksums import add_seal, parse_document
from ...storage.untrusted_files import JSON_LIMIT, MissingFileError, read_bounded
from ..plan import SCHEMA
from .file_names import ITEMS, PARTIALS, SKIPPED


class _OpenRecord(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _ModelRecord(_OpenRecord):
    name: str
    weights_hash: str
    labels: list[str]
    source: str = ""


class _PlaceRecord(_OpenRecord):
    """Where the data set was found: a path, the same relative to the run folder, and the rest."""

    path: str
    relative: str = ""
    scheme: str = ""
    options: dict[str, str] = {}


class _PartRecord(_OpenRecord):
    """The place of a part in the whole data set."""

    start: Count
    count: Count
    ids_hash: str


class _PieceRecord(_OpenRecord):
    """The data set of one of several runs that were joined."""

    name: str
    count: Count
    place: _PlaceRecord | None = None


class _DatasetRecord(_OpenRecord):
    name: str
    count: Count
    ids_hash: str
    classes: list[str]
    part: _PartRecord | None = None
    pieces: list[_PieceRecord] = []
    place: _PlaceRecord | None = None


class _RunExplainer(_OpenRecord):
    layers: list[str]


class _ForwardRecord(_OpenRecord):
    model_config = ConfigDict(strict=True, extra="forbid")

    graph: bool = False
    shape: list[Count] = []
    dtype: str = ""
    compiled: Count = 0
    why: list[str] = []
    notes: list[str] = []


class _PlanRecord(_OpenRecord):
    """The plan of a sweep."""

    model: _ModelRecord
    dataset: _DatasetRecord
    explainers: dict[str, _RunExplainer]
    batch_size: Count
    shard_size: Count
    shard_sizes: list[Count] = []
    threads: Count
    dtype: str
    versions: dict[str, str]
    forward: _ForwardRecord = _ForwardRecord()


class _RunRecord(_PlanRecord):
    """The plan of a finished run, with its counts and checksums."""

    items: Count
    skipped: Count
    nonfinite: dict[str, Count]
    failed: dict[str, str]
    omitted: dict[str, str] = {}
    checksums: dict[str, FileChecksum]


class _EntryRecord(_OpenRecord):
    """The entry of a shard."""

    shard: Count
    batch_size: Count
    items: Count
    skipped: Count
    nonfinite: dict[str, Count]
    files: dict[str, FileChecksum]


def entry_problem(entry: Mapping[str, Any], shard: int) -> str:
    """Return why a mapping is not the entry of a shard that anybody may have written, or ""."""
    name = f"the entry of shard {shard}"
    try:
        record = validate(_EntryRecord, entry, name)
    except ConvvizError as error:
        return str(error)
    if record.shard != shard or set(record.files) != {ITEMS, SKIPPED, PARTIALS}:
        return f"{name} describes other files"
    return ""


def as_text(record: Mapping[str, Any]) -> str:
    """Return the text of the file of a plan, with a checksum of its content."""
    return json.dumps(add_seal(record), indent=2, ensure_ascii=False) + "\n"


def parse_plan(content: bytes, name: str) -> dict[str, Any]:
    """Read the plan of a sweep from the bytes of its file.

    Raises:
        ParameterError: it is damaged, was changed, or was written by another version.
    """
    try:
        record = parse_document(content, name, SCHEMA)
        validate(_PlanRecord, record, name)
    except ConvvizError as error:
        raise ParameterError(f"{error}; overwrite=True replaces it") from error
    return record


def parse_run(content: bytes, name: str) -> dict[str, Any]:
    """Read the plan of a finished run from the bytes of its file; raises ConvvizError."""
    record = parse_document(content, name, SCHEMA)
    checked = validate(_RunRecord, record, name)
    if missing := {ITEMS, SKIPPED} - set(checked.checksums):
        raise ConvvizError(f"{name} is damaged: it has no checksum of {', '.join(sorted(missing))}")
    return record


def read_plan(folder: Path, name: str) -> dict[str, Any] | None:
    """Read the plan of a sweep in a folder; None if there is none."""
    try:
        content = read_bounded(folder, name, JSON_LIMIT)
    except MissingFileError:
        return None
    return parse_plan(content, str(folder / name))


def read_run(folder: Path, name: str) -> dict[str, Any]:
    """Read the plan of the finished run in a folder; raises ConvvizError."""
    return parse_run(read_bounded(folder, name, JSON_LIMIT), str(folder / name))
