"""The forces of t-SNE between all points of a map, interpolated on a grid (Linderman et al. 2019).

openTSNE takes what is here in the place of its own interpolation. The difference is in the number
of transforms: as many as there are charges, three, for the forces; none for the sum of all
similarities, which is read off in frequency space; and the kernel's is kept between iterations.
It computes in float32: the rounding is small beside what the interpolation leaves out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, fft
from torch.nn.functional import embedding_bag

SPACING = 0.4
"""Between nodes of the grid, of which a point uses 4 x 4; the kernel's width is 1."""

FEWEST, MOST = 100, 2500
"""Nodes along the longer side, whatever its length."""

STEP = 16
"""Grids grow by so many nodes, so that a kernel serves more than one iteration."""

POINTS = 4
LARGEST_BLOCK = 31 << 20
EPSILON = np.finfo(np.float64).eps


class Forces:
    """What openTSNE calls for the gradient: `Forces()(embedding, P, …)` -> (divergence, gradient).

    PyTorch's threads change no bit of the result.
    """

    def __init__(self) -> None:
        self._key: tuple[float, int, int] | None = None
        self._kernels: tuple[Tensor, Tensor] = (torch.empty(0), torch.empty(0))
        # glibc hands freed memory back, to fetch it anew in the next iteration, unless it has seen
        # blocks of this size come and go: for 60 000 points that is a fifth of the time.
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
        charges = np.column_stack([np.ones(len(points)), centred]).astype(np.float32)
        grid = torch.from_numpy(np.ascontiguousarray((spread.T @ charges).T))
        field, power = self._convolved(grid.view(3, rows, columns), spacing)
        felt = _felt(spread, field)
        total = power - _own(weights, spacing)
        return centred * felt[:, :1] - felt[:, 1:], total

    def _convolved(self, grid: Tensor, spacing: float) -> tuple[Tensor, float]:
        """Convolve charges with q², and sum the first of them over all pairs, times q.

        Args:
            grid: `[charges, rows, columns]`.
            spacing: of its nodes.

        Returns:
            What is felt at each node, `[rows, columns, charges]`, and the sum.
        """
        from scipy.fft import next_fast_len

        rows, columns = grid.shape[1:]
        height, width = (next_fast_len(2 * side, real=True) for side in (rows, columns))
        simple, square = self._of(spacing, height, width)
        # Columns first and rows after them, so that most of what is transformed is contiguous.
        waves = fft.fft(fft.rfft(grid, height, dim=1), width, dim=2)
        power = _power(waves[0], simple, height)
        waves = fft.ifft(waves.mul_(square), dim=2)[:, :, :columns]
        field = fft.irfft(waves, height, dim=1)[:, :rows]
        return field.permute(1, 2, 0).contiguous(), power

    def _of(self, spacing: float, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the transforms of q and q² as functions of the distance on the grid."""
        if self._key != (spacing, height, width):
            y, x = (
                torch.minimum(torch.arange(n), n - torch.arange(n)) * spacing
                for n in (height, width)
            )
            q = 1 / (1 + y[:, None].double() ** 2 + x.double() ** 2)
            # Even functions: their transforms are real.
            kernels = (fft.fft(fft.rfft(k, dim=0), dim=1).real.float() for k in (q, q * q))
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
    t = (x - first).float()
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
    values = np.einsum("in,jn->nij", *weights.numpy())
    rows = np.arange(n + 1, dtype=np.int32) * POINTS**2
    parts = (values.ravel(), nodes_of.flatten().numpy(), rows)
    return csr_matrix(parts, shape=(n, nodes))


def _felt(spread: Any, field: Tensor) -> np.ndarray:
    """Return a field `[rows, columns, 3]` where the points are, `[n, 3]`."""
    parts = (spread.indices, spread.data)
    nodes, weights = (torch.from_numpy(part).view(-1, POINTS**2) for part in parts)
    # The product with the matrix, which scipy computes by one thread.
    felt = embedding_bag(nodes, field.view(-1, 3), per_sample_weights=weights, mode="sum")
    return felt.numpy()


def _power(wave: Tensor, kernel: Tensor, height: int) -> float:
    """Return the sum over all pairs of nodes of charge · kernel · charge (Parseval)."""
    power = wave.real.square().addcmul_(wave.imag, wave.imag).mul_(kernel).numpy()
    # Summed by NumPy, since the order of PyTorch's sums depends on its threads.
    by_row = power.sum(axis=1).astype(np.float64)
    # Half of the frequencies are kept; those between the first and the middle count twice.
    double = by_row[1 : (height + 1) // 2].sum()
    return float((by_row.sum() + double) / (height * wave.shape[1]))


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
