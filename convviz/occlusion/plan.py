"""What a run will compute: windows, their sizes, and from where whole maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx

from ..program.operator import Step
from ..program.program import Program
from .intervals import Extent, Ints, executed, hull

# Costs in multiply-accumulates, from runs on AVX2 cores: an element moved costs about as much
# as 16 of them, a call as much as a small convolution. They only steer; results do not change.
ELEMENT = 16.0
CALL = 2.0e6
MOST_CLASSES = 6


@dataclass(frozen=True, eq=False)
class Frame:
    """The windows of one value: what changes, and what is computed.

    Attributes:
        rows, columns: the intervals that a change reaches, one a row and a column of boxes.
        tall, wide: the intervals that are computed.
    """

    rows: Extent
    columns: Extent
    tall: Extent
    wide: Extent

    def same_as(self, other: Frame) -> bool:
        """Say whether the same windows are computed."""
        return self.tall.same_as(other.tall) and self.wide.same_as(other.wide)

    def covers(self, rows: Extent, columns: Extent) -> bool:
        """Say whether what is computed holds these intervals."""
        return self.tall.holds(rows) and self.wide.holds(columns)


@dataclass(frozen=True)
class Line:
    """One step, for a reader.

    Attributes:
        layer: the layer's name, or the operator's.
        window: mean height and width computed; None where whole maps are.
        map: height and width of the map; (1, 1) where there is none.
        share: share of the map that is computed.
        full: MACs of a whole map.
        exact: mean MACs of what really changes.
        done: mean MACs executed.
    """

    layer: str
    window: tuple[float, float] | None
    map: tuple[int, int]
    share: float
    full: int
    exact: float
    done: float


@dataclass(frozen=True, eq=False)
class Plan:
    """How the scores of one image under many boxes are computed.

    Attributes:
        row, column: which row and column interval each position has, `[P]`.
        frames: windows of every value that is computed in windows.
        cut: index of the first step that runs on whole maps.
        lines: one a step that costs something.
        reason: why whole maps are computed from the cut on.
    """

    row: Ints
    column: Ints
    frames: dict[fx.Node, Frame]
    cut: int
    lines: tuple[Line, ...]
    reason: str

    @property
    def macs(self) -> tuple[float, float, float]:
        """MACs a position: of a full forward pass, of what changes, and those executed.

        Those of convolutions and linear layers; nothing else is counted.
        """
        return (
            float(sum(line.full for line in self.lines)),
            sum(line.exact for line in self.lines),
            sum(line.done for line in self.lines),
        )

    @property
    def bound(self) -> float:
        """How many times fewer MACs the changed windows need than full forward passes."""
        full, exact, _ = self.macs
        return full / max(exact, 1.0) if full else 1.0

    @property
    def saving(self) -> float:
        """How many times fewer MACs are executed than in full forward passes."""
        full, _, done = self.macs
        return full / max(done, 1.0) if full else 1.0

    def standing(self, step: Step) -> list[fx.Node]:
        """Return the inputs whose windows a step reads as they stand, nothing being gathered."""
        assert step.rule is not None
        if step.slides:
            return []
        frame = self.frames[step.node]
        sources = dict.fromkeys(edge.source for edge in step.rule.edges)
        return [node for node in sources if frame.same_as(self.frames[node])]

    def summary(self) -> str:
        """Say per step what is computed, and where it goes dense."""
        head = f"{'layer':<34} {'window':>13} {'map':>9} {'share':>6} {'MACs saved':>10}"
        rows = [head, *(_row(line) for line in self.lines)]
        full, exact, done = self.macs
        rows.append(f"{len(self.row)} positions; window, share and MACs saved are means over them")
        rows.append(
            f"MACs a position: {full / 1e6:.1f} M in a full pass; on average {done / 1e6:.1f} M "
            f"executed ({self.saving:.2f}x fewer), {exact / 1e6:.1f} M needed at least "
            f"(bound {self.bound:.2f}x)"
        )
        rows.append(f"whole maps from: {self.reason}")
        return "\n".join(rows)


def _row(line: Line) -> str:
    window = "whole" if line.window is None else "{:.1f} x {:.1f}".format(*line.window)
    size = "{} x {}".format(*line.map)
    saved = 1 - line.done / line.full if line.full else 0.0
    return f"{line.layer[-34:]:<34} {window:>13} {size:>9} {line.share:>6.0%} {saved:>10.0%}"


def make_plan(
    program: Program, boxes: Tensor, whole: bool = False, approximate: float | None = None
) -> Plan:
    """Plan a run.

    Args:
        program: the model's steps.
        boxes: `[P, 4]`, x0, y0, x1, y1, inside the image.
        whole: compute whole maps everywhere.
        approximate: share of a map's height and width to which a change is cut, around its
            middle; None follows all of it. What lies outside is taken for unchanged (Nakandala
            et al. 2019, §4).
    """
    height, width = program.image.meta["val"].shape[2:]
    ys, row = np.unique(boxes[:, [1, 3]].numpy(), axis=0, return_inverse=True)
    xs, column = np.unique(boxes[:, [0, 2]].numpy(), axis=0, return_inverse=True)
    row, column = row.reshape(-1), column.reshape(-1)
    rows = Extent(ys[:, 0], ys[:, 1], height)
    columns = Extent(xs[:, 0], xs[:, 1], width)
    counts = np.bincount(row, minlength=len(ys)), np.bincount(column, minlength=len(xs))
    frames = {program.image: Frame(rows, columns, rows, columns)}
    tally = _Tally(row, column)
    for step in program.steps:
        frame = None if whole else _frame(program, step, frames, counts, approximate)
        if frame is not None:
            frames[step.node] = frame
        tally.add(step, frame)
    cut, reason = tally.cut(program)
    lines = tally.lines(program, frames, cut)
    return Plan(row, column, frames, cut, lines, reason)


def _frame(
    program: Program,
    step: Step,
    frames: dict[fx.Node, Frame],
    counts: tuple[Ints, Ints],
    approximate: float | None,
) -> Frame | None:
    """Return the windows of a step's output; None where it is not computed in windows."""
    rule = step.rule
    if rule is None or any(edge.source not in frames for edge in rule.edges):
        return None
    sources = [frames[edge.source] for edge in rule.edges]
    rows = hull([f.rows.through(e.y) for f, e in zip(sources, rule.edges, strict=True)])
    columns = hull([f.columns.through(e.x) for f, e in zip(sources, rule.edges, strict=True)])
    if approximate is not None:
        rows, columns = rows.cut(approximate), columns.cut(approximate)
    if not step.slides and all(f.same_as(sources[0]) for f in sources):
        return Frame(rows, columns, sources[0].tall, sources[0].wide)
    wide_enough = [f for f in sources if not step.slides and f.covers(rows, columns)]
    if wide_enough:  # so that a residual branch is added to windows that stay where they are
        return Frame(rows, columns, wide_enough[-1].tall, wide_enough[-1].wide)
    pixel = step.macs + ELEMENT * 2 * channels(program, step.node)
    tall, wide = executed(rows, columns, counts, pixel, CALL, MOST_CLASSES)
    return Frame(rows, columns, tall, wide)


