"""A run in a local folder, written by a sweep. `file_names` describes the folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ...data.item_table import item_types
from ...errors import ParameterError
from ...explanation.result_folder import write as write_result
from ...gallery import write_report
from ...plugin.explainer import Partial
from ...storage import durable_file
from ...storage.checksums import CHECKSUMS, checksum
from ...storage.path_names import folder_name
from ...storage.untrusted_files import check_inside, link_regular
from .file_lock import lock_folder
from .file_names import (
    DONE,
    ITEMS,
    LEAF_ITEMS,
    LOCK,
    NEW,
    PARTIALS,
    PLAN,
    RESULTS,
    RUN,
    SHARDS,
    SKIPPED,
    SPOOL,
    SWEEP,
)
from .partial_keys import read_partial
from .protocol import Explanations
from .run_record import as_text, read_plan, read_run
from .shard_files import KeptShardFiles, LocalShardFiles
from .shard_manifest import ShardEntry, ShardFiles, ShardManifest
from .tables import join_tables

MOVED = (RESULTS, ITEMS, SKIPPED, RUN)
"""The files of a finished sweep. The plan comes last, because it makes the folder a run."""


HINT = (
    "Pictures are drawn when they are needed: `convviz show` with the path of this folder draws "
    "them and adds them to this page."
)


def check_out(out: Path) -> None:
    """Raise ParameterError if a folder holds anything but a run or an unfinished sweep."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ParameterError(f"out={str(out)!r} is a file")
    if is_run(out) or (out / SWEEP).is_dir() or set(os.listdir(out)) <= {LOCK}:
        return
    raise ParameterError(
        f"out={str(out)!r} holds other files; use a new or empty folder, or a run folder with "
        "overwrite=True"
    )


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a finished run."""
    return (folder / RUN).is_file() and (folder / ITEMS).is_file()


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds a finished run, and no sweep that will replace it."""
    return is_run(folder) and not (folder / SWEEP).is_dir()


