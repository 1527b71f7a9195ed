"""A folder in an object store, or in any other place that fsspec can write to.

An object store replaces an object in one step. It has neither renames nor locks.
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

LOCAL_SCHEMES = ("file://", "local://")
REQUIRED_PACKAGES = {"s3": "convviz[s3]", "s3a": "convviz[s3]"}
CREDENTIALS = (
    "credentials are configured as for the tools of the store (s3: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, ~/.aws, the role of the machine)"
)


def place_of(out: str | os.PathLike[str] | Remote) -> Path | Remote:
    """Return the place of a run: a path, or a Remote for an address such as "s3://bucket/run".

    Raises:
        ParameterError: fsspec does not support such addresses, or a package for them is missing.
    """
    if isinstance(out, Remote):
        return out
    text = os.fspath(out)
    for scheme in LOCAL_SCHEMES:
        if text.startswith(scheme):
            return Path(text.removeprefix(scheme))
    if isinstance(out, str) and "://" in text:
        remote = Remote(text.rstrip("/"))
        remote.check()
        return remote
    if not isinstance(out, str) and re.match(r"[a-z0-9]{2,}:/", text):
        raise ParameterError(f"{text!r} is an address converted to a path: pass it as a str")
    return Path(out)


@dataclass(frozen=True)
class Remote:
    """A folder in an object store. Names in it are relative, with slashes.

    Attributes:
        address: as fsspec accepts it. Credentials and endpoints are read from the configuration
            of fsspec and from the environment.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.address}/{name}")

    def check(self) -> None:
        """Raise ParameterError if fsspec cannot write to such an address."""
        try:
            self._system()
        except ImportError as error:
            scheme = self.address.partition("://")[0]
            if scheme in REQUIRED_PACKAGES:
                hint = f'it requires a package: pip install "{REQUIRED_PACKAGES[scheme]}"'
            else:
                hint = str(error)
            raise ParameterError(f"{self.address!r}: {hint}") from error
        except ValueError as error:
            raise ParameterError(
                f"{self.address!r}: {error}; a run folder is a path, or an address that fsspec "
                "writes to, such as s3://bucket/run"
            ) from error

    def read(self, name: str) -> bytes | None:
        """Return an object no longer than `JSON_LIMIT`; None if it does not exist."""
        system, root = self._system()
        with self._with_address(name):
            try:
                self._check_size(system, name, JSON_LIMIT)
                return bytes(system.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes, new: bool = False) -> None:
        """Write an object; with `new`, raise FileExistsError if it exists.

        With `new`, check and write are one atomic step on S3, and elsewhere if fsspec supports it.
        """
        system, root = self._system()
        mode = {"mode": "create"} if new else {}
        with self._with_address(name, keep=FileExistsError):
            system.pipe_file(f"{root}/{name}", content, **mode)

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        system, root = self._system()
        with self._with_address(name):
            try:
                system.rm_file(f"{root}/{name}")
            except FileNotFoundError:
                return

    def names(self) -> list[str]:
        """Return the names of all objects below the folder, sorted."""
        system, root = self._system()
        with self._with_address():
            system.invalidate_cache()
            try:
                paths = system.find(root)
            except FileNotFoundError:
                return []
        return sorted(path[len(root) :].lstrip("/") for path in paths)

    def fetch(self, name: str, path: Path, limit: int | None = None) -> None:
        """Copy an object to a file.

        Raises:
            FileNotFoundError: it does not exist.
            ConvvizError: it is longer than `limit` bytes.
        """
        system, root = self._system()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".fetching-{path.name}")
        with self._with_address(name, keep=OSError):
            self._check_size(system, name, limit)
            system.get_file(f"{root}/{name}", str(temporary))
        os.replace(temporary, path)

    def upload(self, path: Path, name: str) -> None:
        """Copy a file to an object."""
        system, root = self._system()
        with self._with_address(name):
            system.put_file(str(path), f"{root}/{name}")

    def copy(self, name: str, new_name: str) -> None:
        """Copy an object within the store."""
        system, root = self._system()
        with self._with_address(name):
            system.cp_file(f"{root}/{name}", f"{root}/{new_name}")

    def clear(self) -> None:
        """Remove all objects below the folder."""
        for name in self.names():
            self.remove(name)

    def _check_size(self, system: Any, name: str, limit: int | None) -> None:
        """Raise ConvvizError if an object is longer than `limit` bytes."""
        if limit is None:
            return
        size = system.size(f"{self._system()[1]}/{name}")
        if size is not None and size > limit:
            raise ConvvizError(f"{self.address}/{name} is longer than the {limit:,} bytes allowed")

    def _system(self) -> tuple[Any, str]:
        """Return the file system of fsspec, which caches it, and the path of the folder there."""
        from fsspec.core import url_to_fs

        system, root = url_to_fs(self.address)
        return system, str(root).rstrip("/")

    @contextmanager
    def _with_address(self, name: str = "", keep: type[Exception] | None = None) -> Iterator[None]:
        """Convert errors of the store, of any class, to ConvvizErrors that name the address.

        Errors of the class `keep` are raised unchanged.
        """
        try:
            yield
        except (ConvvizError, MemoryError):
            raise
        except Exception as error:
            if keep is not None and isinstance(error, keep):
                raise
            text = " ".join(str(error).split()) or type(error).__name__
            is_denied = isinstance(error, PermissionError) or "credentials" in text.lower()
            hint = f"; {CREDENTIALS}" if is_denied else ""
            where = f"{self.address}/{name}" if name else self.address
            raise ConvvizError(f"{where}: {text}{hint}") from error
