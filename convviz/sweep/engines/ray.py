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
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import ConvvizError
from ..forward_pass import Forwards
from ..store.remote_manifest import is_there
from ..store.shard_manifest import Entry
from ..worker import Task, Worker, computing

logger = logging.getLogger(__name__)

TRIES = 3
"""How many processes may die over one shard: the third death is no accident."""

ITS_WORD = 3.0
"""Seconds that Ray's own word to end is given."""

LONGEST_END = 10.0
"""Seconds that a killed process on this machine is waited for."""


def ray(worker: Worker, tasks: Iterable[Task], address: str | None = None) -> Generator[Entry]:
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
    if worker.loader is not None:  # what it decodes with here is idle from now on
        worker.loader.close()
    with _connection(address):
        pool = _Pool(worker)
        try:
            yield from pool.map(tasks)
        finally:
            pool.close()


@dataclass(frozen=True, eq=False)
class _Process:
    """One process.

    Attributes:
        actor: Ray's handle of it.
        place: Ray's promise of the node it is on, and its number there.
    """

    actor: Any
    place: Any


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
    busy: dict[Any, tuple[_Process, Task]] = field(default_factory=dict)
    idle: list[_Process] = field(default_factory=list)
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
            process, task = self.busy.pop(ready)
            try:
                entry = ray.get(ready)
            except ray.exceptions.RayActorError as error:
                self._buried(process, task, error)
                continue
            except ray.exceptions.RayTaskError as error:
                self.idle.append(process)
                cause = error.cause
                raise cause if isinstance(cause, Exception) else ConvvizError(str(error)) from None
            self.idle.append(process)
            yield entry
            self._fill(left)

    def close(self) -> None:
        """Stop all processes; those on this machine have ended when it returns.

        Ray's own word to end may be lost where the cluster is shut down behind it.
        """
        ray = _imported()
        all_ = [*self.idle, *(process for process, _ in self.busy.values())]
        here = [pid for process in all_ for pid in _numbers_here(process)]
        for process in all_:
            ray.kill(process.actor)
        self.idle.clear()
        self.busy.clear()
        # Ray takes one that ends otherwise than by its word for an accident, and says so.
        if not _ended(here, ITS_WORD):
            for pid in here:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _ended(here, LONGEST_END)

    def _fill(self, left: Iterator[Task]) -> None:
        """Give every process something to do, also those that a grown cluster has room for."""
        while len(self.busy) < self._room():
            task = next(left, None)
            if task is None:
                return
            self._start(task)

    def _start(self, task: Task) -> None:
        process = self.idle.pop() if self.idle else self._made()
        self.busy[process.actor.sweep.remote(task)] = (process, task)

    def _made(self) -> _Process:
        actor = self._actor.remote(self._shared)
        return _Process(actor, actor.place.remote())

    def _buried(self, process: _Process, task: Task, error: Exception) -> None:
        """Give the task of a lost process to another one."""
        ray = _imported()
        ray.kill(process.actor)  # one that cannot be reached may be alive, and would go on writing
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

    def place(self) -> tuple[str, int]:
        """Return which node of the cluster this process is on, and its number there."""
        return _node(), os.getpid()

    def sweep(self, task: Task) -> Entry:
        """Sweep a shard; returns its entry."""
        folder = self.worker.folder
        if not is_there(folder):
            raise ConvvizError(
                f"{folder} does not exist on {os.uname().nodename}: the run folder must be on a "
                "file system that all nodes of the cluster share, under the same path, or in an "
                "object store"
            )
        with self.worker.model.session(), computing(self.worker.plan):
            return self.worker(task)


def _numbers_here(process: _Process) -> list[int]:
    """Return the number of a process that runs on this machine; nothing for any other."""
    ray = _imported()
    ready, _ = ray.wait([process.place], timeout=0)
    if not ready:  # it has not started
        return []
    try:
        node, pid = ray.get(process.place)
    except ray.exceptions.RayError:  # it has died
        return []
    return [pid] if node == _node() else []


def _node() -> str:
    """Return the id of the node that this process is on."""
    return str(_imported().get_runtime_context().get_node_id())


def _ended(pids: list[int], seconds: float) -> bool:
    """Wait until processes have ended, or so long; says whether they have."""
    until = time.monotonic() + seconds
    while running := any(map(_runs, pids)):
        if time.monotonic() >= until:
            break
        time.sleep(0.02)
    return not running


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _portable(worker: Worker) -> Worker:
    """Return a worker that can be read in another process, where there may be another GPU."""
    model, forwards = worker.model, worker.forwards
    if model.device.type != "cpu":
        model = copy.deepcopy(model)
        model.module.to("cpu")
        if forwards is not None:
            forwards = Forwards(model, forwards.layers, forwards.how)
    folder = worker.folder.absolute() if isinstance(worker.folder, Path) else worker.folder
    return replace(worker, model=model, forwards=forwards, folder=folder, writing=nullcontext)


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
