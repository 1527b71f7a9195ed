"""feature_visualization: images that maximize scores and units, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import convviz
from convviz import Contrast, Model, ModelError, ParameterError, Preprocess, TargetError, Unit
from convviz.authoring import objective_gradient
from convviz.testing import check_explainer, tiny_model, tiny_photos

STILL = {"jitter": 0, "scale": 0.0, "rotation": 0.0}
"""No random transformations."""


def visualize(model: Model, target, **options):
    options = {"steps": 40, "learning_rate": 0.5, **options}
    return convviz.explain(model, None, "feature_visualization", target, **options)


def grey_model(module: nn.Module, size: int = 12) -> Model:
    preprocess = Preprocess(resize=size, crop=size, mean=0.5, std=0.5, channels=1)
    return Model(module.double(), preprocess=preprocess)


def random_inputs(model: Model, count: int = 64) -> torch.Tensor:
    """Uniform noise in the range of the inputs."""
    shape = (count, model.input_channels, *model.input_size)
    return torch.rand(shape, generator=torch.manual_seed(1), dtype=torch.float64) * 4 - 2


@pytest.mark.parametrize(
    "target", ["cat", Contrast("cat", "dog"), Unit("conv2", 3), Unit("relu2", 3, (4, 5))], ids=str
)
def test_the_value_rises_above_the_start_and_above_random_images(target):
    model = tiny_model()
    explanation = visualize(model, target)
    inputs = torch.cat([explanation.values, random_inputs(model)])
    layers = model.target_layers(target)
    forward = model.forward(inputs, layers)
    if isinstance(target, Unit):
        values = forward.activations[target.layer][:, target.channel]
        values = values[:, 4, 5] if target.position else values.mean((1, 2))
    else:
        values = forward.output[:, 2]
        values = values - forward.output[:, 3] if isinstance(target, Contrast) else values
    reached, start = explanation["score"].item(), explanation["start"].item()
    assert reached == pytest.approx(values[0].item(), rel=1e-9)
    assert reached > max(values[1:].max().item(), start)
    assert explanation.target[0].score == reached
    assert explanation.values.shape == (1, 3, 32, 32)
    assert explanation.values.abs().max() <= 2  # the normalized range of pixels


def test_of_a_linear_model_the_image_has_the_signs_of_the_weights():
    torch.manual_seed(0)
    linear = nn.Linear(144, 2)
    model = grey_model(nn.Sequential(nn.Flatten(), linear))
    explanation = visualize(model, 1, steps=150, **STILL)
    weights = linear.weight[1].detach()
    image = explanation.values.flatten()
    assert (image.sign() == weights.sign()).double().mean() > 0.95
    highest = weights.abs().sum() + linear.bias[1].item()  # of inputs in [-1, 1]
    assert explanation["score"].item() > 0.85 * highest.item()


def test_the_first_step_follows_the_gradient_in_decorrelated_coefficients():
    """Adam's first step has the same size in every coefficient, with the sign of its gradient."""
    size, rate = 12, 0.05
    torch.manual_seed(0)
    linear = nn.Linear(size * size, 1, bias=False)
    model = grey_model(nn.Sequential(nn.Flatten(), linear), size)
    image = visualize(model, 0, steps=1, learning_rate=rate, **STILL).values[0, 0]
    start = visualize(model, 0, steps=1, learning_rate=1e-12, **STILL).values[0, 0]
    logits, first = (torch.logit((x + 1) / 2) for x in (image, start))
    rows, columns = torch.fft.fftfreq(size), torch.fft.rfftfreq(size)
    frequency = torch.hypot(rows[:, None], columns[None]).clamp(min=1 / size).double()
    change = torch.fft.rfft2(logits - first, norm="ortho") * frequency
    weights = torch.fft.rfft2(linear.weight.detach().view(size, size), norm="ortho")
    # Columns 0 and -1 hold each coefficient twice, so that the inverse transform mixes pairs.
    change, weights = change[:, 1:-1], weights[:, 1:-1]
    steps = torch.view_as_real(change)
    torch.testing.assert_close(steps.abs(), steps.abs().mean().expand_as(steps), rtol=1e-3, atol=0)
    assert (steps.sign() == torch.view_as_real(weights).sign()).double().mean() > 0.97


class Closed(nn.Module):
    """The ReLU is closed for almost all images; the unit rises with the brightness."""

    def __init__(self, gate: nn.Module, pool: nn.Module) -> None:
        super().__init__()
        self.conv, self.gate, self.pool = nn.Conv2d(1, 2, 1), gate, pool
        nn.init.constant_(self.conv.weight, 1.0)
        nn.init.constant_(self.conv.bias, -0.8)

    def forward(self, x):
        return self.pool(self.gate(self.conv(x))).mean((2, 3))


