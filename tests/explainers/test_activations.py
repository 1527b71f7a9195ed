"""The activations explainer: maps, their order, what is silent, and that they are copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convviz
from convviz import Model, ParameterError


def explain(module: nn.Module, images: Tensor, **params: object) -> convviz.Explanation:
    model = Model(module)
    model.forward(images)  # so that it knows the size of its images
    result: convviz.Explanation = convviz.explain(model, images, "activations", **params)
    return result


def scaler(*factors: float) -> nn.Conv2d:
    """A 1x1 conv whose channel c is the image times factor c."""
    conv = nn.Conv2d(1, len(factors), 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(factors).view(-1, 1, 1, 1))
    return conv


def net(*factors: float, inplace: bool = True) -> nn.Sequential:
    return nn.Sequential(scaler(*factors), nn.ReLU(inplace), nn.AdaptiveAvgPool2d(1), nn.Flatten())


RAMP = torch.arange(4.0).view(1, 1, 2, 2)


def test_hand_computed_maps_and_facts() -> None:
    assert explain(net(1.0, -1.0, 2.0), RAMP).layer == "1"
    explanation = explain(net(1.0, -1.0, 2.0), RAMP, layer="0")
    expected = torch.stack([RAMP[0, 0], -RAMP[0, 0], 2 * RAMP[0, 0]])[None]
    assert torch.equal(explanation.values, expected)
    assert explanation["max"].tolist() == [[3.0, 0.0, 6.0]]
    assert explanation["mean"].tolist() == [[1.5, -1.5, 3.0]]
    assert explanation["active"].tolist() == [[0.75, 0.0, 0.75]]
    assert explanation.result.table["max"] == (3.0, 0.0, 6.0)


def test_captured_maps_are_copies_of_what_an_inplace_relu_overwrites() -> None:
    for inplace in (False, True):
        assert explain(net(-1.0, inplace=inplace), RAMP, layer="0").values.min() == -3.0


@pytest.mark.parametrize(
    ("sort", "order"), [("index", ()), ("max", ((2, 0, 1),)), ("mean", ((2, 0, 1),))]
)
def test_sort(sort: str, order: tuple) -> None:
    assert explain(net(1.0, -1.0, 2.0), RAMP, sort=sort).result.order == order


def test_mean_and_max_may_sort_differently_and_rule_the_overlays() -> None:
    images = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]], [[3.0, 3.0], [3.0, 3.0]]]])
    same = nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        same.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
    module = nn.Sequential(same, nn.Flatten())
    by_max = explain(module, images, sort="max", top=1).result
    by_mean = explain(module, images, sort="mean", top=1).result
    assert (by_max.order, by_max.overlays) == (((0, 1),), ((0,),))
    assert (by_mean.order, by_mean.overlays) == (((1, 0),), ((1,),))


def test_ties_go_to_the_lower_channel_and_nan_last() -> None:
    module = net(1.0, 1.0, float("nan"), 5.0)
    with pytest.warns(convviz.ConvvizWarning, match="1 of 1 images have NaN"):
        result = explain(module, RAMP, sort="max", target=0).result
    assert result.order == ((3, 0, 1, 2),)
    assert "Values that are NaN or infinite: 4." in result.notes


def test_top_is_limited_by_the_channels_and_can_be_none() -> None:
    assert explain(net(1.0, 2.0), RAMP).result.overlays == ((1, 0),)
    assert explain(net(1.0, 2.0), RAMP, top=0).result.overlays == ()


def test_silent_is_said_and_dead_is_not_claimed() -> None:
    result = explain(net(1.0, -1.0), RAMP).result
    text = " ".join(result.notes)
    assert result.measures["silent channels"] == 1
    assert "1 of 2 channels are silent on this input" in text
    assert "whether they are dead" in text
    assert not any("silent" in n for n in explain(net(1.0, 2.0), RAMP).result.notes)


def test_negative_values_are_named_since_they_are_drawn_black() -> None:
    notes = explain(net(1.0, -1.0), RAMP, layer="0").result.notes
    assert any("38% of the values are below zero" in note for note in notes)


def test_batched_equals_singles() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.Flatten()).double()
    images = torch.randn(3, 3, 9, 9, dtype=torch.float64)
    together = explain(module, images)
    for i in range(3):
        alone = explain(module, images[i : i + 1])
        assert torch.allclose(alone.values[0], together.values[i], atol=1e-12)
        assert alone.result.overlays[0] == together.result.overlays[i]
    assert together.values.dtype == torch.float64


def test_columns_of_several_images_are_numbered() -> None:
    table = explain(net(1.0, 2.0), torch.cat([RAMP, 2 * RAMP])).result.table
    assert table["max · image 1"] == (3.0, 6.0)
    assert table["max · image 2"] == (6.0, 12.0)


def test_a_layer_of_vectors_has_maps_of_one_pixel() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3))
    assert explain(module, RAMP, layer="2").values.shape == (1, 3, 1, 1)


def test_a_layer_of_tokens_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(2), nn.Linear(4, 4), nn.Flatten())
    with pytest.raises(ParameterError, match=r"layer '2' .*\[1, 2, 4\]"):
        explain(module, RAMP, layer="2")


def test_unknown_layer_names_the_closest() -> None:
    module = nn.Sequential()
    module.add_module("stem", scaler(1.0))
    module.add_module("flat", nn.Flatten())
    with pytest.raises(convviz.UnknownNameError, match="stem"):
        explain(module, RAMP, layer="sten")


def test_saves_and_loads(tmp_path: Path) -> None:
    explanation = explain(net(1.0, -1.0, 2.0), RAMP, sort="max")
    explanation.save(tmp_path / "leaf")
    assert convviz.load(tmp_path / "leaf").equals(explanation)


def swept_run(folder: Path, **params: object) -> tuple[Model, str]:
    """A model that has a dead and a lazy channel, and a run with statistics of it."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0] = conv.weight[1] = 1.0
        conv.bias.copy_(torch.tensor([0.0, -2.0, -1.0]))
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    flat = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = Model(net, preprocess=flat, name="lazy")
    photos = np.stack([np.full((6, 6, 3), level, np.uint8) for level in (60, 120, 250)])
    convviz.analyze(model, photos, "statistics", folder, **params)
    return model, str(folder)


