"""A client of the app that can send malformed requests."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convviz.web.server import AppServer
    from convviz.web.services import Services


@dataclass
class Answer:
    """The answer to a raw request; status 0 if the connection was closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Sends raw requests to a server."""

    server: AppServer
    services: Services
    cookie: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.address.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def send(self, *parts: bytes, pause: float = 0.0, timeout: float = 120.0) -> Answer:
        """Send bytes, with pauses between the parts, and read until the connection is closed."""
        place = ("127.0.0.1", self.server.address.port)
        with socket.create_connection(place, timeout=timeout) as connection:
            received = b""
            try:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
                while block := connection.recv(1 << 16):
                    received += block
            except ConnectionError:
                pass
        return _parsed(received)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str | None] | None = None,
    ) -> Answer:
        """Send a valid request of a signed-in browser, with other headers where given.

        A header of None is left out.
        """
        usual: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie or None}
        if method == "POST":
            usual |= {"Origin": self.origin, "Content-Type": "application/json"}
            usual["Content-Length"] = str(len(body))
        merged = usual | (headers or {}) | {"Connection": "close"}
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in merged.items() if value is not None]
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, value: Any, **headers: str | None) -> Answer:
        return self.request("POST", path, json.dumps(value).encode(), headers)

    def upload(self, data: bytes, name: str = "photo.png") -> Answer:
        kind, body = multipart(data, name)
        return self.request("POST", "/api/photos", body, {"Content-Type": kind})

    def run_task(self, task: str, model: int = 0, **arguments: Any) -> dict[str, Any]:
        """Run a job to its end and return it."""
        answer = self.post("/api/answers", {"model": model, "task": task, "arguments": arguments})
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def sign_in(self) -> None:
        """Open the launch link."""
        path = self.server.launch_link().removeprefix(self.origin)
        answer = self.get(path)
        assert answer.status == 303
        assert answer.headers["location"] == "/"
        self.cookie = answer.headers["set-cookie"].partition(";")[0]


def multipart(data: bytes, name: str = "photo.png", field: str = "photo") -> tuple[str, bytes]:
    """Return content type and body of a form with one file."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return "multipart/form-data; boundary=XX", head.encode() + data + b"\r\n--XX--\r\n"


def _parsed(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        return Answer(0, {}, received)
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(int(lines[0].split()[1]), headers, body)
