"""Where the shards of a sweep run.

An engine is a function `engine(worker, tasks)` that yields one `Entry` for every task, in any
order.

- `tasks` is an iterator of `Task(shard, items, batch_size)` over the outstanding shards. Draw
  from it only when there is somebody free to work: the driver hands out smaller batches once
  memory has run out.
- `worker` is a `convviz.sweep.worker.Worker`. `worker(task)` sweeps a shard, writes its files
  into the run folder and returns the small entry; it can be pickled, so that another process
  on the same file system does just that. Only entries travel.
- What the engine yields is entered into the manifest by the driver, in its own process; an
  entry never yielded is a shard that never was. So a worker that died may simply be given its
  task again.
- It is a generator. On an exception, and on `close()`, an engine stops its processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial

from ...errors import ParameterError, UnknownNameError
from ..store.shard_manifest import Entry
from ..worker import Task, Worker

Engine = Callable[[Worker, Iterable[Task]], Generator[Entry]]


def local(worker: Worker, tasks: Iterable[Task]) -> Generator[Entry]:
    """Run the shards one after the other in this process."""
    yield from map(worker, tasks)


def ray(worker: Worker, tasks: Iterable[Task], address: str | None = None) -> Generator[Entry]:
    """Spread the shards over a Ray cluster, see `cluster`."""
    from . import ray as cluster

    return cluster.ray(worker, tasks, address)


ENGINES: dict[str, Engine] = {"local": local, "ray": ray}


def engine_of(name: str, address: str | None = None) -> Engine:
    """Return an engine by name.

    Args:
        name: "local" or "ray".
        address: of the Ray cluster; None finds one, or starts one on this machine.

    Raises:
        UnknownNameError: there is no such engine.
        ParameterError: an address for an engine that has none.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if address is None:
        return ENGINES[name]
    if name != "ray":
        raise ParameterError(f"address={address!r} goes with engine='ray', not {name!r}")
    return partial(ray, address=address)
