"""saliency and Model.gradient, against finite differences and plain autograd."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convviz
import convviz.authoring
from convviz import ModelError, ParameterError, Unit


def smooth_net(channels=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 5, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(5, 6, 3, stride=2),
        nn.Softplus(),
        nn.BatchNorm2d(6),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 4),
    ).double()


@pytest.fixture
def model():
    return convviz.Model(smooth_net(), labels=["ant", "bee", "cat", "dog"])


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, 7, 6, generator=generator, dtype=torch.float64)


def differences(function, image, step=1e-5):
    """Return central differences of a function of one image, `[C, H, W]`."""
    out = torch.zeros_like(image)
    for i in range(image.numel()):
        up, down = image.clone(), image.clone()
        up.view(-1)[i] += step
        down.view(-1)[i] -= step
        out.view(-1)[i] = (function(up) - function(down)) / (2 * step)
    return out


def test_equals_finite_differences_for_a_class(model, images):
    result = convviz.explain(model, images, "saliency", target=["cat", 0])
    net = smooth_net().eval()
    with torch.no_grad():
        for i, index in enumerate((2, 0)):
            slope = differences(lambda x, k=index: net(x[None])[0, k], images[i])
            assert (result["gradient"][i] - slope).abs().max() <= 1e-6
            assert (result.values[i] - slope.abs().amax(0)).abs().max() <= 1e-6
            assert slope.abs().max() > 1e-3


def test_equals_finite_differences_for_a_unit(model, images):
    result = convviz.explain(model, images, "saliency", target=Unit("2", 3, (1, 0)))
    net = smooth_net().eval()
    with torch.no_grad():
        for i in range(2):
            slope = differences(lambda x: net[:3](x[None])[0, 3, 1, 0], images[i])
            assert (result["gradient"][i] - slope).abs().max() <= 1e-6
            assert slope.abs().max() > 1e-3


@pytest.mark.parametrize("channels", ["max", "l2", "signed"])
def test_channels(model, images, channels):
    result = convviz.explain(model, images, "saliency", channels=channels)
    g = result["gradient"].numpy()
    expected = {
        "max": abs(g).max(axis=1),
        "l2": (g**2).sum(axis=1) ** 0.5,
        "signed": g[:, 0] + g[:, 1] + g[:, 2],
    }[channels]
    torch.testing.assert_close(result.values, torch.from_numpy(expected), atol=1e-14, rtol=0)
    assert result.result.signed == (channels == "signed")
    assert result.values.shape == (2, 7, 6)


def test_batched_is_singles(model, images):
    for options in ({}, {"samples": 5}, {"samples": 5, "batch_size": 2}, {"batch_size": 1}):
        whole = convviz.explain(model, images, "saliency", target=1, **options)["gradient"]
        single = torch.cat(
            [
                convviz.explain(model, item[None], "saliency", target=1, **options)["gradient"]
                for item in images
            ]
        )
        assert (whole - single).abs().max() <= 1e-10 * whole.abs().max()


def test_smoothgrad_averages_gradients_around_the_image(model, images):
    result = convviz.explain(model, images, "saliency", target=1, samples=6, noise=0.3, seed=7)
    net = smooth_net().eval()
    generator = torch.Generator().manual_seed(7)
    expected = []
    noise = [torch.randn(3, 7, 6, generator=generator, dtype=torch.float64) for _ in range(6)]
    for image in images:
        spread = 0.3 * (image.max() - image.min())
        total = 0
        for item in noise:
            x = (image + spread * item).requires_grad_()
            total = total + torch.autograd.grad(net(x[None])[0, 1], x)[0]
        expected.append(total / 6)
    torch.testing.assert_close(result["gradient"], torch.stack(expected), atol=1e-12, rtol=0)


def test_smoothgrad_is_seeded_and_does_not_depend_on_its_batches(model, images):
    def run(**options):
        return convviz.explain(model, images, "saliency", samples=5, **options).values

    assert torch.equal(run(), run())
    assert not torch.equal(run(), run(seed=1))
    torch.testing.assert_close(run(batch_size=2), run(batch_size=5), atol=1e-12, rtol=0)
    plain = convviz.explain(model, images, "saliency").values
    torch.testing.assert_close(run(noise=0), plain, atol=1e-12, rtol=0)


def test_dtypes():
    images = torch.rand(1, 1, 8, 8)
    single = convviz.Model(smooth_net(channels=1).float())
    assert convviz.explain(single, images, "saliency").values.dtype == torch.float32
    half = convviz.Model(smooth_net(channels=1).to(torch.bfloat16))
    result = convviz.explain(half, images, "saliency", samples=2)
    assert result.values.dtype == torch.float32
    assert result["gradient"].dtype == torch.float32


@pytest.mark.parametrize(
    "bad", [{"samples": -1}, {"noise": -0.1}, {"noise": float("nan")}, {"channels": "min"}]
)
def test_parameters_are_checked(model, images, bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        convviz.explain(model, images, "saliency", **bad)


def test_a_network_that_detaches_its_input_fails(images):
    class Cut(nn.Module):
        def forward(self, x):
            return x.detach().sum((2, 3))

    for rule in ("plain", "guided"):
        with pytest.raises(ModelError, match=r"does not depend on the images|no activation"):
            convviz.Model(Cut()).gradient(
                images, (convviz.authoring.Target(0, None, "", 0.0),) * 2, rule
            )


def test_gradient_works_under_no_grad_and_inference_mode(model, images):
    expected = convviz.explain(model, images, "saliency").values
    with torch.no_grad():
        assert torch.equal(convviz.explain(model, images, "saliency").values, expected)
    with torch.inference_mode():
        result = convviz.explain(model, images.clone(), "saliency").values
    assert torch.equal(result, expected)
