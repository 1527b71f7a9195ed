"""A reentrant lock that survives `os.fork`."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


class ForkSafeLock:
    """A reentrant lock that is free in a forked child, unless the forking thread holds it.

    An ordinary lock that another thread holds during the fork stays locked in the child, because
    the thread that would release it does not exist there.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0
        _locks.add(self)

    @property
    def is_held(self) -> bool:
        """True if the calling thread holds the lock."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: Any) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def renew(self) -> None:
        """Free the lock in a forked child if a thread of the parent holds it."""
        if not self.is_held:
            self._lock, self._owner, self._depth = threading.RLock(), None, 0


def run_in_forked_children(function: Callable[[], None]) -> None:
    """Call a function in every forked child of this process, on systems that support forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


def _renew_all() -> None:
    for lock in list(_locks):
        lock.renew()


run_in_forked_children(_renew_all)
