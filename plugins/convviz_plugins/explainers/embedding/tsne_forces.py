"""Repulsive forces of t-SNE, interpolated on a grid (FIt-SNE, Linderman et al. 2019).

The gradient of t-SNE has an attractive part, over pairs of neighbours, and a repulsive part, over
all pairs of points: with q = 1 / (1 + |a - b|²), the force on point a is the sum over all b of
q² (a - b), divided by the sum of q over all pairs. Written as

    sum of q² (a - b)  =  a · sum of q² · 1  -  sum of q² · b

it needs three potentials: the convolution of the kernel q² with the charges 1, b_y and b_x. They
are computed in three steps:

1. Each point spreads its charges to the 4 × 4 nodes of a regular grid around it, with the weights
   of cubic Lagrange interpolation.
2. On the grid, the convolution with the kernel is a product in frequency space: O(g log g) by FFT
   for g nodes, instead of O(n²) for n points.
3. Each point reads the potentials of its nodes with the same weights.

`Forces` replaces the interpolation of openTSNE. It needs fewer transforms: three for the charges;
none for the sum of q, which is computed in frequency space (Parseval); and the transform of the
kernel is kept between iterations with the same grid. It computes in float32, whose rounding errors
are smaller than the error of the interpolation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, fft
from torch.nn.functional import embedding_bag

SPACING = 0.4
"""Largest distance between nodes. The kernel has width 1, which this resolves."""

FEWEST, MOST = 100, 2500
"""Limits of the number of nodes along the longer side; they take precedence over SPACING."""

STEP = 16
"""Side lengths of grids are multiples of this, so that iterations can share a kernel."""

POINTS = 4
"""Nodes per axis that a point uses."""

LARGEST_BLOCK = 31 << 20
"""Bytes, see `Forces.__init__`."""

EPSILON = np.finfo(np.float64).eps


class Forces:
    """Gradient of t-SNE, as openTSNE calls it: `Forces()(embedding, P, …)` -> divergence, gradient.

    The result does not depend on the number of threads: all sums over points are computed in a
    fixed order.
    """

    def __init__(self) -> None:
        self._key: tuple[float, int, int] | None = None
        self._kernels: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        # Allocating and freeing a large block raises the threshold from which on glibc returns
        # freed memory to the system. Without it, each iteration maps its arrays anew, which takes
        # a fifth of the time for 60 000 points.
        np.empty(LARGEST_BLOCK, np.uint8)

    def __call__(
        self,
        embedding: np.ndarray,
        P: Any,  # noqa: N803
        dof: float,
        should_eval_error: bool = False,
        n_jobs: int = 1,
        **_: Any,
    ) -> tuple[float, np.ndarray]:
        """Return the divergence, 0 unless asked for, and its gradient `[n, 2]`."""
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
        axes = np.ascontiguousarray(
            points.T
        )  # reductions over contiguous axes are several times faster
        low = axes.min(axis=1)
        span = axes.max(axis=1) - low
        longest = float(span.max())
        # The grid covers the points and the nodes around the outermost ones. Its sides are rounded
        # up, so that the kernel can be reused while the map grows slowly.
        spacing = min(SPACING, longest / FEWEST) or SPACING
        spacing = max(spacing, longest / MOST)
        rows, columns = (int(-(-(side / spacing + POINTS) // STEP) * STEP) for side in span)
        first_nodes, weights = _stencils((axes - low[:, None]) / spacing)
        interpolation = _interpolation_matrix(first_nodes, weights, columns, rows * columns)
        # Centred coordinates are smaller, which keeps the difference below accurate in float32.
        centred = points - axes.mean(axis=1)
        charges = np.column_stack([np.ones(len(points)), centred]).astype(np.float32)
        grid = torch.from_numpy(np.ascontiguousarray((interpolation.T @ charges).T))
        field, power = self._convolve(grid.view(3, rows, columns), spacing)
        potentials = _interpolate_field(interpolation, field)
        total = power - _self_similarity(weights, spacing)
        return centred * potentials[:, :1] - potentials[:, 1:], total

    def _convolve(self, grid: Tensor, spacing: float) -> tuple[Tensor, float]:
        """Return the convolution of charges with q², and the sum of q over all pairs.

        The grid is padded with zeros to at least twice its size, so that the circular convolution
        of the FFT equals the linear one.

        Args:
            grid: `[charges, rows, columns]`.
            spacing: of its nodes.

        Returns:
            The potentials at the nodes, `[rows, columns, charges]`, and the sum over all pairs of
            nodes of the first charge times q times the first charge.
        """
        from scipy.fft import next_fast_len

        rows, columns = grid.shape[1:]
        height, width = (next_fast_len(2 * side, real=True) for side in (rows, columns))
        simple, square = self._kernel_transforms(spacing, height, width)
        # Columns first, then rows, so that most transforms run over contiguous memory.
        waves = fft.fft(fft.rfft(grid, height, dim=1), width, dim=2)
        power = _pair_sum(waves[0], simple, height)
        waves = fft.ifft(waves.mul_(square), dim=2)[:, :, :columns]
        field = fft.irfft(waves, height, dim=1)[:, :rows]
        return field.permute(1, 2, 0).contiguous(), power

    def _kernel_transforms(self, spacing: float, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the transforms of q and q² as functions of the offset between two nodes."""
        if self._key != (spacing, height, width):
            y, x = (
                torch.minimum(torch.arange(n), n - torch.arange(n)) * spacing
                for n in (height, width)
            )
            q = 1 / (1 + y[:, None].double() ** 2 + x.double() ** 2)
            # Offsets wrap around: the kernels are even functions, so their transforms are real.
            kernels = (fft.fft(fft.rfft(k, dim=0), dim=1).real.float() for k in (q, q * q))
            self._kernels = (next(kernels), next(kernels))
            self._key = (spacing, height, width)
        return self._kernels


