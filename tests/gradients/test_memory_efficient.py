"""Memory-efficient gradients agree with those of the network's own operators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from convviz import Model
from convviz.errors import ModelError
from convviz.gradients import memory_efficient, prepared_conv
from convviz.ops import winograd


def own_gradient(module: nn.Module, images: Tensor) -> Tensor:
    x = images.clone().requires_grad_()
    (found,) = torch.autograd.grad(module(x.clone())[:, 1].sum(), x)
    return found


def gradient(model: Model, images: Tensor, rule: str = "plain") -> Tensor:
    return model.gradient(images, model.resolve(1, model.forward(images)), rule)


@pytest.fixture
def attempts(monkeypatch):
    """One entry for each memory-efficient pass: whether it counted as exact."""
    seen: list[bool] = []
    is_exact = memory_efficient.MemoryEfficientMode.is_exact

    def record(mode, total):
        seen.append(is_exact(mode, total))
        return seen[-1]

    monkeypatch.setattr(memory_efficient.MemoryEfficientMode, "is_exact", record)
    return seen


def statistics(module: nn.Module) -> nn.Module:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, -1, 2)
                nn.init.normal_(part.bias)
    return module.double().eval()


NETS = ("alexnet", "resnet18", "densenet121", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5")


@pytest.mark.parametrize("name", NETS)
def test_torchvision_networks(name, attempts):
    torch.manual_seed(0)
    module = statistics(torchvision.models.get_model(name, weights=None))
    images = torch.randn(2, 3, 65, 71, dtype=torch.float64)
    model = Model(module)
    got, want = gradient(model, images), own_gradient(module, images)
    assert attempts == [True]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * float(want.abs().max()))
    assert got.is_contiguous()


def with_relus(inplace: bool) -> nn.Module:
    """Rectifiers behind convolutions that no norm follows."""
    convs = [nn.Conv2d(3, 8, 3), nn.ReLU(inplace), nn.Conv2d(8, 8, 3), nn.ReLU(inplace)]
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten())


RULED = {
    "resnet18": lambda: torchvision.models.resnet18(weights=None),
    "alexnet": lambda: torchvision.models.alexnet(weights=None),
    "relus": lambda: with_relus(inplace=False),
    "relus in place": lambda: with_relus(inplace=True),
}


@pytest.mark.parametrize("rule", ["guided", "deconv"])
@pytest.mark.parametrize("made", RULED.values(), ids=list(RULED))
def test_rules_agree_with_and_without_the_mode(rule, made, attempts):
    torch.manual_seed(0)
    module = statistics(made())
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    one, other = Model(module), Model(module)
    other.cache.memory_efficient = False
    want = gradient(other, images, rule)
    assert attempts == []
    got = gradient(one, images, rule)
    assert attempts == [True]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * float(want.abs().max()))


class Body(nn.Module):
    """A network around one habit."""

    def __init__(self, habit: Callable[[Body, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6)
        self.other = nn.Conv2d(6, 4, 3, bias=False)
        self.habit = habit

    def forward(self, x: Tensor) -> Tensor:
        return self.habit(self, x).mean((2, 3))


class Doubling(torch.autograd.Function):
    """What no function mode sees; finite even where NaN goes in."""

    @staticmethod
    def forward(ctx, x):
        return torch.where(x > 0, 2 * x, 0 * x.nan_to_num())

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def overwritten(body: Body, x: Tensor) -> Tensor:
    x = x * 1
    y = body.conv(x)
    x.mul_(3)
    return body.other(body.norm(y) + body.conv(x))


def used_twice(body: Body, x: Tensor) -> Tensor:
    y = body.conv(x)
    return body.other(body.norm(y).relu() + y.sigmoid() + body.norm(y))


def changed_in_place(body: Body, x: Tensor) -> Tensor:
    y = body.conv(x)
    y.mul_(2)
    y += 1
    return body.other(F.relu_(body.norm(y) * y))


def in_lists(body: Body, x: Tensor) -> Tensor:
    y = body.conv(x)
    return body.other(torch.cat([y[:, :3], torch.stack((y, y))[0][:, 3:]], 1))


def last(body: Body, x: Tensor) -> Tensor:
    return body.other(body.conv(x))


def asked_about(body: Body, x: Tensor) -> Tensor:
    y = body.conv(x)
    assert y.shape[1] == len(y[0]) == y.size(1) == 6
    assert y.requires_grad == x.requires_grad
    assert y.dim() == y.ndim == 4
    assert y.is_leaf != x.requires_grad
    assert bool(y.detach().isfinite().all())
    return body.other(body.norm(y) if float(y.detach().abs().max()) > 0 else y)


def viewed(body: Body, x: Tensor) -> Tensor:
    y = body.norm(body.conv(x)).relu()
    return body.other(y).view(len(x), -1, 1, 1)[:, :4]


def functional(body: Body, x: Tensor) -> Tensor:
    y = F.conv2d(x, weight=body.conv.weight, padding="same")
    y = F.batch_norm(y, body.norm.running_mean, body.norm.running_var, eps=0.1)
    y = F.max_pool2d(y, (3, 2), stride=(1, 2), padding=1, ceil_mode=True)
    return body.other(F.max_pool2d(y, 2, return_indices=True)[0])


def batch_statistics(body: Body, x: Tensor) -> Tensor:
    y = F.batch_norm(body.conv(x), None, None, training=True)
    return body.other(y)


def not_followed(body: Body, x: Tensor) -> Tensor:
    with torch.no_grad():
        gate = body.norm(body.conv(x)).sigmoid()
    return body.other(body.norm(body.conv(x)) * gate)


def half_seen(body: Body, x: Tensor) -> Tensor:
    y = body.conv(x)
    return body.other(body.norm(y) + Doubling.apply(y))


def unseen(body: Body, x: Tensor) -> Tensor:
    return body.other(Doubling.apply(body.conv(x)) + 1)


TRUSTED = [used_twice, changed_in_place, in_lists, last, asked_about, functional]
TRUSTED += [batch_statistics, not_followed]


@pytest.mark.parametrize("habit", TRUSTED)
def test_habits_of_networks(habit, attempts):
    torch.manual_seed(0)
    module = statistics(Body(habit))
    images = torch.randn(2, 3, 17, 22, dtype=torch.float64)
    got = gradient(Model(module), images)
    assert attempts == [True]
    # A network that couples the images of a batch is run image by image.
    alone = [own_gradient(module, image) for image in images.split(1)]
    torch.testing.assert_close(got, torch.cat(alone), rtol=0, atol=1e-12)


def test_an_input_that_is_overwritten_is_an_error_as_it_is_without():
    module = statistics(Body(overwritten))
    images = torch.randn(2, 3, 17, 22, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        own_gradient(module, images)
    with pytest.raises(ModelError, match="in place"):
        gradient(Model(module), images)


@pytest.mark.parametrize("habit", [half_seen, unseen, viewed])
def test_what_cannot_be_followed_runs_as_it_is(habit, attempts):
    torch.manual_seed(0)
    module = statistics(Body(habit))
    images = torch.randn(2, 3, 17, 22, dtype=torch.float64)
    model = Model(module)
    for _ in range(2):
        got = gradient(model, images)
        torch.testing.assert_close(got, own_gradient(module, images), rtol=0, atol=1e-12)
    assert True not in attempts
    assert len(attempts) <= 1  # it is not tried again
    assert not model.cache.memory_efficient


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_parts_run_as_they_are():
    torch.manual_seed(0)
    part = torch.jit.script(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), part, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module, images = net.double().eval(), torch.randn(2, 3, 12, 12, dtype=torch.float64)
    got = gradient(Model(module), images)
    torch.testing.assert_close(got, own_gradient(module, images), rtol=0, atol=1e-12)


def test_nan_in_an_image_does_not_end_it_for_the_others(attempts):
    torch.manual_seed(0)
    module = statistics(Body(last))
    images = torch.randn(2, 3, 17, 22, dtype=torch.float64)
    broken, model = images.clone(), Model(module)
    broken[0] = float("nan")
    assert torch.equal(gradient(model, broken).isnan(), own_gradient(module, broken).isnan())
    gradient(model, images)
    assert attempts == [False, True]


def test_hooks_and_kept_layers_see_the_networks_own_values(attempts):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    module = statistics(net)
    images, seen = torch.randn(2, 3, 9, 9, dtype=torch.float64), []
    model = Model(module)
    want = model.forward(images, ["0"]).activations["0"]
    module[0].register_forward_hook(lambda m, given, out: seen.append(out.detach().clone()))
    gradient(model, images)
    assert attempts == [True]
    torch.testing.assert_close(seen[-1], want)


def test_weights_changed_in_place_are_followed():
    torch.manual_seed(0)
    module = statistics(torchvision.models.resnet18(weights=None))
    images, model = torch.randn(1, 3, 64, 64, dtype=torch.float64), Model(module)
    gradient(model, images)
    with torch.no_grad():
        module.conv1.weight.mul_(-1)
        module.bn1.running_var.mul_(3)
    want = own_gradient(module, images)
    got = gradient(model, images)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * float(want.abs().max()))


SHORT = RuntimeError("DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("not enough"), SHORT], ids=["cuda", "cpu"]
)
def test_lack_of_memory_is_not_tried_again(monkeypatch, error):
    calls = []

    def lacking(*given, **options):
        calls.append(given)
        raise error

    model = Model(statistics(Body(last)))
    images = torch.randn(1, 3, 17, 22, dtype=torch.float64)
    target = model.resolve(1, model.forward(images))
    monkeypatch.setattr(model, "run", lacking)
    with pytest.raises(type(error)):
        model.gradient(images, target)
    assert len(calls) == 1


STEMS = [(7, 2, 3), (11, 4, 2), (4, 4, 0), (5, 3, 1), (6, 4, 5), (4, 2, 0)]


@pytest.mark.parametrize(("kernel", "stride", "padding"), STEMS)
@pytest.mark.parametrize("size", [(31, 24), (17, 40), (12, 11)])
def test_gradients_of_stems(kernel, stride, padding, size, attempts):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 5, kernel, stride, padding)
    module = nn.Sequential(conv, nn.AdaptiveMaxPool2d(1), nn.Flatten()).double()
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    how = [stride] * 2, [padding] * 2, [1, 1], 1
    assert prepared_conv.PreparedConv(conv.weight, None, torch.channels_last, how)._is_stem()
    got = gradient(Model(module), images)
    assert attempts == [True]
    torch.testing.assert_close(got, own_gradient(module, images), rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", [0, 1, 2, (2, 0)])
@pytest.mark.parametrize("rule", ["plain", "guided"])
def test_3x3_convolutions_of_many_pixels(padding, rule, attempts, monkeypatch):
    calls: list[tuple[int, ...]] = []
    convolve = winograd.convolve

    def watched(maps, *rest):
        calls.append(tuple(maps.shape))
        return convolve(maps, *rest)

    torch.manual_seed(0)
    convs = [nn.Conv2d(16, 24, 3, padding=padding, bias=False), nn.Conv2d(24, 16, 3, padding=1)]
    layers = [nn.Conv2d(3, 16, 1), nn.ReLU(), convs[0], nn.BatchNorm2d(24), nn.ReLU(), convs[1]]
    module = statistics(nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten()))
    images = torch.randn(2, 3, 31, 26, dtype=torch.float64)
    want = gradient(Model(module), images, rule)
    monkeypatch.setattr(winograd, "is_fast", lambda device: True)
    monkeypatch.setattr(winograd, "convolve", watched)
    monkeypatch.setattr(prepared_conv, "_MIN_PIXELS_FOR_KEPT_WINOGRAD", 1)
    got = gradient(Model(module), images, rule)
    assert len(calls) == 4  # both of them, there and back
    assert attempts == [True, True]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * float(want.abs().max()))


def test_little_is_kept_for_the_backward_pass():
    """A bit an activation, the places of the maxima, and the weights: no maps."""
    torch.manual_seed(0)
    module = torchvision.models.resnet18(weights=None).eval()
    images, model = torch.randn(2, 3, 64, 64), Model(module)
    target = model.resolve(1, model.forward(images))
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.gradient(images, target, "guided")
    sizes = {tuple(t.shape): t.numel() * t.element_size() for t in kept.values() if t.ndim == 4}
    maps = {shape: size for shape, size in sizes.items() if shape[0] == len(images)}
    assert set(maps) == {(2, 64, 16, 16)}  # of the max-pooling, where its maxima were
    bits = sum(t.numel() for t in kept.values() if t.dtype == torch.uint8)
    activations = 64 * 32**2 + 4 * 64 * 16**2 + 4 * 128 * 8**2 + 4 * 256 * 4**2 + 4 * 512 * 2**2
    assert bits == 2 * activations / 8


def test_settings_of_one_number_for_both_axes(attempts):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = F.conv2d(x, self.conv.weight, stride=(2,), padding=(1,), dilation=(2,))
            return F.max_pool2d(y, (3,), (2,), (1,)).mean((2, 3))

    torch.manual_seed(0)
    net, images = Net().double(), torch.randn(2, 3, 21, 19, dtype=torch.float64)
    want = own_gradient(net, images)
    torch.testing.assert_close(gradient(Model(net), images), want, rtol=0, atol=1e-12)
    assert attempts == [True]


def test_any_error_of_the_mode_leads_to_the_ordinary_pass(monkeypatch):
    def failing(*_):
        raise KeyError("something")

    monkeypatch.setattr(memory_efficient.MemoryEfficientMode, "__torch_function__", failing)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 3)).double()
    images = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    want = own_gradient(net, images)
    torch.testing.assert_close(gradient(Model(net), images), want, rtol=0, atol=1e-12)


class Scarce(nn.Module):
    """A network that has memory for three images at once."""

    def __init__(self, room: int = 3) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
        self.room, self.sizes = room, []

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad or torch.is_grad_enabled():
            self.sizes.append(len(x))
            if len(x) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return self.net(x)


def test_lack_of_memory_halves_the_batch_of_a_gradient() -> None:
    torch.manual_seed(0)
    net, images = Scarce(), torch.randn(7, 3, 8, 8)
    model = Model(net)
    target = [model.resolve(i % 5, model.forward(images[i : i + 1]))[0] for i in range(7)]
    actual = model.gradient(images, target)
    assert max(net.sizes) == 7
    net.room = 7
    torch.testing.assert_close(actual, model.gradient(images, target), rtol=0, atol=1e-6)
    net.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        model.gradient(images, target)
