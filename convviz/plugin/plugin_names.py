"""Addresses of plugins: name, `distribution:name`, prefix of a family, or pattern."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import takewhile

from .entry_points import Entry, normal


def is_called(entry: Entry, name: str) -> bool:
    """Return whether a name or `distribution:name` is that of an entry."""
    distribution, _, plain = name.rpartition(":")
    if distribution and normal(distribution) != normal(entry.distribution):
        return False
    return plain == entry.name


def plain_name(name: str) -> str:
    """Return a name without the distribution before it."""
    return name.rpartition(":")[2]


def shared_parts(first: str, second: str) -> int:
    """Return the number of leading parts that two module names share."""
    pairs = zip(first.split("."), second.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def matches(entry: Entry, pattern: str) -> bool:
    """Return whether a pattern of a name, distribution or `distribution:name` matches an entry."""
    names = (entry.name, normal(entry.distribution), f"{normal(entry.distribution)}:{entry.name}")
    distribution, colon, name = pattern.rpartition(":")
    patterns = {pattern, normal(pattern), f"{normal(distribution)}{colon}{name}"}
    return any(fnmatchcase(name, p) for name in names for p in patterns)


def prefixes(name: str) -> Iterator[str]:
    """Yield the name, then the prefixes of families it may belong to, the longest first."""
    distribution, colon, plain = name.rpartition(":")
    while plain:
        yield f"{distribution}{colon}{plain}"
        plain = plain.rpartition(".")[0]


def ambiguous(same: list[Entry]) -> str:
    """Return the error text for entries with the same name, with their addresses."""
    owners = " and ".join(f"{e.distribution} {e.version}".strip() for e in same)
    ways = " or ".join(repr(e.address) for e in same)
    return f"the name {same[0].name!r} is used by {owners}; use {ways}"
