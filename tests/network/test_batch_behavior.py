"""Networks that couple the images of a batch, or leave something to chance in evaluation mode."""

from __future__ import annotations

import gc
import random
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convviz
import convviz.authoring
from convviz.network import batch_behavior
from convviz.occlusion import occluded_scores

CLASSES = 3
SIZE = 12

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Net(nn.Module):
    """A small network whose maps pass through a function of the test's choice."""

    def __init__(self, between=lambda net, y: y, size=SIZE):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.act = nn.Tanh()
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6 * ((size - 1) // 2) ** 2, CLASSES)
        self.between = between
        self.passes = 0

    def forward(self, x):
        self.passes += 1
        y = self.between(self, self.act(self.conv(x)))
        return self.head(y.flatten(1))


def seeded(build, dtype=torch.float64):
    torch.manual_seed(0)
    return build().to(dtype).eval()


def without_statistics():
    net = Net(lambda net, y: net.norm(y))
    net.norm = nn.BatchNorm2d(6, track_running_stats=False)
    return net


def recurrent():
    net = Net()
    net.lstm = nn.LSTM(150, 150)  # takes the batch for time
    net.between = lambda net, y: net.lstm(y.flatten(1))[0]
    return net


def hidden():
    """Only inner maps are coupled: the norm after them takes the common factor out."""
    net = Net()
    net.scaled = nn.Identity()
    net.ln = nn.LayerNorm([6, 5, 5], eps=0)
    net.between = lambda net, y: net.ln(net.scaled(y / y.abs().max()))
    return net


COUPLED = {
    "no running statistics": without_statistics,
    "training mode inside": lambda: Net(
        lambda net, y: F.batch_norm(y, net.norm.running_mean, net.norm.running_var, training=True)
    ),
    "mean of the batch": lambda: Net(lambda net, y: y - y.mean(0, keepdim=True)),
    "maximum of the batch": lambda: Net(lambda net, y: y / y.amax()),
    "sorted": lambda: Net(lambda net, y: y.sort(0).values),
    "top of the batch": lambda: Net(lambda net, y: y * (y >= y.topk(1, 0).values)),
    "number of images": lambda: Net(lambda net, y: y / len(y)),
    "images behind": lambda: Net(lambda net, y: y.flip(0).cumsum(0).flip(0)),
    "last image": lambda: Net(lambda net, y: y - 0.5 * y[-1:]),
    "three or more": lambda: Net(lambda net, y: y - y.mean(0) if len(y) > 2 else y),
    "running sum": lambda: Net(lambda net, y: y.cumsum(0)),
    "rolled": lambda: Net(lambda net, y: y + 0.1 * y.roll(1, 0)),
    "batch as time": recurrent,
    "weakly": lambda: Net(lambda net, y: y + 1e-3 * y.mean(0, keepdim=True)),
    "inside only": hidden,
}


@pytest.fixture(params=COUPLED)
def coupled(request):
    return seeded(COUPLED[request.param])


def drawn(count, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
    return (images * torch.linspace(0.3, 3, count)[:, None, None, None]).to(dtype)


def one_at_a_time(net, images):
    with torch.no_grad():
        return torch.cat([net(image[None]) for image in images])


def test_passes_give_what_each_image_gives_alone(coupled):
    model, images = convviz.Model(coupled), drawn(4)
    forward = model.forward(images, ("act",))
    assert torch.equal(forward.output, one_at_a_time(coupled, images))
    alone = [model.forward(image[None], ("act",)).activations["act"] for image in images]
    assert torch.equal(forward.activations["act"], torch.cat(alone))
    targets = model.resolve([0, 1, 2, 0], forward)
    expected = forward.output[torch.arange(4), torch.tensor([0, 1, 2, 0])]
    assert torch.equal(model.scores(images, targets), expected)


def test_gradients_do_not_depend_on_neighbors(coupled):
    images = drawn(3)
    actual = convviz.explain(convviz.Model(coupled), images, "saliency", target=1)
    for image, gradient in zip(images, actual["gradient"], strict=True):
        x = image[None].clone().requires_grad_()
        (expected,) = torch.autograd.grad(coupled(x)[0, 1], x)
        torch.testing.assert_close(gradient, expected[0], rtol=1e-10, atol=1e-12)
    assert any("couples" in note for note in actual.result.notes)


@pytest.mark.parametrize("export", [True, False])
def test_occlusion_is_that_of_a_loop_whatever_the_batch_size(coupled, export, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0 if export else 1e9)
    images, model = drawn(2), convviz.Model(coupled)
    options = {"window": 4, "stride": 4, "fill": 0.0, "target": 2}
    maps = [
        convviz.explain(model, images, "occlusion", batch_size=size, **options) for size in (1, 7)
    ]
    assert torch.equal(maps[0].values, maps[1].values)
    for image, row, baseline in zip(images, maps[0]["grid"], maps[0]["baseline"], strict=True):
        for place, (x0, y0, x1, y1) in enumerate(maps[0]["boxes"].tolist()):
            covered = image[None].clone()
            covered[:, :, y0:y1, x0:x1] = 0
            expected = baseline - one_at_a_time(coupled, covered)[0, 2]
            torch.testing.assert_close(row.flatten()[place], expected, rtol=0, atol=1e-12)
    if export:
        assert "couples" in maps[0].result.measures["computed"]


class Masks(convviz.authoring.Explainer):
    """What a third party writes: scores of many changed copies in one batch."""

    def explain(self, model, batch, target, forward):
        copies = torch.cat([batch.images * share for share in (0.0, 0.5, 1.0)])
        scores = model.forward(copies).output[:, 0]
        return convviz.Heatmap(scores.reshape(3, -1).T[:, :, None].contiguous())


def test_an_explainer_of_a_third_party_gets_single_scores_and_the_note(coupled):
    images = drawn(2)
    actual = convviz.explain(convviz.Model(coupled), images, Masks())
    expected = [one_at_a_time(coupled, images * share)[:, 0] for share in (0.0, 0.5, 1.0)]
    assert torch.equal(actual.values[..., 0], torch.stack(expected, 1))
    assert any("couples" in note for note in actual.result.notes)
    model = convviz.Model(coupled, preprocess=convviz.Preprocess(resize=None, crop=SIZE))
    weights = convviz.explain(model, images, "filters", layer="conv")
    assert not any("couples" in note for note in weights.result.notes)


def test_a_sweep_gives_the_numbers_of_single_images(tmp_path):
    net = seeded(COUPLED["no running statistics"], torch.float32)
    photos = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE, 3), np.uint8)
    model = convviz.Model(net, preprocess=convviz.Preprocess(resize=None, crop=SIZE))
    for size in (1, 4):
        run = convviz.analyze(
            model, photos, "statistics", tmp_path / str(size), batch_size=size, layers=["norm"]
        )
        actual = run["statistics"]["norm"]
        x = torch.stack([model.preprocess(photo) for photo in photos])
        with torch.no_grad():
            maps = torch.cat([net.norm(net.act(net.conv(image[None]))) for image in x]).double()
        torch.testing.assert_close(actual["max"].double(), maps.amax((0, 2, 3)), rtol=1e-5, atol=0)
        torch.testing.assert_close(
            actual["variance"].double(), maps.var((0, 2, 3), correction=0), rtol=1e-5, atol=0
        )
        assert any("couples" in note for note in actual.result.notes)
        assert any("couples" in note for note in run.plan["forward"]["notes"])
        assert actual.equals(convviz.open_run(str(tmp_path / str(size)))["statistics"]["norm"])


