"""Launch tokens and the sessions that they start."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque

MAX_SESSIONS = 16
"""Sessions that are valid at a time; a new one ends the oldest."""


class Sessions:
    """The sessions of one server.

    A launch token is part of a link that the terminal shows. It is valid once: whoever opens the
    link first gets a session, whose secret is a cookie. Only hashes are kept.

    Attributes:
        cookie: the name of the cookie. Browsers share cookies between the ports of a host, so the
            name contains the port.
    """

    def __init__(self, port: int) -> None:
        self.cookie = f"convviz_{port}"
        self._launch = b""
        self._sessions: deque[bytes] = deque(maxlen=MAX_SESSIONS)

    def new_launch_token(self) -> str:
        """Return a token for one launch; earlier tokens become invalid."""
        token = secrets.token_urlsafe(32)
        self._launch = _digest(token)
        return token

    def redeem(self, token: str) -> str | None:
        """Return the secret of a new session; None if the token is not the valid one."""
        if not self._launch or not hmac.compare_digest(_digest(token), self._launch):
            return None
        self._launch = b""
        secret = secrets.token_urlsafe(32)
        self._sessions.append(_digest(secret))
        return secret

    def is_valid(self, secret: str) -> bool:
        """Return whether a secret is that of a session."""
        digest = _digest(secret)
        # All sessions are compared, so that the time does not depend on which one it is.
        return sum(hmac.compare_digest(digest, known) for known in self._sessions) > 0


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
