"""The plan of an occlusion run: window sizes for each operator, and where whole maps start.

A box changes a rectangle of the image. Each operator widens it: a 3 x 3 convolution by one pixel
on every side, a stride shrinks it together with the map. The planner

1. follows the changed intervals of all boxes forwards through the maps of `locality`;
2. rounds their sizes up to a few classes, so that many boxes share a call (`intervals`);
3. compares, for every prefix of the program, the cost of running it in windows and the rest on
   whole maps, and cuts the program where the sum is least. Deep in a network a window covers most
   of the map, so that whole maps are cheaper there.

Only step 3 depends on measured costs. They decide how much work is saved, not the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx

from ..program.operator import OperatorStep
from ..program.program import Program
from .intervals import Intervals, Ints, choose_window_sizes, hull

MACS_PER_ELEMENT = 16.0
"""Cost of moving one element, in multiply-accumulates (measured on AVX2 cores)."""

MACS_PER_CALL = 2.0e6
"""Cost of one operator call, in multiply-accumulates: about that of a small convolution."""

MAX_SIZE_CLASSES = 6
"""Maximum number of window heights, and of window widths, for one value."""


@dataclass(frozen=True, eq=False)
class WindowExtents:
    """The windows of one value: what a box changes, and what is computed.

    The window of a position with row interval i and column interval j is the product of the two
    intervals. `computed` always contains `changed`.

    Attributes:
        changed_y, changed_x: the intervals that change.
        computed_y, computed_x: the intervals that are computed.
    """

    changed_y: Intervals
    changed_x: Intervals
    computed_y: Intervals
    computed_x: Intervals

    def same_windows(self, other: WindowExtents) -> bool:
        """Return whether the same windows are computed for both values."""
        same_y = self.computed_y.equals(other.computed_y)
        return same_y and self.computed_x.equals(other.computed_x)

    def covers(self, changed_y: Intervals, changed_x: Intervals) -> bool:
        """Return whether the computed windows contain these intervals."""
        return self.computed_y.contains(changed_y) and self.computed_x.contains(changed_x)


@dataclass(frozen=True)
class StepSummary:
    """Sizes and MACs of one step, for the summary of a plan.

    Attributes:
        layer: the layer's name, or the operator's.
        window: mean height and width computed; None where whole maps are.
        map: height and width of the map; (1, 1) where there is none.
        share: share of the map that is computed.
        full: MACs of a whole map.
        exact: mean MACs of the changed windows.
        done: mean MACs executed.
    """

    layer: str
    window: tuple[float, float] | None
    map: tuple[int, int]
    share: float
    full: int
    exact: float
    done: float

    def __str__(self) -> str:
        window = "whole" if self.window is None else "{:.1f} x {:.1f}".format(*self.window)
        size = "{} x {}".format(*self.map)
        saved = 1 - self.done / self.full if self.full else 0.0
        return f"{self.layer[-34:]:<34} {window:>13} {size:>9} {self.share:>6.0%} {saved:>10.0%}"


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """Plan of the computation of one image's scores under many boxes.

    Attributes:
        row, column: the row interval and the column interval of each position, `[P]`.
        extents: the windows of every value that can be computed in windows.
        cut: index of the first step that runs on whole maps.
        lines: sizes and MACs of each step that multiplies.
        reason: why whole maps are computed from the cut on.
    """

    row: Ints
    column: Ints
    extents: dict[fx.Node, WindowExtents]
    cut: int
    lines: tuple[StepSummary, ...]
    reason: str

    @property
    def macs(self) -> tuple[float, float, float]:
        """MACs of a position: of a full forward pass, of what changes, and those executed.

        Only convolutions and linear layers are counted.
        """
        return (
            float(sum(line.full for line in self.lines)),
            sum(line.exact for line in self.lines),
            sum(line.done for line in self.lines),
        )

    @property
    def bound(self) -> float:
        """MACs of full forward passes, divided by those of the changed windows."""
        full, exact, _ = self.macs
        return full / max(exact, 1.0) if full else 1.0

    @property
    def saving(self) -> float:
        """MACs of full forward passes, divided by those executed."""
        full, _, done = self.macs
        return full / max(done, 1.0) if full else 1.0

    def aligned_inputs(self, step: OperatorStep) -> list[fx.Node]:
        """Return the inputs that are computed in the very windows of the step's output.

        The step reads their windows directly; the windows of all other inputs are gathered.
        """
        assert step.rule is not None
        if step.slides:
            return []
        output = self.extents[step.node]
        sources = dict.fromkeys(edge.source for edge in step.rule.edges)
        return [node for node in sources if output.same_windows(self.extents[node])]

    def summary(self) -> str:
        """Return a table of the steps: what is computed, and from where whole maps are."""
        head = f"{'layer':<34} {'window':>13} {'map':>9} {'share':>6} {'MACs saved':>10}"
        full, exact, done = self.macs
        return "\n".join(
            [
                head,
                *map(str, self.lines),
                f"{len(self.row)} positions; window, share and MACs saved are means over them",
                f"MACs a position: {full / 1e6:.1f} M in a full pass; on average "
                f"{done / 1e6:.1f} M executed ({self.saving:.2f}x fewer), {exact / 1e6:.1f} M "
                f"needed at least (bound {self.bound:.2f}x)",
                f"whole maps from: {self.reason}",
            ]
        )


def make_plan(
    program: Program, boxes: Tensor, whole: bool = False, approximate: float | None = None
) -> WindowPlan:
    """Plan the windows of a program for boxes that change the image.

    Args:
        program: the model's steps.
        boxes: `[P, 4]`, x0, y0, x1, y1, inside the image.
        whole: compute whole maps everywhere.
        approximate: share of a map's height and width to which a change is limited, around its
            middle; None follows all of it. The rest is treated as unchanged (Nakandala et al.
            2019, §4).
    """
    height, width = program.image.meta["val"].shape[2:]
    # Boxes with the same rows (or columns) share an interval: a grid of n x n boxes has n of each.
    ys, row = np.unique(boxes[:, [1, 3]].numpy(), axis=0, return_inverse=True)
    xs, column = np.unique(boxes[:, [0, 2]].numpy(), axis=0, return_inverse=True)
    row, column = row.reshape(-1), column.reshape(-1)
    rows = Intervals(ys[:, 0], ys[:, 1], height)
    columns = Intervals(xs[:, 0], xs[:, 1], width)
    counts = np.bincount(row, minlength=len(ys)), np.bincount(column, minlength=len(xs))
    extents = {program.image: WindowExtents(rows, columns, rows, columns)}
    costs = _StepCosts(row, column)
    for step in program.steps:
        output = None if whole else _output_extents(program, step, extents, counts, approximate)
        if output is not None:
            extents[step.node] = output
        costs.add(step, output)
    cut, reason = costs.cut(program)
    return WindowPlan(row, column, extents, cut, costs.lines(program, extents, cut), reason)


def _output_extents(
    program: Program,
    step: OperatorStep,
    extents: dict[fx.Node, WindowExtents],
    counts: tuple[Ints, Ints],
    approximate: float | None,
) -> WindowExtents | None:
    """Return the windows of a step's output; None where it cannot be computed in windows."""
    rule = step.rule
    if rule is None or any(edge.source not in extents for edge in rule.edges):
        return None
    sources = [extents[edge.source] for edge in rule.edges]
    # The changed interval of an input is propagated, not the computed one: otherwise the pixels
    # added by rounding up would be carried on and grow from layer to layer.
    pairs = list(zip(sources, rule.edges, strict=True))
    changed_y = hull([source.changed_y.propagate(edge.y) for source, edge in pairs])
    changed_x = hull([source.changed_x.propagate(edge.x) for source, edge in pairs])
    if approximate is not None:
        changed_y, changed_x = changed_y.central(approximate), changed_x.central(approximate)
    # A pointwise step keeps the windows of its inputs if it can: nothing is copied then.
    if not step.slides and all(source.same_windows(sources[0]) for source in sources):
        first = sources[0]
        return WindowExtents(changed_y, changed_x, first.computed_y, first.computed_x)
    # The windows of one input may suffice for all, as those of the longer branch of a residual
    # block do. The shorter branch is then gathered and added to them.
    sufficient = [s for s in sources if not step.slides and s.covers(changed_y, changed_x)]
    if sufficient:
        last = sufficient[-1]
        return WindowExtents(changed_y, changed_x, last.computed_y, last.computed_x)
    pixel_cost = step.macs + MACS_PER_ELEMENT * 2 * count_channels(program, step.node)
    computed = choose_window_sizes(
        changed_y, changed_x, counts, pixel_cost, MACS_PER_CALL, MAX_SIZE_CLASSES
    )
    return WindowExtents(changed_y, changed_x, *computed)


