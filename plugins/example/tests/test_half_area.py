"""half_area keeps convviz's contract, and has the known values on simple maps."""

from __future__ import annotations

import numpy as np
import pytest
from convviz_half_area import HalfArea

import convviz
from convviz.testing import check_metric, tiny_model, tiny_photos


def test_keeps_the_contract():
    check_metric(HalfArea())


def test_is_found_by_its_name():
    assert convviz.metric("half_area", share=0.3) == HalfArea(share=0.3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[4, 0], [0, 0]], 0.25), ([[1, 1], [1, 1]], 0.5), ([[-3, 2], [2, 1]], 0.5)],
)
def test_known_maps(values, expected):
    assert HalfArea()._area(np.array(values, float)) == expected


def test_a_map_of_zeros_has_no_score():
    assert np.isnan(HalfArea()._area(np.zeros((3, 3))))


def test_a_benchmark_uses_it_by_its_name():
    record = convviz.benchmark(tiny_model(), tiny_photos(2), "saliency", "half_area")
    values = record.scores.of("saliency", "half_area")
    assert ((values > 0) & (values < 0.5)).all()
