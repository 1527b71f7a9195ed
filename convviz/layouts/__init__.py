"""The axes of every layer's output: which are channels, rows and columns of the image.

They are followed through one forward pass, operator by operator, so that it does not matter how
many positions an axis has. All readers of activations get maps `[N, C, h, w]` from it.
"""

from .layout import UNKNOWN, AxisLayout, arrange, decide
from .tracker import TracedValue, Tracker

__all__ = ["UNKNOWN", "AxisLayout", "TracedValue", "Tracker", "arrange", "decide"]
