"""Sessions: a network in eval mode, used by one thread at a time and restored at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import torch

from ..state.default_device import cpu_by_default
from ..state.eval_mode import Evaluation, eval_mode
from ..state.fork_lock import run_in_forked_children
from ..state.network_lock import lock_network
from ..state.network_state import NetworkState, RandomState, set_float32_precision
from ..state.process_state import count_thread
from .interface import TracedNetwork
from .introspection import check_network


@dataclass(eq=False)
class _OpenSession:
    """The state of a session in progress.

    Attributes:
        model: the model of the session.
        network: the state to restore.
        thread: the thread that began the session.
        evaluation: switches the network back from eval mode.
    """

    model: TracedNetwork
    network: NetworkState
    thread: int
    evaluation: Evaluation | None = None


_sessions: list[_OpenSession] = []


@contextmanager
def session(model: TracedNetwork) -> Iterator[None]:
    """Switch the network of a model to eval mode, and restore everything at the end.

    Holds the network's lock, which is shared by all Models that have modules in common.
    Sessions of one thread may be nested; only the outermost one changes anything.
    """
    with lock_network(model.module), ExitStack() as stack:
        if not model.cache.session_depth:
            stack.enter_context(_outermost(model))
        model.cache.session_depth += 1
        try:
            yield
        finally:
            model.cache.session_depth -= 1


@contextmanager
def _outermost(model: TracedNetwork) -> Iterator[None]:
    check_network(model.module)
    current = _OpenSession(model, NetworkState(model.module), threading.get_ident())
    generators = RandomState()
    _sessions.append(current)
    try:
        with (
            count_thread(),
            cpu_by_default(),
            set_float32_precision(model.device, model.tf32),
            torch.set_grad_enabled(torch.is_grad_enabled()),
            eval_mode(model.module) as current.evaluation,
        ):
            yield
    finally:
        current.network.restore()
        generators.restore()
        _sessions.remove(current)
        model.cache.end_session()


def _abandon() -> None:
    """End, in a forked child, the sessions of threads that exist only in the parent.

    The child has a copy of the network as it was in the middle of the session. The random
    generators are not restored.
    """
    abandoned = [item for item in _sessions if item.thread != threading.get_ident()]
    for current in reversed(abandoned):
        if current.evaluation is not None:
            with suppress(Exception):  # raised by the network; there is no caller to report it to
                current.evaluation.end()
        current.network.restore()
        current.model.cache.session_depth = 0
        current.model.cache.end_session()
        _sessions.remove(current)


run_in_forked_children(_abandon)
