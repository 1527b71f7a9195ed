"""Ctrl-C in a sweep: the write in hand is finished, a second one stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What to do when the user, or the system, asks a sweep to stop."""

    def __init__(self) -> None:
        self._writing = False
        self._asked = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a KeyboardInterrupt that waits for the write in hand."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread only
            return
        former: dict[signal.Signals, Any] = {}
        try:
            for number in SIGNALS:
                former[number] = signal.signal(number, self._stop)
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Finish this block before the first signal takes effect."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._asked:
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: FrameType | None) -> None:
        first, self._asked = not self._asked, True
        if not (first and self._writing):
            raise KeyboardInterrupt
