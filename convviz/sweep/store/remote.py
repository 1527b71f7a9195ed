"""A run in an object store, written by a sweep.

The objects are the files of a local run folder, see `file_names`. Shards are uploaded when they
are complete. For the results, the shards are fetched into a temporary folder; the results are
computed there and then uploaded, `run.json` last. Until then the plan of the sweep exists in
the store, which marks the run as unfinished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import ParameterError
from ...plugin.explainer import Partial
from ...storage.path_names import folder_name
from .file_names import LOCK, PLAN, RESULTS, RUN, SHARDS, SWEEP
from .lease import Lease, lease_place
from .local import LocalRunStore
from .object_store import Remote
from .protocol import Explanations
from .run_record import as_text, parse_plan
from .shard_files import RemoteShardFiles
from .shard_manifest import ShardEntry, ShardManifest

UNFINISHED_PLAN = f"{SWEEP}/{PLAN}"


def check_out(out: Remote) -> None:
    """Raise ParameterError if a place holds anything but a run or an unfinished sweep."""
    names = out.names()
    if not names or any(n in (RUN, LOCK) or n.startswith(f"{SWEEP}/") for n in names):
        return
    raise ParameterError(
        f"out={str(out)!r} holds other objects ({names[0]!r}); use a new or empty place, or a run"
    )


def is_finished(out: Remote) -> bool:
    """Return whether a place holds a finished run, and no sweep that will replace it."""
    return out.read(UNFINISHED_PLAN) is None and out.read(RUN) is not None


class RemoteRunStore:
    """A run in an object store while a sweep writes it, see `RunStore`.

    Args:
        out: the run.
        cache: an empty local folder that exists for the duration of the sweep.
    """

    def __init__(self, out: Remote, cache: Path) -> None:
        self.out = out
        shard_files = RemoteShardFiles(out / SWEEP / SHARDS, cache / SWEEP / SHARDS)
        self._local = LocalRunStore(cache, shard_files)
        self.manifest = self._local.manifest
        self.spool = self._local.spool
        self.leaf_items = self._local.leaf_items
        self._lease: Lease | None = None

    @property
    def location(self) -> str:
        """The address of the run."""
        return str(self.out)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing to the run."""
        with lease_place(self.out) as self._lease:
            yield

    def unfinished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the unfinished sweep; None if there is none."""
        content = self.out.read(UNFINISHED_PLAN)
        return None if content is None else parse_plan(content, f"{self.out}/{UNFINISHED_PLAN}")

    def finished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the finished run; None if there is none."""
        content = self.out.read(RUN)
        return None if content is None else parse_plan(content, f"{self.out}/{RUN}")

    def settle(self) -> None:
        """Remove shards without a plan, left by a process killed in `discard`."""
        if self.out.read(UNFINISHED_PLAN) is None:
            (self.out / SWEEP).clear()

    @property
    def kept_shards(self) -> ShardManifest:
        """The shards of the finished run; they may be missing."""
        cache = self._local.work / "kept"
        return ShardManifest(RemoteShardFiles(self.out / SHARDS, cache))

    def begin(self, record: Mapping[str, Any]) -> None:
        """Start or resume a sweep with this plan."""
        self._local.begin(record)
        self.amend(record)

    def amend(self, record: Mapping[str, Any]) -> None:
        """Write the plan."""
        self._check_lease()
        self.out.write(UNFINISHED_PLAN, as_text(record).encode())

    def discard(self) -> None:
        """Remove the unfinished sweep; raises ConvvizError if another process has taken it."""
        self._check_lease()
        # The plan goes first: shards without a plan are ignored and removed by `settle`.
        self.out.remove(UNFINISHED_PLAN)
        (self.out / SWEEP).clear()
        self._local.discard()

    def finished_table(self, name: str) -> Path:
        """Return the path of a local copy of a table of the finished run."""
        path = self._local.finished_table(name)
        self.out.fetch(name, path)
        return path

    def partials(self, entries: Sequence[ShardEntry], step: int) -> Iterator[Partial]:
        """Yield the partial of an explainer step for each shard, fetched on first use."""
        self._check_lease()
        return self._local.partials(entries, step)

    def join_tables(self, entries: Sequence[ShardEntry]) -> Path:
        """Write the tables of the run, and return the path of the table of items."""
        return self._local.join_tables(entries)

    def complete(
        self,
        record: Mapping[str, Any],
        explanations: Explanations,
        failed: Mapping[str, str],
        reused: Sequence[str] = (),
        pictures: bool = False,
    ) -> None:
        """Upload the results and keep the shards.

        Object stores cannot rename, so a previous run is replaced object by object.
        """
        self._fetch_results(reused)
        self._local.complete(record, explanations, failed, reused, pictures)
        self._check_lease()
        root = self._local.out
        files = (p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        # The shards are in the store already; only some of them have local copies.
        new = sorted(name for name in files if not name.startswith(f"{SHARDS}/"))
        self.out.remove(RUN)
        for name in (self.out / RESULTS).names():
            if f"{RESULTS}/{name}" not in new:
                self.out.remove(f"{RESULTS}/{name}")
        for name in new:
            if name != RUN:
                self.out.upload(root / name, name)
        self._move_shards()
        self._check_lease()
        self.out.upload(root / RUN, RUN)
        self.discard()

    def _fetch_results(self, explainers: Sequence[str]) -> None:
        """Fetch the results of explainers in the finished run."""
        for explainer in map(folder_name, explainers):
            place = f"{RESULTS}/{explainer}"
            for name in (self.out / place).names():
                self.out.fetch(f"{place}/{name}", self._local.out / place / name)

    def _move_shards(self) -> None:
        """Replace the shards of the previous run by those of the sweep."""
        new = (self.out / SWEEP / SHARDS).names()
        for name in (self.out / SHARDS).names():
            if name not in new:
                self.out.remove(f"{SHARDS}/{name}")
        for name in new:
            self.out.copy(f"{SWEEP}/{SHARDS}/{name}", f"{SHARDS}/{name}")

    def _check_lease(self) -> None:
        if self._lease is not None:
            self._lease.check()
