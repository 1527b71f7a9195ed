"""The pages of the report, served live, and the workbench.

The report is written into a temporary folder by a process of its own. Until it is complete, its
pages show the progress; the workbench needs nothing of it.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..errors import ConvvizError
from ..report.chunks import chunk_text
from ..report.site import GENERATOR, Link, environment
from ..report.writer import OWN_FILES, OWN_FOLDERS, copy_static
from ..storage.untrusted_files import read_bounded
from .navigation import LIVE, WORKBENCH
from .services import Services

MAX_FILE_BYTES = 256 << 20
CACHED_FOLDERS = ("media", "static")
"""Folders whose files do not change while the server runs."""


class LivePages:
    """The pages of one server.

    Args:
        services: what the app works with.

    Attributes:
        folder: where the pages are.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.folder = services.folder / "pages"
        self.folder.mkdir()
        copy_static(self.folder)

    @property
    def links(self) -> Sequence[Link]:
        """The navigation: the pages that have been written, and the workbench."""
        job = self._services.pages_job
        if job is None or job.document is None:
            first = (
                [] if self._services.run is None else [Link("overview", "Overview", "index.html")]
            )
            return [*first, WORKBENCH]
        return [*(Link(*link) for link in job.document["links"]), WORKBENCH]

    @property
    def title(self) -> str:
        """The heading of all pages."""
        run = self._services.run
        if run is None:
            return ", ".join(self._services.model_names)
        return f"{run.plan['model']['name']} · {run.plan['dataset']['name']}"

    def render(self, template: str, page: str, path: str = "", **values: Any) -> Response:
        """Return a page from a template; `path` is its address below that of the server."""
        site = {"title": self.title, "links": self.links, "live": LIVE}
        root = "../" * path.count("/")
        text = (
            environment()
            .get_template(template)
            .render(site=site, page=page, root=root, generator=GENERATOR, **values)
        )
        return Response(text.encode("utf-8", "xmlcharrefreplace"), media_type="text/html")

    def site_chunk(self) -> Response:
        """Return the chunk `site` for the workbench, while there is no report."""
        record = {
            "title": self.title,
            "count": 0,
            "block": 512,
            "layers": [],
            "classes": [],
            "outputs": [],
            "has": {},
            "live": LIVE,
        }
        return Response(chunk_text("site", record), media_type="text/javascript")

    def file(self, path: str) -> Response:
        """Return a file of the report; raises HTTPException if there is none."""
        first = path.partition("/")[0]
        if path not in OWN_FILES and first not in OWN_FOLDERS:
            raise HTTPException(404, "there is no such page")
        try:
            data = read_bounded(self.folder, path, MAX_FILE_BYTES)
        except (ConvvizError, ValueError) as error:
            raise HTTPException(404, "there is no such page") from error
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        cache = "private, max-age=3600" if first in CACHED_FOLDERS else "no-store"
        return Response(data, media_type=kind, headers={"cache-control": cache})


def page_routes(services: Services) -> list[Route]:
    """Return the routes of pages and of their files."""
    pages = LivePages(services)

    async def home(request: Request) -> Response:
        return RedirectResponse("/live.html" if services.run is None else "/index.html", 303)

    async def workbench(request: Request) -> Response:
        services.write_pages(pages.folder)
        return pages.render("live.html", "live")

    async def file(request: Request) -> Response:
        path = request.path_params["path"]
        services.write_pages(pages.folder)
        job = services.pages_job
        if job is not None and job.finished.done() and job.status != "done":
            return pages.render(
                "preparing.html", "preparing", path, progress=None, problem=job.error
            )
        if job is not None and not job.finished.done():
            if path.endswith(".html"):
                return pages.render(
                    "preparing.html", "preparing", path, progress=job.progress, problem=""
                )
            if path.startswith("data/") and path != "data/site.js":
                raise HTTPException(404, "the page has not been written yet")
        if path == "data/site.js" and not Path(pages.folder, path).exists():
            return pages.site_chunk()
        return await run_in_threadpool(pages.file, path)

    async def icon(request: Request) -> Response:
        return Response(status_code=204, headers={"cache-control": "private, max-age=86400"})

    return [
        Route("/", home),
        Route("/favicon.ico", icon),
        Route("/live.html", workbench),
        Route("/{path:path}", file),
    ]
