"""Atomic replacement of several files of a folder.

New files are written into a hidden folder inside the target, which is then renamed to
`.convviz-saved`. The rename commits the save: before it nothing has changed, after it the new
files are valid, even if they have not been moved to their places yet. Readers look into
`.convviz-saved` first, and the next save completes an interrupted one. Other files in the folder
are not changed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConvvizError
from .durable_file import sync
from .untrusted_files import JSON_LIMIT, read_bounded

_COMMITTED = ".convviz-saved"
_PENDING = ".convviz-saving-"
_REMOVE = ".remove"


@contextmanager
def replacing(folder: Path, former: Iterable[str] = ()) -> Iterator[Path]:
    """Yield an empty folder whose files move into `folder` when the block ends.

    An exception in the block leaves `folder` as it was.

    Args:
        folder: the target; created if it does not exist.
        former: names of the files of the previous save; those not written again are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    finish(folder)
    pending = folder / f"{_PENDING}{secrets.token_hex(8)}"
    pending.mkdir()
    try:
        yield pending
        stale = sorted({plain(name) for name in former} - set(os.listdir(pending)))
        (pending / _REMOVE).write_text(json.dumps(stale), encoding="utf-8")
        for file in pending.iterdir():
            sync(file)
        sync(pending)
        pending.rename(folder / _COMMITTED)
        sync(folder)
    except BaseException:
        shutil.rmtree(pending, ignore_errors=True)
        raise
    finish(folder)


def finish(folder: Path) -> None:
    """Move the files of a committed save to their places."""
    committed = folder / _COMMITTED
    if committed.is_symlink():  # the files of its target would be moved
        raise ConvvizError(f"{committed} is a link, which convviz does not create: remove it")
    if not committed.is_dir():
        return
    remove = committed / _REMOVE
    if remove.exists():
        for name in _removed_names(folder):
            (folder / name).unlink(missing_ok=True)
    for file in committed.iterdir():
        if file.name != _REMOVE:
            file.replace(folder / file.name)
            file.unlink(missing_ok=True)  # a hard link to the same file is not moved
    remove.unlink(missing_ok=True)
    committed.rmdir()
    sync(folder)


def _removed_names(folder: Path) -> list[str]:
    """Return the names of the files that a committed save removes."""
    name = f"{_COMMITTED}/{_REMOVE}"
    try:
        names = json.loads(read_bounded(folder, name, JSON_LIMIT))
        return [plain(name) for name in names]
    except (ValueError, TypeError, RecursionError) as error:
        raise ConvvizError(f"{folder / name} is damaged: {error}") from error


def current_name(folder: Path, name: str) -> str:
    """Return the path, relative to a folder, of the current version of a file."""
    committed = f"{_COMMITTED}/{name}"
    return committed if os.path.lexists(folder / committed) else name


def current(folder: Path, name: str) -> Path:
    """Return the path of the current version of a file."""
    return folder / current_name(folder, name)


def plain(name: str) -> str:
    """Return a file name unchanged; raises ConvvizError if it is not a plain name."""
    is_bad = not isinstance(name, str) or not name or name in (".", "..")
    if is_bad or any(c in name for c in "/\\\0"):
        raise ConvvizError(f"{name!r} is not a plain file name")
    return name
