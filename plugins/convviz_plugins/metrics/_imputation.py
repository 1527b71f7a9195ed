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
    links = _neighbour_sum(1 - holes) * holes
    level = _make_level(holes, links, image.shape[2])
    known = image * (1 - level.holes)
    mean = (known.sum((0, 1)) / (~removed).sum()).astype(np.float32)
    x = known + mean * level.holes
    residual = _neighbour_sum(known) * level.holes - level.apply(x * level.holes)
    return _conjugate_gradients(level, x, residual, tolerance)


@dataclass(frozen=True, eq=False)
class _Level:
    """The equations of the removed pixels on a grid.

    All arrays are repeated for each channel: NumPy is slow at broadcasting a short last axis.

    Attributes:
        holes: 1 for removed pixels, `[H, W, C]`.
        diagonal: the sum of the weights of each pixel; 1 outside of the holes.
        jacobi: factor of a residual in a smoothing step.
        coarser: the grid of half the size; None for the smallest one.
    """

    holes: np.ndarray
    diagonal: np.ndarray
    jacobi: np.ndarray
    coarser: _Level | None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the left side of the equations for values that are 0 outside of the holes."""
        applied = self.diagonal * values
        applied -= _neighbour_sum(values)
        applied *= self.holes
        return applied

    def cycle(self, residual: np.ndarray) -> np.ndarray:
        """Return an approximate solution for a residual, by one V-cycle."""
        error = self.jacobi * residual
        if self.coarser is None:
            for _ in range(8):
                error += self.jacobi * (residual - self.apply(error))
            return error
        coarse = self.coarser.cycle(_restrict(residual - self.apply(error)))
        error += _prolong(coarse, residual.shape) * self.holes
        error += self.jacobi * (residual - self.apply(error))
        return error


def _make_level(holes: np.ndarray, links: np.ndarray, channels: int) -> _Level:
    """Return the equations on a grid and all coarser ones.

    Args:
        holes: 1 for removed pixels, `[H, W]`.
        links: sum of the weights of the remaining neighbours of a removed pixel.
        channels: number of channels.
    """
    diagonal = np.where(holes > 0, _neighbour_sum(holes) + links, 1).astype(np.float32)
    coarser = None
    if min(holes.shape) > 4:
        coarse = (_restrict(holes) > 0).astype(np.float32)
        coarser = _make_level(coarse, _restrict(links), channels)
    repeated = (np.repeat(a[..., None], channels, 2) for a in (holes, diagonal, DAMPING / diagonal))
    return _Level(*repeated, coarser)


def _conjugate_gradients(
    level: _Level, x: np.ndarray, residual: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return the solution of the equations of all channels, which are one system."""
    direction, previous, product = np.zeros_like(residual), residual, 0.0
    for _ in range(MAX_ITERATIONS):
        correction = level.cycle(residual)
        if np.abs(correction).max() <= tolerance:
            return x + correction
        # The flexible formula: the cycle is not exactly symmetric.
        change = _dot(residual - previous, correction) if product else 0.0
        direction *= np.float32(change / product if product else 0.0)
        direction += correction
        product = _dot(residual, correction)
        applied = level.apply(direction)
        step = np.float32(product / _dot(direction, applied))
        x = x + step * direction
        previous, residual = residual, residual - step * applied
    return x


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b))


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