def test_dynamic_quantization_couples():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torch.ao.quantization.quantize_dynamic(seeded(Net, torch.float32), {nn.Linear})
    model, images = convviz.Model(net), drawn(4, torch.float32)
    assert model.behavior(images).coupled
    assert torch.equal(model.forward(images).output, one_at_a_time(net, images))


class Sequence(nn.Module):
    """Attention over tokens, which come first: [T, N, C]."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=3)
        self.attention = nn.MultiheadAttention(8, 2)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        tokens = self.conv(x).flatten(2).permute(2, 0, 1)
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(0))


class Squeezed(nn.Module):
    """Loses the batch axis of a single image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, CLASSES, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3)).squeeze()


def looped():
    net = Net()
    net.between = lambda net, y: torch.cat([net.norm(one[None]) for one in y])
    return net


UNCOUPLED = {
    "plain": Net,
    "batch norm": lambda: Net(lambda net, y: net.norm(y)),
    "instance norm": lambda: Net(lambda net, y: F.instance_norm(y)),
    "constant maps": lambda: Net(lambda net, y: y + F.instance_norm(y * 0 + 1.1)),
    "tokens first": Sequence,
    "loses the axis": Squeezed,
    "image by image": looped,
    "training flag": lambda: Net(lambda net, y: F.dropout(y, 0.5, training=net.training)),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", UNCOUPLED)
def test_usual_networks_run_in_batches(name, dtype):
    net = seeded(UNCOUPLED[name], dtype)
    model, images = convviz.Model(net), drawn(4, dtype)
    assert model.behavior(images) == batch_behavior.Behavior()
    with torch.no_grad():
        torch.testing.assert_close(
            model.forward(images).output,
            net(images).to(torch.float32 if dtype == torch.bfloat16 else dtype),
        )


def test_a_network_of_one_image_at_a_time_runs_on_several():
    net = seeded(lambda: Net(lambda net, y: y.view(1, 6, 5, 5)))
    model, images = convviz.Model(net), drawn(3)
    assert torch.equal(model.forward(images).output, one_at_a_time(net, images))
    assert model.behavior(images).notes == ()


def test_coupled_images_that_do_not_run_alone_are_refused():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 4), nn.BatchNorm1d(4))
    net[2] = nn.BatchNorm1d(4, track_running_stats=False)
    model = convviz.Model(net.double())
    with pytest.raises(convviz.ModelError, match=r"alone.*more than 1 value per channel"):
        model.forward(drawn(3))


class Dropout(nn.Dropout):
    """Drops in evaluation mode too."""

    def forward(self, x):
        return F.dropout(x, self.p, training=True)


