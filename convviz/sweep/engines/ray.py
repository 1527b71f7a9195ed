"""The engine "ray": the shards are computed by the processes of a Ray cluster.

A process writes its shards into the run folder itself; only tasks and entries are exchanged. See
`ray_pool` for the processes.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from ...errors import ConvvizError
from ..forward_pass import copy_to_cpu
from ..store.shard_manifest import ShardEntry
from ..worker import Task, Worker, torch_settings
from .ray_pool import run_tasks


def run_on_ray(
    worker: Worker, tasks: Iterable[Task], address: str | None = None
) -> Generator[ShardEntry]:
    """Run the shards in the processes of a Ray cluster.

    Args:
        worker: sweeps a shard.
        tasks: a task is taken whenever a process is free.
        address: of the cluster, see `run_tasks`.

    Raises:
        ConvvizError: Ray is not installed or has no CPUs, the run folder is not shared, or several
            processes died while sweeping the same shard.
    """
    if worker.loader is not None:  # its processes would be idle, because other ones decode now
        worker.loader.close()
    yield from run_tasks(SweepJob.of(worker), tasks, address)


@dataclass(frozen=True, eq=False)
class SweepJob:
    """Sweeps shards.

    Attributes:
        worker: sweeps a shard; usable in another process.
        threads: PyTorch threads of a process.
        on_gpu: whether the model runs on a GPU.
    """

    worker: Worker
    threads: int
    on_gpu: bool
    what: str = "sweep"

    @classmethod
    def of(cls, worker: Worker) -> SweepJob:
        """Return the job of a worker of this process."""
        threads, on_gpu = int(worker.plan.record["threads"]), worker.model.device.type == "cuda"
        return cls(_for_other_process(worker), threads, on_gpu)

    def start(self) -> None:
        """Move the model to the GPU of this process, if it has one."""
        if self.on_gpu:
            self.worker.model.module.to("cuda")

    def run(self, task: Task) -> ShardEntry:
        """Sweep a shard and return its entry."""
        files = self.worker.manifest.files
        if not files.is_reachable():
            raise ConvvizError(
                f"{files.location} does not exist on {os.uname().nodename}: the run folder must be "
                "on a file system that all nodes of the cluster share, under the same path, or in "
                "an object store"
            )
        with self.worker.model.session(), torch_settings(self.worker.plan.record):
            return self.worker(task)

    def describe(self, task: Task) -> str:
        """Return the name of a task."""
        return f"shard {task.shard}"


def _for_other_process(worker: Worker) -> Worker:
    """Return a worker for another process, which may have another GPU or none."""
    known, model = worker.known, copy_to_cpu(worker.model)
    return replace(
        worker,
        model=model,
        forward=worker.forward and worker.forward.of_model(model),
        manifest=worker.manifest.for_other_process(),
        known=known and replace(known, manifest=known.manifest.for_other_process()),
        write_guard=nullcontext,
    )