def channels(program: Program, node: fx.Node) -> int:
    """Return how many numbers a pixel of a local value has."""
    skip = {0, *program.axes[node]}
    shape = node.meta["val"].shape
    return int(np.prod([n for i, n in enumerate(shape) if i not in skip and isinstance(n, int)]))


class _Tally:
    """Adds up what steps cost in windows and on whole maps."""

    def __init__(self, row: Ints, column: Ints) -> None:
        self.row, self.column = row, column
        self.costs: list[tuple[float, float]] = []

    def area(self, tall: Extent, wide: Extent) -> float:
        """Return the mean area of the positions' windows."""
        return float((tall.size[self.row] * wide.size[self.column]).mean())

    def add(self, step: Step, frame: Frame | None) -> None:
        """Note the cost of a step a position: (in windows, on whole maps)."""
        if step.counts:
            self.costs.append((0.0, 0.0))
            return
        size = int(np.prod([n for n in step.shape if isinstance(n, int)] or [1]))
        pixels = whole_pixels(step)
        whole = step.macs * pixels + ELEMENT * size
        if frame is None:
            self.costs.append((float("inf"), whole))
            return
        area = self.area(frame.tall, frame.wide)
        moved = 3.0 if step.slides else 1.0
        self.costs.append((area * (step.macs + ELEMENT * moved * size / pixels), whole))

    def cut(self, program: Program) -> tuple[int, str]:
        """Choose the step from which whole maps cost least."""
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

    def lines(self, program: Program, frames: dict[fx.Node, Frame], cut: int) -> tuple[Line, ...]:
        """Describe the steps that multiply."""
        found = []
        for index, step in enumerate(program.steps):
            if not step.macs:
                continue
            pixels = whole_pixels(step)
            frame = frames.get(step.node)
            exact = float(pixels)
            if frame is not None:
                exact = self.area(frame.rows, frame.columns)
            in_windows = frame is not None and index < cut
            area = self.area(frame.tall, frame.wide) if frame and in_windows else float(pixels)
            window = None
            if frame is not None and in_windows:
                window = (
                    float(frame.tall.size[self.row].mean()),
                    float(frame.wide.size[self.column].mean()),
                )
            found.append(
                Line(
                    step.layer or step.node.name,
                    window,
                    map_size(step),
                    area / pixels,
                    step.macs * pixels,
                    step.macs * exact,
                    step.macs * area,
                )
            )
        return tuple(found)


def map_size(step: Step) -> tuple[int, int]:
    """Return height and width of a step's output map, (1, 1) where it has none."""
    shape = step.shape
    if step.rule is not None:
        y, x = step.rule.axes
        return int(shape[y]), int(shape[x])
    if len(shape) == 4 and step.call is not torch.ops.aten.linear.default:
        return int(shape[2]), int(shape[3])
    if len(shape) > 2 and step.call is torch.ops.aten.linear.default:
        return 1, int(np.prod([n for n in shape[1:-1] if isinstance(n, int)]))
    return 1, 1


def whole_pixels(step: Step) -> int:
    """Return the number of pixels of a step's output map."""
    return int(np.prod(map_size(step)))