def replaced():
    net = Net(lambda net, y: net.drop(y))
    net.drop = Dropout(0.5)
    return net


def own_generator():
    net = Net()
    generator = torch.Generator()
    net.between = lambda net, y: y + 0.1 * torch.rand(y.shape[1:], generator=generator).to(y)
    return net


RANDOM = {
    "functional dropout": lambda: Net(lambda net, y: F.dropout(y, 0.5)),
    "dropout that stays on": replaced,
    "depth of the batch": lambda: Net(lambda net, y: y if random.random() < 0.9 else y * 2),
    "noise of numpy": lambda: Net(lambda net, y: y * np.random.normal(1, 0.1)),
    "weak noise": lambda: Net(lambda net, y: y + 1e-3 * torch.rand_like(y)),
    "its own generator": own_generator,
}


@pytest.mark.filterwarnings("ignore:.*random in evaluation mode")
@pytest.mark.parametrize("name", RANDOM)
def test_results_of_random_networks_say_so(name):
    net, images = seeded(RANDOM[name]), drawn(2)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    actual = convviz.explain(convviz.Model(net), images, ["saliency", Masks()], target=0)
    for explanation in actual:
        assert any("random in evaluation mode" in note for note in explanation.result.notes)
    single = convviz.explain(convviz.Model(seeded(RANDOM[name])), images[:1], "saliency", target=0)
    assert any("random in evaluation mode" in note for note in single.result.notes)
    model = convviz.Model(net, preprocess=convviz.Preprocess(resize=None, crop=SIZE))
    weights = convviz.explain(model, images, "filters", layer="conv")
    assert not any("random" in note for note in weights.result.notes)
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert states[2] == random.getstate()


def test_the_size_of_the_randomness_is_told():
    """Noise between 0 and 1 % of the one score there is."""

    class Noisy(nn.Module):
        def forward(self, x):
            shift = 0.1 * torch.rand(len(x), 1).to(x)
            return torch.cat([10 + shift, x.mean((1, 2, 3))[:, None]], 1)

    model = convviz.Model(Noisy(), device="cpu")
    with pytest.warns(convviz.ConvvizWarning, match="random in evaluation mode"):
        actual = model.behavior(drawn(1, torch.float32))
    assert 1e-5 < actual.randomness < 0.01
    assert not actual.coupled


def test_the_warning_comes_once():
    net, images = seeded(RANDOM["functional dropout"]), drawn(2)
    with pytest.warns(convviz.ConvvizWarning, match="random"):
        convviz.explain(convviz.Model(net), images, "saliency", target=0)
    convviz.explain(convviz.Model(net), images, "saliency", target=0)


@pytest.mark.filterwarnings("ignore:.*random in evaluation mode")
@pytest.mark.parametrize("name", ["functional dropout", "depth of the batch"])
def test_no_graph_stands_in_for_a_random_network(name, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    model = convviz.Model(seeded(RANDOM[name]))
    actual = convviz.explain(model, drawn(1), "occlusion", window=6, stride=6, fill=0.0)
    assert "full forward pass" in actual.result.measures["computed"]
    assert "random" in actual.result.measures["computed"]


@pytest.mark.parametrize("name", ["plain", "mean of the batch"])
def test_the_check_costs_at_most_three_passes_and_is_shared(name):
    net = seeded({**UNCOUPLED, **COUPLED}[{"plain": "plain"}.get(name, name)])
    images = drawn(1)
    convviz.Model(net).behavior(images)
    assert net.passes <= 3
    before = net.passes
    assert convviz.Model(net).behavior(images).coupled == (name != "plain")
    assert net.passes == before
    convviz.Model(net).forward(images)
    assert net.passes == before + 1


def test_a_changed_network_is_checked_again():
    net, images = seeded(Net), drawn(2)
    model = convviz.Model(net)
    assert not model.behavior(images).coupled
    net.norm = nn.BatchNorm2d(6, track_running_stats=False).double()
    net.between = lambda net, y: net.norm(y)
    assert model.behavior(images).coupled
    net.between = lambda net, y: F.dropout(y, training=net.uncertain)
    net.uncertain = False
    assert not model.behavior(images).coupled
    net.uncertain = True
    with pytest.warns(convviz.ConvvizWarning, match="random"):
        assert model.behavior(images).random


def test_a_hook_that_couples_is_seen():
    net, images = seeded(Net), drawn(2)
    model = convviz.Model(net)
    assert not model.behavior(images).coupled
    handle = net.conv.register_forward_hook(lambda m, inputs, out: out - out.mean(0))
    assert model.behavior(images).coupled
    handle.remove()
    assert not model.behavior(images).coupled


class Scaled:
    """Picks scores with the help of the network itself."""

    def __init__(self, net):
        self.net = net

    def __call__(self, out):
        return out * self.net.head.weight[0, 0]


def test_the_cache_keeps_no_network_alive():
    net = seeded(Net)
    convviz.Model(net, output=Scaled(net)).behavior(drawn(1))
    convviz.Model(net).behavior(drawn(1))
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None
