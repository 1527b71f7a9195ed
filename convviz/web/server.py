"""Runs the app in a web server."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ConvvizError, printable
from .app import make_app
from .guard import BODY_TIMEOUT_S, MAX_HEADER_BYTES, Guard
from .hosts import OPEN_HOST_WARNING, ServerAddress, server_address
from .services import ServeSettings, Services
from .sessions import Sessions

HEADER_TIMEOUT_S = 10.0
"""Time within which the headers of a request must have arrived, in seconds."""

MAX_CONNECTIONS = 128
NEW_LINK_EVERY_S = 10.0
"""Seconds between two links that are printed because a browser has no session."""


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, which by itself waits for the headers of a first request for ever."""

    header_timeout = HEADER_TIMEOUT_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the headers."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.header_timeout, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class AppServer:
    """The server of one app.

    Args:
        services: what the app works with.
        host, port: where it listens; port 0 selects a free one.
        show: prints a line for the user.
        header_timeout, body_timeout: seconds that slow clients have.

    Attributes:
        address: where it listens.
        sessions: its sessions.

    Raises:
        ConvvizError: the port is in use.
    """

    def __init__(
        self,
        services: Services,
        host: str = "127.0.0.1",
        port: int = 0,
        show: Callable[[str], None] = print,
        header_timeout: float = HEADER_TIMEOUT_S,
        body_timeout: float = BODY_TIMEOUT_S,
    ) -> None:
        self._socket = _listen(host, port)
        self.address = server_address(host, self._socket.getsockname()[1])
        self.sessions = Sessions(self.address.port)
        self._show, self._last_link = show, 0.0
        app = guarded_app(services, self.address, self.sessions, self._show_link, body_timeout)
        protocol = type("Protocol", (DeadlineProtocol,), {"header_timeout": header_timeout})
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing in a request says where it comes from
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)

    def launch_link(self) -> str:
        """Return a link that starts a session, once; earlier links become invalid."""
        return f"{self.address.url}/launch?token={self.sessions.new_launch_token()}"

    def run(self) -> None:
        """Answer requests until the process is interrupted, or `stop` is called."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    @property
    def has_started(self) -> bool:
        """Whether it answers requests."""
        return self._server.started

    def stop(self) -> None:
        """Make `run` return."""
        self._server.should_exit = True

    def _show_link(self) -> None:
        """Print a new link for a browser without a session."""
        now = time.monotonic()
        if now - self._last_link >= NEW_LINK_EVERY_S:
            self._last_link = now
            self._show(
                f"a browser without a session asked for a page; to sign it in, open\n"
                f"  {self.launch_link()}"
            )


def guarded_app(
    services: Services,
    address: ServerAddress,
    sessions: Sessions,
    show_link: Callable[[], None],
    body_timeout: float = BODY_TIMEOUT_S,
) -> ASGIApp:
    """Return the app behind its guard."""
    from .pages import page_routes

    app = make_app(services, page_routes(services))
    return Guard(app, address, sessions, show_link, body_timeout)


def serve(
    settings: ServeSettings,
    host: str = "127.0.0.1",
    port: int = 0,
    opens_browser: bool = True,
) -> None:
    """Serve a run until the process is interrupted.

    Args:
        settings: run, models and photos.
        host, port: where the server listens; port 0 selects a free one.
        opens_browser: open the link in the browser if there is a screen.
    """
    with Services(settings) as services:
        server = AppServer(services, host, port, _print)
        if not server.address.is_loopback:
            warning = OPEN_HOST_WARNING.format(host=host, port=server.address.port)
            print(printable_lines(warning), file=sys.stderr)
        link = server.launch_link()
        _print(f"open {link}\n(the link works once; Ctrl-C ends the server)")
        if opens_browser and server.address.is_loopback:
            _open(link)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how the server is ended
            server.run()


def printable_lines(text: str) -> str:
    """Return a text with its line breaks, and all other control characters escaped."""
    return "\n".join(map(printable, text.split("\n")))


def _print(text: str) -> None:
    print(printable_lines(text), flush=True)


def _open(link: str) -> None:
    import webbrowser

    from ..explanation.display import has_screen

    if has_screen():
        webbrowser.open(link)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener: Any = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvvizError(
            f"the server cannot listen on {host}, port {port}: {reason}; choose another with --port"
        ) from error
    return listener  # type: ignore[no-any-return]
