"""The finished shards of a sweep: their files, and one entry for each shard.

SHARDS/000003.safetensors        files of a shard
SHARDS/000003.items.parquet
SHARDS/000003.json               its entry, written last: length and SHA-256 of each file

A shard without an entry does not exist. Each entry is a file of its own, so that storing the
millionth shard costs no more than storing the first. Requires only the standard library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ...storage import durable_file

ENTRY = "json"

ShardEntry = dict[str, Any]
"""The record of a finished shard: "shard", "files", and the counts that the worker adds."""


class ShardFiles(Protocol):
    """The place where the files of shards are stored, by name."""

    @property
    def location(self) -> str:
        """The folder or the address, for messages."""

    def begin(self) -> None:
        """Prepare the place at the beginning of a sweep. Only the driver calls it."""

    def path(self, name: str) -> Path:
        """Return a local path of a file; nothing is there if the file does not exist."""

    def read(self, name: str) -> bytes:
        """Return the content of a file; raises OSError if it does not exist."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file. Readers see the previous version or the whole new one."""

    def adopt(self, source: Path, name: str) -> None:
        """Write a file with the content of a file elsewhere, which never changes."""

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""

    def drop_copy(self, name: str) -> None:
        """Remove the local copy of a file, where `path` returns a copy."""

    def is_reachable(self) -> bool:
        """Return whether this process can access the place."""

    def for_other_process(self) -> ShardFiles:
        """Return an equivalent that can be pickled and used in another process."""


class ShardManifest:
    """The finished shards of a sweep.

    Args:
        files: where their files are stored.
    """

    def __init__(self, files: ShardFiles) -> None:
        self.files = files

    def begin(self) -> None:
        """Prepare the place of the shards at the beginning of a sweep."""
        self.files.begin()

    def path(self, shard: int, kind: str) -> Path:
        """Return a local path of a file of a shard."""
        return self.files.path(_name(shard, kind))

    def store(
        self, shard: int, contents: Mapping[str, bytes], facts: Mapping[str, Any]
    ) -> ShardEntry:
        """Write the files of a shard and return its entry, which `enter` makes valid.

        Args:
            shard: its number.
            contents: kind ("items.parquet") -> content.
            facts: further values of the entry.
        """
        # The files of a shard that is computed again are invalid until its new entry is written.
        self.files.remove(_name(shard, ENTRY))
        checksums = {}
        for kind, content in sorted(contents.items()):
            self.files.write(_name(shard, kind), content)
            digest = hashlib.sha256(content).hexdigest()
            checksums[kind] = {"bytes": len(content), "sha256": digest}
        return {"shard": shard, "files": checksums, **facts}

    def adopt(
        self,
        shard: int,
        source: ShardManifest,
        entry: ShardEntry,
        contents: Mapping[str, bytes] | None = None,
    ) -> ShardEntry:
        """Copy a shard of another manifest, and return its new entry.

        Args:
            shard: its number here.
            source: the other manifest.
            entry: its entry there.
            contents: kind -> content of the files that differ here.
        """
        facts = {name: value for name, value in entry.items() if name not in ("shard", "files")}
        adopted = self.store(shard, contents or {}, facts)
        for kind in sorted(entry["files"].keys() - adopted["files"].keys()):
            self.files.adopt(source.path(entry["shard"], kind), _name(shard, kind))
            adopted["files"][kind] = entry["files"][kind]
        self.enter(adopted)
        return adopted

    def enter(self, entry: ShardEntry) -> None:
        """Write the entry of a stored shard, which makes the shard valid."""
        text = json.dumps(entry, indent=1, sort_keys=True) + "\n"
        self.files.write(_name(entry["shard"], ENTRY), text.encode())

    def entry(self, shard: int) -> ShardEntry | None:
        """Return the entry of a shard; None if it has none, or an unreadable one."""
        try:
            entry = json.loads(self.files.read(_name(shard, ENTRY)))
        except (OSError, ValueError):
            return None
        return entry if isinstance(entry, dict) and "files" in entry else None

    def damage(self, entry: ShardEntry) -> str:
        """Return which file of a shard differs from its entry; empty if none does."""
        checksums = {_name(entry["shard"], kind): c for kind, c in entry["files"].items()}
        problems = (self._damage_of_file(name, c) for name, c in checksums.items())
        problem = next(filter(None, problems), "")
        if problem:  # the shard is computed again, so local copies of its files are outdated
            for name in checksums:
                self.files.drop_copy(name)
        return problem

    def for_other_process(self) -> ShardManifest:
        """Return an equivalent that can be pickled and used in another process."""
        return ShardManifest(self.files.for_other_process())

    def _damage_of_file(self, name: str, checksum: Mapping[str, Any]) -> str:
        path = self.files.path(name)
        if not path.is_file():
            return f"{name} is missing"
        size = path.stat().st_size
        if size != checksum["bytes"] or durable_file.digest(path) != checksum["sha256"]:
            return f"{name} has a wrong checksum"
        return ""


def _name(shard: int, kind: str) -> str:
    return f"{shard:06d}.{kind}"
