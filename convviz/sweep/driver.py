"""A sweep from its plan to its results: begun, gone on with, interrupted, finished."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.fingerprint import verify
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ConvvizWarning, ImageError, ParameterError
from ..explanation.provenance import Named
from ..network.model import Model
from ..progress import Meter, announce, measure_sweep
from ..storage import durable_file
from .engines import Engine
from .finalize import Outcome, SweptItems, finish
from .forward_pass import Forwards, How, choose, first_images
from .input.loader import AHEAD, Loader
from .plan import Plan, Settings, differences, make_plan
from .signals import Interrupts
from .store.local import Store
from .store.object_store import Remote
from .store.remote import RemoteStore, opened
from .store.shard_manifest import Entry
from .store.tables import ITEMS, SKIPPED, content_types, rows, skipped_types
from .worker import Task, Worker, computing

logger = logging.getLogger(__name__)

FORWARD = "forward"
"""In the plan: how the model is run, chosen when the sweep begins."""

SHOWN = 4
"""Differences between two plans that a refusal names."""

AMENDED = "amended"
"""In the plan: from which shard on memory allowed only smaller batches."""


def sweep(
    model: Model,
    dataset: Dataset,
    who: Sequence[Named],
    out: Path | Remote,
    engine: Engine,
    settings: Settings,
    overwrite: bool = False,
) -> Outcome:
    """Sweep a data set into a run folder, going on where an earlier call stopped.

    Returns:
        What was found; without explanations where the folder held the finished run already.

    Raises:
        ParameterError: the folder holds a run, or a sweep under way, of something else.
        ConvvizError: another process is at work there, or the disk is full.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, saying how to go on.
    """
    with opened(out) as store:
        return _swept(model, dataset, who, store, engine, settings, overwrite)


def _swept(
    model: Model,
    dataset: Dataset,
    who: Sequence[Named],
    store: Store | RemoteStore,
    engine: Engine,
    settings: Settings,
    overwrite: bool,
) -> Outcome:
    out = store.out
    kept = None if overwrite else store.plan() or store.finished()
    plan = make_plan(model, dataset, who, settings.after(kept or {}))
    interrupts = Interrupts()
    with store.locked(), interrupts.watched(), _told(out, len(plan.shards)) as progress:
        store.settle()
        if overwrite:
            store.discard()
        fresh = store.plan() is None
        progress.done = 0 if fresh else None
        if _is_finished(store, plan, overwrite):
            if settings.verify:
                _check_contents(dataset, store.table(ITEMS), store.table(SKIPPED))
            logger.info("%s holds this run already, finished", out)
            return Outcome()
        for note in plan.record["dataset"]["notes"]:
            logger.warning("%s: %s", dataset.name, note)
        ahead = max(AHEAD, 2 * plan.batch_size)
        loader = Loader(
            dataset, model.preprocess, settings.workers, settings.timeout, ahead,
            decode=settings.decode, device=model.device,
        )  # fmt: skip
        job = _Job(model, dataset, plan, store, interrupts, progress, loader, settings.verify)
        try:
            with computing(plan), loader:
                return job.run(engine)
        except Exception:
            if fresh and not progress.done:  # nothing was found that would be worth a folder
                store.discard()
            raise


def _is_finished(store: Store | RemoteStore, plan: Plan, overwrite: bool) -> bool:
    """Refuse a folder of another run; say whether this one is finished there."""
    under_way, finished = store.plan(), None if overwrite else store.finished()
    found = under_way or finished
    if found is None:
        return False
    if changed := differences(found, plan.record):
        what = "a sweep under way" if under_way else "a run"
        raise ParameterError(
            f"out={str(store.out)!r} holds {what} already, and this differs from it: "
            f"{_some(changed)}. Nothing was touched: overwrite=True "
            "(--overwrite) starts anew, another folder keeps both"
        )
    if under_way is None and (failed := found.get("failed")):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise ConvvizError(
            f"{str(store.out)!r} holds this run, finished but for {reasons}. overwrite=True "
            "(--overwrite) computes it anew"
        )
    return under_way is None


def _some(changed: Sequence[str]) -> str:
    more = f"; and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return "; ".join(changed[:SHOWN]) + more


@dataclass
class _Progress:
    """How far a sweep is.

    Attributes:
        done: how many shards are whole; None as long as nobody has looked.
    """

    done: int | None = None


@dataclass
class _Job:
    """A sweep under way."""

    model: Model
    dataset: Dataset
    plan: Plan
    store: Store | RemoteStore
    interrupts: Interrupts
    progress: _Progress
    loader: Loader
    verify: bool = False
    record: dict[str, Any] = field(default_factory=dict)

    def run(self, engine: Engine) -> Outcome:
        """Sweep what is outstanding, then finish."""
        former = self.store.plan() or {}
        forwards = self._forwards(former.get(FORWARD))
        self.record = {**self.plan.record, AMENDED: former.get(AMENDED, [])}
        self.record[FORWARD] = forwards.how.record()
        self.store.begin(self.record)
        entries, damaged = self._kept()
        self.progress.done = len(entries)
        for shard in entries if self.verify else ():
            paths = [self.store.manifest.path(shard, kind) for kind in (ITEMS, SKIPPED)]
            _check_contents(self.dataset, *paths)
        for damage in damaged:  # only now is it sure that the sweep goes on
            warnings.warn(damage, ConvvizWarning, stacklevel=5)
        if former:
            whole = f"{len(entries)} of {len(self.plan.shards)} shards are done"
            announce(f"going on in {str(self.store.out)!r}: {whole}")
        folder = self.store.shards
        worker = Worker(
            self.model, self.dataset, self.plan, folder, self.interrupts.writing, self.loader,
            forwards,
        )  # fmt: skip
        made = engine(worker, self._outstanding(entries))
        with self._measured(entries) as meter, self.loader, closing(made):
            for entry in made:
                self._enter(entry)
                entries[entry["shard"]] = entry
                self.progress.done = len(entries)
                meter.reach(_seen(entries))
        return self._finish([entries[shard] for shard in sorted(entries)])

    def _forwards(self, kept: Mapping[str, Any] | None) -> Forwards:
        """Return how the model is run: as before where the sweep goes on."""
        plan, layers = self.plan, self.plan.layers
        if kept is not None:
            return Forwards(self.model, layers, How.of(kept))
        precision, compiled = plan.record["precision"], plan.record["compile"]
        images = first_images(self.loader, self.model, plan.count)
        notes = () if images is None else self.model.behavior(images).notes
        chosen = choose(
            self.model, layers, images, plan.count, plan.batch_size, precision, compiled, notes
        )
        logger.info("%s", chosen.how)
        return chosen

    def _kept(self) -> tuple[dict[int, Entry], list[str]]:
        """Return the entries of the shards that are whole, and what is wrong with the others."""
        kept: dict[int, Entry] = {}
        damaged: list[str] = []
        for shard in range(len(self.plan.shards)):
            entry = self.store.manifest.entry(shard)
            if entry is None:
                continue
            if damage := self.store.manifest.damage(entry):
                damaged.append(f"{damage}: shard {shard} is computed again")
                continue
            kept[shard] = entry
        return kept, damaged

    def _outstanding(self, entries: Mapping[int, Entry]) -> Iterator[Task]:
        """Yield what is left to do, with the batch that memory allows by then."""
        shards = self.plan.shards
        left = [shard for shard in range(len(shards)) if shard not in entries]
        for place, shard in enumerate(left):
            then = shards[left[place + 1]] if place + 1 < len(left) else range(0)
            yield Task(shard, shards[shard], self._batch(shard), then)

    @contextmanager
    def _measured(self, entries: Mapping[int, Entry]) -> Iterator[Meter]:
        """Show how far the sweep is, and say at the end how fast it was."""
        what = f"images of {self.dataset.name}"
        with measure_sweep(what, self.plan.count, _seen(entries)) as meter:
            yield meter
            logger.info("%s: %s", what, meter.summary)

    def _batch(self, shard: int) -> int:
        found: int = self.plan.batch_size
        for amendment in self.record[AMENDED]:
            if amendment["from_shard"] <= shard:
                found = min(found, amendment["batch_size"])
        return found

    def _enter(self, entry: Entry) -> None:
        """Make a shard valid; where it needed smaller batches, first say so in the plan."""
        shard, batch_size = entry["shard"], entry["batch_size"]
        with self.interrupts.writing():
            if batch_size < self._batch(shard):
                self.record[AMENDED].append({"from_shard": shard, "batch_size": batch_size})
                self.record[AMENDED].sort(key=lambda a: (a["from_shard"], -a["batch_size"]))
                self.store.amend(self.record)
                logger.warning("memory ran out: batches of %d from shard %d on", batch_size, shard)
            self.store.manifest.enter(entry)

    def _finish(self, entries: list[Entry]) -> Outcome:
        used = sum(entry["items"] for entry in entries)
        if not used:
            raise self._all_bad(entries)
        table = self.store.tables(entries)
        leaf_items = ItemTable(self.store.leaf_items)
        items = SweptItems(self.dataset, ItemTable(table), leaf_items, self.store.spool)
        outcome = finish(
            self.model, self.plan, lambda step: self.store.partials(entries, step), items,
            tuple(self.record[FORWARD].get("notes", ())),
        )  # fmt: skip
        if not outcome.explanations:
            raise next(iter(outcome.failed.values()))
        record = {
            **self.record,
            "shards": len(entries),
            "items": used,
            "skipped": sum(entry["skipped"] for entry in entries),
            "nonfinite": _summed(entry["nonfinite"] for entry in entries),
        }
        self.store.complete(record, outcome)
        return outcome

    def _all_bad(self, entries: list[Entry]) -> ImageError:
        paths = [self.store.manifest.path(entry["shard"], SKIPPED) for entry in entries]
        first = next(chain.from_iterable(rows(path, skipped_types()) for path in paths))
        self.store.discard()
        return ImageError(
            f"none of the {self.plan.count} items of {self.dataset.name!r} could be used; the "
            f"first, {first['id']!r}: {first['reason']}"
        )


def _check_contents(dataset: Dataset, *tables: Path) -> None:
    """Refuse to go on with items that are no longer what they were when they were swept."""
    if changed := verify(dataset, chain.from_iterable(rows(t, content_types()) for t in tables)):
        names = ", ".join(map(repr, changed[:3])) + (", …" if len(changed) > 3 else "")
        raise ParameterError(
            f"{len(changed)} items of {dataset.name!r} have changed since they were swept: "
            f"{names}. Nothing was touched: overwrite=True (--overwrite) starts anew"
        )


def _seen(entries: Mapping[int, Entry]) -> int:
    return sum(entry["items"] + entry["skipped"] for entry in entries.values())


def _summed(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for layer, count in one.items():
            total[layer] = total.get(layer, 0) + count
    return dict(sorted(total.items()))


@contextmanager
def _told(out: Path | Remote, shards: int) -> Iterator[_Progress]:
    """Say how to go on where a sweep is interrupted, or finds the disk full."""
    progress = _Progress()

    def safe() -> str:
        whole = "all finished" if progress.done is None else f"{progress.done} of {shards}"
        return f"{whole} shards are safe in {str(out)!r}: the same command goes on from there"

    try:
        yield progress
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(safe()) from error
    except OSError as error:
        if error.errno not in durable_file.FULL:
            raise
        full = f"there is no room left for {str(out)!r} ({error.strerror})"
        raise ConvvizError(f"{full}; {safe()}") from error
