"""What an engine maps over the shards: sweep one, write it, return its entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..data.dataset import Dataset
from ..device import is_out_of_memory
from ..explanation.result_folder import pack
from ..network.model import Model
from .forward_pass import Forwards
from .input.loader import Loader
from .plan import Plan
from .shard import Shard, run_shard
from .store.object_store import Remote
from .store.remote_manifest import manifest_of
from .store.shard_manifest import Entry
from .store.tables import ITEMS, SKIPPED, items_table, skipped_table

PARTIALS = "safetensors"
Writing = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Task:
    """One outstanding shard.

    Attributes:
        shard: its number.
        items: places in the data set.
        batch_size: items of a forward pass.
        then: the items of the next outstanding shard, which a loader may decode ahead.
    """

    shard: int
    items: range
    batch_size: int
    then: range = range(0)


@dataclass(frozen=True, eq=False)
class Worker:
    """Sweeps shards and writes them.

    Attributes:
        model, dataset, plan: what is done.
        folder: where the files of the shards go, also one of an object store.
        writing: a block that a signal does not break.
        loader: of the data set; without one, items are decoded here.
        forwards: runs the model; without one it is run as it is.
    """

    model: Model
    dataset: Dataset
    plan: Plan
    folder: Path | Remote
    writing: Writing = field(default=nullcontext)
    loader: Loader | None = None
    forwards: Forwards | None = None

    def __call__(self, task: Task) -> Entry:
        """Sweep a shard and write its files; the entry tells the batch that fitted memory."""
        batch_size = task.batch_size
        loader = self.loader or Loader(self.dataset, self.model.preprocess, workers=0)
        while True:
            try:
                shard = run_shard(
                    *(self.model, loader, self.plan, task.items, batch_size, task.then),
                    forward=self.forwards,
                )
                break
            except Exception as error:
                if batch_size == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the except block, whose traceback keeps the tensors alive.
            batch_size //= 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        with self.writing():
            return self._stored(task.shard, shard, batch_size)

    def _stored(self, number: int, shard: Shard, batch_size: int) -> Entry:
        arrays = {
            f"{step}/{name}": array
            for step, partial in enumerate(shard.partials)
            for name, array in partial.items()
        }
        files = {
            PARTIALS: pack(arrays),
            ITEMS: items_table(shard),
            SKIPPED: skipped_table(shard.skipped),
        }
        facts = {
            "batch_size": batch_size,
            "items": len(shard.items),
            "skipped": len(shard.skipped),
            "nonfinite": dict(sorted(shard.nonfinite.items())),
        }
        return manifest_of(self.folder).store(number, files, facts)


@contextmanager
def computing(plan: Plan) -> Iterator[None]:
    """Compute with the threads and the algorithms of the plan."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(plan.record["threads"])
    try:
        if plan.record["deterministic"]:
            torch.use_deterministic_algorithms(True)
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        torch.set_num_threads(threads)
