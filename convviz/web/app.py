"""The endpoints of the app."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..errors import ConvvizError, ImageError
from .guard import MAX_UPLOAD_BYTES
from .jobs import Job, UnknownJobError
from .model_worker import QueueFullError
from .photos import UnknownPhotoError
from .requests import JobRequest, OpenRow, UnitNote, checked, parse_json
from .services import Services

MAX_STREAMS = 32
"""Connections that follow the progress of jobs at a time."""

PROGRESS_EVERY_S = 0.1
MAX_DECODES = 2
"""Photos that are decoded at a time."""

DOWNLOAD_HEADERS = {
    "content-disposition": "attachment",
    "content-security-policy": "default-src 'none'; sandbox",
}
"""Headers of files that must not run as pages: an SVG may contain scripts."""

STATUS_OF_ERROR: dict[type[ConvvizError], int] = {
    UnknownPhotoError: 404,
    UnknownJobError: 404,
    QueueFullError: 429,
    ImageError: 422,
    ConvvizError: 400,
}

Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints below `/api/`.

    Args:
        services: what they work with.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._decoding = asyncio.Semaphore(MAX_DECODES)
        self._streams = asyncio.Semaphore(MAX_STREAMS)

    def routes(self) -> list[Route]:
        """Return the routes. Whatever computes or writes is a POST."""
        return [
            Route("/api/state", self.state),
            Route("/api/photos", self.upload, methods=["POST"]),
            Route("/api/rows", self.open_row, methods=["POST"]),
            Route("/api/photos/{photo}.jpg", self.preview),
            Route("/api/jobs", self.submit, methods=["POST"]),
            Route("/api/answers", self.answer, methods=["POST"]),
            Route("/api/jobs/{job}", self.job),
            Route("/api/jobs/{job}/events", self.events),
            Route("/api/jobs/{job}/cancel", self.cancel, methods=["POST"]),
            Route("/api/jobs/{job}/files/{name}", self.file),
            Route("/api/notes", self.notes, methods=["GET"]),
            Route("/api/notes", self.write_note, methods=["POST"]),
        ]

    async def state(self, request: Request) -> Response:
        """Return the models, the run and the queues."""
        return to_json(self._services.describe())

    async def upload(self, request: Request) -> Response:
        """Store an uploaded photo."""
        form = await request.form(max_files=1, max_fields=1, max_part_size=1024)
        try:
            file = form.get("photo")
            if not isinstance(file, UploadFile):
                raise HTTPException(400, "the form has no file 'photo'")
            data, name = await file.read(MAX_UPLOAD_BYTES + 1), file.filename or ""
        finally:
            await form.close()
        if len(data) > MAX_UPLOAD_BYTES:
            raise HTTPException(413, f"the photo is larger than {MAX_UPLOAD_BYTES:,} bytes")
        async with self._decoding:
            photo = await run_in_threadpool(self._services.photos.add_upload, data, name)
        return to_json(photo.to_json())

    async def open_row(self, request: Request) -> Response:
        """Open a photo of the run."""
        row = checked(OpenRow, parse_json(await request.body())).row
        services = self._services
        async with self._decoding:
            photo = await run_in_threadpool(services.photos.add_row, services.run_photos, row)
        return to_json(photo.to_json())

    async def preview(self, request: Request) -> Response:
        """Return a photo as a JPEG file."""
        photo = self._services.photos[request.path_params["photo"]]
        return Response(await run_in_threadpool(photo.preview), media_type="image/jpeg")

    async def submit(self, request: Request) -> Response:
        """Start a job; the answer has its result if it has already ended."""
        job = self._services.submit(checked(JobRequest, parse_json(await request.body())))
        return to_json(document_of(job), 202)

    async def answer(self, request: Request) -> Response:
        """Run a job and return its result, for short ones."""
        job = self._services.submit(checked(JobRequest, parse_json(await request.body())))
        await asyncio.wrap_future(job.finished)
        return to_json(document_of(job))

    async def job(self, request: Request) -> Response:
        """Return a job, with its result if there is one."""
        return to_json(document_of(self._services.jobs[request.path_params["job"]]))

    async def cancel(self, request: Request) -> Response:
        """Cancel a job."""
        job = self._services.jobs[request.path_params["job"]]
        await run_in_threadpool(self._services.cancel, job)
        return to_json(job.to_json())

    async def events(self, request: Request) -> Response:
        """Follow the progress of a job by server-sent events; the last one has its result."""
        job = self._services.jobs[request.path_params["job"]]
        if self._streams.locked():
            raise HTTPException(429, "too many connections follow jobs")
        await self._streams.acquire()
        return EventStream(events_of(job), self._streams.release)

    async def file(self, request: Request) -> Response:
        """Return a file of a result."""
        files = self._services.jobs[request.path_params["job"]].files
        name = request.path_params["name"]
        if name not in files:
            raise HTTPException(404, "the result has no such file")
        file = files[name]
        is_picture = file.media_type in ("image/png", "image/jpeg")
        headers = {"cache-control": "private, max-age=86400, immutable"}
        headers |= {} if is_picture else DOWNLOAD_HEADERS
        return Response(file.data, media_type=file.media_type, headers=headers)

    async def notes(self, request: Request) -> Response:
        """Return the notes on units."""
        return to_json(await run_in_threadpool(self._services.notes.read))

    async def write_note(self, request: Request) -> Response:
        """Set or remove the note on a unit."""
        note = checked(UnitNote, parse_json(await request.body()))
        write = self._services.notes.write
        return to_json(await run_in_threadpool(write, note.layer, note.unit, note.label, note.note))


class EventStream(StreamingResponse):
    """A response of server-sent events that calls a function when it has ended in any way."""

    def __init__(self, events: AsyncIterator[bytes], when_ended: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._when_ended = when_ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._when_ended()


async def events_of(job: Job) -> AsyncIterator[bytes]:
    """Yield an event whenever the progress of a job has changed, and one with its result."""
    sent: tuple[object, ...] = ()
    finished = asyncio.wrap_future(job.finished)
    while not finished.done():
        if (now := (job.status, job.progress)) != sent:
            sent = now
            yield _event("progress", job.to_json())
        await asyncio.wait([finished], timeout=PROGRESS_EVERY_S)
    yield _event("end", document_of(job))


def document_of(job: Job) -> dict[str, Any]:
    """Return a job with its result and the addresses of its files."""
    files = {name: f"/api/jobs/{job.id}/files/{name}" for name in job.files}
    return {**job.to_json(), "result": job.document, "files": files}


def to_json(value: Any, status: int = 200) -> Response:
    """Return a value as JSON, with null for numbers that are not finite."""
    text = json.dumps(_finite(value), allow_nan=False, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


async def refuse(request: Request, error: Exception) -> Response:
    """Answer a request with the reason of an error."""
    if isinstance(error, HTTPException):
        answer = to_json({"error": error.detail}, error.status_code)
        answer.headers.update(error.headers or {})
        return answer
    status = next(s for kind, s in STATUS_OF_ERROR.items() if isinstance(error, kind))
    return to_json({"error": str(error)}, status)


def make_app(services: Services, further_routes: list[Route]) -> Starlette:
    """Return the app without its guard.

    Args:
        services: what it works with.
        further_routes: the routes of pages.
    """
    return Starlette(
        routes=[*Api(services).routes(), *further_routes],
        exception_handlers={ConvvizError: refuse, HTTPException: refuse},
    )


def _event(kind: str, value: Any) -> bytes:
    """Return a server-sent event; JSON has no line breaks."""
    return b"event: " + kind.encode() + b"\ndata: " + to_json(value).body + b"\n\n"


def _finite(value: Any) -> Any:
    """Return plain data with None for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
