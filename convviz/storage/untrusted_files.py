"""Reading files of untrusted folders.

Only regular files inside the folder are read, and only up to a size limit. Links that leave the
folder, FIFOs, sockets and devices are rejected before they are opened.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import ConvvizError

JSON_LIMIT = 64 << 20
"""Maximum size of a JSON file in bytes."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)
# O_NONBLOCK: opening a FIFO without a writer would block.
_FLAG_NAMES = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in _FLAG_NAMES)


class MissingFileError(ConvvizError):
    """A file that a folder should hold does not exist."""


def open_regular(folder: Path, name: str) -> BinaryIO:
    """Open a regular file of a folder for reading.

    Args:
        folder: the folder; its own path may contain links.
        name: the path of the file below the folder. Links that stay inside the folder are followed.

    Raises:
        MissingFileError: the file does not exist.
        ConvvizError: it is not a regular file, is outside the folder, or cannot be opened.
    """
    path = Path(folder, name)
    check_inside(folder, path)
    try:
        handle = _open_below(os.path.realpath(folder), os.path.realpath(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"{path} is missing") from error
    except (OSError, ValueError) as error:
        raise ConvvizError(f"{path} cannot be read: {error}") from error
    try:
        _check_regular(os.fstat(handle).st_mode)
    except OSError as error:
        os.close(handle)
        raise ConvvizError(f"{path} cannot be read: {error}") from error
    return os.fdopen(handle, "rb")


def read_bounded(folder: Path, name: str, limit: int) -> bytes:
    """Return the content of a regular file; raises ConvvizError if it is longer than `limit`."""
    with open_regular(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        # Some files of virtual file systems report a size of 0 although they have content.
        content = file.read(limit + 1) if size <= limit else b""
    if size > limit or len(content) > limit:
        raise ConvvizError(f"{Path(folder, name)} is longer than the {limit:,} bytes allowed")
    return content


def check_inside(folder: Path, path: Path) -> None:
    """Raise ConvvizError if links lead a path out of its folder."""
    try:
        inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError) as error:
        raise ConvvizError(f"{path} cannot be read: {error}") from error
    if not inside:
        raise ConvvizError(f"{path} is a link that leaves {folder}")


def copy_regular(folder: Path, name: str, target: Path) -> None:
    """Copy a regular file of a folder."""
    import shutil

    with open_regular(folder, name) as source, open(target, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)


def link_regular(folder: Path, name: str, target: Path) -> None:
    """Create a hard link to a regular file of a folder, or a copy where links do not work."""
    open_regular(folder, name).close()  # refuses links that leave the folder, and devices
    try:
        os.link(os.path.realpath(Path(folder, name)), target, follow_symlinks=False)
    except (OSError, NotImplementedError):
        copy_regular(folder, name, target)


def _open_below(root: str, target: str) -> int:
    """Open a file below a folder without following links.

    The paths are already resolved. A link can only appear if the folder is changed meanwhile.
    """
    if os.open not in os.supports_dir_fd:
        _check_regular(os.lstat(target).st_mode)
        return os.open(target, _FLAGS)
    *folders, name = Path(os.path.relpath(target, root)).parts or (".",)
    parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in folders:
            child = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            os.close(parent)
            parent = child
        # Opening some devices has side effects, so check before opening, and again afterwards.
        _check_regular(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        return os.open(name, _FLAGS, dir_fd=parent)
    finally:
        os.close(parent)


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "a device")
        raise OSError(f"it is {kind}, not a regular file")
