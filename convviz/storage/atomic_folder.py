"""Files of a folder that replace their former ones all at once, or not at all.

New files are written into a hidden folder inside the target. Renaming it to `.convviz-saved`
is the one step that decides: before it nothing has changed, after it the save has happened,
even if the files are not all moved to their places yet. Readers look into `.convviz-saved`
first, and the next save finishes what an interrupted one left. Files that convviz did not
write stay untouched.
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

_DECIDED = ".convviz-saved"
_PENDING = ".convviz-saving-"
_REMOVE = ".remove"


@contextmanager
def replacing(folder: Path, former: Iterable[str] = ()) -> Iterator[Path]:
    """Yield an empty folder whose files move into `folder` when the block ends.

    An exception in the block leaves `folder` as it was.

    Args:
        folder: where the files go; made where it does not exist.
        former: names of files of an earlier save; those not written again are removed.
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
        pending.rename(folder / _DECIDED)
        sync(folder)
    except BaseException:
        shutil.rmtree(pending, ignore_errors=True)
        raise
    finish(folder)


def finish(folder: Path) -> None:
    """Move the files of a decided save to their places, where one was interrupted."""
    decided = folder / _DECIDED
    if decided.is_symlink():  # its target's files would be moved away
        raise ConvvizError(f"{decided} is a link, which convviz does not make: remove it")
    if not decided.is_dir():
        return
    remove = decided / _REMOVE
    if remove.exists():
        for name in _removed_names(folder):
            (folder / name).unlink(missing_ok=True)
    for file in decided.iterdir():
        if file.name != _REMOVE:
            file.replace(folder / file.name)
    remove.unlink(missing_ok=True)
    decided.rmdir()
    sync(folder)


def _removed_names(folder: Path) -> list[str]:
    """Read which files a decided save removes."""
    name = f"{_DECIDED}/{_REMOVE}"
    try:
        names = json.loads(read_bounded(folder, name, JSON_LIMIT))
        return [plain(name) for name in names]
    except (ValueError, TypeError, RecursionError) as error:
        raise ConvvizError(f"{folder / name} is damaged: {error}") from error


def current_name(folder: Path, name: str) -> str:
    """Return where in a folder the current version of a file is."""
    decided = f"{_DECIDED}/{name}"
    return decided if os.path.lexists(folder / decided) else name


def current(folder: Path, name: str) -> Path:
    """Return where the current version of a file is."""
    return folder / current_name(folder, name)


def plain(name: str) -> str:
    """Return a file name that cannot leave its folder; raises ConvvizError for any other."""
    bad = not isinstance(name, str) or not name or name in (".", "..")
    if bad or any(c in name for c in "/\\\0"):
        raise ConvvizError(f"{name!r} is not a plain file name")
    return name
