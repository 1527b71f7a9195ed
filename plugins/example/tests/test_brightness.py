"""The explainer keeps convviz's contract, and its numbers are right."""

from __future__ import annotations

import torch
from convviz_brightness import Brightness

import convviz
from convviz.testing import check_explainer, tiny_model

IMAGES = torch.rand(2, 3, 32, 32, dtype=torch.float64)


def test_keeps_the_contract():
    check_explainer(Brightness(cells=4, batch_size=8))


def test_is_found_by_its_name():
    result = convviz.explainer("brightness", cells=5)
    assert isinstance(result, Brightness)
    assert result.cells == 5


def test_a_small_step_gives_the_sum_of_the_gradient_over_each_cell():
    model = tiny_model()
    result = convviz.explain(model, IMAGES, "brightness", target=2, cells=4, step=1e-6)
    gradient = model.gradient(IMAGES, result.target).sum(1)  # a cell changes in all its channels
    sums = gradient.view(2, 4, 8, 4, 8).sum((2, 4))
    expected = sums.abs().repeat_interleave(8, 1).repeat_interleave(8, 2)
    torch.testing.assert_close(result.values, expected, rtol=1e-4, atol=1e-8)


def test_a_linear_score_has_the_same_slope_for_every_step():
    model = convviz.Model(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 2)).double()
    )
    small, large = (
        convviz.explain(model, IMAGES, "brightness", target=0, step=step) for step in (0.1, 5.0)
    )
    torch.testing.assert_close(small.values, large.values)


def test_the_batch_size_does_not_matter():
    small, large = (
        convviz.explain(tiny_model(), IMAGES, "brightness", target=1, cells=5, batch_size=size)
        for size in (1, 64)
    )
    torch.testing.assert_close(small.values, large.values, rtol=1e-9, atol=1e-9)


def test_a_unit_can_be_the_target():
    unit = convviz.Unit("conv2", 3)
    values = convviz.explain(tiny_model(), IMAGES, Brightness(cells=4), target=unit).values
    assert values.shape == (2, 32, 32)
    assert values.any()
