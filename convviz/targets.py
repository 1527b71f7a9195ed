"""What is explained: a class score or a unit of a layer, resolved once per image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TargetSpec = Any
"""int, label name, Unit, a list with one of these per image, or None (the model's top class)."""


@dataclass(frozen=True)
class Unit:
    """One channel of a layer, at a position (y, x) of its map or, with None, at its strongest."""

    layer: str
    channel: int
    position: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Write the unit as the command line reads it."""
        where = "" if self.position is None else "@{},{}".format(*self.position)
        return f"{self.layer}:{self.channel}{where}"


@dataclass(frozen=True)
class Target:
    """A resolved target of one image.

    Attributes:
        index: the class whose score is explained; None for a unit.
        unit: the unit that is explained, its position filled in; None for a class.
        label: the class name or the unit written out.
        score: its value on the clean image.
    """

    index: int | None
    unit: Unit | None
    label: str
    score: float
