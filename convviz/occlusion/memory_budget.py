"""How many positions are computed at a time, so that a budget of memory holds.

The budget is for what grows with the number of positions: their windows, the inputs gathered for
the next operator, and the whole maps from the cut on. A share is left to an operator's own
workspace, such as weights in another layout; the maps of the image itself come on top.
"""

from __future__ import annotations

import itertools

import numpy as np
from torch import Tensor, fx

from ..program.operator import Step
from ..program.program import Program
from .intervals import with_halo
from .plan import Frame, Plan, channels

MEMORY = 512 << 20
"""Bytes, where nothing else is asked for."""

WORKSPACE = 1 / 16
"""Share of the budget that windows leave to the operators that compute them."""

WHOLE_AT_ONCE = {"cpu": 16 << 20, "cuda": 1 << 30}
"""Bytes of the largest whole map of one piece: on a CPU what stays near its caches."""


def chunk_size(program: Program, plan: Plan, element: int, memory: int = MEMORY) -> int:
    """Return for how many positions windows are computed at a time, 1 at least.

    Args:
        program: the model's steps.
        plan: the windows.
        element: bytes of a number.
        memory: the budget in bytes; half of it is for the windows that whole maps start from.
    """
    peak, held = _windows(program, plan)
    room = memory * (1 - WORKSPACE)
    return max(1, min(int(room / (peak * element)), int(memory / 2 / (held * element))))


def whole_at_once(program: Program, plan: Plan, image: Tensor, memory: int = MEMORY) -> int:
    """Return how many positions' whole maps are computed at a time, 1 at least.

    Few on a CPU, for its caches; and never more than fit into half the budget.
    """
    limit = WHOLE_AT_ONCE.get(image.device.type, WHOLE_AT_ONCE["cpu"])
    element = image.element_size()
    largest = max([1, *(_whole(step.node) for step in program.steps[plan.cut :])])
    near = max(8, min(256, limit // (largest * element)))
    return max(1, min(near, int(memory / 2 / (_whole_maps(program, plan) * element))))


def _windows(program: Program, plan: Plan) -> tuple[float, float]:
    """Return the numbers one position needs, all windows at their largest.

    Returns:
        Those at the most demanding step, and those left at the cut.
    """
    kept = {program.output, *program.layers.values()}
    live = {program.image: _size(program, plan.frames[program.image], program.image)}
    peak = sum(live.values())
    for index, step in enumerate(program.steps[: plan.cut]):
        if step.rule is None:
            continue
        frame = plan.frames[step.node]
        made = _size(program, frame, step.node)
        gathered = 0.0 if _is_fused(frame, step) else _gathered(program, plan, step)
        peak = max(peak, sum(live.values()) + gathered + made)
        live[step.node] = made
        _drop(program, step, index, live, kept)
    return max(peak, 1.0), max(sum(live.values()), 1.0)


def _whole_maps(program: Program, plan: Plan) -> float:
    """Return the numbers one position needs on whole maps, at the most demanding step."""
    kept = {program.output, *program.layers.values()}
    live: dict[fx.Node, float] = {}
    peak = 1.0
    for index, step in enumerate(program.steps[plan.cut :], plan.cut):
        for node in step.inputs():
            if node not in program.constants:
                live.setdefault(node, _whole(node))
        made = _whole(step.node)
        peak = max(peak, sum(live.values()) + made)
        live[step.node] = made
        _drop(program, step, index, live, kept)
    return max(peak, sum({**live, **{node: _whole(node) for node in kept}}.values()))


def _drop(
    program: Program, step: Step, index: int, live: dict[fx.Node, float], kept: set[fx.Node]
) -> None:
    """Forget the values that nobody reads after a step."""
    for node in step.inputs():
        if program.last_use.get(node, -1) <= index and node not in kept:
            live.pop(node, None)


def _is_fused(frame: Frame, step: Step) -> bool:
    """Say whether a step reads its inputs where they lie, at every size of its windows."""
    sizes = itertools.product(np.unique(frame.tall.size), np.unique(frame.wide.size))
    return all(step.reads_windows(int(h), int(w)) for h, w in sizes)


def _gathered(program: Program, plan: Plan, step: Step) -> float:
    """Return the numbers of the inputs that a step gathers, halo and all, or lays in a row."""
    assert step.rule is not None
    height, width = _largest(plan.frames[step.node])
    standing = plan.standing(step)
    if step.slides:
        edge = step.rule.edges[0]
        height, width = with_halo(edge.y, height), with_halo(edge.x, width)
    pixels = height * width
    gathered = [
        edge.source
        for edge in step.rule.edges
        if edge.source not in standing or step.pays_in_a_row(channels(program, edge.source))
    ]
    return float(sum(pixels * channels(program, node) for node in gathered))


def _size(program: Program, frame: Frame, node: fx.Node) -> float:
    height, width = _largest(frame)
    return float(height * width * channels(program, node))


def _largest(frame: Frame) -> tuple[int, int]:
    return int(frame.tall.size.max()), int(frame.wide.size.max())


def _whole(node: fx.Node) -> int:
    """Return the numbers of one position's whole value; 1 where it is no tensor."""
    value = node.meta.get("val")
    sizes = [n for n in value.shape[1:] if isinstance(n, int)] if isinstance(value, Tensor) else []
    return int(np.prod(sizes or [1]))
