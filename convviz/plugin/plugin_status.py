"""The state of a plugin, as `convviz plugins` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Status:
    """One row of `convviz plugins`."""

    distribution: str
    version: str
    group: str
    name: str
    hooks: tuple[str, ...]
    state: Literal["ready", "broken", "not installed", "disabled"]
    reason: str = ""
