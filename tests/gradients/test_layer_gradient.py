"""Gradients with respect to layers, against autograd with hooks and finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from convviz import Model, ModelError, ParameterError, Unit, UnknownNameError


def target_of(model: Model, images: Tensor, spec: object = 1) -> tuple:
    return model.resolve(spec, model.forward(images, model.target_layers(spec)))


def gradient(model: Model, images: Tensor, layer: str, spec: object = 1, rule: str = "plain"):
    return model.gradient(images, target_of(model, images, spec), rule, layer=layer)


def by_hook(net: nn.Module, images: Tensor, path: str, call: int = 1, index: int = 1) -> Tensor:
    """Add zeros that require gradients to a module's output, and return their gradient."""
    zeros: list[Tensor] = []

    def add_zeros(module, args, output):
        zeros.append(torch.zeros_like(output, requires_grad=True))
        return output + zeros[-1]

    handle = net.get_submodule(path).register_forward_hook(add_zeros)
    try:
        score = net(images)[:, index].sum()
    finally:
        handle.remove()
    (result,) = torch.autograd.grad(score, zeros[call - 1])
    return result


class Residual(nn.Module):
    """In-place ReLUs, a module that is called twice, functional operations and a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.drop, self.shortcut = nn.Dropout(0.5), nn.Identity()
        self.head = nn.Linear(6, 4)
        nn.init.normal_(self.norm.running_mean, 0, 0.2)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        y = self.conv2(x) + self.shortcut(x)
        y = self.relu(self.conv2(self.drop(y))) * torch.sigmoid(y)
        y = F.avg_pool2d(y, 2)
        y += 0.1
        return self.head(torch.flatten(y.mean((2, 3)), 1))


@pytest.fixture
def net() -> nn.Module:
    return Residual().double().eval()


IMAGES = torch.linspace(-1, 1, 2 * 3 * 8 * 8, dtype=torch.float64).sin().view(2, 3, 8, 8)

LAYERS = [
    *(("conv1", 1), ("norm", 1), ("relu:1", 1), ("relu:2", 2), ("conv2:1", 1), ("conv2:2", 2)),
    *(("drop", 1), ("shortcut", 1)),
]


@pytest.mark.parametrize("efficient", [True, False], ids=["efficient", "plain"])
@pytest.mark.parametrize(("layer", "call"), LAYERS)
def test_a_module_is_differentiated_as_by_a_hook(net, layer, call, efficient):
    model = Model(net)
    model.cache.memory_efficient = efficient
    got = gradient(model, IMAGES, layer)
    expected = by_hook(net, IMAGES, layer.split(":")[0], call)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-13)
    assert model.cache.memory_efficient == efficient
    assert got.shape == model.forward(IMAGES, [layer]).activations[layer].shape


class _Perturbation(TorchFunctionMode):
    """Adds a step to one value of the result of the function of a name."""

    def __init__(self, name: str, place: tuple[int, ...], step: float) -> None:
        self.name, self.place, self.step = name, place, step

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") == self.name:
            with torch._C.DisableTorchFunction():
                out = out.clone()
                out[self.place] += self.step
        return out


OPERATIONS = {
    "/sigmoid": "sigmoid",
    "/avg_pool2d": "avg_pool2d",
    "/mul": "mul",
    "/flatten": "flatten",
    "/add:1": "add",
}


@pytest.mark.parametrize("layer", OPERATIONS)
def test_operations_agree_with_finite_differences(net, layer):
    got = gradient(Model(net), IMAGES, layer)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        place = tuple(int(torch.randint(n, (), generator=generator)) for n in got.shape)
        up, down = (_score(net, OPERATIONS[layer], place, step) for step in (1e-5, -1e-5))
        assert float(got[place]) == pytest.approx((up - down) / 2e-5, abs=1e-8)


def _score(net: nn.Module, name: str, place: tuple[int, ...], step: float) -> float:
    with torch.no_grad(), _Perturbation(name, place, step):
        return float(net(IMAGES)[place[0], 1])


def test_an_operation_that_writes_in_place_is_differentiated_after_it(net):
    got = gradient(Model(net), IMAGES, "/add:2")
    expected = (net.head.weight[1] / 16).view(1, 6, 1, 1).expand(2, 6, 4, 4)
    torch.testing.assert_close(got, expected)


class Body(nn.Module):
    """A convolution, a rest that the test defines, and a head."""

    def __init__(self, rest: Callable[[Body, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)
        self.identity, self.relu = nn.Identity(), nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)
        self.rest = rest

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rest(self, self.conv(x)).mean((2, 3)))


def body(rest: Callable[[Body, Tensor], Tensor]) -> Body:
    return Body(rest).double().eval()


def head_gradient(net: Body, size: int = 6) -> Tensor:
    """Return the gradient of class 1 with respect to the maps that the head averages."""
    weight = net.head.weight[1] / size**2
    return weight.detach().view(1, 4, 1, 1).expand(2, 4, size, size)


def test_identity_followed_by_an_in_place_relu():
    net = body(lambda net, x: net.relu(net.identity(x)))
    maps = Model(net).forward(IMAGES, ["identity"]).activations["identity"]
    expected = head_gradient(net) * (maps > 0)
    torch.testing.assert_close(gradient(Model(net), IMAGES, "identity"), expected)


def test_a_view_followed_by_an_in_place_relu():
    net = body(lambda net, x: F.relu_(x.transpose(2, 3)))
    maps = Model(net).forward(IMAGES, ["/transpose"]).activations["/transpose"]
    expected = head_gradient(net) * (maps > 0)
    torch.testing.assert_close(gradient(Model(net), IMAGES, "/transpose"), expected)


def half_in_place(net: Body, x: Tensor) -> Tensor:
    F.relu_(x[:, 2:])
    return x


def test_an_operation_that_writes_into_a_part_of_a_tensor():
    net = body(half_in_place)
    got = gradient(Model(net), IMAGES, "/relu")
    torch.testing.assert_close(got, head_gradient(net)[:, 2:])


def shares_memory(net: Body, x: Tensor) -> Tensor:
    y = net.identity(x)
    F.relu_(y)
    return x + y


def test_memory_that_a_layer_shares_with_what_is_read_later_is_refused():
    with pytest.raises(ModelError, match=r"'identity'.*shares its memory"):
        gradient(Model(body(shares_memory)), IMAGES, "identity")


def discards(net: Body, x: Tensor) -> Tensor:
    net.relu(x)
    return x


def test_an_in_place_module_whose_result_is_discarded():
    net = body(discards)
    torch.testing.assert_close(gradient(Model(net), IMAGES, "relu"), head_gradient(net))


def without_gradients(net: Body, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = net.relu(x)
    return net.identity(x.detach()).sigmoid()


def test_the_graph_may_begin_at_the_layer_but_not_behind_it():
    net = body(without_gradients)
    model = Model(net)
    values = model.forward(IMAGES, ["/sigmoid"]).activations["/sigmoid"]
    expected = head_gradient(net) * values * (1 - values)
    torch.testing.assert_close(gradient(model, IMAGES, "identity"), expected)
    with pytest.raises(ModelError, match="'relu'"):
        gradient(model, IMAGES, "relu")


def test_a_layer_behind_the_target_or_of_no_such_name():
    model = Model(body(lambda net, x: net.relu(x)))
    with pytest.raises(ModelError, match="does not depend on the output of layer 'head'"):
        gradient(model, IMAGES, "head", Unit("conv", 1, (2, 3)))
    with pytest.raises(UnknownNameError, match=r"'rely'.*'relu'"):
        gradient(model, IMAGES, "rely")
    with pytest.raises(UnknownNameError, match="conv:2"):
        gradient(model, IMAGES, "conv:2")
    folded = Model(body(lambda net, x: x.flatten(0, 1).mul(2).view_as(x)))
    with pytest.raises(ParameterError, match="'/flatten'"):
        gradient(folded, IMAGES, "/flatten")


@pytest.mark.parametrize("layer", ["relu", "conv"])
def test_units_are_targets(layer):
    net = body(lambda net, x: net.relu(x))
    units = [Unit("relu", 1, (2, 3)), Unit("relu", 3)]
    model = Model(net)
    target = target_of(model, IMAGES, units)
    got = model.gradient(IMAGES, target, layer=layer)
    expected = torch.zeros(2, 4, 6, 6, dtype=torch.float64)
    maps = model.forward(IMAGES, ["relu"]).activations["relu"]
    for row, resolved in enumerate(target):
        place = (row, resolved.unit.channel, *resolved.unit.position)
        expected[place] = 1.0 if layer == "relu" else float(maps[place] > 0)
    assert torch.equal(got, expected)


def test_images_of_a_coupled_batch_are_differentiated_one_at_a_time():
    net = body(lambda net, x: net.relu(net.norm(x)))
    model = Model(net)
    got = gradient(model, IMAGES, "norm")
    assert model.behavior(IMAGES).coupled
    for row in (0, 1):
        alone = gradient(model, IMAGES[row : row + 1], "norm")
        torch.testing.assert_close(got[row : row + 1], alone)
        torch.testing.assert_close(alone, by_hook(net, IMAGES[row : row + 1], "norm"))


class OverwritesImages(Body):
    """A network that couples images and writes into those it is called with."""

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.5
        return super().forward(x)


def test_a_coupled_network_may_write_into_its_images():
    net = OverwritesImages(lambda net, x: net.relu(net.norm(x))).double().eval()
    model = Model(net)
    assert gradient(model, IMAGES, "norm").abs().sum() > 0
    assert model.gradient(IMAGES, target_of(model, IMAGES)).abs().sum() > 0


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_rules_apply_to_the_activations_behind_the_layer(rule):
    net = body(lambda net, x: F.gelu(net.relu(x)) * torch.tensor([1.0, -1.0]).repeat(3))
    model = Model(net)
    maps = model.forward(IMAGES, ["conv"]).activations["conv"]
    signs = torch.tensor([1.0, -1.0]).repeat(3)
    at_gelu = head_gradient(net) * signs
    torch.testing.assert_close(gradient(model, IMAGES, "/gelu", rule=rule), at_gelu)
    x = maps.relu().requires_grad_()
    (slope,) = torch.autograd.grad(F.gelu(x).sum(), x)
    at_relu = at_gelu.clamp(min=0) * (slope if rule == "guided" else 1)
    torch.testing.assert_close(gradient(model, IMAGES, "relu", rule=rule), at_relu)
    at_conv = at_relu.clamp(min=0) * ((maps > 0) if rule == "guided" else 1)
    torch.testing.assert_close(gradient(model, IMAGES, "conv", rule=rule), at_conv)


@pytest.mark.parametrize("layer", ["conv", "identity"])
def test_activation_checkpointing(layer):
    def rest(net: Body, x: Tensor) -> Tensor:
        return checkpoint(lambda y: torch.relu(net.identity(y)), x, use_reentrant=False)

    net = body(rest)
    maps = Model(net).forward(IMAGES, ["conv"]).activations["conv"]
    expected = head_gradient(net) * (maps > 0)
    torch.testing.assert_close(gradient(Model(net), IMAGES, layer), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precisions(dtype):
    net = body(lambda net, x: net.relu(x))
    expected = gradient(Model(net), IMAGES, "conv")
    got = gradient(Model(net, dtype=dtype), IMAGES, "conv")
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), expected, rtol=2e-2, atol=1e-4)


def test_no_images():
    net = body(lambda net, x: net.relu(x))
    assert gradient(Model(net), IMAGES[:0], "conv").shape == (0, 4, 6, 6)


class ChannelsLast(nn.Module):
    """Maps `[N, h, w, C]` inside, a vector and a tuple as outputs of layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, 5)
        self.pair, self.head = Pair(), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(self.conv(x).permute(0, 2, 3, 1)).tanh()
        return self.head(self.pair(x)[0].mean((1, 2)))


