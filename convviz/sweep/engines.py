"""Where the shards of a sweep run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..errors import UnknownNameError
from .shard import Shard

Work = Callable[[Sequence[int]], Shard]
Engine = Callable[[Work, Sequence[Sequence[int]]], Iterator[Shard]]


def local(work: Work, shards: Sequence[Sequence[int]]) -> Iterator[Shard]:
    """Run the shards one after the other in this process."""
    return map(work, shards)


ENGINES: dict[str, Engine] = {"local": local}


def engine_of(name: str) -> Engine:
    """Return an engine by name; raises UnknownNameError."""
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]
