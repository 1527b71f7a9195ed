"""Numbers of positions computed at a time within a memory budget.

The budget covers what grows with the number of positions: their windows, the inputs gathered for
the next operator, and the whole maps behind the cut. A share is reserved for the operators' own
workspace, such as weights in another layout. The maps of the image itself come on top.

Memory is estimated by walking through the steps with the set of live values, as the executor
does: a value is dropped behind its last reader. Every window counts with the size of the largest
one, so the estimate is an upper bound.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor, fx

from ..program.operator import OperatorStep
from ..program.program import Program
from .intervals import input_length
from .plan import WindowExtents, WindowPlan, count_channels

DEFAULT_MEMORY_BYTES = 512 << 20

MAX_CUDA_MEMORY_BYTES = 16 << 30
"""Limit of the default budget on CUDA; larger chunks are not faster."""

WORKSPACE_SHARE = 1 / 16
"""Share of the budget that is left to the operators."""

WHOLE_MAP_BYTES = {"cpu": 16 << 20, "cuda": 1 << 30}
"""Bytes of the largest whole map of one batch: on a CPU what stays near its caches."""


def default_memory(device: torch.device) -> int:
    """Return the budget in bytes where none is given.

    On CUDA it is half of the memory that is free, including what torch holds but does not use: the
    other half is for the maps of the image and the operators' workspace.
    """
    if device.type != "cuda":
        return DEFAULT_MEMORY_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, min((free + unused) // 2, MAX_CUDA_MEMORY_BYTES))


def chunk_size(
    program: Program, plan: WindowPlan, element: int, memory: int = DEFAULT_MEMORY_BYTES
) -> int:
    """Return the number of positions whose windows are computed at a time, at least 1.

    Args:
        program: the model's steps.
        plan: the windows.
        element: bytes of a number.
        memory: the budget in bytes. The windows that are left at the cut may use half of it; the
            other half is for the whole maps that are computed from them.
    """
    peak, at_cut = _window_elements(program, plan)
    available = memory * (1 - WORKSPACE_SHARE)
    return max(1, min(int(available / (peak * element)), int(memory / 2 / (at_cut * element))))


def whole_map_batch(
    program: Program, plan: WindowPlan, image: Tensor, memory: int = DEFAULT_MEMORY_BYTES
) -> int:
    """Return the number of positions whose whole maps are computed at a time, at least 1.

    It is small on a CPU, for its caches, and never more than fits into half the budget.
    """
    limit = WHOLE_MAP_BYTES.get(image.device.type, WHOLE_MAP_BYTES["cpu"])
    element = image.element_size()
    largest = max([1, *(_map_elements(step.node) for step in program.steps[plan.cut :])])
    preferred = max(8, min(256, limit // (largest * element)))
    return max(1, min(preferred, int(memory / 2 / (_whole_map_elements(program, plan) * element))))


def _window_elements(program: Program, plan: WindowPlan) -> tuple[float, float]:
    """Return the elements that one position needs in windows.

    Returns:
        The elements live at the most demanding step, and those left at the cut.
    """
    keep = program.kept_nodes
    image = program.image
    live = {image: _largest_area(plan.extents[image]) * count_channels(program, image)}
    peak = sum(live.values())
    for index, step in enumerate(program.steps[: plan.cut]):
        if step.rule is None:
            continue
        output = plan.extents[step.node]
        size = _largest_area(output) * count_channels(program, step.node)
        gathered = 0.0 if _reads_in_place(output, step) else _copied_elements(program, plan, step)
        peak = max(peak, sum(live.values()) + gathered + size)
        live[step.node] = size
        _drop_dead(program, step, index, live, keep)
    return max(peak, 1.0), max(sum(live.values()), 1.0)


def _whole_map_elements(program: Program, plan: WindowPlan) -> float:
    """Return the elements that one position needs on whole maps, at the most demanding step."""
    keep = program.kept_nodes
    live: dict[fx.Node, float] = {}
    peak = 1.0
    for index, step in enumerate(program.steps[plan.cut :], plan.cut):
        for node in step.inputs():
            if node not in program.constants:
                live.setdefault(node, _map_elements(node))
        size = _map_elements(step.node)
        peak = max(peak, sum(live.values()) + size)
        live[step.node] = size
        _drop_dead(program, step, index, live, keep)
    return max(peak, sum({**live, **{node: _map_elements(node) for node in keep}}.values()))


def _drop_dead(
    program: Program,
    step: OperatorStep,
    index: int,
    live: dict[fx.Node, float],
    keep: set[fx.Node],
) -> None:
    """Remove the inputs of a step that no later step reads."""
    for node in step.inputs():
        if program.last_use.get(node, -1) <= index and node not in keep:
            live.pop(node, None)


def _reads_in_place(output: WindowExtents, step: OperatorStep) -> bool:
    """Return whether a step gathers no input, at any size of its windows."""
    heights, widths = np.unique(output.computed_y.size), np.unique(output.computed_x.size)
    sizes = itertools.product(heights, widths)
    return all(step.reads_windows(int(h), int(w)) for h, w in sizes)


def _copied_elements(program: Program, plan: WindowPlan, step: OperatorStep) -> float:
    """Return the elements of the inputs that a step copies: gathered, or joined in a pixel row."""
    assert step.rule is not None
    height, width = _largest_size(plan.extents[step.node])
    aligned = plan.aligned_inputs(step)
    if step.slides:
        edge = step.rule.edges[0]
        height, width = input_length(edge.y, height), input_length(edge.x, width)
    copied = [
        edge.source
        for edge in step.rule.edges
        if edge.source not in aligned or step.pays_in_a_row(count_channels(program, edge.source))
    ]
    return float(sum(height * width * count_channels(program, node) for node in copied))


def _largest_size(output: WindowExtents) -> tuple[int, int]:
    return int(output.computed_y.size.max()), int(output.computed_x.size.max())


def _largest_area(output: WindowExtents) -> float:
    height, width = _largest_size(output)
    return float(height * width)


def _map_elements(node: fx.Node) -> int:
    """Return the elements of one position's whole value; 1 where it is not a tensor."""
    value = node.meta.get("val")
    sizes = [n for n in value.shape[1:] if isinstance(n, int)] if isinstance(value, Tensor) else []
    return int(np.prod(sizes or [1]))
