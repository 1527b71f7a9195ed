"""One writing process for each run folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import ConvvizError
from ...storage.durable_file import FULL
from .file_names import LOCK

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""Errors of file systems that do not support locks."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a run folder; raises ConvvizError if one does.

    The system releases the lock of a process that dies, so its lock file does no harm.
    """
    from filelock import FileLock, Timeout

    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    _check_regular(path)
    lock = FileLock(path, timeout=0, fallback_to_soft=False, on_acquired=_write_process_number)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConvvizError(
            f"another run is at work in {str(folder)!r}: process {_owner(path)}; wait for it, or "
            "use another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _lock_error(error, folder) from error
    try:
        yield
    finally:
        # Removed while the lock is held: afterwards the file may belong to another process.
        path.unlink(missing_ok=True)
        lock.release()
        if is_new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _check_regular(path: Path) -> None:
    """Raise ConvvizError if the lock file is a link, a FIFO or a device."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ConvvizError(f"{path} is not a regular file: remove it")


def _write_process_number(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


def _owner(path: Path) -> str:
    """Return the number of the process that holds the lock."""
    try:
        return path.read_text("ascii", "replace").strip()[:32] or "unknown"
    except OSError:
        return "unknown"


def _lock_error(error: OSError | NotImplementedError, folder: Path) -> Exception:
    if isinstance(error, OSError) and error.errno in FULL:
        return error
    reason = getattr(error, "strerror", None) or str(error)
    if not isinstance(error, OSError) or error.errno in NO_LOCKS:
        return ConvvizError(
            f"{str(folder)!r} is on a file system without locks ({reason}); use a folder on "
            "another one"
        )
    return ConvvizError(f"{folder / LOCK} cannot be opened: {reason}")
