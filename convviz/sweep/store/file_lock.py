"""One run at a time in a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import ConvvizError
from ...storage.durable_file import FULL

try:
    import fcntl
except ImportError:  # Windows has none; there two runs on one folder are not told apart
    fcntl = None  # type: ignore[assignment]

LOCK = ".convviz-lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from working on a run folder; raises where one does.

    The system drops the lock of a process that dies, so a lock file left over is no obstacle.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = _taken(folder)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(handle)
        if made:
            with suppress(OSError):  # something was written
                folder.rmdir()


def _taken(folder: Path) -> int:
    path = folder / LOCK
    while True:
        handle = _open_lock_file(path)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                os.close(handle)
                raise ConvvizError(
                    f"{str(folder)!r} is on a file system that has no locks ({error.strerror}); "
                    "give a folder on another one"
                ) from error
            owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise ConvvizError(
                f"another run is at work in {str(folder)!r}: process {owner}; wait for it, or "
                "give another folder"
            ) from error
        if _is_still(path, handle):
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
            return handle
        os.close(handle)  # its owner removed it between our opening and locking it


def _open_lock_file(path: Path) -> int:
    """Open the file of the lock; raises ConvvizError for a link, a FIFO or a device."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise ConvvizError(f"{path} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ConvvizError(f"{path} is not a regular file: remove it")
    return handle


def _is_still(path: Path, handle: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(handle))
    return False
