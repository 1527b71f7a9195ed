"""Progress of long tasks: explainers report it, the command line or a notebook shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, TypeVar

from .errors import printable

T = TypeVar("T")


class Reporter(Protocol):
    """Displays progress; implemented by `Lines` and by `rich.progress.Progress`."""

    def add_task(self, description: str, *, total: float | None) -> Any:
        """Start to display a task and return its id."""
        ...

    def advance(self, task_id: Any, advance: float = 1) -> None:
        """Count completed steps of a task."""
        ...

    def remove_task(self, task_id: Any) -> None:
        """Stop displaying a task."""
        ...


IMAGES_PER_DESCRIPTION = 16
"""Number of images between two updates of the displayed speed."""

_meter: ContextVar[Meter | None] = ContextVar("convviz_meter", default=None)
_reporter: ContextVar[Reporter | None] = ContextVar("convviz_progress", default=None)


@contextmanager
def report_progress_to(reporter: Reporter | None) -> Iterator[None]:
    """Display all progress of the block with this reporter."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def announce(line: str) -> None:
    """Print a line to stderr if progress is displayed."""
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
        steps: the steps, or their inputs.
        what: the description that is displayed.
        total: the number of steps; None if unknown.
        name: returns the name of a step, which is displayed meanwhile.
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
    """Progress and speed of a sweep.

    Attributes:
        total, done: number of images, and of those processed so far.
        waited: seconds that the model waited for images.
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
    def summary(self) -> str:
        """Number of images, images per second, and share of the time spent waiting for data."""
        seconds = max(time.perf_counter() - self._start, 1e-9)
        new = self.done - self._first
        return (
            f"{new:,} images in {seconds:.1f} s, {new / seconds:.3g} images/s, "
            f"{self.waited / seconds:.0%} of the time waiting for data"
        )

    def advance(self, count: int, waited: float = 0.0) -> None:
        """Count images, and the seconds spent waiting for them."""
        self.done += count
        self.waited += waited
        if self._reporter is not None and count:
            self._reporter.advance(self._task, count)
            describe = getattr(self._reporter, "update", None)
            if describe is not None and self.done % IMAGES_PER_DESCRIPTION == 0:
                describe(self._task, description=self._description())

    def reach(self, done: int) -> None:
        """Count the images up to a number that other processes have reached."""
        self.advance(max(0, done - self.done))

    def close(self) -> None:
        """Stop displaying the sweep."""
        if self._reporter is not None:
            self._reporter.remove_task(self._task)

    def _description(self) -> str:
        seconds = max(time.perf_counter() - self._start, 1e-9)
        rate, share = (self.done - self._first) / seconds, self.waited / seconds
        return f"{self.what}, {rate:.3g}/s, {share:.0%} waiting for data"


@contextmanager
def measure_sweep(what: str, total: int, done: int = 0) -> Iterator[Meter]:
    """Measure a sweep; calls of `count_images` in the block count for it."""
    meter = Meter(what, total, done)
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)
        meter.close()


def count_images(count: int, waited: float = 0.0) -> None:
    """Count images for the sweep that is being measured, if any."""
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
        """Return the progress, and the remaining time at the speed so far, if there is one."""
        done = self.first + self.done
        if self.total is None:
            return f"{self.what}: {done:,.0f}"
        if not self.done and done < self.total:
            return f"{self.what}: {done:,.0f} of {self.total:,.0f}"
        remaining = (now - self.start) * (self.total - done) / self.done if self.done else 0.0
        return f"{self.what}: {done:,.0f} of {self.total:,.0f}, {_span(remaining)} left"


class Lines:
    """A reporter for files and pipes: one line every 30 seconds, so none for short tasks."""

    def __init__(self, stream: TextIO, every: float = 30.0) -> None:
        self._stream, self._every = stream, every
        self._tasks: dict[int, _Task] = {}
        self._last = time.monotonic()
        self._next = 0

    def add_task(self, description: str, *, total: float | None) -> int:
        """Start to report a task."""
        self._next += 1
        self._tasks[self._next] = _Task(description, total, time.monotonic())
        return self._next

    def advance(self, task_id: int, advance: float = 1) -> None:
        """Count completed steps, and print a line if the last one is old enough."""
        task = self._tasks[task_id]
        if not task.done and not task.first:
            # Steps of an earlier run, or the first step of this one: neither tells the speed.
            task.first, advance = advance, 0
        task.done += advance
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            print(task.line(now), file=self._stream, flush=True)

    def update(self, task_id: int, *, description: str) -> None:
        """Change the description of a task."""
        self._tasks[task_id].what = description

    def remove_task(self, task_id: int) -> None:
        """Stop reporting a task."""
        del self._tasks[task_id]


def _span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@contextmanager
def show_progress() -> Iterator[None]:
    """Show progress on stderr within the block: bars on a terminal, otherwise lines."""
    if not sys.stderr.isatty():
        with report_progress_to(Lines(sys.stderr)):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Time(ProgressColumn):
        """Remaining time, or the elapsed time as long as no speed is known."""

        def render(self, task: Any) -> Text:
            if task.time_remaining is None:
                return Text(f"{_span(task.elapsed or 0)} so far")
            return Text(f"{_span(task.time_remaining)} left")

    # Names may contain what rich would interpret as markup.
    what = TextColumn("{task.description}", markup=False)
    # In narrow terminals the bar shrinks; a line that wraps would be two lines high.
    columns = (what, BarColumn(), MofNCompleteColumn(), Time(Column(no_wrap=True)))
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as bars,
        report_progress_to(bars),
    ):
        yield
