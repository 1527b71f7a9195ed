"""Progress of long work: explainers report it, the command line (or a notebook) shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Reporter(Protocol):
    """Where progress is shown; `rich.progress.Progress` is one."""

    def add_task(self, description: str, *, total: float | None) -> Any:
        """Begin to show a task."""
        ...

    def advance(self, task_id: Any, advance: float = 1) -> None:
        """Move a task on."""
        ...

    def remove_task(self, task_id: Any) -> None:
        """Take a task off the screen."""
        ...


_reporter: ContextVar[Reporter | None] = ContextVar("convviz_progress", default=None)


@contextmanager
def shown_by(reporter: Reporter | None) -> Iterator[None]:
    """Show all progress of the block on this reporter."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def track(steps: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the steps, reporting each as it is done; silent where nothing shows progress."""
    reporter = _reporter.get()
    if reporter is None:
        yield from steps
        return
    task = reporter.add_task(what, total=total)
    try:
        for step in steps:
            yield step
            reporter.advance(task, 1)
    finally:
        reporter.remove_task(task)


@contextmanager
def show_progress() -> Iterator[None]:
    """Show all progress of the block on the terminal; nothing where stderr goes elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars, shown_by(bars):
        yield
