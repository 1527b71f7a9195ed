"""A folder in an object store, or wherever else fsspec writes.

Such a store replaces an object at once or not at all, and knows neither renames nor locks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConvvizError, ParameterError
from ...storage.untrusted_files import JSON_LIMIT

HERE = ("file://", "local://")
NEEDS = {"s3": "convviz[s3]", "s3a": "convviz[s3]"}
CREDENTIALS = (
    "credentials are looked for where the tools of the store do (s3: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, ~/.aws, the role of the machine)"
)


def place_of(out: str | os.PathLike[str] | Remote) -> Path | Remote:
    """Return what a run folder is given as: a path, or an address such as "s3://bucket/run".

    Raises:
        ParameterError: nothing is known of such addresses, or a package for them is missing.
    """
    if isinstance(out, Remote):
        return out
    text = os.fspath(out)
    for scheme in HERE:
        if text.startswith(scheme):
            return Path(text.removeprefix(scheme))
    if isinstance(out, str) and "://" in text:
        remote = Remote(text.rstrip("/"))
        remote.check()
        return remote
    if not isinstance(out, str) and re.match(r"[a-z0-9]{2,}:/", text):
        raise ParameterError(f"{text!r} is an address made a path: give it as a str")
    return Path(out)


@dataclass(frozen=True)
class Remote:
    """A folder by its address; names in it are relative, with slashes.

    Attributes:
        address: as fsspec takes it; how to reach the store is told by fsspec's configuration
            and by the environment.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.address}/{name}")

    def check(self) -> None:
        """Raise ParameterError where nothing can be written under such an address."""
        try:
            self._system()
        except ImportError as error:
            scheme = self.address.partition("://")[0]
            if scheme in NEEDS:
                hint = f'it needs a package: pip install "{NEEDS[scheme]}"'
            else:
                hint = str(error)
            raise ParameterError(f"{self.address!r}: {hint}") from error
        except ValueError as error:
            raise ParameterError(
                f"{self.address!r}: {error}; a run folder is a path, or an address that fsspec "
                "writes to, such as s3://bucket/run"
            ) from error

    def read(self, name: str) -> bytes | None:
        """Return an object, none longer than JSON files may be; None where there is none."""
        system, root = self._system()
        with self._blamed(name):
            try:
                self._check_size(system, name, JSON_LIMIT)
                return bytes(system.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes, new: bool = False) -> None:
        """Put an object; with `new`, raise FileExistsError where there is one already.

        S3, and whatever else tells fsspec so, decides in one step whether there is one.
        """
        system, root = self._system()
        mode = {"mode": "create"} if new else {}
        with self._blamed(name, keep=FileExistsError):
            system.pipe_file(f"{root}/{name}", content, **mode)

    def remove(self, name: str) -> None:
        """Remove an object, where there is one."""
        system, root = self._system()
        with self._blamed(name):
            try:
                system.rm_file(f"{root}/{name}")
            except FileNotFoundError:
                return

    def names(self) -> list[str]:
        """Return the names of all objects below the folder, sorted."""
        system, root = self._system()
        with self._blamed():
            system.invalidate_cache()
            try:
                found = system.find(root)
            except FileNotFoundError:
                return []
        return sorted(path[len(root) :].lstrip("/") for path in found)

    def fetch(self, name: str, path: Path, limit: int | None = None) -> None:
        """Copy an object to a file.

        Raises:
            FileNotFoundError: there is none.
            ConvvizError: it is longer than `limit` bytes.
        """
        system, root = self._system()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".fetching-{path.name}")
        with self._blamed(name, keep=OSError):
            self._check_size(system, name, limit)
            system.get_file(f"{root}/{name}", str(temporary))
        os.replace(temporary, path)

    def upload(self, path: Path, name: str) -> None:
        """Put a file."""
        system, root = self._system()
        with self._blamed(name):
            system.put_file(str(path), f"{root}/{name}")

    def clear(self) -> None:
        """Remove all that is below the folder."""
        for name in self.names():
            self.remove(name)

    def _check_size(self, system: Any, name: str, limit: int | None) -> None:
        """Raise ConvvizError where an object is longer than allowed."""
        if limit is None:
            return
        size = system.size(f"{self._system()[1]}/{name}")
        if size is not None and size > limit:
            raise ConvvizError(f"{self.address}/{name} is longer than the {limit:,} bytes allowed")

    def _system(self) -> tuple[Any, str]:
        """Return fsspec's file system and the folder there; fsspec keeps one for all."""
        from fsspec.core import url_to_fs

        system, root = url_to_fs(self.address)
        return system, str(root).rstrip("/")

    @contextmanager
    def _blamed(self, name: str = "", keep: type[Exception] | None = None) -> Iterator[None]:
        """Name the address in errors of the store, which may be of any class."""
        try:
            yield
        except (ConvvizError, MemoryError):
            raise
        except Exception as error:
            if keep is not None and isinstance(error, keep):
                raise
            text = " ".join(str(error).split()) or type(error).__name__
            refused = isinstance(error, PermissionError) or "credentials" in text.lower()
            hint = f"; {CREDENTIALS}" if refused else ""
            where = f"{self.address}/{name}" if name else self.address
            raise ConvvizError(f"{where}: {text}{hint}") from error
