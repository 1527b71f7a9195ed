"""Convolutions that keep only their weights for the gradient of their input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .nonzero_regions import NonzeroRegions, write_windows
from .prepared_conv import PreparedConv


class WeightOnlyConv(torch.autograd.Function):
    """A convolution that keeps only its weights."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any, x: Tensor, conv: PreparedConv, shift: Tensor | None, local: bool
    ) -> Tensor:
        ctx.conv, ctx.shape, ctx.local = conv, x.shape, local
        # A checkpoint runs its block again to recompute the saved tensors. This tensor is not among
        # those of the second run, so the checkpoint raises an error instead of running the rest of
        # the block on a placeholder.
        ctx.save_for_backward(x.new_empty(0))
        return conv(x, shift)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        _ = ctx.saved_tensors
        # Bypasses the function modes of the pass, which would intercept every operator here.
        with torch._C.DisableTorchFunction():
            regions = NonzeroRegions.of(gradient) if ctx.local else None
            if regions is None:
                result = ctx.conv.input_gradient(gradient, ctx.shape)
            else:
                result = _input_gradient_of_regions(regions, gradient, ctx.conv, ctx.shape)
        return result, None, None, None


def _input_gradient_of_regions(
    regions: NonzeroRegions, gradient: Tensor, conv: PreparedConv, shape: torch.Size
) -> Tensor:
    """Return the input's gradient, computed only from the regions that are not zero."""
    stride, padding, dilation, _ = conv.how
    reach = [d * (k - 1) for d, k in zip(dilation, conv.kernel_size, strict=True)]
    size = [(n - 1) * s + r + 1 for n, s, r in zip(regions.size, stride, reach, strict=True)]
    window_shape = torch.Size((*shape[:2], *size))
    windows = conv.input_gradient(regions.read(gradient), window_shape, [0, 0])
    starts = [at * s - p for at, s, p in zip(regions.starts, stride, padding, strict=True)]
    return write_windows(windows, (starts[0], starts[1]), shape)
