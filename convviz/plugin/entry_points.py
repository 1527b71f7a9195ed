"""Discovery of plugins in the metadata of installed distributions, without imports."""

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
    "default_explainers": "convviz_analyze_options",
}
"""Entry-point group without "convviz." -> the hook that its plugins implement."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Entry:
    """One entry point of a distribution.

    Attributes:
        group: the entry-point group without "convviz.".
        name: the explainer, scheme, metric or subcommand.
        value: the reference, `module` or `module:object`.
        distribution, version: of the package that provides it.
        load: imports the referenced object.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    load: Callable[[], object] = field(compare=False, repr=False)

    @property
    def address(self) -> str:
        """`distribution:name`, which is unique also if two distributions use the same name."""
        return f"{self.distribution}:{self.name}"

    @property
    def module(self) -> str:
        """The referenced module."""
        return self.value.partition(":")[0].strip()


@dataclass(frozen=True)
class Fault:
    """An entry point or distribution that cannot be used, with the reason."""

    distribution: str
    version: str
    reason: str
    group: str = ""
    name: str = ""


def discover(path: list[str] | None = None) -> tuple[list[Entry], list[Fault]]:
    """Return the valid entry points of all installed distributions, and the faults of others.

    Of a distribution that is installed twice, the first on the path is used, as for `import`.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    distributions = metadata.distributions() if path is None else metadata.distributions(path=path)
    for distribution in distributions:
        text = _entry_points_text(distribution)
        if "convviz." not in text:
            continue
        name = _name(distribution)
        if normal(name) in seen:
            continue
        seen.add(normal(name))
        for entry in _read(distribution, name):
            if isinstance(entry, Entry):
                entries.append(entry)
            else:
                faults.append(entry)
    return _without_repeats(entries, faults), faults


def normal(distribution: str) -> str:
    """Return the normalized name of a distribution, as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def one_line(error: BaseException) -> str:
    """Return an exception as one line."""
    text = "; ".join(line.strip() for line in message_of(error).splitlines() if line.strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _entry_points_text(distribution: metadata.Distribution) -> str:
    # A damaged distribution that has nothing to do with convviz must not break it.
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
    folder = getattr(distribution, "_path", None)  # all that identifies it
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
    """Turn entries whose distribution uses a name twice into faults: it is ambiguous."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.group, entry.name, normal(entry.distribution)), []).append(entry)
    unique = []
    for same in groups.values():
        if len(same) == 1:
            unique.append(same[0])
            continue
        first = same[0]
        values = " and ".join(repr(entry.value) for entry in same)
        reason = f"the name {first.name!r} is used twice, for {values}"
        faults.append(Fault(first.distribution, first.version, reason, first.group, first.name))
    return sorted(unique, key=lambda entry: (entry.group, entry.name, entry.distribution))
