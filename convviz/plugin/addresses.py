"""How users address plugins: by name, by `distribution:name`, by a family's prefix, by pattern."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import takewhile

from .entry_points import Entry, normal


def is_called(entry: Entry, name: str) -> bool:
    """Whether a name, or a `distribution:name`, means this entry."""
    distribution, _, plain = name.rpartition(":")
    if distribution and normal(distribution) != normal(entry.distribution):
        return False
    return plain == entry.name


def plain_name(name: str) -> str:
    """Return a name without the distribution before it."""
    return name.rpartition(":")[2]


def shared_parts(one: str, other: str) -> int:
    """Count the leading parts that two module names share."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def matches(entry: Entry, pattern: str) -> bool:
    """Whether a pattern of a name, distribution or `distribution:name` means this entry."""
    names = (entry.name, normal(entry.distribution), f"{normal(entry.distribution)}:{entry.name}")
    distribution, colon, name = pattern.rpartition(":")
    patterns = {pattern, normal(pattern), f"{normal(distribution)}{colon}{name}"}
    return any(fnmatchcase(name, one) for name in names for one in patterns)


def prefixes(name: str) -> Iterator[str]:
    """Yield the name, then the families it may belong to, the closest first."""
    distribution, colon, plain = name.rpartition(":")
    while plain:
        yield f"{distribution}{colon}{plain}"
        plain = plain.rpartition(".")[0]


def ambiguous(same: list[Entry]) -> str:
    """Say that entries share a name, and how to tell them apart."""
    owners = " and ".join(f"{e.distribution} {e.version}".strip() for e in same)
    ways = " or ".join(repr(e.address) for e in same)
    return f"the name {same[0].name!r} is used by {owners}; say {ways}"
