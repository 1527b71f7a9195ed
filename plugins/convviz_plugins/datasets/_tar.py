"""Index of the files in a tar file."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convviz import ParameterError

COMPRESSED = (".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2")
LABEL_SUFFIXES = ("cls", "label", "json")
IN_JSON = ("label", "cls", "class")
MAX_LABEL_BYTES = 1 << 20
BLOCK = 512
CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file in a tar file.

    Attributes:
        place: index of the tar file.
        name: name in the tar file.
        offset, size: position of its bytes.
        problem: reason why its bytes are not available, or "".
        label: content of a label file: a text, or a value of JSON.
    """

    place: int
    name: str
    offset: int
    size: int
    problem: str = ""
    label: Any = None


def is_tar(path: Path) -> bool:
    """Return whether a file is a tar; raises for compressed ones, which have no random access."""
    if path.name.endswith(COMPRESSED):
        raise ParameterError(
            f"{str(path)!r} is compressed and does not allow random access: decompress it to a "
            "plain .tar (photos hardly shrink by compression)"
        )
    with path.open("rb") as file:
        head = file.read(BLOCK)
    return head[257:262] == b"ustar" or path.suffix == ".tar"


def read_members(path: Path, place: int, label: str | None, notes: list[str]) -> list[Member]:
    """Return the files of a tar file, with the labels in label files.

    Args:
        path: the tar file.
        place: its index.
        label: additional suffix of label files, or a key in JSON.
        notes: receives notes on unreadable labels and on a missing end mark.
    """
    bad_labels: list[str] = []
    links: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            members = list(_read(archive, place, label, links, bad_labels))
            _check_end(path, archive.offset, notes)
    except (tarfile.TarError, OSError) as error:
        raise ParameterError(f"{str(path)!r} is not a readable tar file: {error}") from error
    if bad_labels:
        notes.append(
            f"{path.name!r}: {len(bad_labels)} labels cannot be read, for example {bad_labels[0]!r}"
        )
    return _resolve_links(members, links)


def _read(
    archive: tarfile.TarFile, place: int, label: str | None, links: dict[str, str], bad: list[str]
) -> Iterator[Member]:
    for info in archive:
        if info.isdir():
            continue
        member = Member(place, info.name, info.offset_data, info.size)
        if info.islnk() or info.issym():
            folder = posixpath.dirname(info.name) if info.issym() else ""
            links[info.name] = posixpath.normpath(posixpath.join(folder, info.linkname))
            member = replace(
                member, problem=f"a link to {info.linkname!r}, which is not in the tar"
            )
        elif not info.isreg() or info.issparse():
            kind = "a sparse file" if info.isreg() else "not a regular file"
            member = replace(member, problem=f"{kind} in the tar")
        elif _may_be_label(info.name, label):
            member = replace(member, label=_label(archive, info, label, bad))
        yield member


def _resolve_links(members: list[Member], links: dict[str, str]) -> list[Member]:
    """Return the members with links to files of the same tar replaced by those files."""
    if not links:
        return members
    files = {posixpath.normpath(m.name): m for m in members if not m.problem}

    def of(member: Member) -> Member:
        target = files.get(links.get(member.name, ""))
        return replace(target, name=member.name) if target is not None else member

    return [of(member) for member in members]


def _check_end(path: Path, end: int, notes: list[str]) -> None:
    """Add a note on a missing end mark; raise for data after it, which tarfile does not read."""
    with path.open("rb") as file:
        file.seek(end)
        if len(file.read(BLOCK)) < BLOCK:
            notes.append(f"{path.name!r} has no end mark and may be truncated")
        while chunk := file.read(CHUNK):
            if chunk.strip(b"\0"):
                raise ParameterError(
                    f"{str(path)!r} has data after its end mark, like two concatenated tar files; "
                    "join them with tar --concatenate"
                )


def _may_be_label(name: str, label: str | None) -> bool:
    suffix = name.rpartition(".")[2].lower()
    return suffix in LABEL_SUFFIXES or (label is not None and suffix == label.rpartition(".")[2])


def _label(
    archive: tarfile.TarFile, info: tarfile.TarInfo, label: str | None, bad: list[str]
) -> Any:
    file = archive.extractfile(info)
    if file is None or info.size > MAX_LABEL_BYTES:
        bad.append(info.name)
        return None
    text = file.read().decode("utf-8", "replace").strip()
    if not info.name.lower().endswith(".json"):
        return text or None
    try:
        return _in_json(json.loads(text), label)
    except (ValueError, RecursionError):
        bad.append(info.name)
        return None


def _in_json(values: Any, label: str | None) -> Any:
    """Return the label of a JSON file: its value, or that under a known key."""
    if not isinstance(values, dict):
        return values
    keys = IN_JSON if label in (None, "json") else (label,)
    return next((values[key] for key in keys if values.get(key) is not None), None)
