"""Linear imputation: removed pixels become weighted means of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

DIRECT, DIAGONAL = 1 / 6, 1 / 12
"""Weights of the direct and the diagonal neighbours of a pixel (Rong et al. 2022)."""

_KERNEL = np.full((3, 3), DIAGONAL, np.float32)
_KERNEL[1, :] = _KERNEL[:, 1] = DIRECT
_KERNEL[1, 1] = 0

TOLERANCE = 0.017
"""Estimated error of a pixel at which the iteration ends: a grey level in the normalized image."""

MAX_ITERATIONS = 100
DAMPING = 0.8
"""Factor of a Jacobi step, which smooths the error."""


def interpolate_removed(
    image: np.ndarray, removed: np.ndarray, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Return an image in which removed pixels are weighted means of their neighbours.

    A removed pixel satisfies x_i · sum(w) = sum(w_j · x_j) over its up to eight neighbours j,
    removed or not, with the weights 1/6 for direct and 1/12 for diagonal ones (ROAD, Rong et al.
    2022). The system is symmetric and positive definite as long as a pixel remains. It is solved
    by conjugate gradients with a multigrid cycle as preconditioner, because plain conjugate
    gradients need hundreds of iterations in large holes.

    Args:
        image: `[H, W, C]`, float32.
        removed: `[H, W]` bool; at least one pixel remains.
        tolerance: estimated error of a pixel at which the iteration ends.
    """
    if not removed.any():
        return image.copy()
    holes = removed.astype(np.float32)
    known = image * ~removed[..., None]
    links = _neighbour_sum(1 - holes) * holes
    level = _make_level(holes, links)
    mean = (known.sum((0, 1)) / (~removed).sum()).astype(np.float32)
    x = np.where(removed[..., None], mean, image)
    residual = _neighbour_sum(known) * holes[..., None] - level.apply(x * holes[..., None])
    return _conjugate_gradients(level, x, residual, tolerance)


@dataclass(frozen=True, eq=False)
class _Level:
    """The equations of the removed pixels on a grid.

    Attributes:
        holes: 1 for removed pixels, `[H, W]`.
        diagonal: the sum of the weights of each pixel; 1 outside of the holes.
        coarser: the grid of half the size; None for the smallest one.
    """

    holes: np.ndarray
    diagonal: np.ndarray
    coarser: _Level | None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the left side of the equations for values that are 0 outside of the holes."""
        applied = self.diagonal[..., None] * values - _neighbour_sum(values)
        applied *= self.holes[..., None]
        return applied

    def cycle(self, residual: np.ndarray) -> np.ndarray:
        """Return an approximate solution for a residual, by one V-cycle."""
        step = DAMPING / self.diagonal[..., None]
        if self.coarser is None:
            error = step * residual
            for _ in range(8):
                error += step * (residual - self.apply(error))
            return error
        error = step * residual
        coarse = self.coarser.cycle(_restrict(residual - self.apply(error)))
        error += _prolong(coarse, residual.shape) * self.holes[..., None]
        error += step * (residual - self.apply(error))
        return error


def _make_level(holes: np.ndarray, links: np.ndarray) -> _Level:
    """Return the equations on a grid and all coarser ones.

    Args:
        holes: 1 for removed pixels.
        links: sum of the weights of the remaining neighbours of a removed pixel.
    """
    diagonal = np.where(holes > 0, _neighbour_sum(holes) + links, 1).astype(np.float32)
    if min(holes.shape) <= 4:
        return _Level(holes, diagonal, None)
    coarse = (_restrict(holes) > 0).astype(np.float32)
    return _Level(holes, diagonal, _make_level(coarse, _restrict(links)))


def _conjugate_gradients(
    level: _Level, x: np.ndarray, residual: np.ndarray, tolerance: float
) -> np.ndarray:
    direction, product = np.zeros_like(residual), np.ones(residual.shape[2])
    previous = residual
    for _ in range(MAX_ITERATIONS):
        correction = level.cycle(residual)
        # The flexible formula: the cycle is not exactly symmetric.
        factor = np.einsum("hwc,hwc->c", residual - previous, correction) / product
        if not direction.any():
            factor = np.zeros_like(factor)
        if np.abs(correction).max() <= tolerance:
            return x + correction
        direction = correction + factor.astype(np.float32) * direction
        product = np.einsum("hwc,hwc->c", residual, correction)
        applied = level.apply(direction)
        energy = np.einsum("hwc,hwc->c", direction, applied)
        step = np.divide(product, energy, out=np.zeros_like(product), where=energy > 0)
        previous = residual
        x = x + step.astype(np.float32) * direction
        residual = residual - step.astype(np.float32) * applied
        product = np.where(product == 0, 1, product)
    return x


def _neighbour_sum(values: np.ndarray) -> np.ndarray:
    """Return the weighted sum of the neighbours of each pixel; those outside are left out."""
    return _like(cv2.filter2D(values, -1, _KERNEL, borderType=cv2.BORDER_CONSTANT), values)


def _restrict(values: np.ndarray) -> np.ndarray:
    """Return the sums of 2 x 2 pixels."""
    height, width = values.shape[:2]
    even = cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT)
    size = ((width + 1) // 2, (height + 1) // 2)
    return _like(4 * cv2.resize(even, size, interpolation=cv2.INTER_AREA), values)


def _prolong(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return values of a coarse grid at the pixels of the finer one."""
    size = (2 * values.shape[1], 2 * values.shape[0])
    fine = _like(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), values)
    return fine[: shape[0], : shape[1]]


def _like(values: np.ndarray, example: np.ndarray) -> np.ndarray:
    """Return values with the axes of an example: OpenCV drops an axis of length 1."""
    return values[..., None] if values.ndim < example.ndim else values
