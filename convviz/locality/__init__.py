"""How each ATen operator maps intervals: back to what a unit sees, on to what a change reaches.

One rule per operator gives, for each of the two image axes, an integer map of intervals in both
directions. Read backwards through a graph they give exact receptive fields. An operator without
a rule is global: what depends on it may see the whole image.
"""

from .analysis import locality, receptive_field
from .axis_maps import AxisMap
from .field import ReceptiveField
from .pixel_sets import Box
from .rules import Axes, Edge, Global, Local

__all__ = [
    "Axes",
    "AxisMap",
    "Box",
    "Edge",
    "Global",
    "Local",
    "ReceptiveField",
    "locality",
    "receptive_field",
]