@pytest.mark.parametrize("gate", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6()], ids=str)
@pytest.mark.parametrize(("layer", "pool"), [("gate", nn.Identity()), ("pool", nn.MaxPool2d(2))])
def test_a_unit_behind_a_closed_relu_starts_with_the_value_before_it(gate, layer, pool):
    model = grey_model(Closed(gate, pool))
    explanation = visualize(model, Unit(layer, 1))
    assert explanation["start"].item() == 0
    assert explanation["score"].item() > 0.1  # at most 0.2, of a white image


def test_a_class_behind_closed_relus_is_an_error():
    model = grey_model(Closed(nn.ReLU(), nn.Identity()))
    with pytest.raises(ModelError, match="no gradient"):
        visualize(model, 1, steps=2)


def test_gradients_of_an_objective_are_those_of_autograd():
    model = tiny_model()
    images = random_inputs(model, 1)
    x = images.clone().requires_grad_()
    before = model.module[:2](x)  # conv and batch norm
    values, opened = objective_gradient(
        model, images, lambda f: f.activations["relu1"][:, 3].mean((1, 2)), ["relu1"], True
    )
    before[:, 3].mean((1, 2)).sum().backward()
    torch.testing.assert_close(opened, x.grad, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(values, before.relu()[:, 3].mean((1, 2)).detach())
    _, of_scores = objective_gradient(model, images, lambda f: f.output[:, 2])
    target = model.resolve(2, model.forward(images))
    torch.testing.assert_close(of_scores, model.gradient(images, target), rtol=1e-9, atol=1e-12)
    with pytest.raises(ModelError, match="one value per image"):
        objective_gradient(model, images, lambda f: f.output)


def test_a_seed_repeats_and_several_targets_equal_single_ones():
    model = tiny_model()
    brief = convviz.explainer("feature_visualization", steps=4, learning_rate=0.5)
    both = visualize(model, ["cat", "relu1:2"], steps=4)
    assert [t.label for t in both.target] == ["cat", "relu1:2"]
    first, second = convviz.explain(model, None, brief, targets=["cat", "relu1:2"])
    assert torch.equal(both.values, torch.cat([first.values, second.values]))
    assert second.layer == "relu1"
    assert not torch.equal(visualize(model, "cat", steps=4, seed=1).values, first.values)
    # Beside an explainer of images the targets are the same.
    saliency, alone = convviz.explain(
        model,
        tiny_photos(1)[0],
        ["saliency", brief],
        "relu1:2",
    )
    assert torch.equal(alone.values, second.values)
    assert saliency.target[0].unit.position is not None


def test_the_score_is_placed_among_those_of_a_run(tmp_path):
    model, photos = tiny_model(), tiny_photos(20)
    statistics = convviz.explainer("statistics", layers=["relu1", "fc"])
    convviz.analyze(model, photos, [statistics], out=tmp_path)
    options = {"statistics": tmp_path, "steps": 40}
    assert visualize(model, "cat", **options)["percentile"].item() == 100
    # After one step with a small rate the image is almost grey.
    options |= {"steps": 1, "learning_rate": 1e-9, "objective": "center"}
    explanation = visualize(model, "relu1:2", **options)
    inputs = torch.stack([model.preprocess(photo) for photo in photos])
    maps = model.forward(inputs, ["relu1"]).activations["relu1"][:, 2]
    expected = 100 * (maps < explanation["score"].item()).double().mean().item()
    assert 2 < expected < 98
    assert explanation["percentile"].item() == pytest.approx(expected, abs=6)  # width of a bin
    with pytest.raises(ParameterError, match="no statistics of layer 'conv2'"):
        visualize(model, "conv2:0", **options)
    with pytest.raises(ParameterError, match="cat - dog"):
        visualize(model, "cat - dog", **options)
    other = Model(nn.Sequential(*model.module), preprocess=model.preprocess)
    with pytest.raises(ParameterError, match="no statistics of layer"):
        visualize(other, Unit("2", 0), **options)


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        (None, {}, TargetError, "no top class"),
        (5, {}, TargetError, "classes 0 to 4"),
        ("relu1:99", {}, TargetError, "channels 0 to 7"),
        ("nothing:1", {}, convviz.UnknownNameError, "nothing"),
        (0, {"steps": 0}, ParameterError, "steps"),
        (0, {"scale": 1.5}, ParameterError, "scale"),
        (0, {"statistics": "missing"}, convviz.ConvvizError, "missing"),
    ],
)
def test_bad_input_is_an_error(target, options, error, words):
    with pytest.raises(error, match=words):
        visualize(tiny_model(), target, **{"steps": 1, **options})


def test_values_that_are_not_finite_are_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) * math.nan

    with pytest.raises(ModelError, match="not finite"):
        visualize(grey_model(nn.Sequential(nn.Conv2d(1, 2, 1), Broken())), 0)


def test_it_keeps_the_contract():
    check_explainer(convviz.explainer("feature_visualization", steps=3))