def count_channels(program: Program, node: fx.Node) -> int:
    """Return the number of elements that a pixel of a local value has."""
    skip = {0, *program.axes[node]}
    shape = node.meta["val"].shape
    return int(np.prod([n for i, n in enumerate(shape) if i not in skip and isinstance(n, int)]))


class _StepCosts:
    """Costs of the steps in windows and on whole maps, per position.

    Args:
        row, column: as in `WindowPlan`.
    """

    def __init__(self, row: Ints, column: Ints) -> None:
        self.row, self.column = row, column
        self.costs: list[tuple[float, float]] = []

    def mean_area(self, y: Intervals, x: Intervals) -> float:
        """Return the mean area of the positions' windows."""
        return float((y.size[self.row] * x.size[self.column]).mean())

    def add(self, step: OperatorStep, output: WindowExtents | None) -> None:
        """Append the cost of the next step: (in windows, on whole maps)."""
        if step.counts:
            self.costs.append((0.0, 0.0))
            return
        elements = int(np.prod([n for n in step.shape if isinstance(n, int)] or [1]))
        pixels = count_pixels(step)
        whole = step.macs * pixels + MACS_PER_ELEMENT * elements
        if output is None:
            self.costs.append((float("inf"), whole))
            return
        area = self.mean_area(output.computed_y, output.computed_x)
        # A sliding step reads and writes a gathered copy of its input, besides its output.
        moves = 3.0 if step.slides else 1.0
        windowed = area * (step.macs + MACS_PER_ELEMENT * moves * elements / pixels)
        self.costs.append((windowed, whole))

    def cut(self, program: Program) -> tuple[int, str]:
        """Return the step from which whole maps cost least, and why."""
        # total[i]: the first i steps in windows, the others on whole maps. It is infinite behind
        # the first step that cannot run in windows.
        windowed = np.cumsum([0.0, *(w for w, _ in self.costs)])
        whole = np.cumsum([0.0, *(d for _, d in self.costs)])
        total = windowed + (whole[-1] - whole)
        cut = int(np.argmin(total))
        if cut == len(program.steps):
            return cut, "nowhere"
        step = program.steps[cut]
        name = step.layer or step.node.name
        if np.isinf(self.costs[cut][0]):
            return cut, f"{name}, which is global or has no rule"
        return cut, f"{name}, whose windows are most of the map"

    def lines(
        self, program: Program, extents: dict[fx.Node, WindowExtents], cut: int
    ) -> tuple[StepSummary, ...]:
        """Return sizes and MACs of the steps that multiply."""
        return tuple(
            self._line(step, extents.get(step.node), index < cut)
            for index, step in enumerate(program.steps)
            if step.macs
        )

    def _line(
        self, step: OperatorStep, output: WindowExtents | None, before_cut: bool
    ) -> StepSummary:
        pixels = count_pixels(step)
        changed = done = float(pixels)
        window = None
        if output is not None:
            changed = self.mean_area(output.changed_y, output.changed_x)
        if output is not None and before_cut:
            done = self.mean_area(output.computed_y, output.computed_x)
            window = (
                float(output.computed_y.size[self.row].mean()),
                float(output.computed_x.size[self.column].mean()),
            )
        return StepSummary(
            layer=step.layer or step.node.name,
            window=window,
            map=map_size(step),
            share=done / pixels,
            full=step.macs * pixels,
            exact=step.macs * changed,
            done=step.macs * done,
        )


def map_size(step: OperatorStep) -> tuple[int, int]:
    """Return height and width of a step's output map, (1, 1) where it has none.

    For a linear layer on tokens `[N, T, C]` they are 1 and the number of tokens.
    """
    shape = step.shape
    if step.rule is not None:
        y, x = step.rule.axes
        return int(shape[y]), int(shape[x])
    if len(shape) == 4 and step.call is not torch.ops.aten.linear.default:
        return int(shape[2]), int(shape[3])
    if len(shape) > 2 and step.call is torch.ops.aten.linear.default:
        return 1, int(np.prod([n for n in shape[1:-1] if isinstance(n, int)]))
    return 1, 1


def count_pixels(step: OperatorStep) -> int:
    """Return the number of pixels of a step's output map."""
    return int(np.prod(map_size(step)))
