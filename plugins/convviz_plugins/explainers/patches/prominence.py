"""Prominence: the distance of a unit's best values from its distribution over a data set.

Raw values of different units are not comparable: a unit with larger weights has larger values, and
after a ReLU6 nearly all units reach 6. Prominence is the distance of the best values from the mean
over images of the unit's highest value per image, in standard deviations.

The mean of several best values is used, because the best one alone may come from an outlier. On
200 photos, two networks and their last three stages, the nine images of the 16 units with the
highest prominence are most similar with this definition: their centred features have a mean cosine
of 0.020, against 0.015 with the best value alone, 0.017 with raw values and 0.013 for all units.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

NAMES = ("peak count", "peak mean", "peak squares")
FLAT = 1e-6
"""Units whose peaks have a smaller deviation, relative to their magnitude, count as constant."""

SHARE = 10
"""At most one image in ten is among the best, so that these differ from the distribution."""


def measure_peaks(peaks: Tensor) -> dict[str, Tensor]:
    """Return the summary of the highest values per image and channel, `[N, C]`, without -inf.

    Returns:
        By channel, `[C]`: the number of images, the mean of their peaks, and the sum of squared
        distances from it, float64.
    """
    known = peaks > -torch.inf
    values = peaks.double().masked_fill(~known, 0)
    count = known.sum(0)
    mean = values.sum(0) / count.clamp(min=1)
    squares = (values - mean).masked_fill(~known, 0).square().sum(0)
    return dict(zip(NAMES, (count.cpu(), mean.cpu(), squares.cpu()), strict=True))


def merge_peaks(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the summary of two sets of images (Chan, Golub & LeVeque 1979)."""
    (m, mean_a, squares_a), (n, mean_b, squares_b) = ([p[name] for name in NAMES] for p in (a, b))
    both, gap = (m + n).clamp(min=1).double(), mean_b - mean_a
    mean = mean_a + gap * (n / both)
    squares = squares_a + squares_b + gap.square() * (m * n / both)
    return dict(zip(NAMES, (m + n, mean, squares), strict=True))


def prominence(best: Tensor, summary: Mapping[str, Tensor]) -> Tensor:
    """Return the prominence of each channel, `[C]` float64.

    Args:
        best: the highest values of each channel over the data set, `[C, k]`, best first; NaN in
            lists with fewer.
        summary: summary of the peaks of all images.

    Returns:
        Standard deviations above the mean: 0 if all images have the same peak, NaN for a
        channel without a value.
    """
    count, mean, squares = (summary[name] for name in NAMES)
    taken = (count // SHARE).clamp(1, best.shape[1])[:, None]
    counted = (torch.arange(best.shape[1]) < taken) & ~best.isnan()
    top = best.double().masked_fill(~counted, 0).sum(1) / counted.sum(1)
    spread = (squares / count.clamp(min=1)).sqrt()
    flat = spread <= FLAT * torch.maximum(mean.abs(), top.abs())
    return torch.where(flat & ~top.isnan(), 0.0, (top - mean) / spread)


def most_prominent(scores: Tensor, count: int) -> list[int]:
    """Return the channels with the highest scores, without NaN; ties by index."""
    order = scores.nan_to_num(-torch.inf).sort(descending=True, stable=True).indices.tolist()
    return [c for c in order if not torch.isnan(scores[c])][:count]
