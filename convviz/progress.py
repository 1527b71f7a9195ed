"""Progress of long work: explainers report it, the command line (or a notebook) shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, TypeVar

from .text import printable

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


DESCRIBED = 16
"""Images after which the speed is said anew."""

_meter: ContextVar[Meter | None] = ContextVar("convviz_meter", default=None)
_reporter: ContextVar[Reporter | None] = ContextVar("convviz_progress", default=None)


@contextmanager
def report_progress_to(reporter: Reporter | None) -> Iterator[None]:
    """Show all progress of the block on this reporter."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def announce(line: str) -> None:
    """Say something on stderr where progress is shown, else nothing."""
    if _reporter.get() is not None:
        print(printable(line), file=sys.stderr)


def track(
    steps: Iterable[T],
    what: str,
    total: int | None = None,
    name: Callable[[T], str] | None = None,
) -> Iterator[T]:
    """Yield the steps and report each as done; silent unless progress is shown.

    Args:
        steps: what is done one after the other.
        what: they are.
        total: how many; None where nobody knows.
        name: of a step, shown while it is done.
    """
    reporter = _reporter.get()
    if reporter is None:
        yield from steps
        return
    what = printable(what)
    task = reporter.add_task(what, total=total)
    describe = getattr(reporter, "update", None)
    try:
        for step in steps:
            if name is not None and describe is not None:
                describe(task, description=f"{what} {printable(name(step))}")
            yield step
            reporter.advance(task, 1)
    finally:
        reporter.remove_task(task)


class Meter:
    """How far and how fast a sweep is.

    Attributes:
        total, done: images in all, and so far.
        waited: seconds in which the model waited for images.
    """

    def __init__(self, what: str, total: int, done: int) -> None:
        self.what, self.total, self.done = printable(what), total, done
        self.waited = 0.0
        self._first, self._start = done, time.perf_counter()
        self._reporter = _reporter.get()
        self._task: Any = None
        if self._reporter is not None:
            self._task = self._reporter.add_task(self.what, total=total)
            self._reporter.advance(self._task, done)

    @property
    def said(self) -> str:
        """Images, images a second, and the share of time spent on waiting for them."""
        seconds = max(time.perf_counter() - self._start, 1e-9)
        new = self.done - self._first
        return (
            f"{new:,} images in {seconds:.1f} s, {new / seconds:.3g} images/s, "
            f"{self.waited / seconds:.0%} of the time waiting for data"
        )

    def advance(self, count: int, waited: float = 0.0) -> None:
        """Count images, and the seconds that they were waited for."""
        self.done += count
        self.waited += waited
        if self._reporter is not None and count:
            self._reporter.advance(self._task, count)
            describe = getattr(self._reporter, "update", None)
            if describe is not None and self.done % DESCRIBED == 0:
                describe(self._task, description=self._description())

    def reach(self, done: int) -> None:
        """Count what was done elsewhere, where it was not counted here as it was done."""
        self.advance(max(0, done - self.done))

    def close(self) -> None:
        """Take it off the screen."""
        if self._reporter is not None:
            self._reporter.remove_task(self._task)

    def _description(self) -> str:
        seconds = max(time.perf_counter() - self._start, 1e-9)
        rate, share = (self.done - self._first) / seconds, self.waited / seconds
        return f"{self.what}, {rate:.3g}/s, {share:.0%} waiting for data"


@contextmanager
def measure_sweep(what: str, total: int, done: int = 0) -> Iterator[Meter]:
    """Measure a sweep; `count_images` in the block counts for it."""
    meter = Meter(what, total, done)
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)
        meter.close()


def count_images(count: int, waited: float = 0.0) -> None:
    """Count images of the sweep under way, if one is measured here."""
    meter = _meter.get()
    if meter is not None:
        meter.advance(count, waited)


@dataclass
class _Task:
    what: str
    total: float | None
    start: float
    first: float = 0
    done: float = 0

    def line(self, now: float) -> str:
        """Say how far it is, and how long it will take at the speed so far."""
        done = self.first + self.done
        if self.total is None:
            return f"{self.what}: {done:,.0f}"
        left = (now - self.start) * (self.total - done) / self.done if self.done else 0.0
        return f"{self.what}: {done:,.0f} of {self.total:,.0f}, {_span(left)} left"


class Lines:
    """A reporter for what is no terminal: a line now and then, none where work is short."""

    def __init__(self, stream: TextIO, every: float = 30.0) -> None:
        self._stream, self._every = stream, every
        self._tasks: dict[int, _Task] = {}
        self._last = time.monotonic()
        self._next = 0

    def add_task(self, description: str, *, total: float | None) -> int:
        """Begin to report a task."""
        self._next += 1
        self._tasks[self._next] = _Task(description, total, time.monotonic())
        return self._next

    def advance(self, task_id: int, advance: float = 1) -> None:
        """Move a task on; says so if it is time."""
        task = self._tasks[task_id]
        if not task.done and not task.first:
            task.first, advance = advance, 0  # done before, or the first step: no speed from it
        task.done += advance
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            print(task.line(now), file=self._stream, flush=True)

    def update(self, task_id: int, *, description: str) -> None:
        """Describe a task anew."""
        self._tasks[task_id].what = description

    def remove_task(self, task_id: int) -> None:
        """Report no more of a task."""
        del self._tasks[task_id]


def _span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


@contextmanager
def show_progress() -> Iterator[None]:
    """Show progress on stderr within the block: bars on a terminal, otherwise lines."""
    if not sys.stderr.isatty():
        with report_progress_to(Lines(sys.stderr)):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Time(ProgressColumn):
        """What is left, or where nobody can tell yet, what it has taken."""

        def render(self, task: Any) -> Text:
            if task.time_remaining is None:
                return Text(f"{_span(task.elapsed or 0)} so far")
            return Text(f"{_span(task.time_remaining)} left")

    # Names may hold what rich would take for markup.
    what = TextColumn("{task.description}", markup=False)
    columns = (what, BarColumn(), MofNCompleteColumn(), Time())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as bars,
        report_progress_to(bars),
    ):
        yield
