"""Axes of every layer's output: which are channels, rows and columns of the image.

The axes are followed through one forward pass, operator by operator, so the result does not depend
on the sizes of axes. It is what turns the activations of a network into maps `[N, C, h, w]`,
whatever memory order or token layout the network uses inside.
"""

from .cells import Cells, MapCells
from .layout import UNKNOWN, AxisLayout, arrange, decide
from .tracker import TracedValue, Tracker

__all__ = [
    "UNKNOWN",
    "AxisLayout",
    "Cells",
    "MapCells",
    "TracedValue",
    "Tracker",
    "arrange",
    "decide",
]
