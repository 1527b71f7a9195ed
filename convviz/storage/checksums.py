"""Checksums of saved results: of files and of JSON documents.

A document holds the SHA-256 of its canonical content under "sha256", and the length and SHA-256 of
each file that it describes under "checksums". Files are checked when they are read.
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
"""Maximum nesting of a JSON document; results have about ten levels."""

MAPPED_FROM = 256 << 20
"""Size in bytes from which on a file is mapped instead of read into memory."""

_BLOCK = 1 << 22

Checksum = Mapping[str, Any]
"""Length and SHA-256 of a file: {"bytes": 12, "sha256": "…"}."""

Buffer = bytearray | mmap.mmap


def checksum(path: Path) -> dict[str, Any]:
    """Return length and SHA-256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def add_seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the checksum of its content as its last entry."""
    content = {name: value for name, value in document.items() if name != SEAL}
    content = json.loads(json.dumps(content, allow_nan=False))  # converts keys to strings
    return {**content, SEAL: _content_hash(content)}


def parse_document(content: bytes, name: str, schema: int) -> dict[str, Any]:
    """Parse a sealed JSON document.

    Args:
        content: the bytes of its file.
        name: the name of the file in errors.
        schema: the supported version of the format.

    Returns:
        The document, without its seal.

    Raises:
        ConvvizError: it is not a JSON object, is nested too deeply, has another schema, or was
            changed after it was written.
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
    """Return the content of a file after checking its length and SHA-256.

    Args:
        folder, name: the file, see `open_regular`.
        expected: its checksum; not checked if None.
        mapped: also map small files; large ones are always mapped.

    Returns:
        A private buffer: writing to it does not change the file.
    """
    path = Path(folder, name)
    with open_regular(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        if expected is not None and size != expected["bytes"]:
            raise ConvvizError(
                f"{path} is damaged: it has {size:,} bytes instead of {expected['bytes']:,}"
            )
        buffer: Buffer = bytearray()
        if size and (mapped or size >= MAPPED_FROM):
            buffer = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        else:
            buffer = bytearray(file.read(size))
    if expected is not None and _hash(buffer) != expected["sha256"]:
        raise ConvvizError(f"{path} is damaged: its checksum does not match")
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
        raise ValueError("an object has two entries with the same name")
    return document


def _check_depth(document: Any, name: str) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _containers(value)]
        if not level:
            return
    raise ConvvizError(f"{name} cannot be read: it is nested more than {MAX_DEPTH} levels deep")


def _containers(value: Any) -> list[Any]:
    """Return the objects and lists directly inside a value."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, dict | list)]


def _check_schema(document: Any, name: str, schema: int) -> None:
    version = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ConvvizError(f"{name} was not written by convviz: it has no schema")
    if version > schema:
        raise ConvvizError(
            f"{name} has schema {version}, this convviz reads schema {schema}: use a newer convviz"
        )
    if version < schema:
        raise ConvvizError(
            f"{name} has schema {version}, this convviz reads schema {schema}: compute the result "
            "again"
        )


def check_size(text: str, name: str) -> None:
    """Raise ConvvizError for a document that is too long to be read again."""
    if len(text) > JSON_LIMIT // 4 and len(text.encode("utf-8", "backslashreplace")) > JSON_LIMIT:
        raise ConvvizError(f"{name} would be longer than the {JSON_LIMIT:,} bytes allowed")
