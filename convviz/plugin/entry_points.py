"""Finds plugins in the metadata of installed distributions; imports none of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata

from ..errors import closest, message_of

GROUPS = {
    "explainers": "convviz_explainers",
    "models": "convviz_load_model",
    "datasets": "convviz_open_dataset",
    "metrics": "convviz_metrics",
    "commands": "convviz_commands",
}
"""Entry-point group without its `convviz.` -> the hook its plugins implement."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Entry:
    """One entry point of a distribution.

    Attributes:
        group: the entry-point group without its `convviz.`.
        name: the explainer, scheme, metric or subcommand.
        value: what it points at, `module` or `module:object`.
        distribution, version: where it comes from.
        load: imports what it points at.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    load: Callable[[], object] = field(compare=False, repr=False)

    @property
    def address(self) -> str:
        """The name that stays unique when two distributions use the same one."""
        return f"{self.distribution}:{self.name}"

    @property
    def module(self) -> str:
        """The module it points at."""
        return self.value.partition(":")[0].strip()


@dataclass(frozen=True)
class Fault:
    """Why something that a distribution announces cannot be a plugin."""

    distribution: str
    version: str
    reason: str
    group: str = ""
    name: str = ""


def discover(path: list[str] | None = None) -> tuple[list[Entry], list[Fault]]:
    """Return the entry points of all installed distributions, and what is wrong with others.

    Of a distribution that is found twice, the first on the path counts, as for `import`.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    found = metadata.distributions() if path is None else metadata.distributions(path=path)
    for distribution in found:
        text = _entry_points_text(distribution)
        if "convviz." not in text:
            continue
        name = _name(distribution)
        if normal(name) in seen:
            continue
        seen.add(normal(name))
        for one in _read(distribution, name):
            (entries if isinstance(one, Entry) else faults).append(one)  # type: ignore[arg-type]
    return _without_repeats(entries, faults), faults


def normal(distribution: str) -> str:
    """Spell a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def one_line(error: BaseException) -> str:
    """Write an exception in one line, with the place of a syntax error."""
    text = "; ".join(line.strip() for line in message_of(error).splitlines() if line.strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _entry_points_text(distribution: metadata.Distribution) -> str:
    # Distributions that have nothing to do with convviz must not be able to break it.
    try:
        return distribution.read_text("entry_points.txt") or ""
    except (OSError, UnicodeError):
        return ""


def _name(distribution: metadata.Distribution) -> str:
    try:
        name = distribution.metadata["Name"]
    except Exception:
        name = None
    if name:
        return str(name)
    folder = getattr(distribution, "_path", None)  # the only trace of a nameless distribution
    return str(getattr(folder, "name", "unnamed")).partition("-")[0]


def _read(distribution: metadata.Distribution, name: str) -> Iterator[Entry | Fault]:
    try:
        if not distribution.metadata["Name"]:
            raise ValueError("it has no Name")
        version = distribution.metadata["Version"]
        if not version:
            raise ValueError("it has no Version")
        points = list(distribution.entry_points)
    except Exception as error:
        yield Fault(name, "", f"its metadata cannot be read: {one_line(error)}")
        return
    for point in points:
        if point.group.startswith("convviz."):
            yield _entry(point, name, str(version))


def _entry(point: metadata.EntryPoint, distribution: str, version: str) -> Entry | Fault:
    group = point.group.removeprefix("convviz.")

    def fault(reason: str) -> Fault:
        return Fault(distribution, version, reason, group, point.name)

    if group not in GROUPS:
        known = tuple(f"convviz.{known}" for known in GROUPS)
        return fault(f"unknown entry-point group {point.group!r}; {closest(point.group, known)}")
    if not _NAME.fullmatch(point.name):
        return fault(f"the name {point.name!r} may hold letters, digits, '_', '-' and '.' only")
    if not re.fullmatch(r"[\w.]+(\s*:\s*[\w.]+)?", point.value):
        return fault(f"{point.value!r} is not of the form 'module' or 'module:object'")
    return Entry(group, point.name, point.value, distribution, version, point.load)


def _without_repeats(entries: Iterable[Entry], faults: list[Fault]) -> list[Entry]:
    """Drop entries whose own distribution gives the same name twice: none can be meant."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.group, entry.name, normal(entry.distribution)), []).append(entry)
    kept = []
    for same in groups.values():
        if len(same) == 1:
            kept.append(same[0])
            continue
        first = same[0]
        values = " and ".join(repr(entry.value) for entry in same)
        reason = f"the name {first.name!r} is given twice, to {values}"
        faults.append(Fault(first.distribution, first.version, reason, first.group, first.name))
    return sorted(kept, key=lambda entry: (entry.group, entry.name, entry.distribution))
