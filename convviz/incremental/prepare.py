"""From a model and boxes to a plan that is known to give the model's own scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..model import Forward
from .engine import Run, in_order
from .geometry import Ints
from .lower import lowered
from .memory import MEMORY, chunk_size
from .plan import Plan, make_plan
from .program import Program, compile_graph
from .whole import agree, usable_graph

if TYPE_CHECKING:
    from ..model import Model


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model ready to be re-run where boxes change an image.

    Attributes:
        program: the model's steps.
        plan: what is computed for each box.
        order: positions so that those with windows of like sizes are neighbours, `[P]`.
        chunk: how many of them to compute at a time.
        dtype: what the program computes in.
    """

    program: Program
    plan: Plan
    order: Ints
    chunk: int
    dtype: torch.dtype


def prepare(
    model: Model,
    images: Tensor,
    boxes: Tensor,
    layers: Sequence[str],
    memory: int = MEMORY,
    dtype: torch.dtype | None = None,
    approximate: float | None = None,
) -> Prepared | str:
    """Plan the re-run of a model, or say why it must be run in full.

    The compiled program is run once on the first image, and its scores are held against the
    model's: whatever the graph may have missed (a hook that changes an output, say) shows.

    Args:
        model: inside its session.
        images: `[N, C, H, W]`, on the model's device and in its dtype.
        boxes: `[P, 4]`, x0, y0, x1, y1 inside the image.
        layers: layers that will be asked for beside the scores.
        memory: bytes that the windows of one chunk are computed within.
        dtype: what to compute in; the model's own is kept where the network does not run in it.
        approximate: as of `make_plan`.
    """
    channels, height, width = images.shape[1:]
    graph = usable_graph(model, (channels, height, width), layers)
    if isinstance(graph, str):
        return graph
    program = compile_graph(graph, layers)
    plan = make_plan(program, boxes, approximate=approximate)
    first = images[:1]
    run = Run(program, plan, first, first)
    found = run.unoccluded()
    kept = {name: found[program.layers[name]] for name in layers}
    if not agree(Forward(found[program.output], kept), model.forward(first, layers)):
        return "the exported graph does not give the model's scores"
    if dtype is not None and (low := _low(program, plan, first.to(dtype))) is not None:
        program, first = low, first.to(dtype)
    chunk = chunk_size(program, plan, first.element_size(), memory)
    return Prepared(program, plan, in_order(plan), chunk, first.dtype)


def _low(program: Program, plan: Plan, image: Tensor) -> Program | None:
    """Return the program in the image's dtype; None where an operator refuses it."""
    try:
        low = lowered(program, image.dtype)
        Run(low, plan, image, image).unoccluded()
    except (RuntimeError, TypeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return None
    return low
