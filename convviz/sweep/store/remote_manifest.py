"""The finished shards of a sweep, in an object store."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .object_store import Remote
from .shard_manifest import PLAN, Entry, Manifest


class RemoteManifest(Manifest):
    """The shards in an object store.

    Args:
        place: where they are.
        cache: a folder on a disk, into which they are fetched to be read.
    """

    def __init__(self, place: Remote, cache: Path | None = None) -> None:
        super().__init__(cache or Path())
        self.place = place
        self._known: frozenset[str] | None = None

    def begin(self) -> None:
        """Ask which shards there are, so that nobody asks for those that are not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._known = frozenset(self.place.names())

    def path(self, shard: int, kind: str) -> Path:
        """Return a copy of a file of a shard; it does not exist where the file does not."""
        path = super().path(shard, kind)
        if not path.exists():
            with suppress(FileNotFoundError):
                self.place.fetch(path.name, path)
        return path

    def damage(self, entry: Entry) -> str:
        """Say which file of a shard is not what its entry says; empty where all are."""
        found = super().damage(entry)
        if found:  # it is made again, so its copies are worth nothing
            for kind in entry["files"]:
                super().path(entry["shard"], kind).unlink(missing_ok=True)
        return found

    def _write(self, name: str, content: bytes) -> None:
        self.place.write(name, content)

    def _read(self, name: str) -> bytes:
        wanted = self._known is None or name in self._known
        content = self.place.read(name) if wanted else None
        if content is None:
            raise FileNotFoundError(name)
        return content

    def _withdraw(self, name: str) -> None:
        self.place.remove(name)


def manifest_of(folder: Path | Remote) -> Manifest:
    """Return the manifest that a worker writes with."""
    return RemoteManifest(folder) if isinstance(folder, Remote) else Manifest(folder)


def is_there(folder: Path | Remote) -> bool:
    """Say whether the folder of the shards of a sweep can be reached from this process."""
    if isinstance(folder, Remote):
        plan = Remote(folder.address.rpartition("/")[0]).read(PLAN)
        return plan is not None
    return folder.is_dir()
