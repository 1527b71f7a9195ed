"""Jobs: computations in the worker process of a model, one at a time, with progress and cancel."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import ConvvizError

Status = Literal["queued", "running", "done", "failed", "cancelled"]

MAX_KEPT_JOBS = 200
MAX_KEPT_BYTES = 512 << 20
"""Size of the results that are kept; the oldest are dropped beyond it."""


class UnknownJobError(ConvvizError):
    """There is no job of this id, or its result has been dropped to make room."""


@dataclass(frozen=True)
class ResultFile:
    """A file of a result: a picture, or the numbers of a map."""

    media_type: str
    data: bytes


@dataclass(eq=False)
class Job:
    """One computation.

    Attributes:
        model: the number of the model.
        task: the name of the task.
        arguments: its checked arguments, plain data.
        id: a random word.
        status: what has become of it.
        progress: description, completed steps, number of steps or None.
        document: the result, plain data for JSON.
        files: files of the result, by name.
        error: the reason of a failure.
        finished: completes when the job has ended in any way.
        cancel: set when the job is to be cancelled.
    """

    model: int
    task: str
    arguments: Mapping[str, Any]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    status: Status = "queued"
    progress: tuple[str, float, float | None] = ("", 0.0, None)
    document: Mapping[str, Any] | None = None
    files: Mapping[str, ResultFile] = field(default_factory=dict)
    error: str = ""
    finished: Future[None] = field(default_factory=Future)
    cancel: threading.Event = field(default_factory=threading.Event)

    def end(
        self,
        status: Status,
        document: Mapping[str, Any] | None = None,
        files: Mapping[str, ResultFile] | None = None,
        error: str = "",
    ) -> None:
        """Record the end of the job, once."""
        if self.finished.done():
            return
        self.document, self.files, self.error = document, files or {}, error
        self.status = status
        self.finished.set_result(None)

    @property
    def size(self) -> int:
        """Bytes of the files of the result."""
        return sum(len(file.data) for file in self.files.values())

    def to_json(self) -> dict[str, Any]:
        """Return what a page shows of the job, without its result."""
        description, done, total = self.progress
        return {
            "id": self.id,
            "model": self.model,
            "task": self.task,
            "status": self.status,
            "progress": {"description": description, "done": done, "total": total},
            "error": self.error,
        }


class JobTable:
    """The jobs of the server, found by their ids."""

    def __init__(self, max_jobs: int = MAX_KEPT_JOBS, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_jobs, self._max_bytes = max_jobs, max_bytes
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> Job:
        with self._lock:
            if key not in self._jobs:
                raise UnknownJobError("this result is no longer here: run it again")
            return self._jobs[key]

    def add(self, job: Job) -> None:
        """Keep a job, and drop the oldest ended ones beyond the limits."""
        with self._lock:
            self._jobs[job.id] = job
            size = sum(kept.size for kept in self._jobs.values())
            for key, kept in list(self._jobs.items()):
                if len(self._jobs) <= self._max_jobs and size <= self._max_bytes:
                    break
                if kept.finished.done():
                    size -= kept.size
                    del self._jobs[key]
