"""Processes that decode: each has a pipe of its own, so that one which dies takes nothing along.

They are started as fresh interpreters that import convviz only: neither a fork, which is not
safe beside PyTorch's threads, nor what imports the user's script a second time.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from ...errors import ConvvizError
from .decoder_process import HERE, READY, Bad, Decoder, Jpeg, Photo, receive

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from convviz.sweep.input.decoder_process import main; main()"
)
CHUNK = 4
"""Items that a process has before it; it is given more when half of them are done."""

TRIES = 2
"""Deaths of a process over one item: the first may be the system's doing, short of memory."""

START_TIMEOUT = 300.0
"""Seconds until a process must have imported what it needs."""

LONGEST_WAIT = 60.0


class UnfitError(ConvvizError):
    """The data set cannot be opened in another process."""


@dataclass(eq=False)
class _Process:
    """One process.

    Attributes:
        process, connection: it, and the way to it.
        ready: it has opened the data set.
        since: when it was last heard of, or given something to do after a rest.
        before: tickets of the items before it, in order.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    since: float
    ready: bool = False
    before: deque[int] = field(default_factory=deque)

    def end(self) -> int:
        """Kill it; returns how it ended: an exit code, or a signal as a negative number."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.connection.close()
        return self.process.wait()


class Decoders:
    """A fixed number of processes that decode the items of a data set.

    Items are asked for with tickets that count up, and taken in any order. All processes are
    started, listened to and ended by one thread; where that thread ends, so do they.

    Args:
        decoder: what they do.
        workers: how many processes.
        timeout: seconds that an item may take.

    Raises:
        UnfitError: the data set cannot be pickled.
    """

    def __init__(self, decoder: Decoder, workers: int, timeout: float) -> None:
        self.timeout = timeout
        try:
            self._payload = pickle.dumps(decoder, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise UnfitError(f"it cannot be pickled ({' '.join(str(error).split())})") from error
        self._lock = threading.Condition()
        self._todo: deque[int] = deque()
        self._items: dict[int, int] = {}
        self._done: dict[int, Photo | Jpeg | Bad] = {}
        self._deaths: dict[int, int] = {}
        self._error: BaseException | None = None
        self._next = 0
        self._closing = False
        self._woken, self._wake = Pipe(duplex=False)
        self._processes: list[_Process] = []
        self._thread = threading.Thread(target=self._run, args=(workers,), daemon=True)
        self._thread.start()

    def ask(self, indices: Sequence[int]) -> range:
        """Ask for items; returns their tickets."""
        with self._lock:
            tickets = range(self._next, self._next + len(indices))
            self._next = tickets.stop
            self._items.update(zip(tickets, indices, strict=True))
            self._todo.extend(tickets)
        self._rouse()
        return tickets

    def take(self, ticket: int) -> Photo | Jpeg | Bad:
        """Wait for an item, and return what became of it."""
        with self._lock:
            while ticket not in self._done:
                if self._error is not None:
                    raise self._error
                self._lock.wait(1.0)  # in pieces, so that Ctrl-C gets through everywhere
            return self._done.pop(ticket)

    def forget(self) -> None:
        """Drop all that was asked for and not taken."""
        with self._lock:
            self._todo.clear()
            self._items.clear()
            self._done.clear()

    def close(self) -> None:
        """End all processes."""
        self._closing = True
        self._rouse()
        self._thread.join()
        self._wake.close()
        self._woken.close()

    def _rouse(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send_bytes(b"!")

    # What follows runs in the thread.

    def _run(self, workers: int) -> None:
        try:
            self._processes = [self._started() for _ in range(workers)]
            while not self._closing:
                self._feed()
                self._listen()
        except BaseException as error:
            with self._lock:
                self._error = error
                self._lock.notify_all()
        finally:
            for one in self._processes:
                one.end()

    def _started(self) -> _Process:
        ours, theirs = Pipe()
        options = [f"-W{option}" for option in sys.warnoptions]
        paths = json.dumps([path or os.getcwd() for path in sys.path])
        arguments = [str(theirs.fileno()), str(os.getpid()), paths]
        process = subprocess.Popen(
            [sys.executable, "-P", *options, "-c", PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # the terminal's Ctrl-C goes to the parent alone
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        theirs.close()
        return _Process(process, ours, time.monotonic())

    def _feed(self) -> None:
        """Give items to the processes that run short of them."""
        for one in self._processes:
            if not one.ready or len(one.before) > CHUNK // 2:
                continue
            with self._lock:
                given: list[tuple[int, int]] = []
                while self._todo and len(one.before) + len(given) < CHUNK:
                    ticket = self._todo.popleft()
                    given.append((ticket, self._items[ticket]))
            if not given:
                continue
            if not one.before:
                one.since = time.monotonic()
            one.before.extend(ticket for ticket, _ in given)
            with contextlib.suppress(OSError):  # it has died; that is seen to next
                one.connection.send(given)

    def _listen(self) -> None:
        """Wait until a process answers, is late or has died, and see to it."""
        now = time.monotonic()
        left = min(self._deadline(one) for one in self._processes) - now
        ways = {one.connection: one for one in self._processes}
        heard = wait([self._woken, *ways], timeout=min(max(0.0, left), LONGEST_WAIT))
        if self._woken in heard:
            while self._woken.poll():
                self._woken.recv_bytes()
        for connection in heard:
            if connection is not self._woken:
                self._hear(ways[connection])  # type: ignore[index]
        now = time.monotonic()
        for one in list(self._processes):
            if self._deadline(one) <= now and not one.connection.poll():
                self._bury(one, late=True)

    def _deadline(self, one: _Process) -> float:
        if not one.ready:
            return one.since + START_TIMEOUT
        return one.since + self.timeout if one.before else float("inf")

    def _hear(self, one: _Process) -> None:
        try:
            if not one.ready:
                self._greet(one, one.connection.recv())
            else:
                ticket, found = receive(one.connection)
                one.before.popleft()
                self._finish(ticket, found)
        except (EOFError, OSError):
            self._bury(one, late=False)
        one.since = time.monotonic()

    def _greet(self, one: _Process, said: str) -> None:
        if said == HERE:
            one.connection.send_bytes(self._payload)
        elif said == READY:
            one.ready = True
        else:
            raise UnfitError(said)

    def _finish(self, ticket: int, found: Photo | Jpeg | Bad) -> None:
        with self._lock:
            if self._items.pop(ticket, None) is not None:  # else it was forgotten
                self._done[ticket] = found
                self._lock.notify_all()

    def _bury(self, one: _Process, late: bool) -> None:
        """End a process, say so of the item before it, and start another in its place."""
        before, code = list(one.before), one.end()
        if not one.ready:
            said = "did not start in time" if late else f"died as it started ({_ending(code)})"
            raise ConvvizError(f"a decoder process {said}; workers=0 decodes in this process")
        if before and late:
            self._finish(before.pop(0), Bad(f"took longer than {self.timeout:g} s"))
        elif before:
            ticket = before[0]
            self._deaths[ticket] = self._deaths.get(ticket, 0) + 1
            if self._deaths[ticket] >= TRIES:
                self._finish(before.pop(0), Bad(f"decoder process died ({_ending(code)})"))
        with self._lock:
            self._todo.extendleft(reversed([t for t in before if t in self._items]))
        self._processes[self._processes.index(one)] = self._started()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
