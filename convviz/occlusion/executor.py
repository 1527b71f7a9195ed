"""Execution of a window plan: windows up to the cut, then whole maps to the end.

Notation. For one image, `clean` holds the maps of the unchanged image. For a chunk of positions,
`held` holds the changed windows of every live value. The *true* map of a value for a position is
its clean map with the position's window written over it. Every step relies on this invariant:

    outside of a position's window, the true map equals the clean map.

The plan guarantees it, since a window contains all that a change can reach. A step may therefore
read any part of the true map by taking it from the window where that covers it, and from the
clean map elsewhere. That is what `gather_windows` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from ..ops.gather_windows import gather_windows
from ..program.operator import OperatorStep, Values
from ..program.program import Program
from .chunk_plan import ChunkPlan, ChunkPlanner
from .intervals import Ints, input_length
from .memory_budget import DEFAULT_MEMORY_BYTES, whole_map_batch
from .plan import WindowPlan, count_channels
from .regions import Regions
from .window_batch import WindowBatch


class WindowExecutor:
    """Computes the scores of one image under the boxes of a plan.

    Args:
        program: the model's steps.
        plan: what to compute.
        image: `[1, C, H, W]`, in the program's dtype.
        fill: `[1, C, H, W]`, the values of covered pixels.
        memory: budget in bytes for the whole maps behind the cut.
        planner: plans the chunks; executors of several images share one.
        regions: the regions of the plan; None covers whole boxes.
        clean: values of the unchanged image, in the layout of the executor, which plans of the same
            image share; missing ones are added.
    """

    def __init__(
        self,
        program: Program,
        plan: WindowPlan,
        image: Tensor,
        fill: Tensor,
        memory: int = DEFAULT_MEMORY_BYTES,
        planner: ChunkPlanner | None = None,
        regions: Regions | None = None,
        clean: Values | None = None,
    ) -> None:
        self.program, self.plan, self.memory, self.regions = program, plan, memory, regions
        self.planner = planner or ChunkPlanner(program, plan, image.device)
        self.fill = fill.contiguous(memory_format=torch.channels_last)
        # All clean values before the cut are kept: windows are gathered from them.
        self.clean: Values = {} if clean is None else clean
        if program.image not in self.clean:
            self.clean[program.image] = image.contiguous(memory_format=torch.channels_last)
        self.image: Tensor = self.clean[program.image]
        self._run_clean(self.clean, program.steps[: plan.cut])

    def clean_outputs(self) -> Values:
        """Return the values that the program keeps, for the unchanged image."""
        values = dict(self.clean)
        self._run_clean(values, self.program.steps[self.plan.cut :])
        read = self._reader(values)
        return {node: read(node) for node in self.program.kept_nodes}

    def outputs(self, positions: Ints) -> Iterator[tuple[Ints, Values]]:
        """Yield the values that the program keeps, for consecutive pieces of the positions.

        All positions run in windows together. Whole maps are larger, so they run in pieces.
        """
        chunk = self.planner(positions)
        windows = self._run_windows(chunk, positions)
        batch = self._whole_map_batch()
        for start in range(0, len(positions), batch):
            piece = slice(start, min(start + batch, len(positions)))
            yield positions[piece], self._run_whole_maps(chunk, windows, piece)

    def _run_clean(self, values: Values, steps: list[OperatorStep]) -> None:
        """Run steps on the unchanged image, and add their results to the values."""
        read = self._reader(values)
        for step in steps:
            # Never in place: all clean values are read again, for every chunk of positions.
            if step.node not in values:
                values[step.node] = step.run(read, in_place=False)

    def _run_windows(self, chunk: ChunkPlan, positions: Ints) -> dict[fx.Node, WindowBatch]:
        """Compute every step before the cut in windows; return those that are read behind it."""
        image, keep = self.program.image, self.program.kept_nodes
        held = {image: self._covered_windows(chunk, positions)}
        for index, step in enumerate(self.program.steps[: self.plan.cut]):
            if step.rule is None:
                continue  # it counts images, see `_run_whole_maps`
            held[step.node] = self._run_step(step, held, chunk)
            for node in step.inputs():
                dead = self.program.last_use.get(node, -1) <= index
                if node in held and dead and node not in keep:
                    del held[node]
        return held

    def _covered_windows(self, chunk: ChunkPlan, positions: Ints) -> WindowBatch:
        """Return the windows of the image: the boxes, with the fill where they are covered."""
        image = self.program.image
        places = chunk.places[image]
        parts = []
        for part, group in enumerate(places.groups):
            table, size = chunk.tables[image, image, part], places.size_of(part)
            window = gather_windows(self.fill, [], table, *size, 0.0)
            if self.regions is not None and self.regions.masks is not None:
                clean = gather_windows(self.image, [], table, *size, 0.0)
                window = torch.where(self.regions.mask_windows(positions[group]), window, clean)
            parts.append(window)
        return WindowBatch(places, parts)

    def _run_step(
        self, step: OperatorStep, held: dict[fx.Node, WindowBatch], chunk: ChunkPlan
    ) -> WindowBatch:
        """Compute the windows of a step's output, those of one size in one call."""
        assert step.rule is not None
        aligned = self.plan.aligned_inputs(step)
        if aligned:
            return self._run_aligned(step, held, chunk, aligned)
        places = chunk.places[step.node]
        parts = []
        for part in range(len(places.groups)):
            size = places.size_of(part)
            if step.slides:
                table = chunk.tables[step.node, step.rule.edges[0].source, part]
                parts.append(self._slide(step, held, table, size))
            else:
                inputs = {
                    edge.source: self._gather(
                        edge.source, held, chunk.tables[step.node, edge.source, part], size
                    )
                    for edge in step.rule.edges
                }
                parts.append(step.run(self._reader(inputs)))
        return WindowBatch(places, parts)

    def _run_aligned(
        self,
        step: OperatorStep,
        held: dict[fx.Node, WindowBatch],
        chunk: ChunkPlan,
        aligned: list[fx.Node],
    ) -> WindowBatch:
        """Run a pointwise step directly on the windows of its inputs.

        Args:
            step: the step.
            held: windows of all live values.
            chunk: places and tables.
            aligned: inputs whose windows are those of the output; any others are gathered.
        """
        first = held[aligned[0]]
        others = [node for node in step.inputs() if node in held and node not in aligned]
        if not others and all(self._join_pixels(step, held[node], node) for node in aligned):
            rows = {node: held[node].pixel_row for node in aligned}
            return first.with_pixel_row(step.run(self._reader(rows)), self._order(step.node))
        parts = []
        for part in range(len(first.parts)):
            inputs = {node: held[node].parts[part] for node in aligned}
            size = first.places.size_of(part)
            for node in others:
                table = chunk.tables[step.node, node, part]
                inputs[node] = self._gather(node, held, table, size)
            parts.append(step.run(self._reader(inputs)))
        return first.with_parts(parts, [held[node] for node in aligned])

    def _join_pixels(self, step: OperatorStep, windows: WindowBatch, node: fx.Node) -> bool:
        """Join the pixels of all windows where that pays; return whether they are joined."""
        if windows.pixel_row is None and step.pays_in_a_row(count_channels(self.program, node)):
            windows.join_pixels(self._order(node))
        return windows.pixel_row is not None

    def _slide(
        self,
        step: OperatorStep,
        held: dict[fx.Node, WindowBatch],
        table: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """Run a convolution or pooling on gathered windows with their halo.

        The gathered input of an output window begins where the first output's receptive field
        begins, and may overhang the map; there it contains the operator's padding value. The
        operator itself then runs without padding.

        Args:
            step: the step.
            held: windows of all live values.
            table: the windows of the input, as in `gather_windows`.
            size: height and width of the output windows.
        """
        assert step.rule is not None
        assert step.rule.padding is not None
        edge = step.rule.edges[0]
        if step.reads_windows(*size):  # Winograd's kernel gathers its input
            assert step.conv3x3 is not None
            clean, parts = self._sources(edge.source, held)
            return step.conv3x3.windows(clean, parts, table, *size)
        lengths = input_length(edge.y, size[0]), input_length(edge.x, size[1])
        window = self._gather(edge.source, held, table, lengths, step.rule.padding)
        return step.run_sliding(window, self._reader({}))

    def _gather(
        self,
        node: fx.Node,
        held: dict[fx.Node, WindowBatch],
        table: Tensor,
        size: tuple[int, int],
        padding: float = 0.0,
    ) -> Tensor:
        """Return windows of the true maps of a value, in the axes of the value.

        Args:
            node: the value.
            held: windows of all live values.
            table: the windows, as in `gather_windows`.
            size: height and width of the windows.
            padding: the value outside of the map.
        """
        clean, parts = self._sources(node, held)
        gathered: Tensor = gather_windows(clean, parts, table, *size, padding)
        # Undo the change of axes of `_sources`.
        order = self._order(node)
        depth = [self.clean[node].shape[i] for i in order[1:-2]]
        back = [order.index(i) for i in range(len(order))]
        return gathered.reshape(len(table), *depth, *size).permute(back)

    def _sources(
        self, node: fx.Node, held: dict[fx.Node, WindowBatch]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the clean map of a value and the parts of its windows, as `[N, C, H, W]`.

        A value may have its image axes anywhere, and none, one or several axes of channels. They
        are flattened into one here.
        """
        order = self._order(node)

        def as_maps(x: Tensor) -> Tensor:
            x = x.permute(order)
            return x.reshape(len(x), math.prod(x.shape[1:-2]), *x.shape[-2:])

        return as_maps(self.clean[node]), [as_maps(part) for part in held[node].parts]

    def _order(self, node: fx.Node) -> list[int]:
        """Return the axes of a value in the order N, channels, H, W."""
        axes = self.program.axes[node]
        depth = sorted(set(range(1, self.clean[node].dim())) - set(axes))
        return [0, *depth, axes.y, axes.x]

    def _reader(self, inputs: Values) -> Callable[[fx.Node], Any]:
        constants = self.program.constants
        return lambda node: inputs[node] if node in inputs else constants[node]

    def _run_whole_maps(
        self, chunk: ChunkPlan, windows: dict[fx.Node, WindowBatch], piece: slice
    ) -> Values:
        """Run the steps from the cut on, on whole maps.

        Args:
            chunk: places and tables.
            windows: the windows that are left at the cut.
            piece: the positions, a part of the chunk.
        """
        values: Values = {}
        constants, cut, keep = self.program.constants, self.plan.cut, self.program.kept_nodes

        def value(node: fx.Node) -> Any:
            if node in constants:
                return constants[node]
            if node not in values:
                table = chunk.tables[None, node, 0][piece]
                values[node] = self._whole_maps(node, windows, table)
            return values[node]

        for index, step in enumerate(self.program.steps):
            # Steps that compute with the number of images are cheap, and are not run in windows.
            if index < cut and not step.counts:
                continue
            # The batch size of the image or of windows is read: neither exists as a whole map.
            if _reads_batch_size(step) and step.args[0] not in values:
                values[step.node] = piece.stop - piece.start
            else:
                values[step.node] = step.run(value)
            for node in step.inputs():
                if self.program.last_use.get(node, -1) <= index and node not in keep:
                    values.pop(node, None)
        return {node: value(node) for node in keep}

    def _whole_maps(
        self, node: fx.Node, windows: dict[fx.Node, WindowBatch], table: Tensor
    ) -> Tensor:
        """Return the true maps of a value, gathered as windows of the size of the map."""
        axes = self.program.axes[node]
        shape = self.clean[node].shape
        return self._gather(node, windows, table, (shape[axes.y], shape[axes.x]))

    def _whole_map_batch(self) -> int:
        """Return how many positions' whole maps are computed at a time."""
        return whole_map_batch(self.program, self.plan, self.image, self.memory)


def _reads_batch_size(step: OperatorStep) -> bool:
    return step.call is torch.ops.aten.sym_size.int and step.args[1] == 0


def order_by_window_size(plan: WindowPlan) -> Ints:
    """Return the positions sorted so that those with windows of equal sizes are neighbors.

    A chunk then contains few sizes, and each size is one call.
    """
    keys = [e.computed_y.size[plan.row] for e in plan.extents.values()]
    keys += [e.computed_x.size[plan.column] for e in plan.extents.values()]
    return np.lexsort(keys) if keys else np.arange(len(plan.row))
