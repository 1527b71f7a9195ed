"""The files of shards in a local folder and in an object store."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ...storage import durable_file
from ...storage.untrusted_files import (
    JSON_LIMIT,
    MissingFileError,
    check_inside,
    link_regular,
    read_bounded,
)
from .file_names import PLAN
from .object_store import Remote
from .shard_manifest import ShardFiles


class LocalShardFiles:
    """The files of shards in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.folder)

    def begin(self) -> None:
        """Create the folder, and remove partial files of processes that were killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        durable_file.clean(self.folder)

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.folder / name

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file durably."""
        durable_file.write(self.folder / name, content)

    def adopt(self, source: Path, name: str) -> None:
        """Link a file, or copy it where links do not work."""
        target = self.folder / name
        target.unlink(missing_ok=True)
        link_regular(source.parent, source.name, target)
        durable_file.sync(target)
        durable_file.sync(self.folder)

    def remove(self, name: str) -> None:
        """Remove a file durably, if it exists."""
        (self.folder / name).unlink(missing_ok=True)
        durable_file.sync(self.folder)

    def drop_copy(self, name: str) -> None:
        """Do nothing: `path` returns the file itself."""

    def is_reachable(self) -> bool:
        """Return whether the folder exists on this machine."""
        return self.folder.is_dir()

    def for_other_process(self) -> ShardFiles:
        """Return the files by the absolute path of their folder."""
        return LocalShardFiles(self.folder.absolute())


class KeptShardFiles(LocalShardFiles):
    """The files of the shards of a finished run, which anybody may have written."""

    def path(self, name: str) -> Path:
        """Return the path of a file; raises ConvvizError if it is a link out of the folder."""
        path = self.folder / name
        check_inside(self.folder, path)
        return path

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        try:
            return read_bounded(self.folder, name, JSON_LIMIT)
        except MissingFileError as error:
            raise FileNotFoundError(name) from error

    def for_other_process(self) -> ShardFiles:
        """Return the files by the absolute path of their folder."""
        return KeptShardFiles(self.folder.absolute())


class RemoteShardFiles:
    """The files of shards in an object store.

    Args:
        place: the folder there.
        cache: a local folder, into which files are fetched to be read. The driver has one; other
            processes create one if they read files.
    """

    def __init__(self, place: Remote, cache: Path | None = None) -> None:
        self.place = place
        self._cache = cache
        self._names: frozenset[str] | None = None

    @property
    def cache(self) -> Path:
        """The local folder into which files are fetched."""
        if self._cache is None:
            self._cache = Path(tempfile.mkdtemp(prefix="convviz-"))
            atexit.register(shutil.rmtree, self._cache, ignore_errors=True)
        return self._cache

    @property
    def location(self) -> str:
        """The address."""
        return str(self.place)

    def begin(self) -> None:
        """List the objects, so that objects that do not exist cause no further requests."""
        self.cache.mkdir(parents=True, exist_ok=True)
        self._names = frozenset(self.place.names())

    def path(self, name: str) -> Path:
        """Return the path of a local copy of a file."""
        path = self.cache / name
        if not path.exists():
            with suppress(FileNotFoundError):
                self.place.fetch(name, path)
        return path

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        may_exist = self._names is None or name in self._names
        content = self.place.read(name) if may_exist else None
        if content is None:
            raise FileNotFoundError(name)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file; object stores replace an object in one step."""
        self.place.write(name, content)

    def adopt(self, source: Path, name: str) -> None:
        """Upload a file."""
        self.place.upload(source, name)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        self.place.remove(name)

    def drop_copy(self, name: str) -> None:
        """Remove the local copy of a file."""
        (self.cache / name).unlink(missing_ok=True)

    def is_reachable(self) -> bool:
        """Return whether this process sees the plan of the sweep, which is beside the folder."""
        return Remote(self.place.address.rpartition("/")[0]).read(PLAN) is not None

    def for_other_process(self) -> ShardFiles:
        """Return the files without a cache."""
        return RemoteShardFiles(self.place)
