"""Re-runs a model only where an occluder changed it, exactly.

The unoccluded forward pass is kept once. For every position each operator computes only the
windows that the occluder reaches, read from changed windows laid over the clean map, until an
operator is global or the windows are most of the map: from there whole maps are computed.
Incremental inference goes back to Nakandala et al., SIGMOD 2019; here it is derived from the
graph of any network that exports, with the exact window of every position.
"""

from __future__ import annotations

from .engine import Run, in_order
from .memory import MEMORY
from .plan import Line, Plan, make_plan
from .prepare import Prepared, prepare
from .program import Program, compile_graph

__all__ = [
    "MEMORY",
    "Line",
    "Plan",
    "Prepared",
    "Program",
    "Run",
    "compile_graph",
    "in_order",
    "make_plan",
    "prepare",
]
