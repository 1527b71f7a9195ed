"""Locality rules of ATen operators: which inputs an output reads, and what a change reaches.

One rule per operator gives, for each of the two image axes, a map of integer intervals in both
directions. Backwards through a graph the maps give exact receptive fields; forwards they give the
windows of incremental occlusion. An operator without a rule is global: what depends on it may see
the whole image.
"""

from .analysis import locality, receptive_field
from .axis_maps import AxisMap
from .pixel_sets import Box
from .receptive_field import ReceptiveField
from .rules import Edge, Global, ImageAxes, Local

__all__ = [
    "AxisMap",
    "Box",
    "Edge",
    "Global",
    "ImageAxes",
    "Local",
    "ReceptiveField",
    "locality",
    "receptive_field",
]
