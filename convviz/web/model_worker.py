"""The process of a model, as the server sees it: it runs jobs and is replaced if it dies."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ..errors import ConvvizError
from .jobs import Job, ResultFile
from .worker_process import run_worker
from .worker_settings import WorkerSettings

MAX_QUEUED = 32
"""Jobs that may wait for one model."""

POLL_S = 0.05
GRACE_S = 3.0
"""Seconds that a cancelled job may take to stop by itself; then its process is ended."""

_spawn = multiprocessing.get_context("spawn")


class QueueFullError(ConvvizError):
    """Too many jobs are waiting."""


class ModelWorker:
    """Runs the jobs of one model in a process of its own.

    The process is started by the first job. If it dies, for example for lack of memory, the job in
    progress fails with the reason, and the next job starts a new process.

    Args:
        settings: what the process needs to know.
        target: the main function of the process.
        grace: seconds that a cancelled job may take to stop by itself.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        target: Callable[[Connection, WorkerSettings], None] = run_worker,
        grace: float = GRACE_S,
    ) -> None:
        self._settings, self._target, self._grace = settings, target, grace
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._current: Job | None = None
        self._is_closed = False
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None

    @property
    def process_id(self) -> int | None:
        """The number of the process; None before it is started, and after it has ended."""
        return self._process.pid if self._process is not None else None

    def to_json(self) -> dict[str, Any]:
        """Return what a page shows of the worker."""
        with self._changed:
            busy = self._current is not None
            return {"busy": busy, "queued": len(self._queue), "started": bool(self._process)}

    def submit(self, job: Job) -> None:
        """Run a job after those that are waiting; raises QueueFullError."""
        with self._changed:
            if self._is_closed or len(self._queue) >= MAX_QUEUED:
                raise QueueFullError(f"{MAX_QUEUED} jobs are waiting for this model: try later")
            self._queue.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run_jobs, daemon=True)
                self._thread.start()
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Cancel a job that waits or runs; a job that has ended stays as it is."""
        job.cancel.set()
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
                job.end("cancelled")

    def close(self) -> None:
        """Cancel all jobs and end the process."""
        with self._changed:
            self._is_closed = True
            waiting, current = list(self._queue), self._current
            self._queue.clear()
            self._changed.notify()
        for job in waiting:
            job.end("cancelled")
        if current is not None:
            current.cancel.set()
        if self._thread is not None:
            self._thread.join(self._grace + 5)
        self._end_process()

    def _run_jobs(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                job = self._current = self._queue.popleft()
            try:
                self._run(job)
            except Exception as error:  # the next job must still find a thread
                job.end("failed", error=f"{type(error).__name__}: {error}")
                self._end_process()
            finally:
                with self._changed:
                    self._current = None

    def _run(self, job: Job) -> None:
        job.status = "running"
        try:
            connection = self._started()
            connection.send(("run", job.id, job.task, dict(job.arguments)))
            self._follow(job, connection)
        except (EOFError, OSError):
            code = self._end_process()
            reason = "killed, perhaps for lack of memory" if code in (-9, 137) else f"exit {code}"
            job.end("failed", error=f"the process of the model has ended ({reason}); try again")

    def _follow(self, job: Job, connection: Connection) -> None:
        """Pass on the progress of a job until it ends."""
        deadline: float | None = None
        while not job.finished.done():
            if job.cancel.is_set() and deadline is None:
                connection.send(("cancel", job.id))
                deadline = time.monotonic() + self._grace
            if deadline is not None and time.monotonic() > deadline:
                self._end_process()
                job.end("cancelled")
                return
            if connection.poll(POLL_S):
                _receive(job, connection.recv())

    def _started(self) -> Connection:
        """Return the connection to the process, which is started if there is none."""
        if self._process is not None and self._connection is not None and self._process.is_alive():
            return self._connection
        self._end_process()
        connection, other_end = _spawn.Pipe()
        process = _spawn.Process(target=self._target, args=(other_end, self._settings), daemon=True)
        process.start()
        other_end.close()
        self._process, self._connection = process, connection
        return connection

    def _end_process(self) -> int | None:
        """End the process; return its exit code."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if process is None:
            return None
        process.join(0.2)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode


def _receive(job: Job, message: tuple[Any, ...]) -> None:
    """Apply a message of the process to a job."""
    kind, *content = message
    if kind == "progress":
        job.progress = content[0]
    elif kind == "done":
        document, files = content
        job.end("done", document, {name: ResultFile(*file) for name, file in files.items()})
    elif kind == "failed":
        job.end("failed", error=content[0])
    elif kind == "cancelled":
        job.end("cancelled")
