"""Krippendorff's α: the agreement of raters beyond chance.

Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania,
2011, which also has the example of the tests.
"""

from __future__ import annotations

import numpy as np


def ordinal_alpha(ratings: np.ndarray) -> float:
    """Return Krippendorff's α of ordinal ratings.

    Args:
        ratings: `[raters, items]`, NaN where a rater did not rate an item. Raters may miss items;
            an item that fewer than two raters have rated does not count.

    Returns:
        1 for perfect agreement, 0 for agreement by chance, less for systematic disagreement; NaN
        if no two ratings can be compared or all ratings are equal.
    """
    values = np.unique(ratings[~np.isnan(ratings)])
    # How often each item got each value, `[items, values]`.
    counts = (ratings.T[:, :, None] == values).sum(axis=1).astype(float)
    raters = counts.sum(axis=1)
    counts, raters = counts[raters > 1], raters[raters > 1]
    # Coincidences: ordered pairs of ratings of one item; each rating enters with the weight 1.
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    coincidences = (pairs / (raters - 1)[:, None, None]).sum(axis=0)
    totals = coincidences.sum(axis=1)
    distance = _ordinal_distance(totals)
    observed = (coincidences * distance).sum()
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() - 1)
    return float(1 - observed / expected) if expected > 0 else np.nan


def _ordinal_distance(totals: np.ndarray) -> np.ndarray:
    """Return the squared distance of each two values: the ratings between them, both ends half.

    Args:
        totals: `[values]`, how often each value occurs, in the order of the values.
    """
    middles = np.cumsum(totals) - totals / 2
    return np.asarray((middles[:, None] - middles[None, :]) ** 2)
