"""Suppress the output and log records of torch during the export of a network."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def silence_torch() -> Iterator[None]:
    """Drop warnings, the log records of torch, and the stderr output of this thread.

    The output of other threads is kept. Nothing is dropped if TORCH_LOGS is set.
    """
    if os.environ.get("TORCH_LOGS"):
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        drop = _DropRecords()
        for handler in _handlers():
            handler.addFilter(drop)
            stack.callback(handler.removeFilter, drop)
        stream = sys.stderr
        stack.callback(setattr, sys, "stderr", stream)
        sys.stderr = _ThreadMutedStream(stream)
        yield


def _handlers() -> set[logging.Handler]:
    """Return the handlers that records of torch reach."""
    handlers = {*logging.getLogger().handlers}
    if logging.lastResort is not None:
        handlers.add(logging.lastResort)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] == "torch":
            handlers.update(logger.handlers)
    return handlers


class _DropRecords(logging.Filter):
    """Drops the records of torch from the thread that created this filter."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread or record.name.partition(".")[0] != "torch"


class _ThreadMutedStream:
    """A stream that drops the output of one thread."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        """Write the text unless it comes from the muted thread."""
        if threading.get_ident() != self._thread:
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
