"""ablation: drops of the scores without a channel, against closed forms and full passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import convviz
from convviz import Model, ModelError, ParameterError
from convviz.authoring import ablated_scores
from convviz.testing import check_explainer, tiny_photos


class Branching(nn.Module):
    """The layer "middle" is read by a skip connection, a convolution and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.middle = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, padding=1)
        self.norm, self.side = nn.BatchNorm2d(8), nn.Conv2d(6, 8, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x).relu()
        y = self.middle(x)
        y = (self.norm(y) + self.side(x)).relu() * y.mean((2, 3), keepdim=True).sigmoid()
        return self.head(y.mean((2, 3)))


def image(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 16, 20, generator=torch.manual_seed(3), dtype=torch.float64)


def by_hook(module: nn.Module, x: torch.Tensor, layer: str, values: torch.Tensor) -> torch.Tensor:
    """Drops by one full pass per channel, `[C, classes]`."""
    with torch.no_grad():
        clean, drops = module(x)[0], []
        for channel, value in enumerate(values):

            def switch_off(_, __, output, channel=channel, value=value):
                output = output.clone()
                output[:, channel] = value
                return output

            hook = module.get_submodule(layer).register_forward_hook(switch_off)
            drops.append(clean - module(x)[0])
            hook.remove()
    return torch.stack(drops)


def branching() -> nn.Module:
    torch.manual_seed(0)
    module = Branching().double().eval()
    module.norm.running_mean.normal_()
    module.norm.running_var.uniform_(0.5, 2)
    return module


@pytest.mark.parametrize(("layer", "channels"), [("middle", 8), ("stem", 6), ("head", 4)])
def test_drops_are_those_of_full_passes_with_a_hook(layer, channels):
    module = branching()
    expected = by_hook(module, image(), layer, torch.zeros(channels))
    result = convviz.explain(Model(module), image(), "ablation", layer=layer, batch_size=3)
    torch.testing.assert_close(result.values, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(result["scores"], module(image())[0].detach(), rtol=0, atol=1e-10)
    assert result.pictures()


def test_before_pooling_and_a_linear_layer_the_drop_is_weight_times_mean():
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(8, 5),
    ).double()
    result = convviz.explain(Model(module), image(), "ablation", layer="1")
    maps = module[:2](image())[0].detach()
    expected = (module[4].weight.detach() * maps.mean((1, 2))).T
    torch.testing.assert_close(result.values, expected, rtol=0, atol=1e-12)
    assert result.layer == "1"


def test_channels_are_set_to_the_means_of_a_run(tmp_path):
    model = Model(branching().float(), preprocess=convviz.Preprocess(resize=16, crop=16))
    photos = tiny_photos(5)
    statistics = convviz.explainer("statistics", layers="middle")
    run = convviz.analyze(model, photos, [statistics], out=tmp_path)
    means = run["statistics"]["middle"].values[:, 0]
    result = convviz.explain(model, photos[0], "ablation", layer="middle", statistics=tmp_path)
    x = model.preprocess(photos[0])[None]
    expected = by_hook(model.module.eval(), x, "middle", means.float())
    torch.testing.assert_close(result.values, expected, rtol=0, atol=1e-5)
    with pytest.raises(ParameterError, match="no statistics of layer 'stem'"):
        convviz.explain(model, photos[0], "ablation", layer="stem", statistics=tmp_path)
    other = Model(Branching(), preprocess=model.preprocess)
    with pytest.raises(ParameterError, match="other weights"):
        convviz.explain(other, photos[0], "ablation", layer="middle", statistics=tmp_path)


def test_class_tokens_are_replaced_too():
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    module = VisionTransformer(16, 8, 2, 2, 12, 24, num_classes=5).double().eval()
    nn.init.normal_(module.heads.head.weight)
    layer = "encoder.layers.encoder_layer_0"
    model = Model(module, preprocess=convviz.Preprocess(resize=16, crop=16))
    result = convviz.explain(model, image()[..., :16], "ablation", layer=layer)
    with torch.no_grad():
        expected = []
        for channel in range(12):

            def switch_off(_, __, output, channel=channel):
                output = output.clone()
                output[..., channel] = 0
                return output

            hook = module.get_submodule(layer).register_forward_hook(switch_off)
            expected.append(module(image()[..., :16])[0])
            hook.remove()
        clean = module(image()[..., :16])[0]
    torch.testing.assert_close(result.values, clean - torch.stack(expected), rtol=0, atol=1e-10)


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):  # an export cannot know which branch is taken
        y = self.conv(x).mean((2, 3))
        return y if float(x.sum()) > 0 else 2 * y


class Aside(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        self.unused(x)
        return self.used(x).mean((2, 3))


@pytest.mark.parametrize(
    ("build", "options", "error", "words"),
    [
        (Odd, {"layer": "conv"}, ModelError, "cannot be ablated"),
        (Aside, {"layer": "unused"}, ModelError, "unused"),
        (Branching, {"layer": "nothing"}, convviz.UnknownNameError, "nothing"),
    ],
)
def test_what_cannot_be_ablated_is_an_error(build, options, error, words):
    with pytest.raises(error, match=words):
        convviz.explain(Model(build().double()), image(), "ablation", **options)


def test_arguments_that_do_not_fit_are_refused():
    model = Model(branching())
    with pytest.raises(ParameterError, match="one image per call; got 2"):
        convviz.explain(model, image(2), "ablation", layer="middle")
    with pytest.raises(ParameterError, match=r"values must be \[8\].*got \[3\]"):
        ablated_scores(model, image(), "middle", torch.zeros(3))
    with pytest.raises(ParameterError, match=r"\[1, C, H, W\]"):
        ablated_scores(model, image(2), "middle")


def test_it_keeps_the_contract():
    check_explainer("ablation", photos=np.asarray(tiny_photos(1)))
