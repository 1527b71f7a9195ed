"""Rules of ATen operators: which axes of their results run along the image's rows and columns.

Unlike the rules in `locality`, they describe which place of the image a position stands for, not
what it sees: the output of attention at a token stands for that token, although it sees the whole
image. Operators without a rule give unknown axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from . import axes as ax
from .axes import Axes, Axis


class TracedOperation:
    """One call of an operator that depends on the images.

    Args:
        target: the operator.
        args, kwargs: its arguments.
        shapes: shapes of the tensors in its result.
        axes_of: tensor -> its axes, None if it does not depend on the images.
        count: number of images.
    """

    def __init__(
        self,
        target: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        shapes: Sequence[tuple[int, ...]],
        axes_of: Callable[[Tensor], Axes | None],
        count: int,
    ) -> None:
        self.target, self.shapes, self.axes_of, self.count = target, shapes, axes_of, count
        self.name = base_name(target)
        self.arguments: dict[str, Any] = {}
        for i, argument in enumerate(target._schema.arguments):
            default = argument.default_value if argument.has_default_value() else None
            value = args[i] if i < len(args) else kwargs.get(argument.name, default)
            self.arguments[argument.name] = value

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first tensor of the result."""
        return self.shapes[0]

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors among the arguments."""
        return [t for t in tree_leaves(list(self.arguments.values())) if isinstance(t, Tensor)]

    @property
    def first(self) -> Tensor:
        """The first tensor among the arguments."""
        return self.tensors[0]

    @property
    def source(self) -> Axes:
        """The axes of the first tensor; unknown if it does not depend on the images."""
        return self.of(self.first)

    def of(self, tensor: Tensor) -> Axes:
        """Return the axes of a tensor."""
        known = self.axes_of(tensor)
        return tuple(map(ax.unknown, tensor.shape)) if known is None else known

    def dims(self, name: str) -> list[int]:
        """Return an argument that lists axes of the first tensor, with negative ones resolved."""
        value, rank = self[name], self.first.dim()
        return [d % rank for d in ([value] if isinstance(value, int) else value or [])]


Rule = Callable[[TracedOperation], Any]
"""Returns the axes of the result, or a list with those of each of several results."""

RULES: dict[str, Rule] = {}
"""Operator, without namespace, overload and a trailing underscore -> rule."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def base_name(target: Any) -> str:
    """Return the name of an operator without namespace, overload and in-place underscore."""
    name = str(target._schema.name).split("::")[-1]
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def rule_of(target: Any) -> Rule | None:
    """Return the rule of an operator; None if it has none."""
    name = base_name(target)
    if name in RULES:
        return RULES[name]
    if torch.Tag.pointwise in target.tags:
        return elementwise
    # Operators of other libraries, such as deformable convolution.
    return convolution if "conv2d" in name or name.endswith("convolution") else None


@rule("clone", "alias", "detach", "_to_copy", "contiguous", "lift_fresh", "expand", "dropout")
@rule("native_dropout", "feature_dropout", "hardswish", "hardtanh", "type_as", "expand_as", "rsub")
@rule(
    "rrelu_with_noise", "_prelu_kernel", "prelu", "fill", "zero", "to", "masked_fill", "bernoulli"
)
def elementwise(op: TracedOperation) -> Axes:
    """Elementwise operators, with broadcasting."""
    known = [axes for t in op.tensors if (axes := op.axes_of(t)) is not None]
    return ax.combine(known, op.shape)


@rule("repeat")
def repeat(op: TracedOperation) -> Axes:
    """Repetition along axes: the result is a map with more rows and columns, or more channels."""
    return _resize(op, op.source)


@rule("index_put", "scatter", "scatter_add", "scatter_reduce", "masked_scatter", "index_add")
@rule("index_copy", "slice_scatter", "select_scatter", "diagonal_scatter", "index_fill")
def overwrite(op: TracedOperation) -> Axes:
    """Writing into a part of a tensor; the axes are those of the first operand that has any."""
    for tensor in op.tensors:
        axes = op.axes_of(tensor)
        if axes is not None and len(axes) == len(op.shape):
            return _resize(op, axes)
    return tuple(map(ax.unknown, op.shape))


@rule("copy")
def copy(op: TracedOperation) -> Axes:
    """Overwriting a whole tensor; its former axes do not matter."""
    return ax.combine([op.of(op["src"])], op.shape)


@rule("native_layer_norm", "layer_norm", "rms_norm", "_fused_rms_norm", "native_group_norm")
@rule(
    "_softmax", "_log_softmax", "softmax", "log_softmax", "cumsum", "roll", "flip", "logcumsumexp"
)
@rule("sort", "cummax", "cummin")
@rule("channel_shuffle", "native_channel_shuffle", "_native_multi_head_attention")
@rule("_transformer_encoder_layer_fwd", "_fft_c2c", "_fft_r2c", "_fft_c2r", "renorm")
def keep(op: TracedOperation) -> Axes:
    """Operators that leave the meaning of every axis unchanged."""
    return op.source if len(op.source) == len(op.shape) else tuple(map(ax.unknown, op.shape))


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training")
@rule("cudnn_batch_norm", "miopen_batch_norm", "batch_norm", "_batch_norm_with_update")
def batch_norm(op: TracedOperation) -> Axes:
    """Batch norm on maps `[N, C, H, W]`."""
    return _resize(op, ax.like_maps(op.source, op.first.shape, op.count))


