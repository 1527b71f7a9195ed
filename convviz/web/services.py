"""What the app works with: run, photos, models, jobs and notes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..plugin import registry
from ..sweep.run import Run, open_run
from ..sweep.store.object_store import Remote, place_of
from .jobs import Job, JobTable
from .model_worker import ModelWorker
from .notes import UnitNotes
from .photos import PhotoStore, RunPhotos
from .requests import REQUESTS, JobRequest, checked
from .worker_settings import WorkerSettings


@dataclass(frozen=True)
class ServeSettings:
    """What `convviz serve` was called with.

    Attributes:
        run: run folder, or its address in an object store; None for models and photos alone.
        models: sources of models; empty for the model that the run records.
        photos: data set with the photos of the run; None for the recorded one.
        device: device of the models.
    """

    run: str | None
    models: tuple[str, ...] = ()
    photos: str | None = None
    device: str = "auto"


class Services:
    """What the app works with. Use it as a context manager, which ends the processes of models.

    Attributes:
        settings: what the server was called with.
        run: the run, if one was opened.
        photos: the photos that pages have opened.
        run_photos: the photos of the run.
        jobs: the jobs of all models.
        workers: one per model.
        notes: notes on units.
        pages_job: the job that writes the pages of the run, once it has been started.
        folder: a folder for files that are needed while the server runs.

    Raises:
        ParameterError: neither a run nor a model is given.
    """

    def __init__(self, settings: ServeSettings) -> None:
        if settings.run is None and not settings.models:
            raise ParameterError("give a run folder, or models with -m")
        self.settings = settings
        self.run: Run | None = None if settings.run is None else open_run(settings.run)
        self._temporary = tempfile.TemporaryDirectory(prefix="convviz-serve-")
        self.folder = Path(self._temporary.name)
        self.photos = PhotoStore(self._subfolder("photos"))
        self.run_photos = RunPhotos(self.run, settings.photos)
        self.jobs = JobTable()
        self.notes = UnitNotes(self._notes_folder())
        run = None if self.run is None else _absolute(settings.run)
        empty = str(self._subfolder("empty"))
        photos = _absolute(settings.photos)
        self._worker = WorkerSettings(
            None, run, empty, settings.device, photos, _disabled_plugins()
        )
        sources: Sequence[str | None] = settings.models or (None,)
        self.workers = [
            ModelWorker(replace(self._worker, source=_absolute(source))) for source in sources
        ]
        self._further_workers: list[ModelWorker] = []
        self.pages_job: Job | None = None

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in (*self.workers, *self._further_workers):
            worker.close()
        self._temporary.cleanup()

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models as the command line or the run names them."""
        if self.settings.models:
            return self.settings.models
        assert self.run is not None
        return (str(self.run.plan["model"].get("name", "model of the run")),)

    def write_pages(self, folder: Path) -> None:
        """Start to write the pages of the run in a process of their own, once."""
        if self.pages_job is not None or self.run is None:
            return
        worker = ModelWorker(self._worker)
        self._further_workers.append(worker)
        self.pages_job = Job(-1, "pages", {"folder": str(folder)})
        worker.submit(self.pages_job)

    def submit(self, request: JobRequest) -> Job:
        """Check the arguments of a job, and pass it to the process of its model.

        Raises:
            ParameterError: the model, the task or an argument is not allowed.
            UnknownPhotoError: the photo is no longer kept.
            QueueFullError: too many jobs are waiting.
        """
        if request.model >= len(self.workers):
            raise ParameterError(f"model {request.model}: there are {len(self.workers)} models")
        if request.task not in REQUESTS:
            raise ParameterError(f"there is no task {request.task!r}")
        arguments = checked(REQUESTS[request.task], request.arguments).model_dump()
        if arguments.get("photo") is not None:
            photo = self.photos[arguments["photo"]]
            arguments["photo"] = {"id": photo.id, "path": str(photo.path), "name": photo.name}
        job = Job(request.model, request.task, arguments)
        self.workers[request.model].submit(job)
        self.jobs.add(job)
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a job."""
        self.workers[job.model].cancel(job)

    def describe(self) -> Mapping[str, Any]:
        """Return what pages need to know about the server."""
        return {
            "models": [
                {"name": name, **worker.to_json()}
                for name, worker in zip(self.model_names, self.workers, strict=True)
            ],
            "run": None
            if self.run is None
            else {"address": self.run.address, "items": len(self.run.items)},
            "notes": self.notes.can_write,
            "pages": None if self.pages_job is None else self.pages_job.to_json(),
        }

    def _notes_folder(self) -> Path | None:
        if self.run is None or isinstance(place_of(self.run.address), Remote):
            return None
        return self.run.folder

    def _subfolder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder


def _disabled_plugins() -> tuple[str, ...]:
    """Return the addresses of the plugins that are disabled in this process."""
    known = registry.current()
    groups = ("explainers", "models", "datasets", "metrics")
    return tuple(
        entry.address
        for group in groups
        for entry in set(known.entries(group, disabled=True)) - set(known.entries(group))
    )


def _absolute(source: str | None) -> str | None:
    """Return a source of the command line as the process of a model finds it from its own folder.

    Paths become absolute, also those before a "?".
    """
    if source is None:
        return None
    path, mark, query = source.partition("?")
    if Path(source).exists():
        return str(Path(source).absolute())
    return f"{Path(path).absolute()}{mark}{query}" if Path(path).exists() else source