def _stencils(places: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the first of four nodes per axis and point `[2, n]`, and the weights `[2, 4, n]`.

    The weights are those of the cubic Lagrange polynomial through two nodes on either side of the
    point. Places `[2, n]` are in units of the spacing.
    """
    # Element-wise operations of PyTorch do not depend on the number of threads.
    x = torch.from_numpy(places)
    first = x.long()
    t = (x - first).float()
    before, after, end = t + 1, t - 1, t - 2
    weights = [
        t * after * end / -6,
        before * after * end / 2,
        before * t * end / -2,
        before * t * after / 6,
    ]
    # The origin of the grid lies one node before the lowest point, so that the first of the four
    # nodes has the index floor(x), although it lies one node before floor(x).
    return first, torch.stack(weights, 1)


def _interpolation_matrix(first_nodes: Tensor, weights: Tensor, columns: int, nodes: int) -> Any:
    """Return the interpolation weights as a sparse matrix `[n, nodes]`."""
    from scipy.sparse import csr_matrix

    n, steps = first_nodes.shape[1], torch.arange(POINTS, dtype=torch.int32)
    corner = (first_nodes[0] * columns + first_nodes[1]).int()
    nodes_of = corner[:, None] + (steps[:, None] * columns + steps).flatten()
    values = np.einsum("in,jn->nij", *weights.numpy())
    rows = np.arange(n + 1, dtype=np.int32) * POINTS**2
    parts = (values.ravel(), nodes_of.flatten().numpy(), rows)
    return csr_matrix(parts, shape=(n, nodes))


def _interpolate_field(interpolation: Any, field: Tensor) -> np.ndarray:
    """Return the values of a field `[rows, columns, 3]` at the points, `[n, 3]`."""
    parts = (interpolation.indices, interpolation.data)
    nodes, weights = (torch.from_numpy(part).view(-1, POINTS**2) for part in parts)
    # The product of the matrix with the field, in parallel; scipy would use one thread.
    values = embedding_bag(nodes, field.view(-1, 3), per_sample_weights=weights, mode="sum")
    return values.numpy()


def _pair_sum(wave: Tensor, kernel: Tensor, height: int) -> float:
    """Return the sum over all pairs of nodes of charge · kernel · charge.

    By Parseval's theorem it is the mean over frequencies of |transform of the charge|² times the
    transform of the kernel.
    """
    power = wave.real.square().addcmul_(wave.imag, wave.imag).mul_(kernel).numpy()
    # Summed by NumPy: the order of PyTorch's sums depends on the number of threads.
    by_row = power.sum(axis=1).astype(np.float64)
    # rfft returns the frequencies 0 to n / 2 only; those strictly in between stand for two.
    double = by_row[1 : (height + 1) // 2].sum()
    return float((by_row.sum() + double) / (height * wave.shape[1]))


def _self_similarity(weights: Tensor, spacing: float) -> float:
    """Return the part of the sum of q that pairs of a point with itself contribute.

    The sum over all pairs of nodes includes, for every point, the pairs of its own 16 nodes. q
    depends on their offset only, so the weights are correlated with themselves, offset by offset
    and axis by axis.
    """
    y, x = (
        # Summed by NumPy: the order of PyTorch's sums depends on the number of threads.
        np.stack([(w[: POINTS - d] * w[d:]).numpy().sum(axis=0) for d in range(POINTS)])
        for w in weights
    )
    apart = np.arange(POINTS) * spacing
    twice = 1.0 + (apart > 0)  # an offset d stands for d and -d
    q = 1 / (1 + apart[:, None] ** 2 + apart**2)
    return float((twice[:, None] * twice * q * (y @ x.T)).sum())
