"""Places of the windows of a chunk of positions, and the tables that gather them.

Which windows are computed together, where they are, and what each step reads of them follow from
the plan and the positions alone, not from an image. All of it is planned before the first step of
a chunk runs, and the tables are copied to the device together. The loop of the executor then only
starts operators, and never waits for the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, fx

from ..program.operator import OperatorStep
from ..program.program import Program
from .intervals import Ints
from .plan import WindowExtents, WindowPlan

MAX_CACHED_BYTES = 64 << 20
"""Bytes of the tables that are kept for the next image."""


@dataclass(frozen=True, eq=False)
class WindowPlaces:
    """Places of the windows of one value, one window for each position of a chunk.

    Windows of one size form a part. Position p has window `index[p]` of part `part[p]`, and the
    top left corner of the window is at (y[p], x[p]) of the map.

    Attributes:
        part, index, y, x: as above, `[P]`.
        sizes: height and width of each window, `[P, 2]`.
        groups: for each part, the positions of its windows, in the order of the windows.
    """

    part: Ints
    index: Ints
    y: Ints
    x: Ints
    sizes: Ints
    groups: tuple[Ints, ...]

    def size_of(self, part: int) -> tuple[int, int]:
        """Return height and width of the windows of a part."""
        height, width = self.sizes[self.groups[part][0]].tolist()
        return height, width

    def corners(self, part: int) -> tuple[Ints, Ints]:
        """Return y and x of the top left corners of the windows of a part."""
        group = self.groups[part]
        return self.y[group], self.x[group]

    def lookup_rows(self, group: Ints, corner: tuple[Ints, Ints]) -> Ints:
        """Return rows of the table that `gather_windows` reads, int64 `[len(group), 6]`.

        Each row names a position's changed window (part, index, y, x) and the top left corner
        (y, x) of the window that the next operator reads.
        """
        columns = [self.part[group], self.index[group], self.y[group], self.x[group]]
        return np.stack([*columns, *corner], 1)


TableKey = tuple[fx.Node | None, fx.Node, int]
"""Reading step (None for whole maps), value that is read, part of the step's windows."""


@dataclass(frozen=True, eq=False)
class ChunkPlan:
    """Places of the windows of a chunk, and the tables with which they are gathered.

    Attributes:
        places: value -> places of its windows, for all values before the cut.
        tables: tables as in `gather_windows`, on the executor's device.
        nbytes: bytes of all tables.
    """

    places: dict[fx.Node, WindowPlaces]
    tables: dict[TableKey, Tensor]
    nbytes: int


@dataclass(eq=False)
class ChunkPlanner:
    """Plans chunks of positions, and keeps the plans for further images.

    Attributes:
        program: the model's steps.
        plan: the windows.
        device: where the tables are needed.
    """

    program: Program
    plan: WindowPlan
    device: torch.device
    _cached: dict[bytes, ChunkPlan] = field(init=False, default_factory=dict)

    def __call__(self, positions: Ints) -> ChunkPlan:
        """Return the plan of a chunk of positions."""
        key = positions.tobytes()
        if key not in self._cached:
            chunk = self._plan_chunk(positions)
            total = chunk.nbytes + sum(known.nbytes for known in self._cached.values())
            if total > MAX_CACHED_BYTES:
                return chunk
            self._cached[key] = chunk
        return self._cached[key]

    def _plan_chunk(self, positions: Ints) -> ChunkPlan:
        places = self._places(positions)
        rows = dict(self._rows(places))
        table = torch.from_numpy(np.concatenate([*rows.values()]).astype(np.int64, copy=False))
        parts = torch.split(_on_device(table, self.device), [len(part) for part in rows.values()])
        return ChunkPlan(places, dict(zip(rows, parts, strict=True)), table.nbytes)

    def _places(self, positions: Ints) -> dict[fx.Node, WindowPlaces]:
        """Return the places of the windows of every value before the cut."""
        image = self.program.image
        places = {image: self._place(self.plan.extents[image], positions)}
        for step in self._steps():
            aligned = self.plan.aligned_inputs(step)
            # The output of a pointwise step on aligned windows has the parts of its first input.
            places[step.node] = (
                places[aligned[0]]
                if aligned
                else self._place(self.plan.extents[step.node], positions)
            )
        return places

    def _place(self, extents: WindowExtents, positions: Ints) -> WindowPlaces:
        """Return the places of the windows of a value whose parts are grouped by size."""
        y, x = extents.computed_y, extents.computed_x
        row, column = self.plan.row[positions], self.plan.column[positions]
        sizes = np.stack([y.size[row], x.size[column]], 1)
        groups = group_by_size(sizes)
        part, index = np.zeros(len(positions), np.int64), np.zeros(len(positions), np.int64)
        for number, group in enumerate(groups):
            part[group], index[group] = number, np.arange(len(group))
        return WindowPlaces(part, index, y.start[row], x.start[column], sizes, groups)

    def _rows(self, places: dict[fx.Node, WindowPlaces]) -> Iterator[tuple[TableKey, Ints]]:
        """Yield the rows of every table that the executor reads."""
        image, keep = self.program.image, self.program.kept_nodes
        boxes = places[image]
        for part, group in enumerate(boxes.groups):
            # Without a changed window (-1): all is read from the "clean" map, here the fill.
            no_window = np.tile([-1, 0, 0, 0], (len(group), 1))
            yield (image, image, part), np.column_stack([no_window, *boxes.corners(part)])
        for step in self._steps():
            output = places[step.node]
            for source in self._inputs_to_gather(step, places):
                for part, group in enumerate(output.groups):
                    corner = output.corners(part)
                    if step.slides:
                        corner = _input_corners(step, corner)
                    yield (step.node, source, part), places[source].lookup_rows(group, corner)
        every = np.arange(len(boxes.part))
        corner = np.zeros_like(every), np.zeros_like(every)
        for node, windows in places.items():
            if node in keep or self.program.last_use.get(node, -1) >= self.plan.cut:
                yield (None, node, 0), windows.lookup_rows(every, corner)

    def _inputs_to_gather(
        self, step: OperatorStep, places: dict[fx.Node, WindowPlaces]
    ) -> list[fx.Node]:
        """Return the inputs of a step whose windows are gathered."""
        assert step.rule is not None
        if step.slides:
            return [step.rule.edges[0].source]
        aligned = self.plan.aligned_inputs(step)
        inputs = dict.fromkeys(step.inputs())
        return [node for node in inputs if node in places and node not in aligned]

    def _steps(self) -> Iterator[OperatorStep]:
        """Yield the steps that run in windows. The others count images, before the cut."""
        return (step for step in self.program.steps[: self.plan.cut] if step.rule is not None)


def _input_corners(step: OperatorStep, corner: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Return the corners of the input windows that a sliding step reads for output windows."""
    assert step.rule is not None
    edge = step.rule.edges[0]
    y, x = (
        axis.backward(start, start)[0] for axis, start in zip((edge.y, edge.x), corner, strict=True)
    )
    return y, x


def _on_device(table: Tensor, device: torch.device) -> Tensor:
    """Return a table where `gather_windows` reads it fastest; the copy is asynchronous."""
    if device.type != "cuda":
        return table
    return table.pin_memory().to(device, non_blocking=True)


def group_by_size(sizes: Ints) -> tuple[Ints, ...]:
    """Return the indices of the windows of each size; `sizes` is `[P, 2]`."""
    keys = sizes[:, 0] * (1 << 32) + sizes[:, 1]
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return tuple(np.split(order, cuts))
