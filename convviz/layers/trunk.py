"""The trunk of a network: the values on every path from the images to the scores.

Inside a residual block there are several paths, behind its sum there is one. So the trunk consists
of the values that blocks pass on, and a new stage begins where their spatial size changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..layouts import TracedValue, decide
from .capture import LayerCall, LayerCalls

_WEIGHTED_OPS = frozenset(
    """
    convolution _convolution conv2d mm addmm bmm baddbmm linear matmul _addmm_activation
    _native_multi_head_attention _transformer_encoder_layer_fwd
    """.split()  # noqa: SIM905
)
_NORMS = ("layer_norm", "batch_norm", "group_norm", "rms_norm", "instance_norm")
_POOLS = ("pool", "mean", "amax", "upsample", "grid_sampler", "pixel_", "im2col")
_MOVES = (
    "view",
    "reshape",
    "permute",
    "transpose",
    "clone",
    "pad",
    "expand",
    "copy",
    "as_strided",
    "slice",
)
_STAGE_RATIO = 1.5
"""Ratio of the sizes of successive maps from which the second one begins a new stage."""


@dataclass(frozen=True)
class Part:
    """The part of a network between one value of the trunk and the next.

    Attributes:
        value: index of its last value among the values of the trace.
        size: rows and columns of its last value; None if that is not a map.
        ops: the operators in between.
        windows: the kernels of its convolutions.
        direct: whether a single operator leads from the value before to this one.
        changes: whether the spatial size changes.
    """

    value: int
    size: tuple[int, int] | None
    ops: tuple[str, ...]
    windows: tuple[tuple[int, ...], ...]
    direct: bool
    changes: bool

    @property
    def weighted_count(self) -> int:
        """Number of operators that mix channels or positions with weights."""
        return sum(op in _WEIGHTED_OPS or "attention" in op or "conv2d" in op for op in self.ops)

    @property
    def is_block(self) -> bool:
        """True for a part with several paths, one of them with weights."""
        return not self.direct and self.weighted_count > 0

    @property
    def is_norm(self) -> bool:
        """True for a single normalization."""
        return self.direct and self._is_one_of(_NORMS)

    @property
    def is_move(self) -> bool:
        """True for a single operator that only rearranges values."""
        return self.direct and not self.changes and self._is_one_of(_MOVES)

    @property
    def is_pool(self) -> bool:
        """True for a single operator that pools or resizes maps, without weights."""
        return self.direct and self._is_one_of(_POOLS)

    @property
    def prepares(self) -> bool:
        """True if it acts on single positions: norms, activations, 1 x 1 convolutions."""
        if self.changes or self.is_pool:
            return False
        return not self.is_block and all(max(window) == 1 for window in self.windows)

    def _is_one_of(self, names: tuple[str, ...]) -> bool:
        return any(name in op for op in self.ops for name in names)


def trunk_of(calls: LayerCalls) -> list[Part]:
    """Return the trunk of a traced network, beginning with the images; empty if there is none."""
    values = calls.values
    needed = _ancestors(values, calls.outputs)
    if 0 not in needed:
        return []
    ends = _bottlenecks(values, needed, set(calls.outputs))
    sizes = {end: _size(values[end]) for end in ends}
    last = max(end for end in ends if sizes[end] is not None)
    parts = [Part(0, sizes[0], (), (), True, False)]
    size = sizes[0]
    for start, end in pairwise(ends):
        inside = [values[i] for i in range(start + 1, end + 1) if i in needed]
        before, after = size, sizes[end]
        direct = len(inside) == 1
        ops = tuple(value.op for value in inside)
        windows = tuple(value.window for value in inside if value.window)
        changes = _differ(before, after) and not (direct and _only_border(values, start, end))
        # Between two maps of the trunk, values may be divided into windows or channel groups, so a
        # size that is temporarily not a map is not a change.
        changes &= after is not None or end > last
        size = after if after is not None or end > last else size
        parts.append(Part(end, after, ops, windows, direct, changes))
    return parts


def _ancestors(values: Sequence[TracedValue], outputs: Sequence[int]) -> set[int]:
    """Return the indices of the values that the outputs depend on, including the outputs."""
    needed = set(outputs)
    for i in range(len(values) - 1, -1, -1):
        if i in needed:
            needed.update(values[i].sources)
    return needed


def _bottlenecks(values: Sequence[TracedValue], needed: set[int], outputs: set[int]) -> list[int]:
    """Return the values that are on every path.

    In the order of computation, a value is on every path if no earlier value is used after it.
    """
    last_use = {i: i for i in needed}
    for i in needed:
        for source in values[i].sources:
            last_use[source] = max(last_use[source], i)
    for i in outputs:
        last_use[i] = len(values) if len(outputs) > 1 else last_use[i]
    reach, bottlenecks = 0, []
    for i in sorted(needed):
        if reach <= i:
            bottlenecks.append(i)
        reach = max(reach, last_use[i])
    return bottlenecks


def _size(value: TracedValue) -> tuple[int, int] | None:
    layout = decide(value.axes, value.shape)
    if layout.kind not in ("maps", "tokens"):
        return None
    _, h, w = layout.shape(value.shape)
    return h, w


def _differ(before: tuple[int, int] | None, after: tuple[int, int] | None) -> bool:
    if before is None or after is None:
        return before != after
    ratios = [max(a, b) / min(a, b) for a, b in zip(before, after, strict=True) if min(a, b)]
    return max(ratios, default=1.0) >= _STAGE_RATIO


def _only_border(values: Sequence[TracedValue], start: int, end: int) -> bool:
    """Return whether the sizes of two maps differ only by a border of padding or of a kernel."""
    if "pad" in values[end].op:
        return True
    before, after, window = _size(values[start]), _size(values[end]), values[end].window
    if before is None or after is None or set(values[end].stride) != {1} or len(window) != 2:
        return False
    return all(b - a <= k - 1 for b, a, k in zip(before, after, window, strict=True))


def stages_of(calls: LayerCalls, containers: frozenset[str]) -> list[str]:
    """Return the last layers of the stages, in order.

    The output of a stage is the value of the trunk before the block in which the spatial size
    changes. This block is the largest module around the change in which only norms, activations
    and 1 x 1 convolutions precede it. Parts without weights, such as a max-pool, are not stages;
    neither are single convolutions before the first block of a network.

    Args:
        calls: the trace of a network.
        containers: paths of modules that only call others in order.
    """
    trunk = _Trunk(calls, containers)
    stages = []
    for begin, change in pairwise([0, *trunk.changes, len(trunk.parts)]):
        end = trunk.end_of_stage(begin, change)
        parts = trunk.parts[begin : end + 1]
        first = trunk.parts[begin]
        pooled = first.size is None or (max(first.size) < 2 and not first.weighted_count)
        if pooled or not sum(part.weighted_count for part in parts):
            continue
        name = trunk.name(begin, end)
        if name:
            stages.append((name, parts))
    return [name for name, _ in _without_stem(stages)]


def _without_stem(stages: list[tuple[str, list[Part]]]) -> list[tuple[str, list[Part]]]:
    """Return the stages without single convolutions before the first block."""
    blocks = [any(part.is_block for part in parts) for _, parts in stages]
    single = [sum(part.weighted_count for part in parts) == 1 for _, parts in stages]
    first = 0
    while any(blocks[first + 1 :]) and single[first] and not blocks[first]:
        first += 1
    return stages[first:]


class _Trunk:
    """The trunk of a network with the calls that begin and end on it."""

    def __init__(self, calls: LayerCalls, containers: frozenset[str]) -> None:
        self.calls, self.containers = calls, containers
        self.parts = trunk_of(calls)
        self.changes = [i for i, part in enumerate(self.parts) if part.changes]
        self.index = {part.value: i for i, part in enumerate(self.parts)}

    def interval(self, call: LayerCall) -> tuple[int, int] | None:
        """Return the first and last trunk index of a call; None if it does not lie on the trunk."""
        start, end = (self.index.get(-1 if v is None else v) for v in (call.input, call.value))
        return None if start is None or end is None or start >= end else (start, end)

    def changes_in(self, call: LayerCall) -> int:
        """Return the number of size changes in a call."""
        start, end = self.interval(call) or (0, 0)
        return sum(start < change <= end for change in self.changes)

    def end_of_stage(self, begin: int, change: int) -> int:
        """Return the trunk index of the output of the stage that ends before a size change."""
        end = change - 1
        for call in self.calls:
            start, stop = self.interval(call) or (change, change)
            if call.op or not begin <= start < change <= stop or self.changes_in(call) != 1:
                continue
            if all(part.prepares for part in self.parts[start + 1 : change]):
                end = min(end, start)
        while end > begin and (self.parts[end].size is None or self.parts[end].is_pool):
            end -= 1
        norm = self._before_moves(begin, end)
        ends_block = self.parts[self._before_moves(begin, norm - 1)].is_block
        if norm > begin and self.parts[norm].is_norm and ends_block:
            return norm - 1  # the norm belongs to the head of a transformer
        return end

    def _before_moves(self, begin: int, end: int) -> int:
        while end > begin and self.parts[end].is_move:
            end -= 1
        return end

    def name(self, begin: int, end: int) -> str:
        """Return the layer that computes a value of the trunk, or the last one before it."""
        for place in range(end, begin - 1, -1):
            value = self.parts[place].value
            if self.parts[place].size is None:
                continue
            givers = [c for c in self.calls if c.value == value and c.input != value]
            blocks = [c for c in givers if c.op or c.path not in self.containers]
            single = [c for c in blocks if self.changes_in(c) <= 1]
            if givers:
                return (single or blocks or givers)[-1].name
        return ""