@rule("avg_pool2d", "max_pool2d", "max_pool2d_with_indices", "mkldnn_max_pool2d")
@rule("_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "fractional_max_pool2d")
@rule(
    "upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d", "upsample_bicubic2d"
)
@rule("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler_2d", "pixel_shuffle")
@rule("pixel_unshuffle", "reflection_pad2d", "replication_pad2d", "cudnn_grid_sampler")
def resample(op: TracedOperation) -> Axes:
    """Pooling, resizing, mirrored padding: maps with another number of rows and columns."""
    return _resize(op, ax.like_maps(op.source, op.first.shape, op.count))


@rule("convolution", "_convolution", "convolution_overrideable", "conv2d", "mkldnn_convolution")
def convolution(op: TracedOperation) -> Axes:
    """Convolutions; axis 1 of the result are new channels."""
    source = ax.like_maps(op.source, op.first.shape, op.count)
    axes = _resize(op, source)
    return (axes[0], ax.channels(op.shape[1]), *axes[2:])


def _resize(op: TracedOperation, source: Axes) -> Axes:
    """Return the axes of a result with the same meaning in other sizes."""
    if len(source) != len(op.shape):
        return tuple(map(ax.unknown, op.shape))
    return tuple(ax.cut(axis, -1, size) for axis, size in zip(source, op.shape, strict=True))


@rule("as_strided")
def as_strided(op: TracedOperation) -> Axes:
    """Other strides; known only for tensors of one position, as global pooling returns them."""
    same = tuple(op.first.shape) == op.shape and max(op.shape[2:], default=2) == 1
    return op.source if same else tuple(map(ax.unknown, op.shape))


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "_reshape_copy", "view_copy")
def view(op: TracedOperation) -> Axes:
    """Reshapes."""
    return ax.view(op.source, op.shape)


@rule("permute")
def permute(op: TracedOperation) -> Axes:
    """Permutation of the axes."""
    return tuple(op.source[d] for d in op.dims("dims"))


@rule("transpose")
def transpose(op: TracedOperation) -> Axes:
    """Exchange of two axes."""
    axes = list(op.source)
    (a,), (b,) = op.dims("dim0"), op.dims("dim1")
    axes[a], axes[b] = axes[b], axes[a]
    return tuple(axes)


@rule("t", "numpy_T")
def reverse(op: TracedOperation) -> Axes:
    """Reversal of the axes."""
    return op.source[::-1]


@rule("unsqueeze")
def unsqueeze(op: TracedOperation) -> Axes:
    """A new axis of one position."""
    at = op["dim"] % len(op.shape)
    return (*op.source[:at], (), *op.source[at:])


@rule("squeeze")
def squeeze(op: TracedOperation) -> Axes:
    """Removal of axes of size 1."""
    sizes = op.first.shape
    dims = op.dims("dim") if op.arguments.get("dim") is not None else range(len(sizes))
    return tuple(a for i, a in enumerate(op.source) if i not in dims or sizes[i] != 1)


@rule("select")
def select(op: TracedOperation) -> Axes:
    """One position of an axis."""
    (at,) = op.dims("dim")
    return (*op.source[:at], *op.source[at + 1 :])


@rule("unbind")
def unbind(op: TracedOperation) -> list[Axes]:
    """All positions of an axis as separate tensors."""
    axes: Axes = select(op)
    return [axes] * len(op.shapes)


@rule("slice", "narrow")
def slices(op: TracedOperation) -> Axes:
    """A range of positions, possibly with a step."""
    (at,) = op.dims("dim")
    before, step = op.first.shape[at], op.arguments.get("step") or 1
    start = op["start"] or 0
    start = max(start + before, 0) if start < 0 else min(start, before)
    return _with(op.source, at, ax.cut(op.source[at], start, op.shape[at], step))


@rule("split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_split_with_sizes")
def split(op: TracedOperation) -> list[Axes]:
    """Consecutive ranges of an axis."""
    (at,) = op.dims("dim")
    pieces, start = [], 0
    for shape in op.shapes:
        pieces.append(_with(op.source, at, ax.cut(op.source[at], start, shape[at])))
        start += shape[at]
    return pieces


def _with(axes: Axes, at: int, axis: Axis) -> Axes:
    return (*axes[:at], axis, *axes[at + 1 :])


@rule("index", "index_select")
def index(op: TracedOperation) -> Axes:
    """Selection of positions of one axis by a list of indices."""
    if op.name == "index_select":
        (at,) = op.dims("dim")
    else:
        picked = [i for i, v in enumerate(op["indices"]) if v is not None]
        if len(picked) != 1 or op["indices"][picked[0]].dim() != 1:
            return tuple(map(ax.unknown, op.shape))
        (at,) = picked
    size = op.shape[at]
    source_axis = op.source[at] if ax.is_weak(op.source[at]) else ax.unknown(size)
    if ax.length(source_axis) != size:
        source_axis = ax.cut(source_axis, 0, size)
    return _with(op.source, at, source_axis)


