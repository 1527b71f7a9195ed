"""A pool of processes on a Ray cluster, each of which keeps a job and runs its tasks.

Each process has as many CPUs as the job has threads, or one GPU. A machine with several GPUs
therefore uses all of them. Several processes on one GPU are not supported: they would share its
memory, while a single one fills the GPU if its input keeps up. A process that dies is replaced, and
its task is run again.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ...errors import ConvvizError
from ...explanation.provenance import versions
from ...ops import kernels

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

MAX_DEATHS = 3
"""Processes that may die while running the same task; three deaths are no coincidence."""

STOP_TIMEOUT_S = 3.0
"""Time that a process has to end after Ray told it to."""

KILL_TIMEOUT_S = 10.0
"""Time that a process on this machine has to end after it was killed."""


class RayJob(Protocol[T_contra, R_co]):
    """What the processes do. It is copied to all of them."""

    @property
    def threads(self) -> int:
        """CPUs of a process."""
        ...

    @property
    def on_gpu(self) -> bool:
        """Whether a process needs a GPU.

        It needs no CPU then, which are left to the processes that decode.
        """
        ...

    @property
    def what(self) -> str:
        """The name of the work in error messages, such as "sweep"."""
        ...

    def start(self) -> None:
        """Prepare a new process."""
        ...

    def run(self, task: T_contra) -> R_co:
        """Run a task in a process."""
        ...

    def describe(self, task: T_contra) -> str:
        """Return the name of a task, such as "shard 3"."""
        ...


def run_tasks(job: RayJob[T, R], tasks: Iterable[T], address: str | None = None) -> Iterator[R]:
    """Yield the results of all tasks in the order of completion.

    Args:
        job: what the processes do.
        tasks: a task is taken whenever a process is free.
        address: of the cluster, as `ray.init` accepts it: "auto", "HOST:PORT", "ray://HOST:PORT",
            or "local" to start a new one. If None, the first of these that exists: the cluster
            that the caller is connected to, the one named by `RAY_ADDRESS`, one that runs on this
            machine; otherwise a new one, which ends with the last task.

    Raises:
        ConvvizError: Ray is not installed or has no CPUs, or several processes died while running
            the same task.
    """
    with _connection(address):
        pool = _ActorPool(job)
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
class _ActorPool(Generic[T, R]):
    """The processes of a job.

    Attributes:
        job: what they do.
        busy: reference to a future result -> the process that computes it, and its task.
        idle: processes without a task.
        deaths: name of a task -> number of processes that died while running it.
    """

    job: RayJob[T, R]
    busy: dict[Any, tuple[_RayProcess, T]] = field(default_factory=dict)
    idle: list[_RayProcess] = field(default_factory=list)
    deaths: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ray = _import_ray()
        self._threads, self._gpu = self.job.threads, self.job.on_gpu
        needs = {"num_gpus": 1, "num_cpus": 0} if self._gpu else {"num_cpus": self._threads}
        self._actor = ray.remote(max_restarts=0, **needs)(JobActor)
        # Transferred once to every node and read there by all its processes.
        self._shared = ray.put(self.job)
        self._software = Software.here()

    def map(self, tasks: Iterable[T]) -> Iterator[R]:
        """Yield the results of all tasks in the order of completion."""
        ray = _import_ray()
        outstanding = iter(tasks)
        self._fill(outstanding)
        while self.busy:
            (ready, *_), _ = ray.wait(list(self.busy), num_returns=1)
            process, task = self.busy.pop(ready)
            try:
                result = ray.get(ready)
            except ray.exceptions.RayActorError as error:
                self._retry(process, task, error)
                continue
            except ray.exceptions.RayTaskError as error:
                self.idle.append(process)
                cause = error.cause
                raise cause if isinstance(cause, Exception) else ConvvizError(str(error)) from None
            self.idle.append(process)
            yield result
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

    def _fill(self, outstanding: Iterator[T]) -> None:
        """Start tasks on all processes that the cluster, which may have grown, has room for."""
        while len(self.busy) < self._capacity():
            task = next(outstanding, None)
            if task is None:
                return
            self._start(task)

    def _start(self, task: T) -> None:
        process = self.idle.pop() if self.idle else self._new_process()
        self.busy[process.actor.run.remote(task)] = (process, task)

    def _new_process(self) -> _RayProcess:
        actor = self._actor.remote(self._shared, self._software)
        return _RayProcess(actor, actor.node_and_pid.remote())

    def _retry(self, process: _RayProcess, task: T, error: Exception) -> None:
        """Start the task of a lost process on another one."""
        ray = _import_ray()
        ray.kill(process.actor)  # a process that cannot be reached may be alive and still write
        name = self.job.describe(task)
        deaths = self.deaths[name] = self.deaths.get(name, 0) + 1
        reason = " ".join(str(error).split())
        if deaths >= MAX_DEATHS:
            raise ConvvizError(f"{deaths} processes died on {name}: {reason}")
        logger.warning("a process died, %s is run again: %s", name, reason)
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
class Software:
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
    def here(cls) -> Software:
        """Return the software of this process."""
        return cls(str(Path(__file__).parents[2]), versions(()), kernels.paths())

    def check_equals(self, other: Software, what: str) -> None:
        """Raise ConvvizError if a process of the cluster has other versions or code paths.

        Args:
            other: the software of that process.
            what: the name of the work.
        """
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
                f"the {what} in another folder"
            )

    def _facts(self) -> dict[str, str]:
        return {**self.versions, **{name: paths["cpu"] for name, paths in self.code_paths.items()}}


class JobActor:
    """The program of a process of the cluster. It keeps the job from task to task."""

    def __init__(self, job: RayJob[Any, Any], software: Software) -> None:
        self.job, self.software = job, software
        self.job.start()

    def node_and_pid(self) -> tuple[str, int]:
        """Return the id of the node of this process, and its process number there."""
        return _node_id(), os.getpid()

    def run(self, task: Any) -> Any:
        """Run a task and return its result."""
        self.software.check_equals(Software.here(), self.job.what)
        return self.job.run(task)


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
