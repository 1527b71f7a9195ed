"""Files that survive a kill or a power cut at any moment: whole under their name, or absent.

Needs nothing but the standard library, so that a test can kill it at every step.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where a file finds no room: full disk, used-up quota, limit of a process."""

_TEMPORARY = ".writing-"
_BLOCK = 1 << 20


def write(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the former version or all of the new one.

    The bytes go to a temporary file in the same folder and to the disk, the file takes its
    name, and the folder goes to the disk.
    """
    writer = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f"{_TEMPORARY}{writer}-{path.name}")
    # A link of that name, which another may have put there, is not written through.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clean(folder: Path) -> None:
    """Remove what killed processes left half written; nobody may be writing meanwhile."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