class Pair(nn.Module):
    """Returns a tuple, whose first tensor is the output of the layer."""

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return 2 * x, 1


def test_layouts_are_those_of_the_activations():
    net = ChannelsLast().double().eval()
    model = Model(net)
    got = gradient(model, IMAGES, "linear")
    assert (
        got.shape == model.forward(IMAGES, ["linear"]).activations["linear"].shape == (2, 5, 4, 4)
    )
    torch.testing.assert_close(got, by_hook(net, IMAGES, "linear").permute(0, 3, 1, 2))
    at_pair = net.head.weight[1].detach().view(1, 5, 1, 1).expand(2, 5, 4, 4) / 16
    torch.testing.assert_close(gradient(model, IMAGES, "pair"), at_pair)


def test_tokens_and_vectors_of_a_transformer():
    torch.manual_seed(0)
    net = torchvision.models.VisionTransformer(16, 8, 2, 2, 12, 24, num_classes=3).double().eval()
    nn.init.normal_(net.heads.head.weight)
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    model = Model(net)
    layer = "encoder.layers.encoder_layer_0"
    tokens = by_hook(net, images, layer)
    expected = tokens[:, 1:].transpose(1, 2).reshape(2, 12, 2, 2)
    torch.testing.assert_close(gradient(model, images, layer), expected)
    weight = net.heads.head.weight[1].detach().expand(2, 12)
    torch.testing.assert_close(gradient(model, images, "/getitem"), weight)


LAST_MAPS = {"resnet18": "layer4", "mobilenet_v2": "features", "densenet121": "features.norm5"}


@pytest.mark.parametrize("name", LAST_MAPS)
def test_torchvision_networks(name):
    torch.manual_seed(0)
    net = torchvision.models.get_model(name, weights=None).double().eval()
    images = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    model = Model(net)
    got, expected = gradient(model, images, LAST_MAPS[name]), by_hook(net, images, LAST_MAPS[name])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    assert model.cache.memory_efficient
