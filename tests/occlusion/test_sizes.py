"""The window and the stride that occlusion chooses by itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convviz
from convviz import ParameterError


def net(channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    head = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), *head).double()


def occlude(height: int, width: int, **params):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 1, height, width, dtype=torch.float64, generator=generator)
    return convviz.explain(convviz.Model(net()), images, "occlusion", target=1, fill=0, **params)


SIZES = [
    ((8, 8), 3, 1),
    ((28, 28), 4, 1),
    ((32, 32), 5, 1),
    ((64, 64), 9, 2),
    ((112, 80), 11, 3),
    ((80, 112), 11, 3),
    ((224, 224), 32, 8),
    ((2, 5), 2, 1),
    ((1, 1), 1, 1),
]


@pytest.mark.parametrize(("size", "window", "stride"), SIZES)
def test_a_seventh_of_the_shorter_side_and_a_quarter_of_that(size, window, stride):
    chosen = occlude(*size)
    arguments = occlude(*size, window=window, stride=stride)
    assert torch.equal(chosen["boxes"], arguments["boxes"])
    torch.testing.assert_close(chosen.values, arguments.values, rtol=0, atol=1e-12)
    x0, y0, x1, y1 = chosen["boxes"][0].tolist()
    assert (x0, y0, x1, y1) == (0, 0, window, window)
    assert chosen.result.window == (window, window)
    for result in (chosen.result, arguments.result):
        assert result.measures["window"] == str(window)
        assert result.measures["stride"] == str(stride)
    assert [note for note in chosen.result.notes if "window and stride" in note]
    assert not [note for note in arguments.result.notes if "hosen" in note]


def test_one_of_both_may_be_given():
    wide = occlude(40, 40, window=(8, 20))
    assert wide.result.window == (8, 20)
    assert wide.result.measures["window"] == "8 x 20"
    assert wide.result.measures["stride"] == "2 x 5"
    assert any("stride" in note and "window" not in note for note in wide.result.notes)
    fine = occlude(40, 40, stride=3)
    assert fine.result.measures["window"] == "6"
    assert fine["boxes"][1].tolist() == [3, 0, 9, 6]


@pytest.mark.parametrize("preset", ["captum", "xplique", "zeiler"])
def test_presets_choose_the_same_sizes(preset):
    chosen = occlude(28, 28, preset=preset)
    arguments = occlude(28, 28, preset=preset, window=4, stride=1)
    torch.testing.assert_close(chosen.values, arguments.values, rtol=0, atol=1e-12)
    larger = occlude(28, 28, preset=preset, window=7)
    assert larger.result.measures["stride"] == "2"


def test_a_window_that_is_given_and_too_large_is_still_refused():
    with pytest.raises(ParameterError, match=r"32 x 32 .* 28 x 28"):
        occlude(28, 28, window=32)


def test_the_parameters_say_that_nothing_was_given(tmp_path):
    occlude(28, 28).save(tmp_path / "saved")
    again = convviz.load(tmp_path / "saved")
    assert again.explainer.window is None
    assert again.explainer.stride is None
    assert again.result.window == (4, 4)


def test_the_map_of_a_digit_is_fine():
    """On a small image a spot of a few pixels is found where it is."""

    class Spot(nn.Module):
        def forward(self, x):
            score = x[:, :, 18:21, 6:9].mean((1, 2, 3))
            return torch.stack([-score, score], 1)

    images = torch.ones(1, 1, 28, 28, dtype=torch.float64)
    heat = convviz.explain(convviz.Model(Spot()), images, "occlusion", target=1).values[0]
    ys, xs = (heat == heat.max()).nonzero().T
    assert ys.unique().tolist() == [19]
    assert xs.unique().tolist() == [7]
    assert bool((heat[:14] == 0).all())


def test_a_command_line_gives_and_omits_them():
    from convviz.plugin.parameter_values import build_explainers

    (arguments,) = build_explainers(["occlusion"], ["occlusion.window=24", "occlusion.stride=6,8"])
    assert arguments.window == 24
    assert arguments.stride == (6, 8)
    (omitted,) = build_explainers(["occlusion"], ["occlusion.window=none"])
    assert omitted.window is None


def test_the_help_says_what_is_taken():
    from convviz.plugin.parameters import parameters

    named = {p.name: p for p in parameters(type(convviz.explainer("occlusion")))}
    assert "a seventh of the shorter side" in named["window"].default
    assert "a quarter of the window" in named["stride"].default
