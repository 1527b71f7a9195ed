"""Colours, markers and lines of explainers: the same in all pictures of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..render.colour import OKABE_ITO

ORANGE, SKY, GREEN, VERMILION, BLUE, PINK, _YELLOW, BLACK = OKABE_ITO
COLOURS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, "#8C6D4F", BLACK)
"""Colours of explainers; yellow is left out, which is illegible as a line on white paper."""

CONTROL = "#98a2b3"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)))


@dataclass(frozen=True)
class ExplainerStyle:
    """How an explainer is drawn.

    Attributes:
        colour: a hexadecimal colour; controls are grey.
        marker, dash: matplotlib's marker and line style.
    """

    colour: str
    marker: str
    dash: Any


def styles_of(explainers: Sequence[str], controls: frozenset[str]) -> dict[str, ExplainerStyle]:
    """Return the style of each explainer.

    Eight explainers differ in colour and marker; the next eight repeat them with another line.
    """
    styles, plain, grey = {}, 0, 0
    for name in explainers:
        if name in controls:
            dash = DASHES[grey % len(DASHES)]
            styles[name] = ExplainerStyle(CONTROL, MARKERS[grey % len(MARKERS)], dash)
            grey += 1
        else:
            turn, i = divmod(plain, len(COLOURS))
            styles[name] = ExplainerStyle(COLOURS[i], MARKERS[i], DASHES[turn % len(DASHES)])
            plain += 1
    return styles
