"""One writing process for each run in an object store, which has no locks.

An object names the process that is writing to the run, and that process rewrites the object
every few seconds. A second process watches the object for a while: if it does not change, its
owner has died. Clocks are not compared. A process that was suspended for longer than that may
continue for one beat while another one is already working; until then, both write the same bytes.
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
from .file_names import LOCK
from .object_store import Remote

logger = logging.getLogger(__name__)

BEAT = 10.0
"""Seconds between two updates of the lock object by its owner."""

PATIENCE = 45.0
"""Seconds without an update after which the owner is considered dead."""


class Lease:
    """The exclusive right to write to a run.

    Args:
        place: the run.
    """

    def __init__(self, place: Remote) -> None:
        self.place = place
        self._identity = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "machine": _machine(),
            "token": uuid.uuid4().hex,
        }
        self._updates = 0
        self._lost = False
        self._stopping = threading.Event()

    def acquire(self) -> None:
        """Acquire it; raises ConvvizError with the process that holds it."""
        while True:
            try:
                self.place.write(LOCK, self._text(), new=True)
                return
            except FileExistsError:
                owner = self._read()
            if owner is None:  # the owner has just released it
                continue
            if not self._is_dead(owner):
                raise ConvvizError(
                    f"another run is at work in {self.place}: {_owner_name(owner)}; wait for it, "
                    "or use another folder"
                )
            if self._read() != owner:  # another process was faster, or the owner is alive
                continue
            logger.warning("%s is taken over from %s, which died", self.place, _owner_name(owner))
            self.place.remove(LOCK)

    def renew(self) -> None:
        """Update the lock object until `stop` is called or another process has taken it."""
        while not self._stopping.wait(BEAT):
            with suppress(ConvvizError):  # the network may work again at the next beat
                if (self._read() or {}).get("token") != self._identity["token"]:
                    self._lost = True
                    return
                self._updates += 1
                self.place.write(LOCK, self._text())

    def release(self) -> None:
        """Release it; `renew` must have ended."""
        with suppress(ConvvizError):
            if (self._read() or {}).get("token") == self._identity["token"]:
                self.place.remove(LOCK)

    def stop(self) -> None:
        """End `renew`."""
        self._stopping.set()

    def check(self) -> None:
        """Raise ConvvizError if another process has taken it in the meantime."""
        if self._lost:
            owner = _owner_name(self._read() or {})
            raise ConvvizError(
                f"{self.place} was taken over by another run ({owner}), because this one did not "
                f"update its lock for {PATIENCE:g} s"
            )

    def _text(self) -> bytes:
        return json.dumps({**self._identity, "beats": self._updates}).encode()

    def _read(self) -> dict[str, Any] | None:
        content = self.place.read(LOCK)
        if content is None:
            return None
        with suppress(ValueError):
            owner = json.loads(content)
            if isinstance(owner, dict):
                return owner
        return {}

    def _is_dead(self, owner: dict[str, Any]) -> bool:
        is_local = owner.get("machine") == self._identity["machine"]
        if is_local and not _is_alive(owner.get("process")):
            return True
        logger.info("%s: watching %s for up to %g s", self.place, _owner_name(owner), PATIENCE)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(min(1.0, BEAT / 2))
            if self._read() != owner:
                return False
        return True


@contextmanager
def lease_place(place: Remote) -> Iterator[Lease]:
    """Keep other processes from writing to a run; raises ConvvizError if one does."""
    lease = Lease(place)
    lease.acquire()
    thread = threading.Thread(target=lease.renew, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.stop()
        thread.join()  # an update in progress would create the lock object again
        lease.release()


def _owner_name(owner: dict[str, Any]) -> str:
    return f"process {owner.get('process', 'unknown')} on {owner.get('host', 'unknown')}"


def _machine() -> str:
    """Return a name of the space in which a process number identifies a process."""
    namespace = ""
    with suppress(OSError):  # Linux; containers may share a host name, but not this
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {uuid.getnode()} {namespace}"


def _is_alive(process: Any) -> bool:
    if not isinstance(process, int) or process < 1:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
