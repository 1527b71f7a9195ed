"""The checks that every request passes before the app sees it.

A page of another site can send requests to a server on this computer, and can make its own name
point to it (DNS rebinding). Therefore a request needs an exact Host, an exact Origin where it has
one, and the cookie of a session.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .hosts import ServerAddress
from .sessions import Sessions

LAUNCH_PATH = "/launch"
UPLOAD_PATH = "/api/photos"

MAX_UPLOAD_BYTES = 32 << 20
"""Maximum size of an uploaded photo, in bytes."""

MAX_JSON_BYTES = 256 << 10
MAX_HEADER_BYTES = 16 << 10
MULTIPART_OVERHEAD_BYTES = 16 << 10
MAX_PATH_LENGTH = 1024

BODY_TIMEOUT_S = 30.0
"""Time within which the body of a request must have arrived, in seconds."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; script-src 'self'; style-src 'self'; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every response, unless the response has its own value."""

_ENCODED_SEPARATORS = re.compile(rb"%(?:2f|5c|00)|//|\\", re.IGNORECASE)

SIGN_IN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>convviz</title>
<h1>Open the link from the terminal</h1>
<p>This browser has no session yet, or its link has already been used. The terminal in which
<code>convviz serve</code> runs shows a new link.</p></html>"""


class Guard:
    """ASGI middleware that refuses requests of other sites, without a session, or of excess size.

    Args:
        app: the app.
        address: the address of the server.
        sessions: its sessions.
        show_link: called when a browser without a session asks for a page.
        body_timeout: seconds within which a body must have arrived.
    """

    def __init__(
        self,
        app: ASGIApp,
        address: ServerAddress,
        sessions: Sessions,
        show_link: Callable[[], None],
        body_timeout: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app, self._hosts, self._sessions = app, address.hosts, sessions
        self._show_link, self._body_timeout = show_link, body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        answer = (
            _path_problem(scope)
            or _method_problem(scope)
            or self._site_problem(scope, headers)
            or self._launch(scope)
            or self._session_problem(scope, headers)
            or _body_problem(scope, headers)
        )
        send = _with_security_headers(send)
        if answer is not None:
            answer.headers["connection"] = "close"  # the body of the request is not read
            await answer(scope, receive, send)
            return
        limited = _limited(receive, _body_limit(scope), self._body_timeout)
        await self._app(scope, limited, send)

    def _site_problem(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse requests that another site may have sent."""
        host = headers.getlist("host")
        if len(host) != 1 or host[0] not in self._hosts:
            return _refusal(403, "this server does not answer under this host name")
        origin = headers.getlist("origin")
        if len(origin) > 1 or (origin and origin[0] != f"http://{host[0]}"):
            return _refusal(403, "requests of other sites are refused")
        if scope["method"] == "POST" and not origin:
            return _refusal(403, "a POST requires the header Origin")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and scope["path"] != LAUNCH_PATH:
            return _refusal(403, "requests of other sites are refused")
        return None

    def _launch(self, scope: Scope) -> Response | None:
        """Turn a launch token into a session, and drop it from the address."""
        if scope["path"] != LAUNCH_PATH or scope["method"] != "GET":
            return None
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        secret = self._sessions.redeem(tokens[0]) if len(tokens) == 1 else None
        if secret is None:
            return HTMLResponse(SIGN_IN_PAGE, 401)
        response = RedirectResponse("/", 303)
        response.set_cookie(self._sessions.cookie, secret, httponly=True, samesite="strict")
        return response

    def _session_problem(self, scope: Scope, headers: Headers) -> Response | None:
        secrets = [
            value
            for header in headers.getlist("cookie")
            for name, _, value in (part.strip().partition("=") for part in header.split(";"))
            if name == self._sessions.cookie
        ]
        if len(secrets) == 1 and self._sessions.is_valid(secrets[0]):
            return None
        if scope["path"].startswith("/api/"):
            return _refusal(401, "there is no session: open the link from the terminal")
        if headers.get("sec-fetch-mode", "navigate") == "navigate":
            self._show_link()
        return HTMLResponse(SIGN_IN_PAGE, 401)


def _path_problem(scope: Scope) -> Response | None:
    """Refuse paths that different programs may read differently."""
    path, raw = scope["path"], scope.get("raw_path") or b""
    parts = path.split("/")
    if (
        not path.startswith("/")
        or len(raw) + len(scope["query_string"]) > MAX_PATH_LENGTH
        or _ENCODED_SEPARATORS.search(raw)
        or not path.isprintable()
        or "\\" in path
        or any(part in (".", "..") for part in parts)
    ):
        return _refusal(400, "the path is not valid")
    return None


def _method_problem(scope: Scope) -> Response | None:
    if scope["method"] not in ("GET", "HEAD", "POST"):
        return Response(status_code=405, headers={"allow": "GET, HEAD, POST"})
    if any(name == b"range" for name, _ in scope["headers"]):
        return _refusal(416, "ranges are not supported")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        return _refusal(431, "the headers are too large")
    return None


def _body_limit(scope: Scope) -> int:
    if scope["path"] == UPLOAD_PATH:
        return MAX_UPLOAD_BYTES + MULTIPART_OVERHEAD_BYTES
    return MAX_JSON_BYTES


def _body_problem(scope: Scope, headers: Headers) -> Response | None:
    """Refuse bodies of another kind than expected, and bodies that announce an excess size."""
    lengths = headers.getlist("content-length")
    limit = _body_limit(scope) if scope["method"] == "POST" else 0
    is_chunked = "transfer-encoding" in headers
    if len(lengths) + is_chunked > 1 or any(not n.isdecimal() for n in lengths):
        return _refusal(400, "the length of the body is not valid")
    if any(int(n) > limit for n in lengths):
        return _refusal(413, f"the body is larger than {limit:,} bytes")
    if scope["method"] != "POST":
        return _refusal(413, "only a POST has a body") if is_chunked else None
    if len(headers.getlist("content-type")) > 1:
        return _refusal(415, "the body has several types")
    kind = "multipart/form-data" if scope["path"] == UPLOAD_PATH else "application/json"
    if headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        return _refusal(415, f"the body must be {kind}")
    return None


def _limited(receive: Receive, limit: int, timeout: float) -> Receive:
    """Return a `receive` that fails if a body is too large, or too slow."""
    deadline: float | None = None
    received, complete = 0, False

    async def limited() -> Message:
        nonlocal deadline, received, complete
        if complete:  # what follows is the end of the connection
            return await receive()
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408, "the body did not arrive in time", {"connection": "close"}
            ) from None
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if received > limit:
            raise HTTPException(
                413, f"the body is larger than {limit:,} bytes", {"connection": "close"}
            )
        return message

    return limited


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def _refusal(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)
