"""The engine "ray": the shards of a sweep, spread over the processes of a Ray cluster.

Every process holds the model on as many CPUs as the plan has threads, or on one GPU, and
writes its shards into the run folder itself: only tasks and entries travel. A process that
dies is replaced, and its shard is swept again.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ConvvizError
from ..manifest import Entry
from ..worker import Task, Worker, computing

logger = logging.getLogger(__name__)

TRIES = 3
"""How many processes may die over one shard: the third death is no accident."""


def ray(worker: Worker, tasks: Iterable[Task], address: str | None = None) -> Iterator[Entry]:
    """Map a worker over the processes of a Ray cluster.

    Args:
        worker: what is mapped.
        tasks: drawn from whenever a process is free.
        address: of the cluster, as `ray.init` takes it: "auto", "HOST:PORT", "ray://HOST:PORT",
            or "local" for one of its own. Where None, the one that the caller is connected to,
            what `RAY_ADDRESS` names, a cluster that runs on this machine, or one of its own,
            which ends with the sweep.

    Raises:
        ConvvizError: Ray is missing or gives no CPUs; the run folder is not shared; or a shard
            killed several processes.
    """
    with _connection(address):
        pool = _Pool(worker)
        try:
            yield from pool.map(tasks)
        finally:
            pool.close()


@dataclass(eq=False)
class _Pool:
    """The processes of a sweep.

    Attributes:
        worker: what they run.
        busy: Ray's promise of an entry -> who works on it, and what on.
        idle: those without a task.
        deaths: shard -> how many processes died over it.
    """

    worker: Worker
    busy: dict[Any, tuple[Any, Task]] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ray = _imported()
        self._threads = int(self.worker.plan.record["threads"])
        self._gpu = self.worker.model.device.type == "cuda"
        # A GPU's process gets its share of the CPUs from whoever decodes for it.
        needs = {"num_gpus": 1, "num_cpus": 0} if self._gpu else {"num_cpus": self._threads}
        self._actor = ray.remote(max_restarts=0, **needs)(_Actor)
        # Sent once to every node, and read from there by all its processes.
        self._shared = ray.put(_portable(self.worker))

    def map(self, tasks: Iterable[Task]) -> Iterator[Entry]:
        """Yield the entries of all tasks, as they come."""
        ray = _imported()
        left = iter(tasks)
        self._fill(left)
        while self.busy:
            (ready, *_), _ = ray.wait(list(self.busy), num_returns=1)
            actor, task = self.busy.pop(ready)
            try:
                entry = ray.get(ready)
            except ray.exceptions.RayActorError as error:
                self._buried(actor, task, error)
                continue
            except ray.exceptions.RayTaskError as error:
                cause = error.cause
                raise cause if isinstance(cause, Exception) else ConvvizError(str(error)) from None
            self.idle.append(actor)
            yield entry
            self._fill(left)

    def close(self) -> None:
        """Stop all processes."""
        ray = _imported()
        for actor in (*self.idle, *(actor for actor, _ in self.busy.values())):
            ray.kill(actor)
        self.idle.clear()
        self.busy.clear()

    def _fill(self, left: Iterator[Task]) -> None:
        """Give every process something to do, also those that a grown cluster has room for."""
        while len(self.busy) < self._room():
            task = next(left, None)
            if task is None:
                return
            self._start(task)

    def _start(self, task: Task) -> None:
        actor = self.idle.pop() if self.idle else self._actor.remote(self._shared)
        self.busy[actor.sweep.remote(task)] = (actor, task)

    def _buried(self, actor: Any, task: Task, error: Exception) -> None:
        """Give the task of a lost process to another one."""
        ray = _imported()
        ray.kill(actor)  # one that cannot be reached may be alive, and would go on writing
        deaths = self.deaths[task.shard] = self.deaths.get(task.shard, 0) + 1
        reason = " ".join(str(error).split())
        if deaths >= TRIES:
            raise ConvvizError(f"{deaths} processes died over shard {task.shard}: {reason}")
        logger.warning("a process died, shard %d is swept again: %s", task.shard, reason)
        self._start(task)

    def _room(self) -> int:
        """Return how many processes the cluster has room for, at least one."""
        ray = _imported()
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if self._gpu:
            room = sum(int(node.get("GPU", 0)) for node in nodes)
        else:
            room = sum(int(node.get("CPU", 0)) // self._threads for node in nodes)
        if not room:
            wanted = "a GPU" if self._gpu else f"the {self._threads} CPUs that threads= asks for"
            raise ConvvizError(f"no node of the Ray cluster has {wanted}")
        return room


class _Actor:
    """One process; it keeps the model from shard to shard."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        if self.worker.plan.record["device"] == "cuda":
            self.worker.model.module.to("cuda")

    def sweep(self, task: Task) -> Entry:
        """Sweep a shard; returns its entry."""
        folder = self.worker.folder
        if not folder.is_dir():
            raise ConvvizError(
                f"{folder} does not exist on {os.uname().nodename}: the run folder must be on a "
                "file system that all nodes of the cluster share, under the same path"
            )
        with self.worker.model.session(), computing(self.worker.plan):
            return self.worker(task)


def _portable(worker: Worker) -> Worker:
    """Return a worker that can be read in another process, where there may be another GPU."""
    model = worker.model
    if model.device.type != "cpu":
        model = copy.deepcopy(model)
        model.module.to("cpu")
    return replace(worker, model=model, folder=worker.folder.absolute(), writing=nullcontext)


@contextmanager
def _connection(address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one; no process of it is left at the end."""
    ray = _imported()
    if address is None and ray.is_initialized():
        yield
        return
    # Ray asks for neither; reports of use go to its makers unless they are refused.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _signals_kept():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConvvizError(f"no Ray cluster at {address!r}: {error}") from error
    try:
        yield
    finally:
        with _signals_kept():
            ray.shutdown()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep who handles signals: Ray takes SIGTERM for itself."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if signal.getsignal(number) is not handler:  # only in the main thread it can differ
                signal.signal(number, handler)


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConvvizError('the engine "ray" needs Ray: pip install "convviz[ray]"') from error
    return ray
