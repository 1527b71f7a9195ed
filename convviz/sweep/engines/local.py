"""The engine "local": the shards are computed in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from ..store.shard_manifest import ShardEntry
from ..worker import Task, Worker


def run_locally(worker: Worker, tasks: Iterable[Task]) -> Generator[ShardEntry]:
    """Run the shards one after the other in this process."""
    yield from map(worker, tasks)
