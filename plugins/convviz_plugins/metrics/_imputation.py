"""Images for removed pixels: the mean colour, or linear interpolation of the pixels around."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

DIRECT, DIAGONAL = 1 / 6, 1 / 12
"""Weights of the direct and the diagonal neighbours of a pixel (Rong et al. 2022)."""

TOLERANCE = 1e-3
"""Residual at which the interpolation ends, relative to the range of the image."""

MAX_ITERATIONS = 500


def interpolate_removed(image: Tensor, removed: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Return images in which removed pixels are weighted means of their neighbours.

    A removed pixel satisfies x_i · sum(w) = sum(w_j · x_j) over its up to eight neighbours j,
    removed or not, with the weights 1/6 for direct and 1/12 for diagonal ones (ROAD, Rong et al.
    2022). The system is symmetric and positive definite as long as a pixel remains, and is
    solved by conjugate gradients, all images and channels at once.

    Args:
        image: `[C, H, W]`.
        removed: `[B, H, W]` bool; of every image some pixels remain.
        tolerance: largest residual of a pixel, relative to the range of the image.

    Returns:
        `[B, C, H, W]`.
    """
    holes = removed[:, None].to(image)
    known = image * (1 - holes)
    start = torch.where(removed[:, None], _pyramid_guess(known, 1 - holes), known)
    weights = _neighbour_sum(torch.ones_like(image[:1])[None])
    limit = tolerance * float(image.amax() - image.amin())
    return _conjugate_gradients(start, holes, weights, limit)


def _conjugate_gradients(x: Tensor, holes: Tensor, weights: Tensor, limit: float) -> Tensor:
    """Solve for the removed pixels; the others keep their values."""

    def apply(values: Tensor) -> Tensor:
        return holes * (weights * values - _neighbour_sum(values))

    inverse_diagonal = 1 / weights
    residual = -apply(x)
    scaled = residual * inverse_diagonal
    direction = scaled
    product = (residual * scaled).sum((2, 3), keepdim=True)
    for _ in range(MAX_ITERATIONS):
        if float(residual.abs().amax()) <= limit:
            break
        applied = apply(direction)
        step = product / (direction * applied).sum((2, 3), keepdim=True).clamp(min=1e-30)
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, -step, applied)
        scaled = residual * inverse_diagonal
        previous, product = product, (residual * scaled).sum((2, 3), keepdim=True)
        direction = torch.addcmul(scaled, product / previous.clamp(min=1e-30), direction)
    return x


def _neighbour_sum(values: Tensor) -> Tensor:
    """Return the weighted sum of the neighbours of each pixel; those outside are left out."""
    # The kernel is the outer product of (s, 2s, s) with itself, without its middle.
    side = DIAGONAL**0.5
    padded = functional.pad(values, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + padded[..., 2:, :] + 2 * padded[..., 1:-1, :]
    total = rows[..., :-2] + rows[..., 2:] + 2 * rows[..., 1:-1]
    return side * side * (total - 4 * values)


def _pyramid_guess(known: Tensor, weight: Tensor) -> Tensor:
    """Return an interpolation from coarser and coarser means of the known pixels."""
    height, width = known.shape[-2:]
    if min(height, width) < 2:
        return known.sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1e-12)
    options = {"kernel_size": 2, "ceil_mode": True, "count_include_pad": False}
    coarse_known = functional.avg_pool2d(known, **options)  # type: ignore[arg-type]
    coarse_weight = functional.avg_pool2d(weight, **options)  # type: ignore[arg-type]
    is_seen = (coarse_weight > 0).to(known)
    means = coarse_known / coarse_weight.clamp(min=1e-12)
    coarse = means * is_seen + (1 - is_seen) * _pyramid_guess(means * is_seen, is_seen)
    return functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
