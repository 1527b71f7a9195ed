"""The forces of t-SNE against sums over all pairs, which nothing interpolates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from convviz_plugins.explainers.embedding.tsne_forces import Forces

N = 400


def cloud(spread, n=N):
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, 2)) * [spread, spread / 3] + rng.integers(0, 3, (n, 1)) * spread


def pairwise(points):
    apart = points[:, None] - points[None]
    q = 1 / (1 + (apart**2).sum(axis=2))
    np.fill_diagonal(q, 0)
    return apart, q


def affinities(n=N):
    p = np.random.default_rng(1).random((n, n)) ** 8
    np.fill_diagonal(p, 0)
    return (p + p.T) / (p + p.T).sum()


@pytest.mark.parametrize(("spread", "tolerance"), [(1e-4, 1e-6), (1.0, 2e-3), (20.0, 3e-2)])
def test_repulsion_is_the_sum_over_all_others(spread, tolerance):
    points = cloud(spread)
    apart, q = pairwise(points)
    expected = (q[:, :, None] ** 2 * apart).sum(axis=1)
    forces, total = Forces().repulsion(points)
    assert np.abs(forces - expected).max() < tolerance * np.abs(expected).max()
    assert total == pytest.approx(q.sum(), rel=tolerance / 10)


def test_gradient_and_divergence_are_those_of_t_sne():
    points, p = cloud(2.0), affinities()
    apart, q = pairwise(points)
    divergence, gradient = Forces()(points, csr_matrix(p), 1, should_eval_error=True)
    subset = p > 0
    assert divergence == pytest.approx(
        (p[subset] * np.log(p[subset] / (q / q.sum())[subset])).sum(), 1e-4
    )
    # The factor 4 of van der Maaten and Hinton is in openTSNE's learning rate.
    expected = ((p - q / q.sum())[:, :, None] * q[:, :, None] * apart).sum(axis=1)
    np.testing.assert_allclose(gradient, expected, atol=3e-3 * np.abs(expected).max())


def test_threads_and_kept_kernels_change_no_bit():
    points, threads = cloud(9.0, 5000), torch.get_num_threads()
    result = []
    try:
        for count in (1, 2, 3, 2):
            torch.set_num_threads(count)
            forces = Forces()
            forces.repulsion(cloud(3.0 * count))
            result += [forces.repulsion(points), forces.repulsion(points)]
    finally:
        torch.set_num_threads(threads)
    for forces, total in result[1:]:
        np.testing.assert_array_equal(forces, result[0][0])
        assert total == result[0][1]


def test_points_that_are_equal_or_far_off_stand():
    forces, total = Forces().repulsion(np.full((5, 2), 3.0))
    np.testing.assert_allclose(forces, 0, atol=1e-12)
    assert total == pytest.approx(20)
    forces, total = Forces().repulsion(np.array([[0.0, 0.0], [0.0, 0.1], [4e4, 1.0]]))
    assert np.isfinite(forces).all()
    assert np.isfinite(total)


def test_other_kernels_are_refused():
    with pytest.raises(ValueError, match=r"dof must be 1, not 0\.5"):
        Forces()(cloud(1.0), csr_matrix(affinities()), 0.5)
