"""The engine "ray": the shards are computed by the processes of a Ray cluster.

Each process holds the model on as many CPUs as the plan has threads, or on one GPU. A machine with
several GPUs therefore uses all of them. Several processes on one GPU are not supported: they would
share its memory, while a single one fills the GPU if decoding keeps up. A process writes its shards
into the run folder itself; only tasks and entries are exchanged. A process that dies is replaced,
and its shard is swept again.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import ConvvizError
from ...explanation.provenance import versions
from ...ops import kernels
from ..forward_pass import ForwardRunner
from ..store.shard_manifest import ShardEntry
from ..worker import Task, Worker, torch_settings

logger = logging.getLogger(__name__)

MAX_DEATHS = 3
"""Processes that may die while sweeping the same shard; three deaths are no coincidence."""

STOP_TIMEOUT_S = 3.0
"""Time that a process has to end after Ray told it to."""

KILL_TIMEOUT_S = 10.0
"""Time that a process on this machine has to end after it was killed."""


def run_on_ray(
    worker: Worker, tasks: Iterable[Task], address: str | None = None
) -> Generator[ShardEntry]:
    """Run the shards in the processes of a Ray cluster.

    Args:
        worker: sweeps a shard.
        tasks: a task is taken whenever a process is free.
        address: of the cluster, as `ray.init` accepts it: "auto", "HOST:PORT", "ray://HOST:PORT",
            or "local" to start a new one. If None, the first of these that exists: the cluster
            that the caller is connected to, the one named by `RAY_ADDRESS`, one that runs on this
            machine; otherwise a new one, which ends with the sweep.

    Raises:
        ConvvizError: Ray is not installed or has no CPUs, the run folder is not shared, or several
            processes died while sweeping the same shard.
    """
    if worker.loader is not None:  # its processes would be idle, because other ones decode now
        worker.loader.close()
    with _connection(address):
        pool = _ActorPool(worker)
        try:
            yield from pool.map(tasks)
        finally:
            pool.close()


@dataclass(frozen=True, eq=False)
class _RayProcess:
    """A process of the cluster.

    Attributes:
        actor: its handle.
        node_and_pid: a reference to the id of its node and its process number there.
    """

    actor: Any
    node_and_pid: Any


@dataclass(eq=False)
class _ActorPool:
    """The processes of a sweep.

    Attributes:
        worker: sweeps a shard.
        busy: reference to a future entry -> the process that computes it, and its task.
        idle: processes without a task.
        deaths: shard -> number of processes that died while sweeping it.
    """

    worker: Worker
    busy: dict[Any, tuple[_RayProcess, Task]] = field(default_factory=dict)
    idle: list[_RayProcess] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ray = _import_ray()
        self._threads = int(self.worker.plan.record["threads"])
        self._gpu = self.worker.model.device.type == "cuda"
        # With a GPU, the CPUs are left to the processes that decode.
        needs = {"num_gpus": 1, "num_cpus": 0} if self._gpu else {"num_cpus": self._threads}
        self._actor = ray.remote(max_restarts=0, **needs)(_SweepActor)
        # Transferred once to every node and read there by all its processes.
        self._shared = ray.put(_for_other_process(self.worker))
        self._software = _Software.here()

    def map(self, tasks: Iterable[Task]) -> Iterator[ShardEntry]:
        """Yield the entries of all tasks in the order of completion."""
        ray = _import_ray()
        outstanding = iter(tasks)
        self._fill(outstanding)
        while self.busy:
            (ready, *_), _ = ray.wait(list(self.busy), num_returns=1)
            process, task = self.busy.pop(ready)
            try:
                entry = ray.get(ready)
            except ray.exceptions.RayActorError as error:
                self._retry(process, task, error)
                continue
            except ray.exceptions.RayTaskError as error:
                self.idle.append(process)
                cause = error.cause
                raise cause if isinstance(cause, Exception) else ConvvizError(str(error)) from None
            self.idle.append(process)
            yield entry
            self._fill(outstanding)

    def close(self) -> None:
        """Stop all processes, and wait for those on this machine.

        The request of `ray.kill` can be lost if the cluster is shut down right after it, so
        processes on this machine that do not end are killed.
        """
        ray = _import_ray()
        processes = [*self.idle, *(process for process, _ in self.busy.values())]
        pids = [pid for process in processes for pid in _local_pids(process)]
        for process in processes:
            ray.kill(process.actor)
        self.idle.clear()
        self.busy.clear()
        # Ray reports a process that is killed at once as a crash, so it gets time to end.
        if not _wait_for_end(pids, STOP_TIMEOUT_S):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _wait_for_end(pids, KILL_TIMEOUT_S)

    def _fill(self, outstanding: Iterator[Task]) -> None:
        """Start tasks on all processes that the cluster, which may have grown, has room for."""
        while len(self.busy) < self._capacity():
            task = next(outstanding, None)
            if task is None:
                return
            self._start(task)

    def _start(self, task: Task) -> None:
        process = self.idle.pop() if self.idle else self._new_process()
        self.busy[process.actor.sweep.remote(task)] = (process, task)

    def _new_process(self) -> _RayProcess:
        actor = self._actor.remote(self._shared, self._software)
        return _RayProcess(actor, actor.node_and_pid.remote())

    def _retry(self, process: _RayProcess, task: Task, error: Exception) -> None:
        """Start the task of a lost process on another one."""
        ray = _import_ray()
        ray.kill(process.actor)  # a process that cannot be reached may be alive and still write
        deaths = self.deaths[task.shard] = self.deaths.get(task.shard, 0) + 1
        reason = " ".join(str(error).split())
        if deaths >= MAX_DEATHS:
            raise ConvvizError(f"{deaths} processes died on shard {task.shard}: {reason}")
        logger.warning("a process died, shard %d is swept again: %s", task.shard, reason)
        self._start(task)

    def _capacity(self) -> int:
        """Return the number of processes that the cluster has room for, at least one."""
        ray = _import_ray()
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if self._gpu:
            capacity = sum(int(node.get("GPU", 0)) for node in nodes)
        else:
            capacity = sum(int(node.get("CPU", 0)) // self._threads for node in nodes)
        if not capacity:
            resources = "a GPU" if self._gpu else f"{self._threads} CPUs, as threads= requires"
            raise ConvvizError(f"no node of the Ray cluster has {resources}")
        return capacity


@dataclass(frozen=True)
class _Software:
    """The software of a process, on which the last bits of its results depend.

    Attributes:
        folder: the folder of the imported package.
        versions: distribution -> version.
        code_paths: operator -> device -> description, as in `kernels.paths`.
    """

    folder: str
    versions: Mapping[str, str]
    code_paths: Mapping[str, Mapping[str, str]]

    @classmethod
    def here(cls) -> _Software:
        """Return the software of this process."""
        return cls(str(Path(__file__).parents[2]), versions(()), kernels.paths())

    def check_equals(self, other: _Software) -> None:
        """Raise ConvvizError if a process of the cluster has other versions or code paths."""
        ours, theirs = self._facts(), other._facts()
        differences = [
            f"{name}: {theirs.get(name, 'missing')} instead of {fact}"
            for name, fact in ours.items()
            if theirs.get(name) != fact
        ]
        if differences:
            more = f", and {len(differences) - 1} more differences" * (len(differences) > 1)
            raise ConvvizError(
                f"a process of the Ray cluster would round differently: {differences[0]}{more}. "
                f"It imported {other.folder}, this process {self.folder}. Ray puts the current "
                "folder before the installed packages: if that is a clone of the project, start "
                "the sweep in another folder"
            )

    def _facts(self) -> dict[str, str]:
        return {**self.versions, **{name: paths["cpu"] for name, paths in self.code_paths.items()}}


class _SweepActor:
    """The program of a process of the cluster. It keeps the model from shard to shard."""

    def __init__(self, worker: Worker, software: _Software) -> None:
        self.worker, self.software = worker, software
        if self.worker.plan.record["device"] == "cuda":
            self.worker.model.module.to("cuda")

    def node_and_pid(self) -> tuple[str, int]:
        """Return the id of the node of this process, and its process number there."""
        return _node_id(), os.getpid()

    def sweep(self, task: Task) -> ShardEntry:
        """Sweep a shard and return its entry."""
        self.software.check_equals(_Software.here())
        files = self.worker.manifest.files
        if not files.is_reachable():
            raise ConvvizError(
                f"{files.location} does not exist on {os.uname().nodename}: the run folder must be "
                "on a file system that all nodes of the cluster share, under the same path, or in "
                "an object store"
            )
        with self.worker.model.session(), torch_settings(self.worker.plan.record):
            return self.worker(task)


def _local_pids(process: _RayProcess) -> list[int]:
    """Return the process number if a process runs on this machine; otherwise nothing."""
    ray = _import_ray()
    ready, _ = ray.wait([process.node_and_pid], timeout=0)
    if not ready:  # the process has not started
        return []
    try:
        node, pid = ray.get(process.node_and_pid)
    except ray.exceptions.RayError:  # the process has died
        return []
    return [pid] if node == _node_id() else []


def _node_id() -> str:
    """Return the id of the node of this process."""
    return str(_import_ray().get_runtime_context().get_node_id())


def _wait_for_end(pids: list[int], timeout: float) -> bool:
    """Wait until processes have ended; returns False if the timeout comes first."""
    deadline = time.monotonic() + timeout
    while is_running := any(map(_is_running, pids)):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    return not is_running


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _for_other_process(worker: Worker) -> Worker:
    """Return a worker for another process, which may have another GPU or none."""
    model, forward, known = worker.model, worker.forward, worker.known
    if model.device.type != "cpu":
        model = copy.deepcopy(model)
        model.module.to("cpu")
        if forward is not None:
            forward = ForwardRunner(model, forward.layers, forward.mode)
    return replace(
        worker,
        model=model,
        forward=forward,
        manifest=worker.manifest.for_other_process(),
        known=known and replace(known, manifest=known.manifest.for_other_process()),
        write_guard=nullcontext,
    )


@contextmanager
def _connection(address: str | None) -> Iterator[None]:
    """Connect to a cluster or start one. A started cluster is shut down at the end."""
    ray = _import_ray()
    if address is None and ray.is_initialized():
        yield
        return
    # Do not send usage statistics to the authors of Ray, nor warn about hidden GPUs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _keep_signal_handlers():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConvvizError(f"no Ray cluster at {address!r}: {error}") from error
    try:
        yield
    finally:
        with _keep_signal_handlers():
            ray.shutdown()


@contextmanager
def _keep_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers at the end: Ray replaces the handler of SIGTERM."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:  # differs in the main thread only
                signal.signal(number, handler)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConvvizError('the engine "ray" requires Ray: pip install "convviz[ray]"') from error
    return ray
