"""Checksums of saved results: of files, and of a JSON document's own content.

A document carries the SHA-256 of its canonical content under "sha256", and under "checksums"
the length and SHA-256 of each file that it describes. Files are checked when they are read.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConvvizError
from .durable_file import digest
from .untrusted_files import JSON_LIMIT, open_regular

SEAL = "sha256"
CHECKSUMS = "checksums"
MAX_DEPTH = 64
"""Levels of nesting in a JSON document; results use about ten."""

MAPPED_FROM = 256 << 20
"""Bytes from which a file is mapped instead of read into memory."""

_BLOCK = 1 << 22

Checksum = Mapping[str, Any]
"""Length and SHA-256 of a file: {"bytes": 12, "sha256": "…"}."""

Buffer = bytearray | mmap.mmap


def checksum(path: Path) -> dict[str, Any]:
    """Return length and SHA-256 of a file that was just written."""
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def add_seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the checksum of its content as its last entry."""
    content = {name: value for name, value in document.items() if name != SEAL}
    content = json.loads(json.dumps(content, allow_nan=False))  # keys become strings
    return {**content, SEAL: _content_hash(content)}


def parse_document(content: bytes, name: str, schema: int) -> dict[str, Any]:
    """Parse a sealed JSON document.

    Args:
        content: the bytes of its file.
        name: what errors call the file.
        schema: the only one that is understood.

    Returns:
        The document, without its seal.

    Raises:
        ConvvizError: it is no JSON object, nests too deeply, has another schema, or has changed
            since it was written.
    """
    try:
        document = json.loads(
            content.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise ConvvizError(f"{name} cannot be read: {error}") from error
    _check_depth(document, name)
    _check_schema(document, name, schema)
    seal = document.pop(SEAL, None)
    try:
        unchanged = seal == _content_hash(document)
    except ValueError as error:  # a number beyond the range of float
        raise ConvvizError(f"{name} cannot be read: {error}") from error
    if not unchanged:
        raise ConvvizError(
            f"{name} has changed since it was written: its checksum does not match its content"
        )
    return dict(document)


def read_verified(
    folder: Path, name: str, expected: Checksum | None, mapped: bool = False
) -> Buffer:
    """Return the content of a file whose length and SHA-256 are as expected.

    Args:
        folder, name: the file, see `untrusted.open_regular`.
        expected: its checksum; not checked where None.
        mapped: map the file however small it is; a large one is mapped in any case.

    Returns:
        A private buffer: writing into it does not reach the file.
    """
    path = Path(folder, name)
    with open_regular(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        if expected is not None and size != (wanted := expected["bytes"]):
            raise ConvvizError(f"{path} is damaged: it has {size:,} bytes instead of {wanted:,}")
        buffer: Buffer = bytearray()
        if size and (mapped or size >= MAPPED_FROM):
            buffer = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        else:
            buffer = bytearray(file.read(size))
    if expected is not None and _hash(buffer) != expected["sha256"]:
        raise ConvvizError(f"{path} is damaged: its checksum is not that of its record")
    return buffer


def _hash(buffer: Buffer) -> str:
    sha256 = hashlib.sha256()
    with memoryview(buffer) as view:
        for start in range(0, len(view), _BLOCK):
            with view[start : start + _BLOCK] as block:
                sha256.update(block)
    return sha256.hexdigest()


def _content_hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("an object has two entries of one name")
    return document


def _check_depth(document: Any, name: str) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _containers(value)]
        if not level:
            return
    raise ConvvizError(f"{name} cannot be read: it nests more than {MAX_DEPTH} levels deep")


def _containers(value: Any) -> list[Any]:
    """Return the objects and lists directly inside of a value."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, dict | list)]


def _check_schema(document: Any, name: str, schema: int) -> None:
    version = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ConvvizError(f"{name} was not written by convviz: it names no schema")
    if version > schema:
        raise ConvvizError(
            f"{name} has schema {version}, this convviz reads schema {schema}: it needs a newer one"
        )
    if version < schema:
        raise ConvvizError(
            f"{name} has schema {version}, this convviz reads schema {schema}: compute the result "
            "again"
        )


def check_size(text: str, name: str) -> None:
    """Raise ConvvizError for a document that would be too long to be read back."""
    if len(text) > JSON_LIMIT // 4 and len(text.encode("utf-8", "backslashreplace")) > JSON_LIMIT:
        raise ConvvizError(f"{name} would be longer than the {JSON_LIMIT:,} bytes allowed")
