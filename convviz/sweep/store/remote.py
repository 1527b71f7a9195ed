"""The run folder, written into an object store.

The objects are those of a run folder on a disk, see `store`. Shards go there as they are made;
what comes after them is made in a temporary folder, into which the shards are fetched, and then
put beside them, `run.json` last. Until then the plan of the sweep is there, and says that the
run is not finished.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ConvvizError, ParameterError
from ...explanation.result_folder import JSON_NAME, read_json
from ...plugin.explainer import Partial
from ...storage.checksums import CHECKSUMS
from ...storage.untrusted_files import JSON_LIMIT
from ..finalize import Outcome
from .lease import LEASE, Lease, leased
from .local import RESULTS, RUN, SHARDS, SWEEP, Store
from .local import check_out as check_folder
from .local import is_finished as is_finished_folder
from .object_store import Remote
from .remote_manifest import RemoteManifest
from .run_record import as_text, parse_plan, read_run
from .shard_manifest import PLAN, Entry
from .tables import ITEMS, SKIPPED

UNDER_WAY = f"{SWEEP}/{PLAN}"
PICTURE_LIMIT = 1 << 30
"""Bytes that a picture may have."""


class RemoteStore:
    """A run in an object store while a sweep works on it, as `Store` is one on a disk.

    Args:
        out: the run.
        cache: an empty folder on a disk, for as long as the sweep takes.
    """

    def __init__(self, out: Remote, cache: Path) -> None:
        self.out = out
        self.shards = out / SWEEP / SHARDS
        work = cache / SWEEP
        self.manifest = RemoteManifest(self.shards, work / SHARDS)
        self._local = Store(cache, self.manifest)
        self.spool = self._local.spool
        self.leaf_items = self._local.leaf_items
        self._lease: Lease | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on the run; raises where one does."""
        with leased(self.out) as self._lease:
            yield

    def table(self, name: str) -> Path:
        """Return a copy of a table of the finished run."""
        path = self._local.out / name
        self.out.fetch(name, path)
        return path

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of the sweep under way; None where there is none."""
        content = self.out.read(UNDER_WAY)
        return None if content is None else parse_plan(content, f"{self.out}/{UNDER_WAY}")

    def finished(self) -> dict[str, Any] | None:
        """Return the plan of the finished run; None where there is none."""
        content = self.out.read(RUN)
        return None if content is None else parse_plan(content, f"{self.out}/{RUN}")

    def settle(self) -> None:
        """Remove what is left of a sweep that was killed while it removed its shards."""
        if self.out.read(UNDER_WAY) is None:
            (self.out / SWEEP).clear()

    def begin(self, record: Mapping[str, Any]) -> None:
        """Start or go on with a sweep by this plan."""
        self._local.begin(record)
        self.amend(record)

    def amend(self, record: Mapping[str, Any]) -> None:
        """Write the plan."""
        self._check()
        self.out.write(UNDER_WAY, as_text(record).encode())

    def discard(self) -> None:
        """Give up the sweep under way; raises where it is another process's by now."""
        self._check()
        # The plan goes first: shards without a plan belong to nobody.
        self.out.remove(UNDER_WAY)
        (self.out / SWEEP).clear()
        self._local.discard()

    def partials(self, entries: list[Entry], step: int) -> Iterator[Partial]:
        """Yield a step's partial of each shard, fetched when it is first asked for."""
        self._check()
        return self._local.partials(entries, step)

    def tables(self, entries: list[Entry]) -> Path:
        """Write the tables of the run, and return that of the items."""
        return self._local.tables(entries)

    def complete(self, record: Mapping[str, Any], outcome: Outcome) -> None:
        """Put the results; those of a former run go as these come."""
        self._local.complete(record, outcome)
        self._check()
        root = self._local.out
        new = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        self.out.remove(RUN)
        for name in (self.out / RESULTS).names():
            if f"{RESULTS}/{name}" not in new:
                self.out.remove(f"{RESULTS}/{name}")
        for name in new:
            if name != RUN:
                self.out.upload(root / name, name)
        self._check()
        self.out.upload(root / RUN, RUN)
        self.discard()

    def _check(self) -> None:
        if self._lease is not None:
            self._lease.check()


@contextmanager
def opened(out: Path | Remote) -> Iterator[Store | RemoteStore]:
    """Open a run folder for a sweep."""
    if isinstance(out, Path):
        yield Store(out)
        return
    with tempfile.TemporaryDirectory(prefix="convviz-", ignore_cleanup_errors=True) as cache:
        yield RemoteStore(out, Path(cache))


def check_out(out: Path | Remote) -> None:
    """Refuse a place that holds anything else than a run or a sweep under way."""
    if isinstance(out, Path):
        check_folder(out)
        return
    names = out.names()
    ours = {RUN, LEASE}
    if not names or any(n in ours or n.startswith(f"{SWEEP}/") for n in names):
        return
    raise ParameterError(
        f"out={str(out)!r} holds other objects ({names[0]!r}); give a new or empty place, or a run"
    )


def is_finished(out: Path | Remote) -> bool:
    """Return whether a place holds a finished run, and no sweep that would replace it."""
    if isinstance(out, Path):
        return is_finished_folder(out)
    return out.read(UNDER_WAY) is None and out.read(RUN) is not None


class Copy:
    """A finished run of an object store, fetched as it is looked at; gone with the process.

    Attributes:
        folder: a run folder; that of a leaf is empty until `fetch` has filled it.
    """

    def __init__(self, place: Remote) -> None:
        self.place = place
        self._names = [name for name in place.names() if _is_below(name)]
        if UNDER_WAY in self._names:
            raise ConvvizError(
                f"the run in {str(place)!r} is not finished: the same analyze goes on"
            )
        if not {RUN, ITEMS} <= set(self._names):
            raise ConvvizError(f"{str(place)!r} is not a run folder: it has no {RUN} and {ITEMS}")
        self.folder = Path(tempfile.mkdtemp(prefix="convviz-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        place.fetch(RUN, self.folder / RUN, JSON_LIMIT)
        sizes = read_run(self.folder, RUN)[CHECKSUMS]
        for name in (ITEMS, SKIPPED):
            place.fetch(name, self.folder / name, sizes[name]["bytes"])
        for name in self._names:
            if name.startswith(f"{RESULTS}/"):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)

    def fetch(self, folder: Path) -> None:
        """Fetch what is below a folder of the copy and not there yet."""
        below = folder.relative_to(self.folder).as_posix() + "/"
        if f"{below}{JSON_NAME}" not in self._names or (folder / JSON_NAME).exists():
            return
        self.place.fetch(f"{below}{JSON_NAME}", folder / JSON_NAME, JSON_LIMIT)
        document = read_json(folder)
        limits = {name: entry["bytes"] for name, entry in document[CHECKSUMS].items()}
        limits |= dict.fromkeys(document["pictures"], PICTURE_LIMIT)
        for name, limit in limits.items():
            if f"{below}{name}" in self._names:
                self.place.fetch(f"{below}{name}", folder / name, limit)


def _is_below(name: str) -> bool:
    """Return whether the name of an object, as a path, stays below its folder."""
    return all(part not in ("", ".", "..") and "\\" not in part for part in name.split("/"))
