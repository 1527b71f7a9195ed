"""A sweep from its plan to its results: started or resumed, interrupted, finished."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ConvvizWarning, ImageError, ParameterError
from ..explanation.provenance import Named
from ..network.model import Model
from ..progress import Meter, announce, measure_sweep
from ..storage import durable_file
from .class_names import class_names
from .engines import engine_of
from .extension import (
    HISTORY,
    Extension,
    explainers_of_both,
    history_of,
    keep_shard_sizes,
    open_extension,
)
from .finalize import SweepOutcome, SweptItems
from .finalize import finish as compute_results
from .forward_pass import ForwardMode, ForwardRunner, choose_forward, first_image
from .input.loader import LOOKAHEAD, Loader
from .plan import OMITTED, PART, SweepPlan, make_plan, part_of_dataset
from .resume import (
    check_contents,
    check_contents_of_shards,
    finished_shards,
    holds_finished_run,
)
from .settings import SweepSettings
from .signals import Interrupts
from .store.factory import open_store
from .store.file_names import ITEMS, SKIPPED
from .store.object_store import Remote
from .store.protocol import RunStore
from .store.shard_manifest import ShardEntry
from .store.tables import read_rows, skipped_types
from .worker import Task, Worker, torch_settings

logger = logging.getLogger(__name__)

FORWARD = "forward"
"""Entry of the plan: how the model is run, chosen when the sweep begins."""

AMENDED = "amended"
"""Entry of the plan: the shards from which on memory allowed only smaller batches."""


def sweep(
    model: Model,
    dataset: Dataset,
    explainers: Sequence[Named],
    place: Path | Remote,
    settings: SweepSettings,
) -> SweepOutcome:
    """Sweep a data set into a run folder. An interrupted sweep is resumed.

    With `settings.extend`, the sweep adds to the finished run in the folder.

    Returns:
        The results; without explanations if the run is already finished.

    Raises:
        ParameterError: the folder holds a run, or an unfinished sweep, with another plan.
        ConvvizError: another process is writing to the folder, or the disk is full.
        KeyboardInterrupt: on Ctrl-C or SIGTERM; the message says how to resume.
    """
    with open_store(place) as store:
        saved = None
        if settings.extend:
            with store.lock():
                store.settle()
        if not settings.overwrite:
            saved = store.unfinished_plan() or store.finished_plan()
        if settings.extend and (of_run := store.finished_plan() or saved):
            explainers = explainers_of_both(of_run, explainers, model)
        dataset, filled = part_of_dataset(dataset, settings.fill_from(saved or {}))
        plan = make_plan(model, dataset, explainers, filled)
        keep_shard_sizes(saved or {}, plan)
        add_relative_place(plan, place)
        interrupts, progress = Interrupts(), Progress(len(plan.shards))
        with (
            store.lock(),
            interrupts.handle_signals(),
            _explain_interruption(store.location, progress),
        ):
            execution = SweepExecution(model, dataset, plan, store, settings, interrupts, progress)
            return execution.run()


def add_relative_place(plan: SweepPlan, out: Path | Remote) -> None:
    """Record the path from the run folder to the photos, which is valid if both are moved."""
    record = plan.record["dataset"]
    places = [part["place"] for part in (record, *record.get("pieces", ())) if "place" in part]
    if not isinstance(out, Path):
        return
    for place in places:
        with suppress(ValueError):  # on Windows, they may be on different drives
            place["relative"] = os.path.relpath(place["path"], out.absolute())


@dataclass
class Progress:
    """The progress of a sweep.

    Attributes:
        shards: the number of shards.
        done: the number of finished shards; None while it is unknown.
    """

    shards: int
    done: int | None = None


@contextmanager
def _explain_interruption(location: str, progress: Progress) -> Iterator[None]:
    """Add to the errors of an interruption and of a full disk how to resume the sweep."""

    def resume_hint() -> str:
        done = progress.done
        safe = "all finished" if done is None else f"{done} of {progress.shards}"
        return f"{safe} shards are safe in {location!r}: the same command resumes the sweep"

    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(resume_hint()) from error
    except OSError as error:
        if error.errno not in durable_file.FULL:
            raise
        full = f"the disk of {location!r} is full ({error.strerror})"
        raise ConvvizError(f"{full}; {resume_hint()}") from error


@dataclass
class SweepExecution:
    """A sweep whose folder is locked.

    Attributes:
        record: the content of the plan's file.
        extension: the finished run that is extended, if one is.
    """

    model: Model
    dataset: Dataset
    plan: SweepPlan
    store: RunStore
    settings: SweepSettings
    interrupts: Interrupts
    progress: Progress
    record: dict[str, Any] = field(default_factory=dict)
    extension: Extension | None = None

    def run(self) -> SweepOutcome:
        """Run the sweep, unless the folder already holds the finished run."""
        self.store.settle()
        if self.settings.overwrite:
            self.store.discard()
        is_new = self.store.unfinished_plan() is None
        self.progress.done = 0 if is_new else None
        is_finished = holds_finished_run(self.store, self.plan, self.settings)
        finished = self.store.finished_plan() if self.settings.extend else None
        if self.settings.verify and (is_finished or finished):
            tables = [self.store.finished_table(name) for name in (ITEMS, SKIPPED)]
            check_contents(self.dataset, *tables)
        if is_finished:
            logger.info("the run in %s is already finished", self.store.location)
            return SweepOutcome()
        if finished is not None:
            self.extension = open_extension(
                self.model, self.dataset, self.plan, self.store, finished
            )
        for note in self.plan.record["dataset"]["notes"]:
            logger.warning("%s: %s", self.dataset.name, note)
        try:
            with torch_settings(self.plan.record), self._loader() as loader:
                entries = self._sweep_shards(loader)
                return self.finish([entries[shard] for shard in sorted(entries)])
        except Exception as error:
            # There is nothing worth resuming, or an extended run whose photos have changed.
            is_refused = isinstance(error, ParameterError) and self.extension is not None
            if (is_new and not self.progress.done) or is_refused:
                self.store.discard()
            raise

    def _loader(self) -> Loader:
        return Loader(
            self.dataset,
            self.model.preprocess,
            self.settings.workers,
            self.settings.timeout,
            lookahead=max(LOOKAHEAD, 2 * self.plan.batch_size),
            decode=self.settings.decode,
            device=self.model.device,
        )

    def _sweep_shards(self, loader: Loader) -> dict[int, ShardEntry]:
        """Sweep the outstanding shards, and return the entries of all shards."""
        saved = self.store.unfinished_plan() or {}
        forward = self._forward(saved.get(FORWARD), loader)
        of_run = self.extension.record if self.extension else {}
        self.record = {**self.plan.record, AMENDED: saved.get(AMENDED, of_run.get(AMENDED, []))}
        self.record[FORWARD] = forward.mode.record()
        history = history_of(of_run, self.plan) if self.extension else saved.get(HISTORY)
        if history:
            self.record[HISTORY] = history
        self.store.begin(self.record)
        entries, damages = finished_shards(self.store.manifest, len(self.plan.shards))
        self._adopt_shards(forward, entries)
        self.progress.done = len(entries)
        if self.settings.verify:
            check_contents_of_shards(self.dataset, self.store.manifest, entries)
        for damage in damages:  # after all checks that may end this call
            warnings.warn(damage, ConvvizWarning, stacklevel=5)
        if saved:
            done = f"{len(entries)} of {self.progress.shards} shards are done"
            announce(f"resuming the sweep in {self.store.location!r}: {done}")
        worker = Worker(
            self.model,
            self.dataset,
            self.plan,
            self.store.manifest,
            self.interrupts.complete_write,
            loader,
            forward,
            self.extension.known if self.extension else None,
        )
        engine = engine_of(self.settings.engine, self.settings.address)
        new_entries = engine(worker, self._tasks(entries))
        # The processes of the loader end before the results are computed.
        with self._meter(entries) as meter, loader, closing(new_entries):
            for entry in new_entries:
                self._enter(entry)
                entries[entry["shard"]] = entry
                self.progress.done = len(entries)
                meter.reach(_count_items(entries))
        return entries

    def _adopt_shards(self, forward: ForwardRunner, entries: dict[int, ShardEntry]) -> None:
        """Add the shards of the extended run that need no further steps to the entries."""
        extension = self.extension
        if extension is None:
            return
        if reason := extension.drop_shards_of_other_numbers(forward):
            announce(f"all photos are swept again, because the numbers change slightly: {reason}")
        if len(extension.known.steps) == len(self.plan.steps):
            for shard, entry in extension.shards.items():
                if shard not in entries:
                    source = extension.known.manifest
                    entries[shard] = self.store.manifest.adopt(shard, source, entry)

    def _forward(self, saved: Mapping[str, Any] | None, loader: Loader) -> ForwardRunner:
        """Choose how the model is run; a resumed sweep keeps the choice."""
        plan, layers = self.plan, self.plan.layers
        if saved is not None:
            return ForwardRunner(self.model, layers, ForwardMode.from_record(saved))
        image = first_image(loader, self.model, plan.count)
        forward = choose_forward(
            self.model,
            layers,
            image,
            plan.record["dataset"].get(PART, {}).get("count", plan.count),
            plan.batch_size,
            plan.record["precision"],
            plan.record["compile"],
            notes=() if image is None else self.model.behavior(image).notes,
        )
        logger.info("%s", forward.mode)
        return forward

    def _tasks(self, entries: Mapping[int, ShardEntry]) -> Iterator[Task]:
        """Yield the outstanding shards, each with the batch size that memory allows by then."""
        shards = self.plan.shards
        outstanding = [shard for shard in range(len(shards)) if shard not in entries]
        for shard, following in zip_longest(outstanding, outstanding[1:]):
            next_items = range(0) if following is None else shards[following]
            known = self.extension is not None and shard in self.extension.shards
            yield Task(
                shard,
                shards[shard],
                self._batch_size(shard),
                next_items,
                shard if known else None,
            )

    def _batch_size(self, shard: int) -> int:
        amended: list[int] = [
            a["batch_size"] for a in self.record[AMENDED] if a["from_shard"] <= shard
        ]
        return min([self.plan.batch_size, *amended])

    @contextmanager
    def _meter(self, entries: Mapping[int, ShardEntry]) -> Iterator[Meter]:
        """Show the progress, and log the speed at the end."""
        title = f"images of {self.dataset.name}"
        with measure_sweep(title, self.plan.count, _count_items(entries)) as meter:
            yield meter
            logger.info("%s: %s", title, meter.summary)

    def _enter(self, entry: ShardEntry) -> None:
        """Enter a shard into the manifest. If it needed smaller batches, amend the plan first."""
        shard, batch_size = entry["shard"], entry["batch_size"]
        with self.interrupts.complete_write():
            if batch_size < self._batch_size(shard):
                self.record[AMENDED].append({"from_shard": shard, "batch_size": batch_size})
                self.record[AMENDED].sort(key=lambda a: (a["from_shard"], -a["batch_size"]))
                self.store.amend(self.record)
                logger.warning("memory ran out: batches of %d from shard %d on", batch_size, shard)
            self.store.manifest.enter(entry)

    def finish(self, entries: list[ShardEntry]) -> SweepOutcome:
        """Compute and write the results."""
        item_count = sum(entry["items"] for entry in entries)
        if not item_count:
            raise self._no_usable_items(entries)
        table = ItemTable(self.store.join_tables(entries))
        leaf_items = ItemTable(self.store.leaf_items)
        notes = tuple(self.record[FORWARD].get("notes", ()))
        reused = self.extension.reused_steps(self.plan, notes) if self.extension else ()
        names = class_names(self.plan.record)
        outcome = compute_results(
            self.model,
            self.plan,
            lambda step: self.store.partials(entries, step),
            SweptItems(self.dataset, names, table, leaf_items, self.store.spool),
            notes,
            reused,
            self.settings.pictures,
        )
        defaults = {step.named.name for step in self.plan.steps if step.named.is_default}
        # A run with nothing but default explainers is kept only if nothing else was requested.
        kept = outcome.explanations.keys() - (defaults if outcome.failed else set())
        if not kept and not reused:
            raise next(iter({**outcome.failed, **outcome.omitted}.values()))
        record = {
            **self.record,
            "shards": len(entries),
            "items": item_count,
            "skipped": sum(entry["skipped"] for entry in entries),
            "nonfinite": _sum_counts(entry["nonfinite"] for entry in entries),
        }
        if outcome.omitted:
            record[OMITTED] = {name: str(error) for name, error in outcome.omitted.items()}
        failed = {name: str(error) for name, error in outcome.failed.items()}
        of_run = [self.plan.steps[i].named.name for i in reused]
        pictures = self.settings.pictures
        self.store.complete(record, outcome.explanations, failed, of_run, pictures)
        return outcome

    def _no_usable_items(self, entries: list[ShardEntry]) -> ImageError:
        """Remove the sweep, and return an error with the first reason."""
        paths = [self.store.manifest.path(entry["shard"], SKIPPED) for entry in entries]
        first = next(chain.from_iterable(read_rows(path, skipped_types()) for path in paths))
        self.store.discard()
        return ImageError(
            f"none of the {self.plan.count} items of {self.dataset.name!r} could be used; the "
            f"first, {first['id']!r}: {first['reason']}"
        )


def _count_items(entries: Mapping[int, ShardEntry]) -> int:
    return sum(entry["items"] + entry["skipped"] for entry in entries.values())


def _sum_counts(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count_of_shard in counts:
        for layer, count in count_of_shard.items():
            total[layer] = total.get(layer, 0) + count
    return dict(sorted(total.items()))
