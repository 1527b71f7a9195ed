"""Batch norm with fixed statistics as an affine map, and its folding into a convolution."""

from __future__ import annotations

import torch
from torch import Tensor


def batch_norm_affine(
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return scale and shift `[C]` with batch_norm(x + bias) = x * scale + shift.

    Args:
        mean, variance: running statistics, `[C]`.
        gamma, beta: weight and bias of the batch norm, `[C]` or None.
        eps: is added to the variance.
        bias: an offset of the input, such as the bias of a convolution, `[C]` or None.
    """
    scale = torch.rsqrt(variance + eps)
    if gamma is not None:
        scale = scale * gamma
    shift = (-mean if bias is None else bias - mean) * scale
    return scale, shift if beta is None else shift + beta


def fold_batch_norm(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with the following batch norm folded in.

    A batch norm with fixed statistics multiplies channel k by scale[k] and adds shift[k]. The
    convolution is linear, so the factor can be applied to the k-th filter instead.

    Args:
        weight: `[C, ...]`, one filter for each channel.
        bias: `[C]` or None.
        mean, variance, gamma, beta, eps: as in `batch_norm_affine`.

    Returns:
        Weight `[C, ...]` and bias `[C]`, in the dtype that the arguments promote to.
    """
    scale, shift = batch_norm_affine(mean, variance, gamma, beta, eps, bias)
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), shift
