"""Processes that decode. Each has its own pipe, so a process that dies affects no other one.

They are started as new interpreters that import only convviz: a fork is not safe next to the
threads of PyTorch, and `multiprocessing` would import the user's script again.
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
from .decoder_process import (
    READY,
    STARTED,
    DecodedPhoto,
    EncodedJpeg,
    ItemDecoder,
    UnusableItem,
    main,
    receive,
)

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    f"from {main.__module__} import main; main()"
)
QUEUE_LENGTH = 4
"""Items sent ahead to a process; it gets more when half of them are done."""

MAX_DEATHS = 2
"""Processes that may die while decoding the same item. The first death may have another cause,
such as a system that is short of memory."""

START_TIMEOUT_S = 300.0
"""Time that a process has to import its modules and open the data set."""

MAX_WAIT_S = 60.0


class DataSetNotPortableError(ConvvizError):
    """The data set cannot be used in another process."""


@dataclass(eq=False)
class _DecoderProcess:
    """One process of the pool.

    Attributes:
        process, connection: the process and the pipe to it.
        timer_start: when it last answered, or got its first item after it had none.
        is_ready: whether it has opened the data set.
        queue: tickets of the items that were sent to it, in order. It decodes the first one.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    timer_start: float
    is_ready: bool = False
    queue: deque[int] = field(default_factory=deque)

    def kill(self) -> int:
        """Kill the process; returns its exit code, or the signal as a negative number."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.connection.close()
        return self.process.wait()


class DecoderPool:
    """A fixed number of processes that decode the items of a data set.

    Each requested item gets a ticket, by which its result is fetched; tickets count up. One thread
    starts all processes, communicates with them and ends them, so they end with the thread.

    Args:
        decoder: decodes an item.
        workers: number of processes.
        timeout: seconds that an item may take.

    Raises:
        DataSetNotPortableError: the data set cannot be pickled.
    """

    def __init__(self, decoder: ItemDecoder, workers: int, timeout: float) -> None:
        self.timeout = timeout
        try:
            self._payload = pickle.dumps(decoder, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise DataSetNotPortableError(
                f"it cannot be pickled ({' '.join(str(error).split())})"
            ) from error
        self._lock = threading.Condition()
        self._waiting: deque[int] = deque()
        self._items: dict[int, int] = {}
        self._results: dict[int, DecodedPhoto | EncodedJpeg | UnusableItem] = {}
        self._deaths: dict[int, int] = {}
        self._error: BaseException | None = None
        self._next_ticket = 0
        self._is_closing = False
        self._wake_receiver, self._wake_sender = Pipe(duplex=False)
        self._processes: list[_DecoderProcess] = []
        self._thread = threading.Thread(target=self._run, args=(workers,), daemon=True)
        self._thread.start()

    def request(self, indices: Sequence[int]) -> range:
        """Request items; returns their tickets."""
        with self._lock:
            tickets = range(self._next_ticket, self._next_ticket + len(indices))
            self._next_ticket = tickets.stop
            self._items.update(zip(tickets, indices, strict=True))
            self._waiting.extend(tickets)
        self._wake_thread()
        return tickets

    def result(self, ticket: int) -> DecodedPhoto | EncodedJpeg | UnusableItem:
        """Wait for an item and return it; raises the error of the pool if it has failed."""
        with self._lock:
            while ticket not in self._results:
                if self._error is not None:
                    raise self._error
                self._lock.wait(1.0)  # with a timeout, so that Ctrl-C works on every platform
            return self._results.pop(ticket)

    def forget(self) -> None:
        """Forget all requested items whose results were not fetched."""
        with self._lock:
            self._waiting.clear()
            self._items.clear()
            self._results.clear()

    def close(self) -> None:
        """End all processes."""
        self._is_closing = True
        self._wake_thread()
        self._thread.join()
        self._wake_sender.close()
        self._wake_receiver.close()

    def _wake_thread(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_sender.send_bytes(b"!")

    # The methods below run in the thread.

    def _run(self, workers: int) -> None:
        try:
            self._processes = [self._start_process() for _ in range(workers)]
            while not self._is_closing:
                self._feed()
                self._listen()
        except BaseException as error:
            with self._lock:
                self._error = error
                self._lock.notify_all()
        finally:
            for process in self._processes:
                process.kill()

    def _start_process(self) -> _DecoderProcess:
        parent_end, child_end = Pipe()
        options = [f"-W{option}" for option in sys.warnoptions]
        paths = json.dumps([path or os.getcwd() for path in sys.path])
        arguments = [str(child_end.fileno()), str(os.getpid()), paths]
        process = subprocess.Popen(
            [sys.executable, "-P", *options, "-c", PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=[child_end.fileno()],
            process_group=0,  # Ctrl-C in the terminal reaches only the parent
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        child_end.close()
        return _DecoderProcess(process, parent_end, time.monotonic())

    def _feed(self) -> None:
        """Send items to the processes whose queues are at most half full."""
        for process in self._processes:
            if not process.is_ready or len(process.queue) > QUEUE_LENGTH // 2:
                continue
            with self._lock:
                count = min(QUEUE_LENGTH - len(process.queue), len(self._waiting))
                tickets = [self._waiting.popleft() for _ in range(count)]
                items = [(ticket, self._items[ticket]) for ticket in tickets]
            if not items:
                continue
            if not process.queue:
                process.timer_start = time.monotonic()
            process.queue.extend(tickets)
            with contextlib.suppress(OSError):  # it has died, which `_listen` notices
                process.connection.send(items)

    def _listen(self) -> None:
        """Wait until a process answers, dies or exceeds its time, and handle that."""
        now = time.monotonic()
        remaining = min(self._deadline(process) for process in self._processes) - now
        by_connection = {process.connection: process for process in self._processes}
        readable = wait(
            [self._wake_receiver, *by_connection], timeout=min(max(0.0, remaining), MAX_WAIT_S)
        )
        if self._wake_receiver in readable:
            while self._wake_receiver.poll():
                self._wake_receiver.recv_bytes()
        for connection in readable:
            if connection is not self._wake_receiver:
                self._receive_from(by_connection[connection])  # type: ignore[index]
        now = time.monotonic()
        for process in list(self._processes):
            # An answer that has just arrived counts, also after the deadline.
            if self._deadline(process) <= now and not process.connection.poll():
                self._replace(process, is_late=True)

    def _deadline(self, process: _DecoderProcess) -> float:
        if not process.is_ready:
            return process.timer_start + START_TIMEOUT_S
        return process.timer_start + self.timeout if process.queue else float("inf")

    def _receive_from(self, process: _DecoderProcess) -> None:
        try:
            if not process.is_ready:
                self._continue_start(process, process.connection.recv())
            else:
                ticket, item = receive(process.connection)
                process.queue.popleft()
                self._set_result(ticket, item)
        except (EOFError, OSError):
            self._replace(process, is_late=False)
        process.timer_start = time.monotonic()

    def _continue_start(self, process: _DecoderProcess, message: str) -> None:
        if message == STARTED:
            process.connection.send_bytes(self._payload)
        elif message == READY:
            process.is_ready = True
        else:  # the error of opening the data set
            raise DataSetNotPortableError(message)

    def _set_result(self, ticket: int, item: DecodedPhoto | EncodedJpeg | UnusableItem) -> None:
        with self._lock:
            if self._items.pop(ticket, None) is not None:  # None: it was forgotten
                self._results[ticket] = item
                self._lock.notify_all()

    def _replace(self, process: _DecoderProcess, is_late: bool) -> None:
        """Kill a process, start another one, and return its items to the front of the queue.

        The first item of its queue is the one that it was decoding, so that item is responsible.
        """
        queue, code = list(process.queue), process.kill()
        if not process.is_ready:
            ending = "did not start in time" if is_late else f"died at its start ({_ending(code)})"
            raise ConvvizError(f"a decoder process {ending}; workers=0 decodes in this process")
        if queue and is_late:
            item = UnusableItem(f"took longer than {self.timeout:g} s")
            self._set_result(queue.pop(0), item)
        elif queue:
            ticket = queue[0]
            self._deaths[ticket] = self._deaths.get(ticket, 0) + 1
            if self._deaths[ticket] >= MAX_DEATHS:
                item = UnusableItem(f"decoder process died ({_ending(code)})")
                self._set_result(queue.pop(0), item)
        with self._lock:
            self._waiting.extendleft(reversed([t for t in queue if t in self._items]))
        self._processes[self._processes.index(process)] = self._start_process()


def _ending(code: int) -> str:
    """Return an exit code, or a signal given as a negative number, as text."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
