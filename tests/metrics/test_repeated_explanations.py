"""Metrics that repeat explanations: known answers, and the verdict on known explainers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convviz
from convviz.testing import tiny_model, tiny_photos
from convviz_plugins.metrics.randomization import FAILED, randomize_weights, ssim


class Linear(torch.nn.Module):
    """Two classes, linear in the image."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3 * 32 * 32, 2)

    def forward(self, images):
        return self.fc(images.flatten(1))


def linear_model():
    torch.manual_seed(0)
    preprocess = convviz.Preprocess(resize=32, crop=32, mean=(0.5,) * 3, std=(0.25,) * 3)
    return convviz.Model(Linear(), preprocess=preprocess, dtype=torch.float64)


def test_the_gradient_of_a_linear_network_has_no_sensitivity():
    signed = convviz.explainer("saliency", channels="signed")
    noisy = convviz.explainer("saliency", samples=2)
    record = convviz.benchmark(
        linear_model(),
        tiny_photos(2),
        {"gradient": signed, "product": "input_x_gradient", "noisy": noisy},
        "max_sensitivity",
    )
    scores = record.scores
    assert (scores.of("gradient", "max_sensitivity") == 0).all()
    assert (scores.of("gradient", "max_sensitivity.noise") == 0).all()
    assert (scores.of("product", "max_sensitivity") > 0.01).all()
    assert (scores.of("product", "max_sensitivity") < 0.2).all()
    assert (scores.of("sobel", "max_sensitivity.noise") == 0).all()


def test_random_weights_get_their_own_statistics_and_leave_the_network():
    model, shape = tiny_model(), (3, 32, 32)
    model.module.bn1.running_mean += 3
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    copy = randomize_weights(model, 0, shape).module
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, before[name])
        is_new = not torch.equal(value, copy.state_dict()[name])
        assert is_new == (name not in ("bn1.weight", "bn1.bias", "bn2.weight", "bn2.bias"))
    assert not any(module.training for module in copy.modules())
    assert copy.bn1.momentum == model.module.bn1.momentum
    normalized = []
    copy.bn1.register_forward_hook(lambda module, inputs, output: normalized.append(output))
    noise = torch.randn(64, *shape, generator=torch.Generator().manual_seed(5))
    copy(noise.to(copy.fc.weight))
    assert normalized[0].mean((0, 2, 3)).abs().max() < 0.1
    assert (normalized[0].std((0, 2, 3)) - 1).abs().max() < 0.1
    again = randomize_weights(model, 0, shape).module
    assert torch.equal(copy.fc.weight, again.fc.weight)
    assert not torch.equal(copy.fc.weight, randomize_weights(model, 1, shape).module.fc.weight)


def test_edges_do_not_change_and_gradients_do():
    """The calibration: an edge detector fails with a similarity of exactly 1."""
    record = convviz.benchmark(
        convviz.load_model("demo-digits"),
        "demo-digits:?limit=12",
        {
            "gradient": convviz.explainer("saliency", channels="signed"),
            "product": "input_x_gradient",
        },
        "randomization",
    )
    scores = record.scores
    assert scores.of("sobel", "randomization") == pytest.approx(1)
    assert scores.of("sobel", "randomization.ssim") == pytest.approx(1)
    assert scores.of("sobel", "randomization.entropy") == pytest.approx(0)
    assert FAILED in scores.marks_of("sobel", "randomization")
    assert not scores.marks_of("gradient", "randomization")
    rises = convviz.metric("randomization", rise=10.0)
    changed = {name: np.zeros(5) for name in ("", "ssim", "entropy")}
    assert rises.verdict(changed) == FAILED
    assert not convviz.metric("randomization").verdict(changed)
    assert abs(scores.of("gradient", "randomization").mean()) < 0.5


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 50)), rng.random((40, 50))
    _, full = metrics.structural_similarity(
        a, b, data_range=1, gaussian_weights=True, use_sample_covariance=False, full=True
    )
    ours = ssim(a, b)
    assert ours == pytest.approx(full.mean(), abs=5e-3)  # it treats borders in another way
    assert ssim(a, a) == pytest.approx(1)