@rule("constant_pad_nd")
def pad(op: TracedOperation) -> Axes:
    """Padding; next to a grid of tokens it adds further tokens."""
    amounts, rank = op["pad"], len(op.shape)
    result = []
    for at, axis in enumerate(op.source):
        i = 2 * (rank - 1 - at)
        before, behind = amounts[i : i + 2] if i < len(amounts) else (0, 0)
        tokens = ax.is_grid(axis) or ax.kinds([axis]) == {"t"}
        if tokens and before >= 0 and behind >= 0:
            result.append(ax.with_others(axis, before, behind))
        else:
            result.append(ax.cut(axis, -before, op.shape[at]))
    return tuple(result)


@rule("cat", "concatenate")
def cat(op: TracedOperation) -> Axes:
    """Concatenation of channels, of parts of an image, or of tokens with a grid."""
    tensors: Sequence[Tensor] = [t for t in op["tensors"] if t.dim() == len(op.shape)]
    at = op["dim"] % len(op.shape)
    known = [(i, axes) for i, t in enumerate(tensors) if (axes := op.axes_of(t)) is not None]
    sizes = [t.shape[at] for t in tensors]
    others = ax.combine(
        [_with(axes, at, ()) for _, axes in known], [*op.shape[:at], 1, *op.shape[at + 1 :]]
    )
    # Strong axes stand for the image. One of them is extended by the others, as a grid of tokens is
    # by a class token; several that are all rows, or all columns, make a larger image.
    strong = [(i, axes[at]) for i, axes in known if not ax.is_weak(axes[at])]
    joined = ax.unknown(op.shape[at])
    if not strong:
        weak = ax.kinds(axes[at] for _, axes in known)
        joined = ax.channels(op.shape[at]) if weak <= {"c"} else joined
    elif len(strong) == 1:
        i, axis = strong[0]
        joined = ax.with_others(axis, sum(sizes[:i]), sum(sizes[i + 1 :]))
    parts = [axis for _, axis in strong]
    if len(parts) == len(sizes) and all(len(a) == 1 and a[0].major for a in parts):
        (kind, *others_kinds) = {a[0].kind for a in parts}
        joined = joined if others_kinds else ax.spatial(kind, op.shape[at])
    return _with(others, at, joined)


@rule("stack")
def stack(op: TracedOperation) -> Axes:
    """Concatenation along a new axis."""
    at = op["dim"] % len(op.shape)
    inner = [*op.shape[:at], *op.shape[at + 1 :]]
    known = [axes for t in op["tensors"] if (axes := op.axes_of(t)) is not None]
    axes = ax.combine(known, inner)
    return (*axes[:at], ax.unknown(op.shape[at]), *axes[at:])


@rule("linear")
def linear(op: TracedOperation) -> Axes:
    """A linear layer; the last axis are new channels."""
    return (*op.source[:-1], ax.channels(op.shape[-1]))


@rule("mm", "addmm", "bmm", "baddbmm", "_addmm_activation", "matmul", "mkldnn_linear")
def product(op: TracedOperation) -> Axes:
    """A matrix product; it has the rows of the first and the columns of the second operand."""
    tensors = op.tensors[-2:]
    if not all(t.dim() == len(op.shape) for t in tensors):
        return tuple(map(ax.unknown, op.shape))
    first, second = (op.axes_of(t) for t in tensors)
    batch = ax.combine([a[:-2] for a in (first, second) if a is not None], op.shape[:-2])
    rows = ax.unknown(op.shape[-2]) if first is None else first[-2]
    columns = ax.channels(op.shape[-1]) if second is None else second[-1]
    return (*batch, rows, columns)


@rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention")
@rule("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention")
@rule("scaled_dot_product_attention", "_scaled_dot_product_fused_attention_overrideable")
def attention(op: TracedOperation) -> Axes:
    """Attention; it has a position for each query, and the channels of the values."""
    return (*op.source[:-1], op.of(op["value"])[-1])


@rule("mean", "sum", "amax", "amin", "max", "min", "argmax", "argmin", "prod", "var", "std")
@rule("logsumexp", "linalg_vector_norm", "norm", "any", "all", "median", "var_mean", "std_mean")
def reduction(op: TracedOperation) -> Axes:
    """Reductions; the axes are removed, or keep one position."""
    if "other" in op.arguments:  # torch.max(a, b)
        axes: Axes = elementwise(op)
        return axes
    reduced = op.dims("dim") if op.arguments.get("dim") not in (None, []) else range(op.first.dim())
    if op.arguments.get("keepdim", False):
        return tuple(_single(a) if i in reduced else a for i, a in enumerate(op.source))
    return tuple(a for i, a in enumerate(op.source) if i not in reduced)


def _single(axis: Axis) -> Axis:
    """Return an axis reduced to one position."""
    if len(axis) == 1 and axis[0].major:
        return ax.spatial(axis[0].kind, 1)
    return axis if ax.kinds([axis]) == {"n"} and ax.length(axis) == 1 else ()