def test_statistics_of_a_run_tell_dead_channels_from_silent_ones(tmp_path: Path) -> None:
    model, run = swept_run(tmp_path / "run", layers=("1",))
    dark = np.full((6, 6, 3), 60, np.uint8)
    result = convviz.explain(model, dark, "activations", layer="1", statistics=tmp_path / "run")
    assert result["dead"].tolist() == [False, False, True]
    assert (result["active"][0] == 0).tolist() == [False, True, True]
    assert result.result.measures["silent channels"] == 2
    assert result.result.measures["dead channels"] == 1
    (note, *_) = result.result.notes
    assert note.endswith("1 are dead: they fired on none of 3 images.")
    assert result.pictures()[0].png[:4] == b"\x89PNG"
    result.save(tmp_path / "leaf")
    assert convviz.load(tmp_path / "leaf").explainer.statistics == run


def test_statistics_of_another_layer_model_or_run_are_refused(tmp_path: Path) -> None:
    model, run = swept_run(tmp_path / "run", layers=("1",))
    dark = np.full((6, 6, 3), 60, np.uint8)
    with pytest.raises(convviz.UnknownNameError, match="'0'"):
        convviz.explain(model, dark, "activations", layer="0", statistics=run)
    with torch.no_grad():
        model.module[0].bias += 1
    other = Model(model.module, preprocess=model.preprocess)
    with pytest.raises(ParameterError, match="other weights"):
        convviz.explain(other, dark, "activations", layer="1", statistics=run)
    with pytest.raises(convviz.ConvvizError, match="not a run folder"):
        convviz.explain(model, dark, "activations", layer="1", statistics=tmp_path)
