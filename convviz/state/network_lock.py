"""One lock per network, shared by all Models that wrap it or a part of it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from .fork_lock import ForkSafeLock
from .module_walk import parts_of


class NetworkLock(ForkSafeLock):
    """The lock of one network.

    Attributes:
        order: locks are acquired in the order of this number, which prevents deadlocks.
        members: ids of the network's modules and parameters when the lock was last acquired.
    """

    def __init__(self) -> None:
        super().__init__()
        self.order = next(_numbers)
        self.members: frozenset[int] = frozenset()


_numbers = itertools.count()
_guard = ForkSafeLock()
_networks: weakref.WeakKeyDictionary[nn.Module, NetworkLock] = weakref.WeakKeyDictionary()


@contextmanager
def lock_network(module: nn.Module) -> Iterator[None]:
    """Hold the locks of a network and of all others that share modules or parameters with it."""
    with ExitStack() as stack:
        for lock in _overlapping(module):
            stack.enter_context(lock)
        yield


def _overlapping(module: nn.Module) -> list[NetworkLock]:
    """Return the locks to acquire, in their order."""
    with _guard:
        lock = _networks.get(module)
        if lock is None:
            lock = _networks[module] = NetworkLock()
        if lock.is_held:  # so are the locks of the networks that it overlaps with
            return [lock]
        members = lock.members = _members(module)
        sharing = [other for other in _networks.values() if not members.isdisjoint(other.members)]
        return sorted({lock, *sharing}, key=lambda lock: lock.order)


def _members(module: nn.Module) -> frozenset[int]:
    parts = parts_of(module)
    parameters = (p for part in parts for p in part._parameters.values() if p is not None)
    return frozenset(map(id, itertools.chain(parts, parameters)))
