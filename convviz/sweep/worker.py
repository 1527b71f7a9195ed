"""The function that an engine maps over the shards: sweep a shard, write it, return its entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch

from ..data.dataset import Dataset
from ..explanation.result_folder import pack
from ..network.model import Model
from ..state.device import is_out_of_memory, release_cached_memory
from .forward_pass import ForwardRunner
from .input.loader import Loader
from .plan import SweepPlan
from .shard import ShardResult, run_shard
from .store.file_names import ITEMS, PARTIALS, SKIPPED
from .store.partial_keys import flatten_partials
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import items_table, skipped_table

WriteGuard = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Task:
    """One outstanding shard.

    Attributes:
        shard: its number.
        items: indices in the data set.
        batch_size: items per forward pass.
        next_items: the items of the next outstanding shard, which a loader may decode ahead.
    """

    shard: int
    items: range
    batch_size: int
    next_items: range = range(0)


@dataclass(frozen=True, eq=False)
class Worker:
    """Sweeps shards and writes them.

    Attributes:
        model, dataset, plan: describe the sweep.
        manifest: where the shards are written.
        write_guard: returns a context in which signals wait until the write is complete.
        loader: of the data set; if None, items are decoded in this process.
        forward: runs the model; if None, the model is run as it is.
    """

    model: Model
    dataset: Dataset
    plan: SweepPlan
    manifest: ShardManifest
    write_guard: WriteGuard = field(default=nullcontext)
    loader: Loader | None = None
    forward: ForwardRunner | None = None

    def __call__(self, task: Task) -> ShardEntry:
        """Sweep a shard and write its files.

        Returns:
            Its entry, with the batch size that fitted into memory.
        """
        batch_size = task.batch_size
        loader = self.loader or Loader(self.dataset, self.model.preprocess, workers=0)
        while True:
            try:
                result = run_shard(
                    self.model, loader, self.plan, task.items, batch_size, task.next_items,
                    forward=self.forward,
                )  # fmt: skip
                break
            except Exception as error:
                if batch_size == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the except block, whose traceback keeps the tensors alive.
            batch_size //= 2
            release_cached_memory()
        with self.write_guard():
            return self._store(task.shard, result, batch_size)

    def _store(self, shard: int, result: ShardResult, batch_size: int) -> ShardEntry:
        contents = {
            PARTIALS: pack(flatten_partials(result.partials)),
            ITEMS: items_table(result),
            SKIPPED: skipped_table(result.skipped),
        }
        facts = {
            "batch_size": batch_size,
            "items": len(result.items),
            "skipped": len(result.skipped),
            "nonfinite": dict(sorted(result.nonfinite.items())),
        }
        return self.manifest.store(shard, contents, facts)


@contextmanager
def torch_settings(plan: SweepPlan) -> Iterator[None]:
    """Apply the threads and the choice of algorithms of a plan to PyTorch."""
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
