"""Preparation of incremental occlusion: a program and a plan that give the model's own scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..network.model import Model
from ..network.tracing import layouts_of
from ..program.cast import cast_program
from ..program.comparison import all_close, tolerance_of
from ..program.program import Program, compile_graph, usable_graph
from ..scores.outputs import Forward
from ..state.device import is_out_of_memory
from .executor import WindowExecutor, order_by_window_size
from .intervals import Ints
from .memory_budget import DEFAULT_MEMORY_BYTES, chunk_size
from .plan import WindowPlan, make_plan


@dataclass(frozen=True, eq=False)
class PreparedOcclusion:
    """A program and a plan for one model, one image size and one set of boxes.

    Attributes:
        program: the model's steps.
        plan: the windows that are computed.
        order: the positions, those with windows of equal sizes next to each other, `[P]`.
        chunk: the number of positions that are computed at a time.
        dtype: the dtype that the program computes in.
        tested: number of the first steps that were tested in windows.
    """

    program: Program
    plan: WindowPlan
    order: Ints
    chunk: int
    dtype: torch.dtype
    tested: int


def prepare(
    model: Model,
    images: Tensor,
    boxes: Tensor,
    layers: Sequence[str],
    memory: int = DEFAULT_MEMORY_BYTES,
    dtype: torch.dtype | None = None,
    approximate: float | None = None,
) -> PreparedOcclusion | str:
    """Plan incremental occlusion of a model; return the reason where it is not possible.

    The program is tested on the first image under two of the boxes before it is used, against the
    model itself. This reveals whatever the graph or the windows may have missed, such as a hook
    that changes an output. An `approximate` plan gives other scores under boxes by design, so it
    is tested on the unchanged image only.

    Args:
        model: inside its session.
        images: `[N, C, H, W]`, on the model's device and in its dtype.
        boxes: `[P, 4]`, x0, y0, x1, y1 inside the image.
        layers: layers that will be read besides the scores.
        memory: bytes that the windows of one chunk may use.
        dtype: the dtype to compute in, unless an operator of the network refuses it.
        approximate: as in `make_plan`.
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
        passes = _unchanged_passes if approximate is not None else _passes_under_two_boxes
        actual, expected = passes(model, program, plan, first, boxes)
    except Exception as error:  # any operator may fail on windows
        if is_out_of_memory(error):
            raise
        message = str(error).strip().split("\n")[0]
        return f"the exported graph does not run in windows ({type(error).__name__}: {message})"
    if not all_close(actual, expected, tolerance_of(images.dtype)):  # scores are float32 at least
        return "the exported graph does not give the model's scores"
    if dtype is not None and (cast := _try_cast(program, plan, first.to(dtype))) is not None:
        program, first = cast, first.to(dtype)
    chunk = chunk_size(program, plan, first.element_size(), memory)
    order = order_by_window_size(plan)
    return PreparedOcclusion(program, plan, order, chunk, first.dtype, tested=plan.cut)


def prepare_further(
    prepared: PreparedOcclusion, boxes: Tensor, memory: int, approximate: float | None
) -> PreparedOcclusion | None:
    """Plan other boxes for the same program; None if steps would run in windows untested.

    Args:
        prepared: prepared for the same model and size of images.
        boxes, memory, approximate: as in `prepare`.
    """
    program = prepared.program
    plan = make_plan(program, boxes, approximate=approximate)
    if plan.cut > prepared.tested:
        return None
    chunk = chunk_size(program, plan, prepared.dtype.itemsize, memory)
    return replace(prepared, plan=plan, order=order_by_window_size(plan), chunk=chunk)


def _unchanged_passes(
    model: Model, program: Program, plan: WindowPlan, image: Tensor, boxes: Tensor
) -> tuple[Forward, Forward]:
    """Return the forward passes of the program and of the model on an image."""
    executor = WindowExecutor(program, plan, image, image)
    list(executor.outputs(np.arange(min(1, len(boxes)))))  # it must run; its values may differ
    return program.forward(executor.clean_outputs()), model.forward(image, [*program.layers])


def _passes_under_two_boxes(
    model: Model, program: Program, plan: WindowPlan, image: Tensor, boxes: Tensor
) -> tuple[Forward, Forward]:
    """Return the forward passes of the program and of the model on an image under two boxes.

    The boxes are those with the smallest and the largest windows. The fill must change every
    covered pixel, or an error would not show, and should resemble an image. It is the mirrored
    image; pixels that mirroring does not change (on the axis, or in a flat image) are brightened.
    """
    mirrored, bright = image.flip(3), image + (float(image.std(correction=0)) or 1.0)
    fill = torch.where(mirrored == image, bright, mirrored)
    positions = np.unique(order_by_window_size(plan)[[0, -1]])
    copies = image.repeat(len(positions), 1, 1, 1)
    for copy, (x0, y0, x1, y1) in zip(copies, boxes[positions].tolist(), strict=True):
        copy[:, y0:y1, x0:x1] = fill[0, :, y0:y1, x0:x1]
    executor = WindowExecutor(program, plan, image, fill)
    pieces = [values for _, values in executor.outputs(positions)]
    values = {node: torch.cat([piece[node] for piece in pieces]) for node in pieces[0]}
    return program.forward(values), model.forward(copies, [*program.layers])


def _try_cast(program: Program, plan: WindowPlan, image: Tensor) -> Program | None:
    """Return the program in the image's dtype; None where an operator refuses the dtype."""
    try:
        cast = cast_program(program, image.dtype)
        executor = WindowExecutor(cast, plan, image, image)
        # Both ways are tried, since windows call the in-place variants of some operators.
        executor.clean_outputs()
        list(executor.outputs(np.arange(min(1, len(plan.row)))))
    except (RuntimeError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        return None
    return cast
