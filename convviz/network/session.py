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
    """A session that has begun.

    Attributes:
        model: the model of the session.
        network: the state to put back.
        thread: the thread that began it.
        evaluation: what switched the network to eval mode.
    """

    model: TracedNetwork
    network: NetworkState
    thread: int
    evaluation: Evaluation | None = None


_open: list[_OpenSession] = []


@contextmanager
def session(model: TracedNetwork) -> Iterator[None]:
    """Switch the network of a model to eval mode, and restore everything at the end.

    Holds the network's lock, which all Models that share modules with it have in common.
    Sessions of one thread may be nested; the outermost one does the work.
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
    opened = _OpenSession(model, NetworkState(model.module), threading.get_ident())
    generators = RandomState()
    _open.append(opened)
    try:
        with (
            count_thread(),
            cpu_by_default(),
            set_float32_precision(model.device, model.tf32),
            torch.set_grad_enabled(torch.is_grad_enabled()),
            eval_mode(model.module) as opened.evaluation,
        ):
            yield
    finally:
        opened.network.restore()
        generators.restore()
        _open.remove(opened)
        model.cache.end_session()


def _abandon() -> None:
    """In a forked child, end the sessions of threads that exist in the parent only.

    The child has a copy of the network as it was in the middle of the session. The random
    generators stay as they are.
    """
    gone = [opened for opened in _open if opened.thread != threading.get_ident()]
    for opened in reversed(gone):
        if opened.evaluation is not None:
            with suppress(Exception):  # the network's own methods; there is no caller to report to
                opened.evaluation.end()
        opened.network.restore()
        opened.model.cache.session_depth = 0
        opened.model.cache.end_session()
        _open.remove(opened)


run_in_forked_children(_abandon)
