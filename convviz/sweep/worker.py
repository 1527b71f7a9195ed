"""The function that an engine maps over the shards: sweep a shard, write it, return its entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from ..data.dataset import Dataset
from ..errors import ParameterError
from ..explanation.result_folder import pack
from ..network.model import Model
from ..plugin.explainer import Partial
from ..state.device import is_out_of_memory, release_cached_memory
from .forward_pass import ForwardRunner
from .input.loader import Loader
from .plan import SweepPlan
from .shard import ShardResult, run_shard
from .store.file_names import ITEMS, PARTIALS, SKIPPED
from .store.partial_keys import flatten_partials, read_partial
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import (
    content_types,
    items_table,
    read_rows,
    skipped_table,
)

WriteGuard = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Task:
    """One outstanding shard.

    Attributes:
        shard: its number.
        items: indices in the data set.
        batch_size: items per forward pass.
        next_items: the items of the next outstanding shard, which a loader may decode ahead.
        known_shard: the shard of the extended run with the same items, if there is one.
    """

    shard: int
    items: range
    batch_size: int
    next_items: range = range(0)
    known_shard: int | None = None


@dataclass(frozen=True, eq=False)
class KnownPartials:
    """The partials of a run that is extended.

    Attributes:
        manifest: the shards of the run.
        steps: position of a step in the plan -> its position in the plan of the run.
    """

    manifest: ShardManifest
    steps: Mapping[int, int]

    def partial(self, shard: int, step: int) -> Partial:
        """Return the partial of a step of the plan from a shard of the run."""
        return read_partial(self.manifest.path(shard, PARTIALS), self.steps[step])

    def check_items(self, shard: int, result: ShardResult) -> None:
        """Raise ParameterError if a result has other items or contents than a shard of the run."""
        rows = read_rows(self.manifest.path(shard, ITEMS), content_types())
        saved = {row["id"]: row["sha256"] for row in rows}
        contents = zip(result.items, result.contents, strict=True)
        read = {item.id: content.sha256 for item, content in contents}
        if changed := [name for name in {**saved, **read} if saved.get(name) != read.get(name)]:
            raise changed_items(changed)


@dataclass(frozen=True, eq=False)
class Worker:
    """Sweeps shards and writes them.

    Attributes:
        model, dataset, plan: describe the sweep.
        manifest: where the shards are written.
        write_guard: returns a context in which signals wait until the write is complete.
        loader: of the data set; if None, items are decoded in this process.
        forward: runs the model; if None, the model is run as it is.
        known: the partials of the run that is extended, if one is.
    """

    model: Model
    dataset: Dataset
    plan: SweepPlan
    manifest: ShardManifest
    write_guard: WriteGuard = field(default=nullcontext)
    loader: Loader | None = None
    forward: ForwardRunner | None = None
    known: KnownPartials | None = None

    def __call__(self, task: Task) -> ShardEntry:
        """Sweep a shard and write its files.

        Returns:
            Its entry, with the batch size that fitted into memory.
        """
        batch_size = task.batch_size
        loader = self.loader or Loader(self.dataset, self.model.preprocess, workers=0)
        outstanding = self._outstanding_steps(task)
        while True:
            try:
                result = run_shard(
                    self.model, loader, self.plan, task.items, batch_size, task.next_items,
                    forward=self.forward, steps=[self.plan.steps[i] for i in outstanding],
                )  # fmt: skip
                break
            except Exception as error:
                if batch_size == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the except block, whose traceback keeps the tensors alive.
            batch_size //= 2
            release_cached_memory()
        with self.write_guard():
            return self._store(task, result, outstanding, batch_size)

    def _outstanding_steps(self, task: Task) -> list[int]:
        """Return the positions of the steps whose partials the extended run does not have."""
        known = self.known.steps if self.known and task.known_shard is not None else {}
        return [step for step in range(len(self.plan.steps)) if step not in known]

    def _store(
        self, task: Task, result: ShardResult, steps: list[int], batch_size: int
    ) -> ShardEntry:
        partials = dict(zip(steps, result.partials, strict=False))  # none if no item was used
        if self.known is not None and task.known_shard is not None:
            self.known.check_items(task.known_shard, result)
            for step in self.known.steps if result.items else ():
                partials[step] = self.known.partial(task.known_shard, step)
        contents = {
            PARTIALS: pack(flatten_partials([partials[step] for step in sorted(partials)])),
            ITEMS: items_table(result),
            SKIPPED: skipped_table(result.skipped),
        }
        facts = {
            "batch_size": batch_size,
            "items": len(result.items),
            "skipped": len(result.skipped),
            "nonfinite": dict(sorted(result.nonfinite.items())),
        }
        return self.manifest.store(task.shard, contents, facts)


def changed_items(ids: Sequence[str]) -> ParameterError:
    """Return the error for items whose contents differ from those that were swept."""
    names = ", ".join(map(repr, ids[:3])) + (", …" if len(ids) > 3 else "")
    return ParameterError(
        f"{len(ids)} items have changed since they were swept: {names}. Nothing was changed. Use "
        "overwrite=True (--overwrite) to start again"
    )


@contextmanager
def torch_settings(plan: Mapping[str, Any]) -> Iterator[None]:
    """Apply the threads and the choice of algorithms in the record of a plan to PyTorch."""
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch_threads(plan["threads"]):
        try:
            if plan["deterministic"]:
                torch.use_deterministic_algorithms(True)
            yield
        finally:
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of PyTorch's threads in this block, and restore it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
