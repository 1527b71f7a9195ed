"""The store of a run: in a local folder or in an object store, as its place requires."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...gallery import page_path
from . import local, remote
from .object_store import Remote, place_of
from .protocol import RunReader, RunStore
from .readers import LocalRunReader, RemoteRunReader

__all__ = ["check_out", "is_finished", "open_reader", "open_store", "overview_of", "place_of"]


@contextmanager
def open_store(place: Path | Remote) -> Iterator[RunStore]:
    """Open the store of a run for a sweep."""
    if isinstance(place, Path):
        yield local.LocalRunStore(place)
        return
    with tempfile.TemporaryDirectory(prefix="convviz-", ignore_cleanup_errors=True) as cache:
        yield remote.RemoteRunStore(place, Path(cache))


def open_reader(place: Path | Remote) -> RunReader:
    """Open a finished run; raises ConvvizError if it is not finished, or not a run."""
    return LocalRunReader(place) if isinstance(place, Path) else RemoteRunReader(place)


def check_out(place: Path | Remote) -> None:
    """Raise ParameterError if a place holds anything but a run or an unfinished sweep."""
    if isinstance(place, Path):
        local.check_out(place)
    else:
        remote.check_out(place)


def is_finished(place: Path | Remote) -> bool:
    """Return whether a place holds a finished run, and no sweep that will replace it."""
    if isinstance(place, Path):
        return local.is_finished(place)
    return remote.is_finished(place)


def overview_of(place: Path | Remote) -> Path | Remote:
    """Return where the overview page of a run is."""
    return page_path(place) if isinstance(place, Path) else place / "index.html"
