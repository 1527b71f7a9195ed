"""Rules of sliding-window operators: convolution, pooling, padding and resampling."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from .axis_maps import AxisMap, TableMap, TransposedMap, WindowMap, identity
from .rules import Local, OperatorCall, rule, shape


def _pick(values: Any, index: int, default: int) -> int:
    """Return one axis's entry of an argument: an int, one int for all axes, or one for each."""
    if isinstance(values, int):
        return values
    if not values:
        return default
    return int(values[index] if len(values) > 1 else values[0])


@rule("conv1d", "conv2d", "conv3d", "convolution", "_convolution")
@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def convolution(call: OperatorCall) -> Local | None:
    """Convolutions and transposed convolutions; padding may also be `same` or `valid`."""
    kernel = shape(call["weight"])[2:]
    spatial = len(call.shape) - len(kernel)
    if spatial != 2:  # there is no batch axis
        return None
    transposed = call.get("transposed", "transpose" in str(call.node.target))

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = axis - spatial
        if i < 0:
            return None
        k, stride = kernel[i], _pick(call["stride"], i, 1)
        dilation = _pick(call["dilation"], i, 1)
        padding = _padding(call["padding"], i, dilation * (k - 1))
        kind = TransposedMap if transposed else WindowMap
        return kind(before, after, k, stride, padding, dilation)

    return call.local(per_axis)


def _padding(value: Any, index: int, total: int) -> int:
    if isinstance(value, str):
        return total // 2 if value == "same" else 0
    return _pick(value, index, 0)


@rule("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices")
@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def pooling(call: OperatorCall) -> Local | None:
    """Max and average pooling; the axes before the pooled ones are unchanged."""
    source = call.source
    if source is None:
        return None
    kernel = call["kernel_size"]
    first = len(shape(source)) - _rank(call)
    dilations = call.get("dilation", 1)

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = axis - first
        if i < 0:
            return identity(before)
        k = _pick(kernel, i, 1)
        stride = _pick(call["stride"], i, k)
        return WindowMap(
            before, after, k, stride, _pick(call["padding"], i, 0), _pick(dilations, i, 1)
        )

    return call.local(per_axis, padding=_pool_padding(call))


def _rank(call: OperatorCall) -> int:
    """Return the number of pooled axes, which is part of the operator's name."""
    name = str(call.node.target)
    return next(d for d in (1, 2, 3) if f"pool{d}d" in name)


def _pool_padding(call: OperatorCall) -> float | None:
    """Return the value of padding in pooling; None if an average excludes padding."""
    if "max_pool" in str(call.node.target):
        return -math.inf
    amounts = call["padding"]
    is_padded = any([amounts] if isinstance(amounts, int) else amounts)
    # With ceil_mode, a window that overhangs the padded input divides by the part inside.
    excludes = (is_padded and not call["count_include_pad"]) or call["ceil_mode"]
    return None if excludes else 0.0


@rule("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
def adaptive(call: OperatorCall) -> Local | None:
    """Adaptive pooling: output o of n reads inputs floor(o*size/n) to ceil((o+1)*size/n) - 1."""

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis < len(call.shape) - 2 or after == 1:
            return None  # global pooling
        if before % after == 0:  # all windows have one size
            return WindowMap(before, after, before // after, before // after)
        first = tuple(o * before // after for o in range(after))
        last = tuple(-(-(o + 1) * before // after) for o in range(after))
        return TableMap(before, after, first, last)

    return call.local(per_axis, padding=None)


@rule("constant_pad_nd", "pad")
@rule("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
@rule("replication_pad1d", "replication_pad2d", "replication_pad3d")
def padding(call: OperatorCall) -> Local | None:
    """Padding in any mode; negative amounts crop."""
    amounts = call.get("pad", call.get("padding"))
    mode = _mode(call)
    value = call.get("value")

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = 2 * (len(call.shape) - 1 - axis)  # amounts are listed from the last axis on
        low, high = amounts[i : i + 2] if i < len(amounts) else (0, 0)
        if mode == "constant" or (low == 0 and high == 0):
            return WindowMap(before, after, padding=low)
        # Pad the indices of the inputs: the result is the input that each output reads.
        index = F.pad(torch.arange(before, dtype=torch.float64)[None, None], (low, high), mode)
        first = tuple(int(v) for v in index[0, 0])
        return TableMap(before, after, first, tuple(v + 1 for v in first))

    fill = None if mode != "constant" else float(value or 0)
    return call.local(per_axis, padding=fill)


def _mode(call: OperatorCall) -> str:
    name = str(call.node.target)
    if "reflection" in name:
        return "reflect"
    return "replicate" if "replication" in name else str(call.get("mode", "constant"))


@rule("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d")
@rule("_upsample_bilinear2d_aa", "upsample_bicubic2d", "_upsample_bicubic2d_aa")
def resampling(call: OperatorCall) -> Local | None:
    """Interpolation; the inputs that an output reads are measured on the operator itself."""

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = axis - 2
        return _taps(call, i, before, after) if i >= 0 else None

    return call.local(per_axis, padding=None)


def _taps(call: OperatorCall, index: int, before: int, after: int) -> AxisMap:
    """Return the inputs that each output reads along one axis, by resampling unit vectors.

    The operator is linear and separable: output o reads input i if the unit vector of i has a
    non-zero value at o. The graph's own dtype is used, so that weights that are rounded to zero
    there count as zero.
    """
    dtype: torch.dtype = call.node.meta["val"].dtype
    basis = torch.eye(before, dtype=dtype if dtype.itemsize > 2 else torch.float32)
    # The other axis has two positions: torch's antialiased kernels are wrong for a single one.
    pictures = torch.stack([basis, basis], 2 - index)[:, None]
    arguments = {**call.arguments, **_one_axis(call, index, after)}
    arguments[next(iter(arguments))] = pictures
    target: Any = call.node.target
    reads = target(**arguments)[:, 0].select(2 - index, 0) != 0
    spans = [torch.nonzero(reads[:, o])[:, 0].tolist() for o in range(after)]
    return TableMap(before, after, tuple(s[0] for s in spans), tuple(s[-1] + 1 for s in spans))


def _one_axis(call: OperatorCall, index: int, after: int) -> dict[str, Any]:
    """Return the arguments of a resampling call that resizes one axis and keeps the other at 2."""
    arguments: dict[str, Any] = {}
    if call.get("output_size") is not None:
        arguments["output_size"] = [2, after] if index else [after, 2]
    if call.get("scale_factors") is not None:
        scale = call["scale_factors"][index]
        arguments["scale_factors"] = [1.0, scale] if index else [scale, 1.0]
    if "scales_h" in call.arguments:
        arguments["scales_w" if not index else "scales_h"] = None
    return arguments


@rule("pixel_shuffle")
def pixel_shuffle(call: OperatorCall) -> Local | None:
    """Channels to space: every input position becomes a square of outputs."""
    r = call["upscale_factor"]

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis < len(call.shape) - 2:
            return None
        first = tuple(o // r for o in range(after))
        return TableMap(before, after, first, tuple(v + 1 for v in first))

    return call.local(per_axis)


@rule("pixel_unshuffle")
def pixel_unshuffle(call: OperatorCall) -> Local | None:
    """Space to channels: every output position contains a square of inputs."""
    r = call["downscale_factor"]

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        return WindowMap(before, after, r, r) if axis >= len(call.shape) - 2 else None

    return call.local(per_axis)
