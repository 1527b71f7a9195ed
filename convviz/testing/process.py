"""Check that an explainer does not change the state of the process or of its thread."""

from __future__ import annotations

import os

from ..errors import message_of
from ..state.process_state import ProcessState
from .bench import Bench
from .checking import none_of


def no_trace_in_process(bench: Bench) -> None:
    """Check the default dtype, threads, modes, global hooks, working directory and the like.

    It must be the first check, because a permanent change is visible only relative to the state
    before the first run. Importing a library may change warning filters and environment variables;
    such changes are reported only if a second run makes them again.
    """
    with bench.model.session():  # it restores some of the state at its end
        before, variables = ProcessState(), set(os.environ)
        first = _changes(bench, before)
        new = {name: os.environ.pop(name) for name in set(os.environ) - variables}
        second = [] if first else _changes(bench, before, untold=True)
        os.environ.update(new)
    none_of([*first, *second], "changed: ")


def _changes(bench: Bench, before: ProcessState, untold: bool = False) -> list[str]:
    """Run the explainer; return the changes of the process state, which are undone."""
    try:
        bench.run_once()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        message_of(error)  # the check that it runs reports the exception
    changed = before.differences(untold)
    before.restore()
    return changed
