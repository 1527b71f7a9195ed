"""The main function of the process that holds a model and computes for the app."""

from __future__ import annotations

import os
import signal
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from ..errors import ConvvizError, message_of, printable
from ..progress import report_progress_to
from .worker_settings import WorkerSettings

REPORT_EVERY_S = 0.1
"""Seconds between two reports of the progress of a task."""


class JobCancelled(KeyboardInterrupt):
    """The job is to stop. Explainers pass a KeyboardInterrupt on, as they do for Ctrl-C."""


@dataclass
class JobReporter:
    """A progress reporter that sends the progress of a job, and stops the job if it is cancelled.

    Attributes:
        connection: to the server.
        job: the id of the job.
    """

    connection: Connection
    job: str
    _tasks: dict[int, list[Any]] = field(default_factory=dict)
    _sent: float = 0.0
    _next: int = 0

    def add_task(self, description: str, *, total: float | None) -> int:
        """Start to report a task."""
        self._next += 1
        self._tasks[self._next] = [description, 0.0, total]
        self._report()
        return self._next

    def advance(self, task_id: int, advance: float = 1) -> None:
        """Count completed steps of a task."""
        self._tasks[task_id][1] += advance
        self._report()

    def update(self, task_id: int, *, description: str) -> None:
        """Change the description of a task."""
        self._tasks[task_id][0] = description
        self._report()

    def remove_task(self, task_id: int) -> None:
        """Stop reporting a task."""
        self._tasks.pop(task_id, None)

    def check_cancelled(self) -> None:
        """Raise JobCancelled if the server has cancelled this job."""
        while self.connection.poll():
            message = self.connection.recv()
            if message == ("cancel", self.job):
                raise JobCancelled

    def _report(self) -> None:
        self.check_cancelled()
        now = time.monotonic()
        if now - self._sent >= REPORT_EVERY_S and self._tasks:
            self._sent = now
            newest = self._tasks[max(self._tasks)]
            self.connection.send(("progress", tuple(newest)))


def run_worker(connection: Connection, settings: WorkerSettings) -> None:
    """Answer the requests of the server until it closes the connection."""
    # Ctrl-C in the terminal reaches all processes; the server ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")
    os.chdir(settings.folder)
    from .loaded_model import LoadedModel
    from .tasks import TASKS

    state = LoadedModel(settings)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if message[0] != "run":  # a cancel that came after the end of its job
            continue
        _, job, task, arguments = message
        answer = _answer(TASKS[task], state, arguments, JobReporter(connection, job))
        try:
            connection.send(answer)
        except OSError:
            return


def _answer(
    task: Any, state: Any, arguments: Mapping[str, Any], reporter: JobReporter
) -> tuple[Any, ...]:
    """Return the message with the result of a task, or with the reason why there is none."""
    try:
        with report_progress_to(reporter), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # results carry their notes
            reporter.check_cancelled()
            return ("done", *task(state, arguments))
    except JobCancelled:
        return ("cancelled",)
    except ConvvizError as error:
        return ("failed", str(error))
    except BaseException as error:  # plugins may raise anything
        traceback.print_exc()
        return ("failed", printable(f"{type(error).__name__}: {message_of(error)}")[:2000])
