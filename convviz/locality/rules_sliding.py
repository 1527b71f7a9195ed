"""Rules of operators that look through windows: convolution, pooling, padding, resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from .axis_maps import AxisMap, Lookup, Spread, Window, identity
from .rules import Call, Local, rule, shape


def _pick(values: Any, index: int, default: int) -> int:
    """Return one axis's entry of an argument that is an int, one for all axes, or one each."""
    if isinstance(values, int):
        return values
    if not values:
        return default
    return int(values[index] if len(values) > 1 else values[0])


@rule("conv1d", "conv2d", "conv3d", "convolution", "_convolution")
@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def convolution(call: Call) -> Local | None:
    """Convolutions, plain and transposed, with numbers or `same` and `valid` as padding."""
    kernel = shape(call["weight"])[2:]
    spatial = len(call.shape) - len(kernel)
    if spatial != 2:  # without a batch axis
        return None
    transposed = call.get("transposed", "transpose" in str(call.node.target))

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = axis - spatial
        if i < 0:
            return None
        k, stride = kernel[i], _pick(call["stride"], i, 1)
        dilation = _pick(call["dilation"], i, 1)
        padding = _padding(call["padding"], i, dilation * (k - 1))
        kind = Spread if transposed else Window
        return kind(before, after, k, stride, padding, dilation)

    return call.local(per_axis)


def _padding(value: Any, index: int, total: int) -> int:
    if isinstance(value, str):
        return total // 2 if value == "same" else 0
    return _pick(value, index, 0)


@rule("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices")
@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def pooling(call: Call) -> Local | None:
    """Max and average pooling; axes in front of the pooled ones pass unchanged."""
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
        return Window(
            before, after, k, stride, _pick(call["padding"], i, 0), _pick(dilations, i, 1)
        )

    return call.local(per_axis, padding=_pool_padding(call))


def _rank(call: Call) -> int:
    """Read the number of pooled axes off the operator's name."""
    name = str(call.node.target)
    return next(d for d in (1, 2, 3) if f"pool{d}d" in name)


def _pool_padding(call: Call) -> float | None:
    if "max_pool" in str(call.node.target):
        return -math.inf
    counted = call["count_include_pad"] or not any(_listed(call["padding"]))
    # With ceil_mode a window that hangs over divides by what it covers of the padded input.
    return 0.0 if counted and not call["ceil_mode"] else None


def _listed(value: Any) -> Sequence[int]:
    return [value] if isinstance(value, int) else value


@rule("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
def adaptive(call: Call) -> Local | None:
    """Adaptive pooling: output o of n covers floor(o*size/n) to ceil((o+1)*size/n)."""

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis < len(call.shape) - 2 or after == 1:
            return None
        if before % after == 0:
            return Window(before, after, before // after, before // after)
        first = tuple(o * before // after for o in range(after))
        last = tuple(-(-(o + 1) * before // after) for o in range(after))
        return Lookup(before, after, first, last)

    return call.local(per_axis, padding=None)


@rule("constant_pad_nd", "pad")
@rule("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
@rule("replication_pad1d", "replication_pad2d", "replication_pad3d")
def padding(call: Call) -> Local | None:
    """Padding of any mode; a negative amount crops."""
    amounts = call.get("pad", call.get("padding"))
    mode = _mode(call)
    value = call.get("value")

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = 2 * (len(call.shape) - 1 - axis)
        left, right = amounts[i : i + 2] if i < len(amounts) else (0, 0)
        if mode == "constant" or (left == 0 and right == 0):
            return Window(before, after, padding=left)
        index = F.pad(torch.arange(before, dtype=torch.float64)[None, None], (left, right), mode)
        first = tuple(int(v) for v in index[0, 0])
        return Lookup(before, after, first, tuple(v + 1 for v in first))

    fill = None if mode != "constant" else float(value or 0)
    return call.local(per_axis, padding=fill)


def _mode(call: Call) -> str:
    name = str(call.node.target)
    if "reflection" in name:
        return "reflect"
    return "replicate" if "replication" in name else str(call.get("mode", "constant"))


@rule("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d")
@rule("_upsample_bilinear2d_aa", "upsample_bicubic2d", "_upsample_bicubic2d_aa")
def resampling(call: Call) -> Local | None:
    """Interpolation: what an output reads is asked of the operator itself."""

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        i = axis - 2
        return _taps(call, i, before, after) if i >= 0 else None

    return call.local(per_axis, padding=None)


def _taps(call: Call, index: int, before: int, after: int) -> AxisMap:
    """Resample unit vectors along one axis: their non-zero outputs are who reads them.

    The operator is linear and separable, and the dtype is the graph's own, so that weights
    which round to zero there count as such.
    """
    dtype: torch.dtype = call.node.meta["val"].dtype
    basis = torch.eye(before, dtype=dtype if dtype.itemsize > 2 else torch.float32)
    # The other axis has two positions: with one, torch's antialiased kernels go wrong.
    pictures = torch.stack([basis, basis], 2 - index)[:, None]
    arguments = {**call.arguments, **_one_axis(call, index, after)}
    arguments[next(iter(arguments))] = pictures
    target: Any = call.node.target
    reads = target(**arguments)[:, 0].select(2 - index, 0) != 0
    spans = [torch.nonzero(reads[:, o])[:, 0].tolist() for o in range(after)]
    return Lookup(before, after, tuple(s[0] for s in spans), tuple(s[-1] + 1 for s in spans))


def _one_axis(call: Call, index: int, after: int) -> dict[str, Any]:
    """Return a resampling call's sizes and scales for an image whose other axis stays."""
    found: dict[str, Any] = {}
    if call.get("output_size") is not None:
        found["output_size"] = [2, after] if index else [after, 2]
    if call.get("scale_factors") is not None:
        scale = call["scale_factors"][index]
        found["scale_factors"] = [1.0, scale] if index else [scale, 1.0]
    if "scales_h" in call.arguments:
        found["scales_w" if not index else "scales_h"] = None
    return found


@rule("pixel_shuffle")
def pixel_shuffle(call: Call) -> Local | None:
    """Channels to space: every input becomes a square of outputs."""
    r = call["upscale_factor"]

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        if axis < len(call.shape) - 2:
            return None
        first = tuple(o // r for o in range(after))
        return Lookup(before, after, first, tuple(v + 1 for v in first))

    return call.local(per_axis)


@rule("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Local | None:
    """Space to channels: every output holds a square of inputs."""
    r = call["downscale_factor"]

    def per_axis(axis: int, before: int, after: int) -> AxisMap | None:
        return Window(before, after, r, r) if axis >= len(call.shape) - 2 else None

    return call.local(per_axis)
