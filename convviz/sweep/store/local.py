"""The run folder, written.

RUN/run.json                       the plan: model, data set, explainers, versions
RUN/items.parquet                  one row an item that was used
RUN/skipped.parquet                one row an item that could not be used, with the reason
RUN/results/<explainer>/<layer>/   explanations; layers named by `folder_name`
RUN/index.html                     the overview

While a sweep is under way, and only then:

RUN/.convviz-sweep/plan.json       the plan it goes by, and where memory made it smaller
RUN/.convviz-sweep/shards/         the finished shards, see `manifest`
RUN/.convviz-sweep/spool/          arrays that `finish` keeps out of memory
RUN/.convviz-sweep/new/            the results in the making; renamed to `done`, they are valid
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ...data.item_table import item_types
from ...errors import ParameterError
from ...plugin.explainer import Partial
from ...report import write_report
from ...storage import durable_file
from ...storage.checksums import CHECKSUMS, checksum
from ...storage.path_names import folder_name
from ...storage.untrusted_files import check_inside
from ..finalize import Outcome
from ..worker import PARTIALS
from .file_lock import LOCK, locked
from .run_record import as_text, read_plan, read_run
from .shard_manifest import PLAN, Entry, Manifest
from .tables import ITEMS, LEAF_ITEMS, SKIPPED, join_tables

RUN, RESULTS = "run.json", "results"
MOVED = (RESULTS, ITEMS, SKIPPED, RUN)
"""What a finished sweep brings; the plan comes last, because it makes the folder a run."""

SWEEP, SHARDS = ".convviz-sweep", "shards"


def check_out(out: Path) -> None:
    """Refuse a folder that holds anything else than a run or a sweep under way."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ParameterError(f"out={str(out)!r} is a file")
    if is_run(out) or (out / SWEEP).is_dir() or set(os.listdir(out)) <= {LOCK}:
        return
    raise ParameterError(
        f"out={str(out)!r} holds other files; give a new or empty folder, or a run folder "
        "with overwrite=True"
    )


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a finished run."""
    return (folder / RUN).is_file() and (folder / ITEMS).is_file()


def is_finished(folder: Path) -> bool:
    """Return whether a folder holds a finished run, and no sweep that would replace it."""
    return is_run(folder) and not (folder / SWEEP).is_dir()


class Store:
    """A run folder while a sweep works on it, between `locked()` and its end.

    Args:
        out: the run folder.
        manifest: of the shards, where they are not in the folder.
    """

    def __init__(self, out: Path, manifest: Manifest | None = None) -> None:
        self.out = out
        self.work = out / SWEEP
        self.spool = self.work / "spool"
        self.manifest = manifest or Manifest(self.work / SHARDS)
        self.shards = self.manifest.folder

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from working on the folder; raises where one does."""
        return locked(self.out)

    def table(self, name: str) -> Path:
        """Return a table of the finished run."""
        return self.out / name

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of the sweep under way; None where there is none."""
        return read_plan(self.out, f"{SWEEP}/{PLAN}")

    def finished(self) -> dict[str, Any] | None:
        """Return the plan of the finished run in the folder; None where there is none."""
        return read_plan(self.out, RUN) if is_run(self.out) else None

    def begin(self, record: Mapping[str, Any]) -> None:
        """Start or go on with a sweep by this plan."""
        self.manifest.begin()
        durable_file.sync(self.out)
        for left in (self.spool, self.work / "new"):
            shutil.rmtree(left, ignore_errors=True)
        durable_file.clean(self.work)
        self.amend(record)

    def amend(self, record: Mapping[str, Any]) -> None:
        """Write the plan."""
        durable_file.write(self.work / PLAN, as_text(record).encode("utf-8"))

    def discard(self) -> None:
        """Give up the sweep under way."""
        # The plan goes first: shards without a plan belong to nobody.
        (self.work / PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def partials(self, entries: list[Entry], step: int) -> Iterator[Partial]:
        """Yield a step's partial of each shard, mapped from its file when it is asked for."""
        from safetensors import safe_open

        prefix = f"{step}/"
        for entry in entries:
            if not entry["items"]:
                continue
            path = self.manifest.path(entry["shard"], PARTIALS)
            with safe_open(path, framework="pt") as file:
                names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
                yield {name.removeprefix(prefix): file.get_tensor(name) for name in sorted(names)}

    def tables(self, entries: list[Entry]) -> Path:
        """Write the tables of the run, and return that of the items."""
        new = self.work / "new"
        new.mkdir(parents=True, exist_ok=True)
        for name in (ITEMS, SKIPPED):
            join_tables([self.manifest.path(e["shard"], name) for e in entries], new / name)
        parts = [self.manifest.path(e["shard"], ITEMS) for e in entries]
        join_tables(parts, self.leaf_items, list(item_types()))
        return new / ITEMS

    @property
    def leaf_items(self) -> Path:
        """The table of items that every result holds: without what only the run needs."""
        return self.work / LEAF_ITEMS

    def complete(self, record: Mapping[str, Any], outcome: Outcome) -> None:
        """Write the results; those of a former run stay until these are whole."""
        new = self.work / "new"
        for name, layers in outcome.explanations.items():
            for layer, explanation in layers.items():
                explanation.save(new / RESULTS / folder_name(name) / folder_name(layer))
        (new / RESULTS).mkdir(exist_ok=True)
        failed = {name: str(error) for name, error in outcome.failed.items()}
        checksums = {name: checksum(new / name) for name in (ITEMS, SKIPPED)}
        text = as_text({**record, "failed": failed, CHECKSUMS: checksums})
        (new / RUN).write_text(text, encoding="utf-8")
        for path in (new / ITEMS, new / SKIPPED, new / RUN):
            durable_file.sync(path)
        for folder, _, _ in os.walk(new, topdown=False):
            durable_file.sync(Path(folder))
        new.rename(self.work / "done")
        durable_file.sync(self.work)
        self.settle()

    def settle(self) -> None:
        """Move complete results to their places, also those of a sweep killed while it did so.

        Shards without a plan, left by one killed while it removed them, belong to nobody and go.
        """
        check_inside(self.out, self.work)
        done = self.work / "done"
        check_inside(self.out, done)
        if not done.is_dir():
            if not (self.work / PLAN).exists():
                shutil.rmtree(self.work, ignore_errors=True)
            return
        where = f"{SWEEP}/done/{RUN}" if os.path.lexists(done / RUN) else RUN
        record = read_run(self.out, where)  # nothing is moved where it is damaged
        for name in MOVED:
            if (done / name).exists():
                _remove(self.out / name)
                (done / name).rename(self.out / name)
        write_report(self.out, title=record["dataset"]["name"], intro=_intro(record))
        durable_file.sync(self.out)
        self.discard()


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
