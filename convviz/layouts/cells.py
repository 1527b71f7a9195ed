"""Cells of a map: the pixels of the images that each row and column of it stands for.

Windows of convolutions and pooling move and widen the cells. Operators that mix all positions,
such as gates and attention, leave them: a position still stands for its own part of the image.
Where the receptive field is local, the cells of a map are its receptive fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from .axes import Axes, Axis
from .operator_rules import TracedOperation


@dataclass(frozen=True)
class Cells:
    """The cells along one axis, in pixels.

    Position i stands for the pixels from begin + i * step to end + i * step. Cells are unclipped:
    where a position reads padding, they extend beyond the image.

    Attributes:
        count: number of positions.
        begin, end: the cell of position 0, half-open.
        step: distance of neighboring cells.
    """

    count: int
    begin: float
    end: float
    step: float

    @property
    def centers(self) -> tuple[float, ...]:
        """The centers of all cells; that of pixel 0 is 0.5."""
        return tuple((self.begin + self.end) / 2 + i * self.step for i in range(self.count))

    def slide(
        self, count: int, window: float, stride: float, padding: float = 0, dilation: int = 1
    ) -> Cells:
        """Return the cells of the output of a sliding window."""
        begin = self.begin - padding * self.step
        end = self.end + (dilation * (window - 1) - padding) * self.step
        return Cells(count, begin, end, self.step * stride)

    def resample(self, count: int, first: float, step: float) -> Cells:
        """Return the cells of positions first, first + step, … between those of this map."""
        return Cells(
            count, self.begin + first * self.step, self.end + first * self.step, self.step * step
        )


MapCells = tuple[Cells | None, Cells | None]
"""The cells along rows and columns; None where they are unknown."""

Move = Callable[[TracedOperation, Cells, int, int], Cells]
"""Returns the cells of the result along axis 0 (rows) or 1 (columns), given those of the first
tensor and the number of positions of the result."""

_MOVES: dict[str, Move] = {}

_SCATTERING = frozenset(
    """
    cudnn_grid_sampler flip fractional_max_pool2d grid_sampler_2d index index_select repeat
    """.split()  # noqa: SIM905
)
"""Operators that may put positions anywhere."""


def image_cells(shape: Sequence[int]) -> MapCells:
    """Return the cells of images `[N, C, H, W]`: each pixel is one."""
    height, width = shape[2:]
    return Cells(height, 0.0, 1.0, 1.0), Cells(width, 0.0, 1.0, 1.0)


def cells_of(
    op: TracedOperation, axes: Axes, known: Callable[[Tensor], MapCells | None]
) -> MapCells:
    """Return the cells of a result of an operator.

    Args:
        op: the call.
        axes: the axes of the result.
        known: tensor -> its cells.
    """
    rows, columns = (_along(op, axes, axis, known) for axis in (0, 1))
    return rows, columns


def _along(
    op: TracedOperation, axes: Axes, axis: int, known: Callable[[Tensor], MapCells | None]
) -> Cells | None:
    count = _positions(axes, "yx"[axis])
    if count is None or op.name in _SCATTERING:
        return None
    sources = [
        cells for t in op.tensors if (of_map := known(t)) and (cells := of_map[axis]) is not None
    ]
    move = _MOVES.get(op.name)
    if move is not None:
        return move(op, sources[0], axis, count) if sources else None
    same = [cells for cells in sources if cells.count == count]
    if not same:  # rows that were split by a view, of which only the coarse part is left
        return next((_coarse(cells, count) for cells in sources if cells.count % count == 0), None)
    begin, end = min(cells.begin for cells in same), max(cells.end for cells in same)
    return Cells(count, begin, end, same[0].step)


def _coarse(source: Cells, count: int) -> Cells:
    """Return the cells of equal blocks that cover a map.

    The windows of adaptive pooling differ by a position where the sizes do not divide; their
    centers are approximated by those of equal blocks.
    """
    size = source.count / count
    return source.slide(count, size, size)


def _positions(axes: Axes, kind: str) -> int | None:
    """Return the number of rows ("y") or columns ("x") of a tensor; None if it has none."""
    factors = [factor for axis in axes for factor in axis]
    factors += [inner for factor in factors if factor.kind == "t" for inner in factor.grid]
    return next((factor.total for factor in factors if factor.kind == kind), None)


def _is_along(axis: Axis, kind: str) -> bool:
    return len(axis) == 1 and axis[0].kind == kind and axis[0].major


def _move(*names: str) -> Callable[[Move], Move]:
    """Register a function for operators, named without namespace, overload and underscore."""

    def register(function: Move) -> Move:
        _MOVES.update(dict.fromkeys(names, function))
        return function

    return register


def _entry(value: Any, axis: int) -> Any:
    """Return the entry for an axis of an argument that holds one or two numbers."""
    return value if isinstance(value, int) else value[axis % len(value)]


@_move("convolution", "_convolution", "convolution_overrideable", "conv2d", "mkldnn_convolution")
def _convolution(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    window = op["weight"].shape[2 + axis]
    stride, padding, dilation = (
        _entry(op[name], axis) for name in ("stride", "padding", "dilation")
    )
    if op.arguments.get("transposed"):
        return source.resample(count, (padding - dilation * (window - 1) / 2) / stride, 1 / stride)
    return source.slide(count, window, stride, padding, dilation)


@_move("avg_pool2d", "max_pool2d", "max_pool2d_with_indices", "mkldnn_max_pool2d")
def _pooling(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    window = _entry(op["kernel_size"], axis)
    stride = _entry(op["stride"] or op["kernel_size"], axis)
    padding, dilation = _entry(op["padding"], axis), _entry(op.arguments.get("dilation") or 1, axis)
    return source.slide(count, window, stride, padding, dilation)


@_move("_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "pixel_unshuffle")
def _blocks(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    return _coarse(source, count)


@_move("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d", "pixel_shuffle")
@_move("upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def _resizing(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    if op.arguments.get("align_corners") and count > 1:
        return source.resample(count, 0.0, (source.count - 1) / (count - 1))
    scale = source.count / count
    return source.resample(count, (scale - 1) / 2, scale)


@_move("reflection_pad2d", "replication_pad2d", "constant_pad_nd")
def _padding(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    amounts: Sequence[int] = op["pad" if "pad" in op.arguments else "padding"]
    at = next((i for i, a in enumerate(op.source) if _is_along(a, "yx"[axis])), None)
    if at is None:  # tokens, next to which further tokens are added
        return replace(source, count=count)
    i = 2 * (len(op.source) - 1 - at)
    return source.resample(count, -amounts[i] if i < len(amounts) else 0, 1)


@_move("slice", "narrow")
def _slice(op: TracedOperation, source: Cells, axis: int, count: int) -> Cells:
    (at,) = op.dims("dim")
    if not _is_along(op.source[at], "yx"[axis]):
        return replace(source, count=count)
    before, start = op.first.shape[at], op["start"] or 0
    start = max(start + before, 0) if start < 0 else min(start, before)
    return source.resample(count, start, op.arguments.get("step") or 1)
