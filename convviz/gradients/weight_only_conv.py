"""Convolutions that keep only their weights for the gradient of their input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..ops import winograd
from .nonzero_regions import NonzeroRegions, write_windows

aten = torch.ops.aten

_MIN_PIXELS_FOR_WINOGRAD = 5000
"""Output pixels of a batch from which transforming the weights for Winograd's algorithm pays. The
transform takes as long as the direct convolution of about 2500 pixels."""


class WeightOnlyConv(torch.autograd.Function):
    """A convolution that keeps only its weights, with a factor per channel folded into them."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        factor: Tensor | None,
        shift: Tensor | None,
        local: bool,
        *how: Any,
    ) -> Tensor:
        weight = _fold(weight, factor, x)
        ctx.save_for_backward(weight)
        ctx.shape, ctx.layout, ctx.how, ctx.local = x.shape, _layout_of(x), how, local
        if _by_winograd(x, weight, *how):
            bias = weight.new_zeros(len(weight)) if shift is None else shift
            prepared = winograd.prepare_weights(weight)
            return winograd.convolve(x, prepared, bias, False, (how[1][0], how[1][1]))
        return F.conv2d(x, weight, shift, *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        (weight,) = ctx.saved_tensors
        regions = NonzeroRegions.of(gradient) if ctx.local else None
        if regions is None:
            result = _input_gradient(gradient, weight, ctx.shape, ctx.layout, *ctx.how)
        else:
            result = _input_gradient_of_regions(
                regions, gradient, weight, ctx.shape, ctx.layout, *ctx.how
            )
        return result, *[None] * 8


def _input_gradient(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    layout: torch.memory_format,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """Return the gradient of a convolution's input, which has the given shape and layout."""
    how = stride, padding, dilation, groups
    if gradient.device.type == "cpu" and _is_stem(weight, *how):
        return _by_phases(gradient, weight, shape, stride[0], padding)
    # The input's gradient of a 3 x 3 convolution is a convolution with the kernels turned by
    # 180 degrees, in and out channels exchanged, and padding 2 - p in place of p.
    turned, border = weight.transpose(0, 1), [2 - padding[0], 2 - padding[1]]
    if min(border) >= 0 and _by_winograd(gradient, turned, stride, border, dilation, groups):
        turned = turned.flip(2, 3)
        prepared, bias = winograd.prepare_weights(turned), weight.new_zeros(len(turned))
        return winograd.convolve(gradient, prepared, bias, False, (border[0], border[1]))
    # Only its shape and layout are read: the input's gradient does not depend on the input.
    x = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout)
    result: Tensor
    result, *_ = aten.convolution_backward(
        *(gradient, x, weight, None, stride, padding, dilation),
        *(False, [0, 0], groups, [True, False, False]),
    )
    return result


def _input_gradient_of_regions(
    regions: NonzeroRegions,
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    layout: torch.memory_format,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """Return the same gradient, computed only from the regions that are not zero."""
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    size = [(n - 1) * s + r + 1 for n, s, r in zip(regions.size, stride, reach, strict=True)]
    window_shape = torch.Size((*shape[:2], *size))
    windows = _input_gradient(
        regions.read(gradient), weight, window_shape, layout, stride, [0, 0], dilation, groups
    )
    starts = [at * s - p for at, s, p in zip(regions.starts, stride, padding, strict=True)]
    return write_windows(windows, (starts[0], starts[1]), shape)


def _fold(weight: Tensor, factor: Tensor | None, maps: Tensor) -> Tensor:
    """Return the weight times a factor per channel, in the memory format of the input maps."""
    layout = _layout_of(maps)
    if factor is None:
        return weight.contiguous(memory_format=layout)
    out = torch.empty_like(weight, memory_format=layout)
    return torch.mul(weight, factor[:, None, None, None], out=out)


def _layout_of(maps: Tensor) -> torch.memory_format:
    """Return the memory format of maps; contiguous where both would be right."""
    last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _by_winograd(
    maps: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> bool:
    """Return whether Winograd's algorithm saves more time than transforming the weights takes."""
    if {*stride, *dilation, groups} != {1} or not winograd.supports(weight):
        return False
    filters, channels = weight.shape[:2]
    height, width = winograd.out_size(maps, (padding[0], padding[1]))
    enough = len(maps) * height * width >= _MIN_PIXELS_FOR_WINOGRAD
    fits = maps.dtype == weight.dtype and winograd.is_fast(maps.device)
    return enough and fits and winograd.pays(filters, channels, height, width)


def _is_stem(
    weight: Tensor, stride: list[int], padding: list[int], dilation: list[int], groups: int
) -> bool:
    """Return whether a convolution has few input channels, a large kernel and a stride.

    The first convolution of an AlexNet is one.
    """
    few, large = weight.shape[1] <= 4, min(weight.shape[2:]) >= 4
    even = stride[0] == stride[1] > 1
    return few and large and even and groups == 1 and max(dilation) == 1


def _by_phases(
    gradient: Tensor, weight: Tensor, shape: torch.Size, s: int, padding: list[int]
) -> Tensor:
    """Return the input's gradient of a convolution with a stride s, as a convolution without one.

    Pixels whose rows and columns have the same remainder modulo s are reached by the same part of
    the kernel. The s·s parts become output channels of one convolution, and a pixel shuffle
    interleaves its maps. For few input channels oneDNN takes up to 2.5 times as long.
    """
    height, width = shape[2:]
    top, x0 = padding
    count, channels, *size = weight.shape
    taps = [-(-n // s) for n in size]
    weight = F.pad(weight, (0, s * taps[1] - size[1], 0, s * taps[0] - size[0]))
    parts = weight.view(count, channels, taps[0], s, taps[1], s).flip(2, 4)
    kernel = parts.permute(1, 3, 5, 0, 2, 4).reshape(channels * s * s, count, *taps)
    phases = F.conv2d(gradient, kernel, padding=[taps[0] - 1, taps[1] - 1])
    pixels = F.pixel_shuffle(phases, s)[:, :, top : top + height, x0 : x0 + width]
    return F.pad(pixels, (0, width - pixels.shape[3], 0, height - pixels.shape[2]))
