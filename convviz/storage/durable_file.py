"""Durable files: after a kill or a power cut at any moment, a file is complete or unchanged.

Requires only the standard library, so that a test can kill it at every step.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of writing to a full disk, beyond a quota, or beyond the limit of a process."""

_TEMPORARY = ".writing-"
_BLOCK = 1 << 20


def write(path: Path, content: bytes) -> None:
    """Write a file so that readers see the previous version or the complete new one.

    The content is written to a temporary file in the same folder and flushed to the disk, the file
    is renamed, and the folder is flushed.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f"{_TEMPORARY}{writer}-{path.name}")
    # Do not write through a link of that name that someone else has created.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        try:
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[os.write(handle, remaining) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clean(folder: Path) -> None:
    """Remove partial files of killed processes; no process may be writing to the folder."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
    return sha256.hexdigest()
