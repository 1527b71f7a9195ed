"""From a model and boxes to a plan that is known to give the model's own scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..device import is_out_of_memory
from ..network.tracing import layouts_of
from ..program.cast import lowered
from ..program.module import agree, tolerance_of, usable_graph
from ..program.program import Program, compile_graph
from ..scores.outputs import Forward
from .executor import Run, in_order
from .intervals import Ints
from .memory_budget import MEMORY, chunk_size
from .plan import Plan, make_plan

if TYPE_CHECKING:
    from ..network.model import Model


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

    The compiled program is first run on the first image under two of the boxes, and what it
    gives is held against the model's own: whatever the graph or the windows may have missed (a
    hook that changes an output, say) shows. Not under boxes where an `approximate` run is meant
    to differ.

    Args:
        model: inside its session.
        images: `[N, C, H, W]`, on the model's device and in its dtype.
        boxes: `[P, 4]`, x0, y0, x1, y1 inside the image.
        layers: layers that will be asked for beside the scores.
        memory: bytes that the windows of one chunk are computed within.
        dtype: what to compute in; the model's own is kept where the network does not run in it.
        approximate: as of `make_plan`.
    """
    if reason := model.behavior(images).reason:
        return reason
    channels, height, width = images.shape[1:]
    graph = usable_graph(model, (channels, height, width), layers)
    if isinstance(graph, str):
        return graph
    first = images[:1]
    try:
        program = compile_graph(graph, layers)
        program.layouts = layouts_of(model, first, layers)
        plan = make_plan(program, boxes, approximate=approximate)
        trial = _unoccluded if approximate is not None else _under_two_boxes
        found, want = trial(model, program, plan, first, boxes)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = str(error).strip().split("\n")[0]
        return f"the exported graph does not run in windows ({type(error).__name__}: {said})"
    if not agree(found, want, tolerance_of(images.dtype)):  # scores are float32 at least
        return "the exported graph does not give the model's scores"
    if dtype is not None and (low := _low(program, plan, first.to(dtype))) is not None:
        program, first = low, first.to(dtype)
    chunk = chunk_size(program, plan, first.element_size(), memory)
    return Prepared(program, plan, in_order(plan), chunk, first.dtype)


def _unoccluded(
    model: Model, program: Program, plan: Plan, image: Tensor, boxes: Tensor
) -> tuple[Forward, Forward]:
    """Return what the program and what the model make of an image."""
    run = Run(program, plan, image, image)
    list(run.outputs(np.arange(min(1, len(boxes)))))  # must run, whatever it gives
    return program.forward(run.unoccluded()), model.forward(image, [*program.layers])


def _under_two_boxes(
    model: Model, program: Program, plan: Plan, image: Tensor, boxes: Tensor
) -> tuple[Forward, Forward]:
    """Return what the program and what the model make of an image under two of the boxes.

    Those with the smallest and the largest windows, over which lies the image mirrored: pixels of
    its own kind; brightened where that changes nothing, as on its axis or a flat image.
    """
    mirrored, bright = image.flip(3), image + (float(image.std(correction=0)) or 1.0)
    fill = torch.where(mirrored == image, bright, mirrored)
    some = np.unique(in_order(plan)[[0, -1]])
    copies = image.repeat(len(some), 1, 1, 1)
    for copy, (x0, y0, x1, y1) in zip(copies, boxes[some].tolist(), strict=True):
        copy[:, y0:y1, x0:x1] = fill[0, :, y0:y1, x0:x1]
    pieces = [values for _, values in Run(program, plan, image, fill).outputs(some)]
    values = {node: torch.cat([piece[node] for piece in pieces]) for node in pieces[0]}
    return program.forward(values), model.forward(copies, [*program.layers])


def _low(program: Program, plan: Plan, image: Tensor) -> Program | None:
    """Return the program in the image's dtype; None where an operator refuses it."""
    try:
        low = lowered(program, image.dtype)
        run = Run(low, plan, image, image)
        run.unoccluded()
        list(run.outputs(np.arange(min(1, len(plan.row)))))  # windows run in place, the image not
    except (RuntimeError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        return None
    return low
