"""The finished shards of a sweep: their files, and one entry each that says they are whole.

SHARDS/000003.safetensors        files of a shard
SHARDS/000003.items.parquet
SHARDS/000003.json               its entry, written last: length and sha256 of each file

A shard without an entry does not exist. Each entry is a file of its own, so that storing a
shard costs the same whether it is the first or the millionth. Needs nothing but the standard
library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...storage import durable_file

PLAN = "plan.json"
"""The plan of a sweep, beside the folder of its shards."""

ENTRY = "json"
Entry = dict[str, Any]
"""What the manifest knows of a shard: "shard", "files", and whatever the sweep adds."""


class Manifest:
    """The shards in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> None:
        """Make the folder, and remove what killed processes left; for the driver alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        durable_file.clean(self.folder)

    def path(self, shard: int, kind: str) -> Path:
        """Return where a file of a shard is."""
        return self.folder / _name(shard, kind)

    def store(self, shard: int, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Entry:
        """Write the files of a shard, and return the entry that `enter` makes valid.

        Args:
            shard: its number.
            files: kind ("items.parquet") -> content.
            facts: what else the entry shall hold.
        """
        # A shard that is made again is not whole until its new entry says so.
        self._withdraw(_name(shard, ENTRY))
        known = {}
        for kind, content in sorted(files.items()):
            self._write(_name(shard, kind), content)
            known[kind] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return {"shard": shard, "files": known, **facts}

    def enter(self, entry: Entry) -> None:
        """Make a stored shard valid."""
        text = json.dumps(entry, indent=1, sort_keys=True) + "\n"
        self._write(_name(entry["shard"], ENTRY), text.encode())

    def entry(self, shard: int) -> Entry | None:
        """Return the entry of a shard; None where it has none, or one that cannot be read."""
        try:
            found = json.loads(self._read(_name(shard, ENTRY)))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "files" in found else None

    def damage(self, entry: Entry) -> str:
        """Say which file of a shard is not what its entry says; empty where all are."""
        for kind, known in entry["files"].items():
            path = self.path(entry["shard"], kind)
            if not path.is_file():
                return f"{path.name} is missing"
            if (
                path.stat().st_size != known["bytes"]
                or durable_file.digest(path) != known["sha256"]
            ):
                return f"{path.name} has a wrong checksum"
        return ""

    def _write(self, name: str, content: bytes) -> None:
        durable_file.write(self.folder / name, content)

    def _read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def _withdraw(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        durable_file.sync(self.folder)


def _name(shard: int, kind: str) -> str:
    return f"{shard:06d}.{kind}"
