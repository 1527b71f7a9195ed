"""A server of a small run, and a client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from helpers.pictures import checksums_instead_of_pictures
from helpers.web_client import Client

import convviz

pytest.importorskip("starlette", reason="the app requires convviz[web]")
pytest.importorskip("uvicorn", reason="the app requires convviz[web]")
pytest.importorskip("python_multipart", reason="the app requires convviz[web]")

from convviz.web.server import AppServer
from convviz.web.services import ServeSettings, Services

HEADER_TIMEOUT_S = 0.6
BODY_TIMEOUT_S = 0.6


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run over twelve digits."""
    out = tmp_path_factory.mktemp("served") / "run"
    with checksums_instead_of_pictures():
        patches = convviz.explainer("patches", layers=("stage3.relu",), draw=1, k=4)
        convviz.analyze("demo-digits", "demo-digits:?limit=12", ["neighbors", patches], out)
    return str(out)


@pytest.fixture(scope="session")
def services(run_folder: str) -> Iterator[Services]:
    settings = ServeSettings(run_folder, ("demo-digits", "demo-digits?device=cpu"))
    with Services(settings) as services:
        yield services


@pytest.fixture(scope="session")
def client(services: Services) -> Iterator[Client]:
    """A signed-in client of a running server."""
    lines: list[str] = []
    server = AppServer(services, "127.0.0.1", 0, lines.append, HEADER_TIMEOUT_S, BODY_TIMEOUT_S)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.has_started:
        time.sleep(0.01)
    client = Client(server, services, lines=lines)
    client.sign_in()
    yield client
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def photo(client: Client) -> str:
    """The id of a photo of the run."""
    return str(client.post("/api/rows", {"row": 3}).json["id"])
