"""The forces of t-SNE between all points of a map, interpolated on a grid (Linderman et al. 2019).

openTSNE takes what is here in the place of its own interpolation. The difference is in the number
of transforms: as many as there are charges, three, for the forces; none for the sum of all
similarities, which is read off in frequency space; and the kernel's is kept between iterations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

SPACING = 0.4
"""Between nodes of the grid, of which a point uses 4 x 4; the kernel's width is 1."""

FEWEST, MOST = 100, 2500
"""Nodes along the longer side, whatever its length."""

STEP = 16
"""Grids grow by so many nodes, so that a kernel serves more than one iteration."""

POINTS = 4
EPSILON = np.finfo(np.float64).eps


class Forces:
    """What openTSNE calls for the gradient: `Forces()(embedding, P, …)` -> (divergence, gradient).

    Args:
        threads: of the transforms; they change no bit of the result.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._key: tuple[float, int, int] | None = None
        self._kernels: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))

    def __call__(
        self,
        embedding: np.ndarray,
        P: Any,  # noqa: N803
        dof: float,
        should_eval_error: bool = False,
        n_jobs: int = 1,
        **_: Any,
    ) -> tuple[float, np.ndarray]:
        """Return the divergence, where asked for, and its gradient `[n, 2]`."""
        from openTSNE import _tsne

        if dof != 1:
            raise ValueError(f"dof must be 1, not {dof!r}")
        points = np.ascontiguousarray(embedding, dtype=np.float64)
        forces, total = self.repulsion(points)
        gradient = np.ascontiguousarray(forces / -total)
        attracted, divergence = _tsne.estimate_positive_gradient_nn(
            P.indices,
            P.indptr,
            P.data,
            points,
            points,
            gradient,
            dof,
            num_threads=n_jobs,
            should_eval_error=should_eval_error,
        )
        if should_eval_error:
            divergence += attracted * np.log(total + EPSILON)
        return divergence, gradient

    def repulsion(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the sum over all other points of `q² (a - b)` `[n, 2]`, and of all q.

        `q = 1 / (1 + |a - b|²)`; points are float64 `[n, 2]`.
        """
        from scipy import fft

        axes = np.ascontiguousarray(points.T)  # along which numpy is several times as fast
        low = axes.min(axis=1)
        span = axes.max(axis=1) - low
        longest = float(span.max())
        spacing = min(SPACING, longest / FEWEST) or SPACING
        spacing = max(spacing, longest / MOST)
        rows, columns = (int(-(-(side / spacing + POINTS) // STEP) * STEP) for side in span)
        near, weights = _stencils((axes - low[:, None]) / spacing)
        spread = _matrix(near, weights, columns, rows * columns)
        centred = points - axes.mean(axis=1)
        charges = np.column_stack([np.ones(len(points)), centred])
        grid = np.ascontiguousarray((spread.T @ charges).T).reshape(3, rows, columns)
        height, width = (fft.next_fast_len(2 * side, real=True) for side in (rows, columns))
        simple, square = self._of(spacing, height, width)
        waves = fft.rfft(grid, width, axis=2, workers=self.threads)
        waves = fft.fft(waves, height, axis=1, overwrite_x=True, workers=self.threads)
        total = _power(waves[0], simple, width) - _own(weights, spacing)
        waves *= square
        waves = fft.ifft(waves, axis=1, overwrite_x=True, workers=self.threads)[:, :rows]
        field = fft.irfft(waves, width, axis=2, workers=self.threads)[:, :, :columns]
        felt = spread @ np.ascontiguousarray(field.reshape(3, -1).T)
        return centred * felt[:, :1] - felt[:, 1:], total

    def _of(self, spacing: float, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the transforms of q and q² as functions of the distance on the grid."""
        from scipy import fft

        if self._key != (spacing, height, width):
            y, x = (np.minimum(np.arange(n), n - np.arange(n)) * spacing for n in (height, width))
            q = 1 / (1 + y[:, None] ** 2 + x**2)
            # Even functions: their transforms are real.
            kernels = (fft.rfft2(k, workers=self.threads).real for k in (q, q * q))
            self._kernels = (next(kernels), next(kernels))
            self._key = (spacing, height, width)
        return self._kernels


def _stencils(places: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the first of four nodes of each axis and point `[2, n]`, and weights `[2, 4, n]`.

    Lagrange's cubic through the two nodes on either side. Places `[2, n]` are in units of the
    spacing.
    """
    # By PyTorch, element by element: its threads change no bit of that.
    x = torch.from_numpy(places)
    first = x.long()
    t = x - first
    before, after, end = t + 1, t - 1, t - 2
    weights = [
        t * after * end / -6,
        before * after * end / 2,
        before * t * end / -2,
        before * t * after / 6,
    ]
    # The grid begins one node before the lowest point.
    return first, torch.stack(weights, 1)


def _matrix(near: Tensor, weights: Tensor, columns: int, nodes: int) -> Any:
    """Return the interpolation as a sparse matrix `[n, nodes]`."""
    from scipy.sparse import csr_matrix

    n, steps = near.shape[1], torch.arange(POINTS, dtype=torch.int32)
    corner = (near[0] * columns + near[1]).int()
    nodes_of = corner[:, None] + (steps[:, None] * columns + steps).flatten()
    y, x = (w.T.contiguous() for w in weights)
    values = y[:, :, None] * x[:, None, :]
    rows = np.arange(n + 1, dtype=np.int32) * POINTS**2
    parts = (values.flatten().numpy(), nodes_of.flatten().numpy(), rows)
    return csr_matrix(parts, shape=(n, nodes))


def _power(wave: np.ndarray, kernel: np.ndarray, width: int) -> float:
    """Return the sum over all pairs of nodes of charge · kernel · charge (Parseval)."""
    power = (wave.real**2 + wave.imag**2) * kernel
    # Half of the frequencies are kept; those between the first and the middle count twice.
    double = power[:, 1 : (width + 1) // 2].sum()
    return float((power.sum() + double) / (kernel.shape[0] * width))


def _own(weights: Tensor, spacing: float) -> float:
    """Return what points contribute to the sum of all q by themselves, as interpolated."""
    # Only the distance between two of a point's nodes counts: weights with themselves, moved.
    y, x = (
        # Summed by NumPy, since the order of PyTorch's sums depends on its threads.
        np.stack([(w[: POINTS - d] * w[d:]).numpy().sum(axis=0) for d in range(POINTS)])
        for w in weights
    )
    apart = np.arange(POINTS) * spacing
    twice = 1.0 + (apart > 0)
    q = 1 / (1 + apart[:, None] ** 2 + apart**2)
    return float((twice[:, None] * twice * q * (y @ x.T)).sum())
