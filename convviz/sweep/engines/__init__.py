"""The engines: where the shards of a sweep are computed.

An engine is a function `engine(worker, tasks)` that yields one `ShardEntry` for every task, in
any order.

- `tasks` is an iterator of `Task` over the outstanding shards. An engine takes the next task only
  when it can start it, because the batch size of later tasks is reduced after memory ran out.
- `worker` is a `convviz.sweep.worker.Worker`. `worker(task)` sweeps a shard, writes its files and
  returns its small entry. `worker.manifest.for_other_process()` makes it usable in another process
  with access to the run folder; then only tasks and entries are exchanged.
- The driver enters each yielded entry into the manifest, in its own process. A shard whose entry
  was never yielded does not exist, so the task of a process that died can be run again.
- An engine is a generator. On an exception and on `close()` it stops its processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial

from ...errors import ParameterError, UnknownNameError
from ..store.shard_manifest import ShardEntry
from ..worker import Task, Worker
from .local import run_locally
from .ray import run_on_ray

Engine = Callable[[Worker, Iterable[Task]], Generator[ShardEntry]]

ENGINES: dict[str, Engine] = {"local": run_locally, "ray": run_on_ray}


def engine_of(name: str, address: str | None = None) -> Engine:
    """Return an engine by name.

    Args:
        name: "local" or "ray".
        address: of the Ray cluster; if None, one is found, or started on this machine.

    Raises:
        UnknownNameError: the engine does not exist.
        ParameterError: the engine accepts no address.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if address is None:
        return ENGINES[name]
    if name != "ray":
        raise ParameterError(f"address={address!r} requires engine='ray', not {name!r}")
    return partial(run_on_ray, address=address)
