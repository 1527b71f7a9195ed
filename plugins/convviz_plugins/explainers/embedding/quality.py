"""Measures of how well a map in the plane preserves the neighbourhoods of the vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...shared import vectors as space

NEAREST = 5
SAMPLE = 2000
"""Number of points above which the trustworthiness, which needs all pairs, is that of a sample."""


def trustworthiness_measures(vectors: np.ndarray, points: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the trustworthiness of the points (Venna & Kaski 2001).

    It is 1 if all neighbours of a point in the plane are also near it in feature space.

    Args:
        vectors: `[n, d]`.
        points: `[n, 2]`.
        seed: of the sample, for more than SAMPLE points.
    """
    from sklearn.manifold import trustworthiness

    n = len(vectors)
    if n > SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE])
        vectors, points = vectors[chosen], points[chosen]
    nearest = min(NEAREST, (len(vectors) - 1) // 2)
    if nearest < 1 or (vectors == vectors[0]).all():
        return {}
    measures = {"trustworthiness": float(trustworthiness(vectors, points, n_neighbors=nearest))}
    return measures | ({"trustworthiness measured on": SAMPLE} if n > SAMPLE else {})


def knn_accuracy(vectors: np.ndarray, points: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the leave-one-out accuracy of k-nearest-neighbour classification, map and features.

    It is left out if no two items have the same class, because it would be zero for any vectors.

    Args:
        vectors: `[n, d]`.
        points: `[n, 2]`.
        labels: `[n]`, -1 where there is none.
    """
    known = labels >= 0
    count = min(NEAREST, int(known.sum()) - 1)
    if count < 1 or not 1 < len(np.unique(labels[known])) < known.sum():
        return {}
    return {
        f"{count}-NN accuracy in the map": _accuracy(points[known], labels[known], count),
        f"{count}-NN accuracy of features": _accuracy(vectors[known], labels[known], count),
    }


def _accuracy(vectors: np.ndarray, labels: np.ndarray, count: int) -> float:
    _, rows = space.neighbours(space.prepare(vectors, "l2"), count)
    votes = (labels[rows][:, :, None] == np.unique(labels)).sum(axis=1)
    # argmax resolves equal votes in favour of the lowest class, so the result is deterministic.
    return float((np.unique(labels)[votes.argmax(axis=1)] == labels).mean())