# Grid pointing game


class Colours(torch.nn.Module):
    """Four classes: red, green, blue and black images."""

    def __init__(self, fixed_side=None):
        super().__init__()
        self.scale, self.side = torch.nn.Parameter(torch.tensor(30.0)), fixed_side

    def forward(self, images):
        means = images.reshape(len(images), 3, self.side**2 if self.side else -1).mean(2)
        return self.scale * torch.cat([means, 0.5 - means.sum(1, keepdim=True)], 1)


class Black(convviz.authoring.Explainer):
    """A map of negative values."""

    def explain(self, model, batch, target, forward):
        return convviz.Heatmap(-batch.images.sum(1) - 1, signed=True)


class Greys(torch.nn.Module):
    """Eight classes of brightness."""

    def forward(self, images):
        means = 8 * images.mean((1, 2, 3))
        return -3 * (means[:, None] - torch.arange(8) - 0.5) ** 2


def grid_pointing(colours, network=None, **options):
    """Return the scores of maps of plain images in a mosaic."""
    plain = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}
    photos = np.stack([np.full((16, 16, 3), plain[c], np.uint8) for c in colours])
    preprocess = convviz.Preprocess(resize=16, crop=16, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = convviz.Model(network or Colours(), preprocess=preprocess, dtype=torch.float64)
    explainers = {"gradient": "saliency", "product": "input_x_gradient", "black": Black()}
    metric = convviz.metric("grid_pointing", **options)
    return convviz.benchmark(model, photos, explainers, metric).scores


def test_grid_pointing_of_known_maps():
    scores = grid_pointing(["red", "green", "blue", "black", "red"])
    # Behind a global average the absolute gradient is the same everywhere.
    np.testing.assert_allclose(scores.of("gradient", "grid_pointing"), 1 / 4, rtol=1e-12)
    np.testing.assert_allclose(scores.of("center", "grid_pointing"), 1 / 4, rtol=1e-12)
    # The product is 1 on pixels of the class's colour; that of black has negative values only.
    np.testing.assert_allclose(scores.of("product", "grid_pointing"), [1, 1, 1, 0, 1])
    np.testing.assert_array_equal(scores.of("black", "grid_pointing"), 0)
    assert (scores.of("product", "grid_pointing.confidence") > 0.99).all()
    np.testing.assert_allclose(scores.of("random", "grid_pointing").mean(), 1 / 4, atol=0.03)


def test_grid_pointing_finds_all_classes_of_sorted_data():
    colours = [colour for colour in ("red", "green", "blue", "black") for _ in range(4)]
    scores = grid_pointing(colours, candidates=6)
    assert not np.isnan(scores.of("product", "grid_pointing")).any()


def test_mosaics_of_grid_pointing_have_different_images():
    photos = np.stack([np.full((16, 16, 3), 16 + 32 * (i % 8), np.uint8) for i in range(16)])
    preprocess = convviz.Preprocess(resize=16, crop=16, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = convviz.Model(Greys(), preprocess=preprocess)
    explained = []

    class KeepsImages(convviz.authoring.Explainer):
        """Keeps the images that it explains."""

        def explain(self, model, batch, target, forward):
            explained.extend(batch.images)
            return convviz.Heatmap(batch.images.sum(1), signed=True)

    convviz.benchmark(model, photos, {"map": KeepsImages()}, "grid_pointing")
    mosaics = [image for image in explained if image.shape[-1] == 32]
    brightnesses = {tuple(np.unique(mosaic)) for mosaic in mosaics}
    assert len(mosaics) >= 16
    assert len(brightnesses) > 8  # with the same other images in all mosaics, one per class
    assert all(len(values) == 4 for values in brightnesses)


@pytest.mark.parametrize(
    ("colours", "network"),
    [
        (["red", "green", "blue", "red"], None),
        (["red", "green", "blue", "black"], Colours(fixed_side=16)),
    ],
)
def test_grid_pointing_is_undefined_for_few_classes_and_fixed_sizes(colours, network):
    scores = grid_pointing(colours, network)
    for name in ("gradient", "product"):
        assert np.isnan(scores.of(name, "grid_pointing")).all()
