"""Whether an explainer leaves the state of the process and of its thread as it was."""

from __future__ import annotations

import os

from ..errors import message_of
from ..state.process_state import ProcessState
from .bench import Bench
from .checking import none_of


def no_trace_in_process(bench: Bench) -> None:
    """Check the default dtype, threads, modes, global hooks, working directory and the like.

    This has to be the first check: what an explainer changes once and for all is seen only from
    before its first run. Importing a library may change warning filters and environment
    variables; such a change counts only where a second run makes it again.
    """
    with bench.model.session():  # which puts some of it back at its end
        before, variables = ProcessState(), set(os.environ)
        first = _changes(bench, before)
        new = {name: os.environ.pop(name) for name in set(os.environ) - variables}
        second = [] if first else _changes(bench, before, untold=True)
        os.environ.update(new)
    none_of([*first, *second], "changed: ")


def _changes(bench: Bench, before: ProcessState, untold: bool = False) -> list[str]:
    """Run the explainer; returns what it changed, and puts that back."""
    try:
        bench.run_once()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message_of(error)  # the check that it runs reports the exception
    changed = before.differences(untold)
    before.restore()
    return changed
