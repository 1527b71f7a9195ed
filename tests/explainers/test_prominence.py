"""Which units are drawn: those that stand out from their own distribution, whatever their scale."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from convviz_plugins.explainers.patches import prominence

IMAGES = 60


def peaks(seed: int = 0) -> Tensor:
    """Return the peaks of units with a few images that fire them more and more, `[N, C]`."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(IMAGES, 7, generator=generator, dtype=torch.float64)
    for unit in range(7):
        values[::12, unit] += unit  # five images stand out by so much
    return values


def scores(values: Tensor, k: int = 5, sizes: tuple[int, ...] = (IMAGES,)) -> Tensor:
    parts = [prominence.measure_peaks(part) for part in values.split(list(sizes))]
    best = values.sort(0, descending=True).values[:k].T
    return prominence.prominence(
        best.masked_fill(best == -torch.inf, torch.nan),
        functools.reduce(prominence.merge_peaks, parts),
    )


def test_scores_are_those_of_numpy() -> None:
    values = peaks()
    data = values.numpy()
    best = np.sort(data, axis=0)[::-1][:5]
    expected = (best.mean(0) - data.mean(0)) / data.std(0)
    np.testing.assert_allclose(scores(values), expected, rtol=1e-12)
    alone = (data.max(0) - data.mean(0)) / data.std(0)
    np.testing.assert_allclose(scores(values, k=1), alone, rtol=1e-12)


def test_at_most_a_tenth_of_the_images_count_as_the_best() -> None:
    values = peaks()[:21]
    data = values.numpy()
    expected = (np.sort(data, axis=0)[::-1][:2].mean(0) - data.mean(0)) / data.std(0)
    np.testing.assert_allclose(scores(values, k=9, sizes=(21,)), expected, rtol=1e-12)


def test_units_that_stand_out_more_come_first_whatever_their_scale() -> None:
    values = peaks()
    scales = torch.tensor([1e3, 1.0, 1e-3, 1e6, 1.0, 1e-6, 1e-2], dtype=torch.float64)
    for other in (values, values * scales, values - 100):
        order = prominence.most_prominent(scores(other), 7)
        assert order[:5] == [6, 5, 4, 3, 2]
    assert torch.allclose(scores(values), scores(values * scales))


@pytest.mark.parametrize("sizes", [(1,) * IMAGES, (7, 40, 13), (59, 1)])
def test_parts_add_up(sizes: tuple[int, ...]) -> None:
    values = peaks() + 1e4  # the mean is large beside the spread
    values[3, 2] = -torch.inf
    assert torch.allclose(scores(values, sizes=sizes), scores(values), rtol=1e-9)


def test_a_merge_is_associative_up_to_rounding() -> None:
    a, b, c = (prominence.measure_peaks(part) for part in peaks().split([10, 1, 49]))
    merge = prominence.merge_peaks
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    for name in prominence.NAMES:
        assert torch.allclose(left[name], right[name], rtol=1e-13)


def test_dead_and_saturated_units_are_drawn_last() -> None:
    values = peaks()
    values[:, 0], values[:, 1] = 0.0, 6.0
    values[:, 2] = 0.1 + 1e-9 * torch.arange(IMAGES)  # constant but for rounding
    values[:, 3] = -torch.inf  # nothing finite at all
    result = scores(values)
    assert result[:3].tolist() == [0, 0, 0]
    assert result[3].isnan()
    assert prominence.most_prominent(result, 7) == [6, 5, 4, 0, 1, 2]
    assert prominence.most_prominent(result, 2) == [6, 5]


def test_one_odd_image_outweighs_no_unit_that_five_images_fire() -> None:
    """The best value alone would put the unit with a single outlier first."""
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(IMAGES, 2, generator=generator, dtype=torch.float64)
    values[10, 0] += 30
    values[::12, 1] += 3
    alone, together = scores(values, k=1), scores(values, k=5)
    assert alone[0] > alone[1]
    assert together[1] > together[0]


def test_a_single_image_gives_every_unit_the_score_zero() -> None:
    assert scores(peaks()[:1], sizes=(1,)).tolist() == [0] * 7


def test_missing_images_are_no_zeros() -> None:
    """Images without a finite value change nothing."""
    values = peaks()
    extra = torch.cat([values, torch.full((5, 7), -torch.inf, dtype=torch.float64)])
    for sizes in itertools.permutations((30, 35)):
        assert torch.allclose(scores(extra, sizes=sizes), scores(values), rtol=1e-12)
