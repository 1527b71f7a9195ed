"""Execution without torch.compile, because compiled code bypasses hooks and function modes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from .default_device import user_default
from .fork_lock import ForkSafeLock, run_in_forked_children

_guard = ForkSafeLock()
_threads: list[int] = []
"""Threads that run a network now, one entry per call."""

_previous_stance: list[Any] = []
"""The stance of torch.compile before the first of these calls; empty if there are none."""


def call_eagerly(module: nn.Module, *args: Any) -> Any:
    """Call a network without torch.compile, even if parts of it are compiled."""
    with disable_compile(), user_default():
        return module(*args)


@contextmanager
def disable_compile() -> Iterator[None]:
    """Run compiled functions uncompiled in the block.

    The stance of torch.compile is a setting of the process, so other threads also run uncompiled
    meanwhile: slower, with the same numbers. Costs nothing if nothing has been compiled.
    """
    if "torch._dynamo.eval_frame" not in sys.modules:
        yield
        return
    _begin()
    try:
        yield
    finally:
        _end(threading.get_ident())


def _begin() -> None:
    import torch._dynamo.eval_frame as frames

    with _guard:
        if not _threads:
            _previous_stance[:] = [frames._set_stance(frames.DynamoStance("force_eager"))]
        _threads.append(threading.get_ident())


def _end(thread: int) -> None:
    import torch._dynamo.eval_frame as frames

    with _guard:
        _threads.remove(thread)
        if not _threads:
            frames._set_stance(_previous_stance.pop())


def _forget_other_threads() -> None:
    """Remove, in a forked child, the entries of threads that exist in the parent only."""
    for thread in [thread for thread in _threads if thread != threading.get_ident()]:
        _end(thread)


run_in_forked_children(_forget_other_threads)
