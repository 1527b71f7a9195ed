"""Gradients of single units: passes that end early, crops, and regions that are not zero."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from convviz import Model, Unit
from convviz.authoring import Target
from convviz.gradients.nonzero_regions import NonzeroRegions, write_windows
from convviz.network.cropped_gradient import plan_crops

SIZE = 64


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("rule", ["plain", "guided"])
def test_a_unit_at_its_limit_has_a_gradient_before_the_activation(rule: str, crop: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        conv.weight *= 40
    net = nn.Sequential(conv, nn.ReLU6(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 49, 2))
    model, images = Model(net), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    channel, y, x = (net[1](conv(images))[0] == 6).nonzero()[0].tolist()
    target = [Target(None, Unit("1", channel, (y, x)), "", 6.0)]
    assert not model.gradient(images, target, rule=rule, crop=crop).any()
    opened = model.gradient(images, target, rule=rule, crop=crop, opens_gates=True)[0]
    expected = torch.zeros(3, 16, 16)
    expected[:, y : y + 3, x : x + 3] = conv.weight[channel].detach()
    torch.testing.assert_close(opened, expected)


class Head(nn.Module):
    """Accepts maps of a single size, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8 * 16 * 16, 3)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x.flatten(1))


def small_network(head: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        head or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
    ]
    return nn.Sequential(*layers).double().eval()


def targets_of(model: Model, images: Tensor, layer: str, positions) -> list[Target]:
    units = [Unit(layer, i % 8, position) for i, position in enumerate(positions)]
    return list(model.resolve(units, model.forward(images, [layer])))


POSITIONS = [(0, 0), (0, 7), (15, 15), (8, 3), (7, 15), (15, 1), (3, 12), (12, 12), (1, 1)]


@pytest.mark.parametrize("rule", ["plain", "guided"])
@pytest.mark.parametrize("layer", ["3", "5"])
def test_crops_give_the_gradients_of_whole_images(rule, layer):
    model = Model(small_network())
    images = torch.randn(len(POSITIONS), 3, SIZE, SIZE, dtype=torch.float64)
    targets = targets_of(model, images, layer, POSITIONS)
    crops = plan_crops(model, images, targets)
    assert crops is not None
    assert max(crops.size) < SIZE
    whole = model.gradient(images, targets, rule)
    assert whole.any()
    cropped = model.gradient(images, targets, rule, crop=True)
    torch.testing.assert_close(cropped, whole, rtol=0, atol=1e-12)


def test_gradients_of_units_are_those_of_autograd():
    module = small_network()
    images = torch.randn(len(POSITIONS), 3, SIZE, SIZE, dtype=torch.float64)
    model = Model(module)
    targets = targets_of(model, images, "5", POSITIONS)
    x = images.clone().requires_grad_()
    maps = module[:6](x)
    units = [t.unit for t in targets]
    values = [maps[i, u.channel, u.position[0], u.position[1]] for i, u in enumerate(units)]
    (expected,) = torch.autograd.grad(sum(values), x)
    for crop in (False, True):
        got = model.gradient(images, targets, crop=crop)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


def test_layers_behind_a_unit_do_not_run():
    head = Head()
    model = Model(small_network(head))
    images = torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)
    targets = targets_of(model, images, "5", [(4, 4), (9, 9)])
    with model.session():
        model.gradient(images, targets, "guided")
        calls = head.calls
        model.gradient(images, targets, "guided")
        assert head.calls == calls


def test_crops_of_a_network_whose_head_accepts_one_size():
    head = Head()
    model = Model(small_network(head))
    images = torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)
    targets = targets_of(model, images, "3", [(4, 4), (9, 9)])
    whole = model.gradient(images, targets, "guided")
    with model.session():
        cropped = model.gradient(images, targets, "guided", crop=True)
        calls = head.calls
        model.gradient(images, targets, "guided", crop=True)
        assert head.calls == calls
    torch.testing.assert_close(cropped, whole, rtol=0, atol=1e-12)


def test_a_network_that_depends_on_the_size_of_the_image_gets_whole_images():
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.shape[-1]

    module = small_network()
    module[1] = Scaled()
    model = Model(module)
    images = torch.randn(3, 3, SIZE, SIZE, dtype=torch.float64)
    targets = targets_of(model, images, "5", [(4, 4), (9, 9), (2, 13)])
    assert plan_crops(model, images, targets) is not None
    whole = model.gradient(images, targets)
    torch.testing.assert_close(
        model.gradient(images, targets, crop=True), whole, rtol=0, atol=1e-12 * whole.abs().max()
    )


def test_no_crops_without_positions_in_one_layer():
    model = Model(small_network())
    images = torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)
    of_two_layers = [Target(None, Unit(layer, 0, (1, 1)), "", 0.0) for layer in ("3", "5")]
    assert plan_crops(model, images, of_two_layers) is None
    assert plan_crops(model, images, [Target(1, None, "", 0.0)] * 2) is None
    scores = [Target(None, Unit("6.2", 0), "", 0.0)] * 2
    assert plan_crops(model, images, scores) is None
    of_classes = model.resolve(1, model.forward(images))
    torch.testing.assert_close(
        model.gradient(images, of_classes, crop=True), model.gradient(images, of_classes)
    )


def test_regions_that_are_not_zero():
    maps = torch.zeros(3, 2, 9, 7)
    maps[0, 1, 8, 6] = 1.0
    maps[1, 0, 2:5, 1] = torch.nan
    regions = NonzeroRegions.of(maps)
    assert regions is not None
    assert regions.size == (3, 1)
    assert [at.tolist() for at in regions.starts] == [[6, 2, 0], [6, 1, 0]]
    windows = regions.read(maps)
    written = write_windows(windows, regions.starts, maps.shape)
    torch.testing.assert_close(written, maps, equal_nan=True)
    assert NonzeroRegions.of(torch.ones(1, 1, 4, 4)) is None
    assert NonzeroRegions.of(torch.zeros(0, 1, 4, 4)) is None


def test_windows_that_overhang_the_maps_are_clipped():
    windows = torch.arange(18.0).view(2, 1, 3, 3)
    starts = torch.tensor([-1, 3]), torch.tensor([-2, 2])
    written = write_windows(windows, starts, torch.Size((2, 1, 4, 4)))
    assert written[0, 0].tolist() == [[5, 0, 0, 0], [8, 0, 0, 0], [0] * 4, [0] * 4]
    assert written[1, 0].tolist() == [[0] * 4, [0] * 4, [0] * 4, [0, 0, 9, 10]]
