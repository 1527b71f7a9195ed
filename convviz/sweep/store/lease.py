"""One run at a time in a folder of an object store, which has no locks.

An object names who is at work there, and its owner changes it every few seconds. Whoever comes
second watches it for a while: one that does not change belongs to nobody. No clocks are
compared. What is left is a gap: a process that was halted for longer than that, and goes on, may
for one beat work beside another; both write the same bytes.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ...errors import ConvvizError
from .object_store import Remote

logger = logging.getLogger(__name__)

LEASE = ".convviz-lock"
BEAT = 10.0
"""Seconds between two signs of life."""

PATIENCE = 45.0
"""Seconds without one, after which the owner has died."""


class Lease:
    """The right to work in a folder.

    Args:
        place: the folder.
    """

    def __init__(self, place: Remote) -> None:
        self.place = place
        self._me = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "machine": _machine(),
            "token": uuid.uuid4().hex,
        }
        self._beats = 0
        self._lost = False
        self._stopping = threading.Event()

    def take(self) -> None:
        """Take it; raises ConvvizError naming the process that has it."""
        while True:
            try:
                self.place.write(LEASE, self._text(), new=True)
                return
            except FileExistsError:
                owner = self._read()
            if owner is None:  # it has just ended
                continue
            if not self._is_dead(owner):
                raise ConvvizError(
                    f"another run is at work in {self.place}: {_said(owner)}; wait for it, or "
                    "give another folder"
                )
            if self._read() != owner:  # somebody else was quicker, or it lives
                continue
            logger.warning("%s is taken over from %s, which has died", self.place, _said(owner))
            self.place.remove(LEASE)

    def keep(self) -> None:
        """Give signs of life until told to stop, or until somebody else has taken it."""
        while not self._stopping.wait(BEAT):
            with suppress(ConvvizError):  # the network may be back at the next beat
                if (self._read() or {}).get("token") != self._me["token"]:
                    self._lost = True
                    return
                self._beats += 1
                self.place.write(LEASE, self._text())

    def give_up(self) -> None:
        """Let others in; nobody may be keeping it any more."""
        with suppress(ConvvizError):
            if (self._read() or {}).get("token") == self._me["token"]:
                self.place.remove(LEASE)

    def stop(self) -> None:
        """End `keep`."""
        self._stopping.set()

    def check(self) -> None:
        """Raise ConvvizError where another process has taken it meanwhile."""
        if self._lost:
            owner = _said(self._read() or {})
            raise ConvvizError(
                f"{self.place} was taken over by another run ({owner}), because this one gave no "
                f"sign of life for {PATIENCE:g} s"
            )

    def _text(self) -> bytes:
        return json.dumps({**self._me, "beats": self._beats}).encode()

    def _read(self) -> dict[str, Any] | None:
        content = self.place.read(LEASE)
        if content is None:
            return None
        with suppress(ValueError):
            found = json.loads(content)
            if isinstance(found, dict):
                return found
        return {}

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        here = owner.get("machine") == self._me["machine"]
        if here and not _is_alive(owner.get("process")):
            return True
        logger.info("%s: watching %s for up to %g s", self.place, _said(owner), PATIENCE)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(min(1.0, BEAT / 2))
            if self._read() != owner:
                return False
        return True


@contextmanager
def leased(place: Remote) -> Iterator[Lease]:
    """Keep other processes from working on a run folder; raises where one does."""
    lease = Lease(place)
    lease.take()
    thread = threading.Thread(target=lease.keep, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.stop()
        thread.join()  # a sign of life on its way would make the lease anew
        lease.give_up()


def _said(owner: dict[str, Any]) -> str:
    return f"process {owner.get('process', 'unknown')} on {owner.get('host', 'unknown')}"


def _machine() -> str:
    """Tell apart where numbers of processes mean the same process."""
    space = ""
    with suppress(OSError):  # containers may share a name, but not this (Linux)
        space = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {uuid.getnode()} {space}"


def _is_alive(process: Any) -> bool:
    if not isinstance(process, int) or process < 1:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
