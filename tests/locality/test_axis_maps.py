"""Interval maps of single axes against the inputs that each output reads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convviz.locality import axis_maps as maps


def axis_maps():
    """List maps of all kinds with odd numbers."""
    actual = [
        maps.WindowMap(n, (n + 2 * p - d * (k - 1) - 1) // s + 1, k, s, p, d)
        for n, k, s, p, d in itertools.product((7, 10), (1, 3), (1, 2, 3), (0, 1), (1, 2))
    ]
    actual += [
        maps.TransposedMap(n, (n - 1) * s - 2 * p + d * (k - 1) + 1, k, s, p, d)
        for n, k, s, p, d in itertools.product((4, 5), (1, 2, 3), (1, 2, 4), (0, 1), (1, 2))
        if (n - 1) * s - 2 * p + d * (k - 1) >= 0
    ]
    actual += [maps.BroadcastMap(1, 4), maps.ConcatMap(3, 8, 2), maps.ConcatMap(3, 3, 0)]
    return [
        *actual,
        maps.TableMap(5, 3, (0, 1, 3), (2, 4, 5)),
        maps.TableMap(3, 3, (2, 0, 1), (3, 1, 2)),
    ]


@pytest.mark.parametrize("axis", axis_maps(), ids=str)
def test_interval_maps_agree_with_their_taps(axis):
    taps = axis.taps()
    assert taps.shape == (axis.size_out, axis.size_in)
    for a, b in itertools.combinations(range(axis.size_out + 1), 2):
        read = np.flatnonzero(taps[a:b].any(0))
        first, last = axis.backward(np.array([a]), np.array([b]))
        lo, hi = max(int(first[0]), 0), min(int(last[0]), axis.size_in)
        if read.size:
            assert lo <= read[0]
            assert read[-1] < hi
    for a, b in itertools.combinations(range(axis.size_in + 1), 2):
        reached = np.flatnonzero(taps[:, a:b].any(1))
        lo, hi = axis.forward(a, b)
        assert 0 <= lo <= axis.size_out
        assert hi <= axis.size_out
        if reached.size:
            assert lo <= reached[0]
            assert reached[-1] < hi
            if getattr(axis, "dilation", 1) == 1 and not isinstance(axis, maps.TransposedMap):
                assert (lo, hi) == (reached[0], reached[-1] + 1)


@pytest.mark.parametrize("axis", axis_maps(), ids=str)
def test_an_empty_interval_reaches_nothing(axis):
    lo, hi = axis.forward(2, 2)
    assert lo >= hi