class LocalRunStore:
    """A run folder while a sweep writes it, see `RunStore`.

    Args:
        out: the run folder.
        shard_files: the files of the shards, if they are not in the folder.
    """

    def __init__(self, out: Path, shard_files: ShardFiles | None = None) -> None:
        self.out = out
        self.work = out / SWEEP
        self.spool = self.work / SPOOL
        self.leaf_items = self.work / LEAF_ITEMS
        self.manifest = ShardManifest(shard_files or LocalShardFiles(self.work / SHARDS))

    @property
    def location(self) -> str:
        """The run folder."""
        return str(self.out)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from writing to the folder."""
        return lock_folder(self.out)

    def unfinished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the unfinished sweep; None if there is none."""
        return read_plan(self.out, f"{SWEEP}/{PLAN}")

    def finished_plan(self) -> dict[str, Any] | None:
        """Return the plan of the finished run; None if there is none."""
        return read_plan(self.out, RUN) if is_run(self.out) else None

    @property
    def kept_shards(self) -> ShardManifest:
        """The shards of the finished run; they may be missing."""
        return ShardManifest(KeptShardFiles(self.out / SHARDS))

    def begin(self, record: Mapping[str, Any]) -> None:
        """Start or resume a sweep with this plan."""
        self.manifest.begin()
        durable_file.sync(self.out)
        for leftover in (self.spool, self.work / NEW):
            shutil.rmtree(leftover, ignore_errors=True)
        durable_file.clean(self.work)
        self.amend(record)

    def amend(self, record: Mapping[str, Any]) -> None:
        """Write the plan."""
        durable_file.write(self.work / PLAN, as_text(record).encode("utf-8"))

    def discard(self) -> None:
        """Remove the unfinished sweep."""
        # The plan goes first: shards without a plan are ignored and removed by `settle`.
        (self.work / PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def finished_table(self, name: str) -> Path:
        """Return the path of a table of the finished run."""
        return self.out / name

    def partials(self, entries: Sequence[ShardEntry], step: int) -> Iterator[Partial]:
        """Yield the partial of an explainer step for each shard, mapped from its file."""
        for entry in entries:
            if entry["items"]:
                yield read_partial(self.manifest.path(entry["shard"], PARTIALS), step)

    def join_tables(self, entries: Sequence[ShardEntry]) -> Path:
        """Write the tables of the run, and return the path of the table of items."""
        new = self.work / NEW
        new.mkdir(parents=True, exist_ok=True)
        for name in (ITEMS, SKIPPED):
            join_tables([self.manifest.path(e["shard"], name) for e in entries], new / name)
        parts = [self.manifest.path(e["shard"], ITEMS) for e in entries]
        join_tables(parts, self.leaf_items, list(item_types()))
        return new / ITEMS

    def complete(
        self,
        record: Mapping[str, Any],
        explanations: Explanations,
        failed: Mapping[str, str],
        reused: Sequence[str] = (),
        pictures: bool = False,
    ) -> None:
        """Write the results, and keep the shards. A previous run stays until then."""
        new = self.work / NEW
        for name in reused:
            self._reuse_results(folder_name(name), new)
        for name, layers in explanations.items():
            for layer, explanation in layers.items():
                draw = explanation.pictures if pictures else None
                folder = new / RESULTS / folder_name(name) / folder_name(layer)
                write_result(explanation, folder, draw or (lambda: ()))
        (new / RESULTS).mkdir(exist_ok=True)
        checksums = {name: checksum(new / name) for name in (ITEMS, SKIPPED)}
        text = as_text({**record, "failed": dict(failed), CHECKSUMS: checksums})
        (new / RUN).write_text(text, encoding="utf-8")
        for path in (new / ITEMS, new / SKIPPED, new / RUN):
            durable_file.sync(path)
        for root, _, _ in os.walk(new, topdown=False):
            durable_file.sync(Path(root))
        # Everything is on the disk now. The rename is the step that makes the new run valid.
        new.rename(self.work / DONE)
        durable_file.sync(self.work)
        self.settle()

    def _reuse_results(self, explainer: str, new: Path) -> None:
        """Link the files of the results of an explainer in the finished run into the new one."""
        for folder in sorted((self.out / RESULTS / explainer).iterdir()):
            target = new / RESULTS / explainer / folder.name
            target.mkdir(parents=True)
            for file in sorted(folder.iterdir()):
                if file.name == ITEMS:  # equal, but all results share one file
                    link_regular(self.work, LEAF_ITEMS, target / ITEMS)
                else:
                    link_regular(self.out, str(file.relative_to(self.out)), target / file.name)

    def settle(self) -> None:
        """Move complete results to their places, also those of a process that was killed.

        The shards move with them. Shards without a plan, left by a process killed in `discard`,
        are removed.
        """
        check_inside(self.out, self.work)
        done = self.work / DONE
        check_inside(self.out, done)
        if not done.is_dir():
            if not (self.work / PLAN).exists():
                shutil.rmtree(self.work, ignore_errors=True)
            return
        plan = f"{SWEEP}/{DONE}/{RUN}" if os.path.lexists(done / RUN) else RUN
        record = read_run(self.out, plan)  # raises before anything is moved if it is damaged
        for source in (self.work / SHARDS, *(done / name for name in MOVED)):
            if source.exists():
                _remove(self.out / source.name)
                source.rename(self.out / source.name)
        write_overview(self.out, record)
        durable_file.sync(self.out)
        self.discard()


def write_overview(out: Path, record: Mapping[str, Any]) -> None:
    """Write the overview page of a run from its record."""
    write_report(out, title=record["dataset"]["name"], intro=_intro(record), hint=HINT)


def _intro(record: Mapping[str, Any]) -> str:
    seen = f"{record['items']} images, seen by {record['model']['name']}"
    skipped = record["skipped"]
    left_out = f"; {skipped} could not be used, see skipped.parquet" if skipped else ""
    notes = record["dataset"].get("notes", ())
    return " ".join([f"{seen}{left_out}.", *(f"{note}." for note in notes)])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
