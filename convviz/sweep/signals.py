"""Ctrl-C and SIGTERM in a sweep: the write in progress is completed, a second signal stops it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Handles the signals that ask a sweep to stop."""

    def __init__(self) -> None:
        self._is_writing = False
        self._is_requested = False

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Convert SIGINT and SIGTERM into a KeyboardInterrupt after the write in progress."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python delivers signals to the main thread only
            return
        previous: dict[signal.Signals, Any] = {}
        try:
            for number in SIGNALS:
                previous[number] = signal.signal(number, self._on_signal)
            yield
        finally:
            for number, handler in previous.items():
                # None: a handler that was not installed from Python cannot be restored.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def complete_write(self) -> Iterator[None]:
        """Complete this block before the first signal takes effect."""
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False
        if self._is_requested:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_first, self._is_requested = not self._is_requested, True
        if not (is_first and self._is_writing):
            raise KeyboardInterrupt
