"""Runs a plan: windows gathered, computed in batches of one size, then whole maps to the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from ..locality.axis_maps import AxisMap
from ..ops import operators
from ..program.operator import Step, Values
from ..program.program import Program
from .intervals import Ints, with_halo
from .memory_budget import MEMORY, whole_at_once
from .plan import Frame, Plan, channels
from .window_batch import Windows, groups, place, table


class Run:
    """One image under the boxes of a plan.

    Args:
        program: the model's steps.
        plan: what to compute.
        image: `[1, C, H, W]`, in the network's dtype.
        fill: `[1, C, H, W]`, what a covered pixel shows.
        memory: bytes that whole maps are computed within.
    """

    def __init__(
        self, program: Program, plan: Plan, image: Tensor, fill: Tensor, memory: int = MEMORY
    ) -> None:
        self.program, self.plan, self.memory = program, plan, memory
        self.image = image.contiguous(memory_format=torch.channels_last)
        self.fill = fill.contiguous(memory_format=torch.channels_last)
        self.clean = self._clean()

    def _clean(self) -> Values:
        """Run the image itself up to the cut; keep what windows will be taken from."""
        return self._on({self.program.image: self.image}, self.program.steps[: self.plan.cut])

    def unoccluded(self) -> Values:
        """Return the values that the program keeps, of the image itself."""
        values = self._on(dict(self.clean), self.program.steps[self.plan.cut :])
        read = self._reader(values)
        return {node: read(node) for node in self._wanted()}

    def _on(self, values: Values, steps: Sequence[Step]) -> Values:
        """Run steps on whole maps of the image itself, adding to the values."""
        read = self._reader(values)
        for step in steps:
            values[step.node] = step.run(read, in_place=False)
        return values

    def _wanted(self) -> list[fx.Node]:
        return [self.program.output, *self.program.layers.values()]

    def outputs(self, positions: Ints) -> Iterator[tuple[Ints, Values]]:
        """Yield, for pieces of the positions, the values that the program keeps."""
        windows = self._windows(positions)
        whole = self._whole_at_once()
        for start in range(0, len(positions), whole):
            piece = np.arange(start, min(start + whole, len(positions)))
            yield positions[piece], self._tail(windows, positions, piece)

    def _windows(self, positions: Ints) -> dict[fx.Node, Windows]:
        """Compute every step before the cut in windows; return those needed after it."""
        image = self.program.image
        held = {image: self._occluders(positions)}
        kept = self._wanted()
        for index, step in enumerate(self.program.steps[: self.plan.cut]):
            if step.rule is None:
                continue
            held[step.node] = self._step(step, held, positions)
            for node in step.inputs():
                done = self.program.last_use.get(node, -1) <= index
                if node in held and done and node not in kept:
                    del held[node]
        return held

    def _occluders(self, positions: Ints) -> Windows:
        """Return the boxes, filled."""
        image = self.program.image
        layout = self._layout(self.plan.frames[image], positions)
        for group in groups(layout.sizes):
            corner = np.stack([layout.y[group], layout.x[group]], 1)
            rows = np.concatenate([np.full((len(group), 1), -1), np.zeros((len(group), 3))], 1)
            rows = np.concatenate([rows, corner], 1).astype(np.int64)
            height, width = layout.sizes[group[0]].tolist()
            part = operators.gather_windows(
                self.fill, [], torch.from_numpy(rows), height, width, 0.0
            )
            place(layout, group, part)
        return layout

    def _layout(self, frame: Frame, positions: Ints) -> Windows:
        """Return where the windows of a value lie, with nothing computed yet."""
        row, column = self.plan.row[positions], self.plan.column[positions]
        sizes = np.stack([frame.tall.size[row], frame.wide.size[column]], 1)
        empty = np.zeros(len(positions), np.int64)
        return Windows(
            [], empty.copy(), empty.copy(), frame.tall.start[row], frame.wide.start[column], sizes
        )

    def _step(self, step: Step, held: dict[fx.Node, Windows], positions: Ints) -> Windows:
        assert step.rule is not None
        standing = self.plan.standing(step)
        if standing:
            return self._where_they_stand(step, held, standing)
        layout = self._layout(self.plan.frames[step.node], positions)
        for group in groups(layout.sizes):
            height, width = layout.sizes[group[0]].tolist()
            corner = layout.y[group], layout.x[group]
            if step.slides:
                part = self._slide(step, held, group, corner, (height, width))
            else:
                inputs = {
                    edge.source: self._gather(edge.source, held, group, corner, (height, width))
                    for edge in step.rule.edges
                }
                part = step.run(self._reader(inputs))
            place(layout, group, part)
        return layout

    def _where_they_stand(
        self, step: Step, held: dict[fx.Node, Windows], standing: list[fx.Node]
    ) -> Windows:
        """Run a pointwise step on windows as they stand, its other inputs gathered for them."""
        first = held[standing[0]]
        others = [node for node in step.inputs() if node in held and node not in standing]
        if not others and all(self._in_a_row(step, held[node], node) for node in standing):
            rows = {node: held[node].row for node in standing}
            return first.with_row(step.run(self._reader(rows)), self._order(step.node))
        parts = []
        for i in range(len(first.parts)):
            inputs = {node: held[node].parts[i] for node in standing}
            if others:
                group = np.flatnonzero(first.part == i)
                corner = first.y[group], first.x[group]
                height, width = first.sizes[group[0]].tolist()
                for node in others:
                    inputs[node] = self._gather(node, held, group, corner, (height, width))
            parts.append(step.run(self._reader(inputs)))
        return first.with_parts(parts, [held[node] for node in standing])

    def _in_a_row(self, step: Step, windows: Windows, node: fx.Node) -> bool:
        """Say whether a pointwise step runs on all windows at once, having laid them in a row."""
        if windows.row is None and step.pays_in_a_row(channels(self.program, node)):
            windows.lay_in_a_row(self._order(node))
        return windows.row is not None

    def _slide(
        self,
        step: Step,
        held: dict[fx.Node, Windows],
        group: Ints,
        corner: tuple[Ints, Ints],
        size: tuple[int, int],
    ) -> Tensor:
        """Run a convolution or pooling on gathered windows with their halo."""
        assert step.rule is not None
        assert step.rule.padding is not None
        edge = step.rule.edges[0]
        (y, high), (x, wide) = (
            _halo(axis, start, length)
            for axis, start, length in zip((edge.y, edge.x), corner, size, strict=True)
        )
        if step.reads_windows(*size):
            assert step.conv3x3 is not None
            clean, parts = self._sources(edge.source, held)
            where = table(held[edge.source], group, (y, x))
            return step.conv3x3.windows(clean, parts, where, *size)
        window = self._gather(edge.source, held, group, (y, x), (high, wide), step.rule.padding)
        return step.run_sliding(window, self._reader({}))

    def _gather(
        self,
        node: fx.Node,
        held: dict[fx.Node, Windows],
        group: Ints,
        corner: tuple[Ints, Ints],
        size: tuple[int, int],
        padding: float = 0.0,
    ) -> Tensor:
        """Return the windows of a value at these corners, changed parts laid over clean ones."""
        clean, parts = self._sources(node, held)
        where = table(held[node], group, corner)
        gathered: Tensor = operators.gather_windows(clean, parts, where, *size, padding)
        order = self._order(node)
        depth = [self.clean[node].shape[i] for i in order[1:-2]]
        back = [order.index(i) for i in range(len(order))]
        return gathered.reshape(len(group), *depth, *size).permute(back)

    def _sources(self, node: fx.Node, held: dict[fx.Node, Windows]) -> tuple[Tensor, list[Tensor]]:
        """Return the clean map of a value and its changed windows, as N, C, H, W.

        However many axes the channels take, none among them.
        """
        order = self._order(node)

        def upright(x: Tensor) -> Tensor:
            x = x.permute(order)
            return x.reshape(len(x), math.prod(x.shape[1:-2]), *x.shape[-2:])

        return upright(self.clean[node]), [upright(part) for part in held[node].parts]

    def _order(self, node: fx.Node) -> list[int]:
        """Return the axes of a value in the order N, channels, H, W."""
        axes = self.program.axes[node]
        depth = sorted(set(range(1, self.clean[node].dim())) - set(axes))
        return [0, *depth, axes.y, axes.x]

    def _reader(self, inputs: Values) -> Callable[[fx.Node], Any]:
        constants = self.program.constants
        return lambda node: inputs[node] if node in inputs else constants[node]

    def _tail(self, windows: dict[fx.Node, Windows], positions: Ints, piece: Ints) -> Values:
        """Run the steps from the cut on, on whole maps of a piece of the positions."""
        values: Values = {}
        constants, cut = self.program.constants, self.plan.cut
        kept = self._wanted()

        def value(node: fx.Node) -> Any:
            if node in constants:
                return constants[node]
            if node not in values:
                values[node] = self._materialise(node, windows, piece)
            return values[node]

        for index, step in enumerate(self.program.steps):
            if index < cut and not step.counts:
                continue
            if _is_batch(step) and step.args[0] not in values:  # of the image or of windows
                values[step.node] = len(piece)
            else:
                values[step.node] = step.run(value)
            for node in step.inputs():
                if self.program.last_use.get(node, -1) <= index and node not in kept:
                    values.pop(node, None)
        return {node: value(node) for node in self._wanted()}

    def _materialise(self, node: fx.Node, windows: dict[fx.Node, Windows], piece: Ints) -> Tensor:
        """Return a windowed value as whole maps."""
        axes = self.program.axes[node]
        shape = self.clean[node].shape
        zeros = np.zeros(len(piece), np.int64)
        return self._gather(node, windows, piece, (zeros, zeros), (shape[axes.y], shape[axes.x]))

    def _whole_at_once(self) -> int:
        """Return how many whole maps are made at a time."""
        return whole_at_once(self.program, self.plan, self.image, self.memory)


def _halo(axis: AxisMap, start: Ints, length: int) -> tuple[Ints, int]:
    """Return where the inputs of output windows begin, and how many there are."""
    return axis.backward(start, start)[0], with_halo(axis, length)


def _is_batch(step: Step) -> bool:
    """Say whether a step reads the size of the batch."""
    return step.call is torch.ops.aten.sym_size.int and step.args[1] == 0


def in_order(plan: Plan) -> Ints:
    """Return the positions so that those with windows of like sizes are neighbours."""
    frames: Sequence[Frame] = list(plan.frames.values())
    keys = [f.tall.size[plan.row] for f in frames] + [f.wide.size[plan.column] for f in frames]
    return np.lexsort(keys) if keys else np.arange(len(plan.row))
