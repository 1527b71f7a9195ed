"""guided_backprop and the rules, against references that share no code with them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import convviz
from convviz import ModelError, ParameterError, Unit
from convviz.authoring import Target

SCORE = (Target(1, None, "class 1", 0.0),)


class Reference(torch.autograd.Function):
    """ReLU whose backward pass is written out from the paper's formula."""

    @staticmethod
    def forward(ctx, x, rule):
        ctx.save_for_backward(x)
        ctx.rule = rule
        return torch.where(x > 0, x, torch.zeros_like(x))

    @staticmethod
    def backward(ctx, above):
        (x,) = ctx.saved_tensors
        gate = (x > 0).double() if ctx.rule == "guided" else torch.ones_like(x)
        return gate * (above > 0).double() * above, None


class Net(nn.Module):
    """Two convolutions, an activation called twice, a linear layer."""

    def __init__(self, activation):
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3, padding=1)
        self.two = nn.Conv2d(6, 5, 3, stride=2)
        self.head = nn.Linear(5, 4)
        self.activation = activation

    def forward(self, x):
        x = self.activation(self.one(x))
        x = self.activation(self.two(x))
        return self.head(x.mean((2, 3)))


def make(activation, cls=Net):
    torch.manual_seed(0)
    net = cls(activation).double()
    return convviz.Model(net), torch.randn(3, 3, 9, 8, dtype=torch.float64)


def of_reference(net, images, rule, index=1):
    """Differentiate the same network with the reference in place of its activation."""
    held, net.activation = net.activation, None
    try:
        net.activation = Plug(lambda x: Reference.apply(x, rule))
        x = images.clone().requires_grad_()
        return torch.autograd.grad(net(x)[:, index].sum(), x)[0]
    finally:
        net.activation = held


class Plug(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


SPELLINGS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu": lambda x: F.relu(x),
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu, inplace by position": lambda x: F.relu(x, True),
    "F.relu by keyword": lambda x: F.relu(input=x),
    "F.relu_": lambda x: F.relu_(x),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.relu_(),
    "Tensor.clamp": lambda x: x.clamp(min=0),
    "Tensor.clamp, by position": lambda x: x.clamp(0),
    "Tensor.clamp_": lambda x: x.clamp_(min=0.0),
    "Tensor.clamp_min": lambda x: x.clamp_min(0),
    "Tensor.clamp_min_": lambda x: x.clamp_min_(0),
    "Tensor.clip": lambda x: x.clip(min=0),
    "torch.clamp": lambda x: torch.clamp(x, min=0),
    "torch.clamp, a tensor": lambda x: torch.clamp(x, min=torch.zeros((), dtype=x.dtype)),
    "torch.clamp_min": lambda x: torch.clamp_min(x, 0),
    "nn.Threshold": nn.Threshold(0, 0),
    "F.threshold in place": lambda x: F.threshold(x, 0, 0, inplace=True),
    "written through, result dropped": lambda x: (x.relu_(), x)[1],
}


@pytest.mark.parametrize("rule", ["guided", "deconv"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_relu(spelling, rule):
    activation = SPELLINGS[spelling]
    model, images = make(activation if isinstance(activation, nn.Module) else Plug(activation))
    found = model.gradient(images, SCORE * 3, rule)
    expected = of_reference(model.module, images, rule)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_rules_differ_and_plain_is_autograd():
    model, images = make(nn.ReLU())
    plain, guided, deconv = (model.gradient(images, SCORE * 3, r) for r in convviz_rules())
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model.module(x)[:, 1].sum(), x)
    torch.testing.assert_close(plain, expected, rtol=0, atol=1e-13 * float(expected.abs().max()))
    assert (guided - plain).abs().max() > 1e-3
    assert (guided - deconv).abs().max() > 1e-3


def convviz_rules():
    return ("plain", "guided", "deconv")


class Skip(nn.Module):
    """The skip path of relu(x) + x keeps its own gradient."""

    def __init__(self, activation):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 3)
        self.activation = activation

    def forward(self, x):
        x = self.one(x)
        return (self.activation(x) - 2 * x).sum((2, 3))


class SkipInPlace(Skip):
    """After an in-place ReLU the skip path carries the activation, too."""

    def forward(self, x):
        x = self.one(x)
        y = self.activation(x)
        return (3 * y - x).sum((2, 3))


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_skip_path_is_untouched(rule):
    model, images = make(nn.ReLU(), Skip)
    found = model.gradient(images, SCORE * 3, rule)
    torch.testing.assert_close(found, of_reference(model.module, images, rule), atol=1e-12, rtol=0)


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_in_place_overwrites_what_others_hold(rule):
    model, images = make(nn.ReLU(inplace=True), SkipInPlace)
    found = model.gradient(images, SCORE * 3, rule)
    ordinary = model.module.one
    x = images.clone().requires_grad_()
    y = Reference.apply(ordinary(x), rule)
    (expected,) = torch.autograd.grad((3 * y - y).sum((2, 3))[:, 1].sum(), x)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_in_place_on_the_images_themselves():
    class First(nn.Module):
        def forward(self, x):
            return x.relu_().sum((2, 3))

    images = torch.tensor([[[[-1.0, 2.0]], [[0.0, 3.0]]]])
    before = images.clone()
    found = convviz.Model(First()).gradient(images, SCORE, "guided")
    assert found.tolist() == [[[[0, 0]], [[0, 1]]]]
    assert torch.equal(images, before)


OTHERS = {
    "nn.ReLU6": nn.ReLU6(),
    "nn.ReLU6 in place": nn.ReLU6(inplace=True),
    "F.relu6": F.relu6,
    "clamp to 0 and 6": lambda x: x.clamp(0, 6),
    "nn.LeakyReLU": nn.LeakyReLU(0.2),
    "F.leaky_relu in place": lambda x: F.leaky_relu(x, 0.2, inplace=True),
    "F.leaky_relu_": lambda x: F.leaky_relu_(x, 0.2),
    "nn.PReLU": nn.PReLU(),
    "nn.ELU": nn.ELU(),
    "nn.ELU in place": nn.ELU(inplace=True),
    "nn.SELU": nn.SELU(),
    "nn.CELU": nn.CELU(),
    "nn.SiLU": nn.SiLU(),
    "nn.SiLU in place": nn.SiLU(inplace=True),
    "nn.GELU": nn.GELU(),
    "F.gelu, tanh": lambda x: F.gelu(x, approximate="tanh"),
    "nn.Mish": nn.Mish(),
    "nn.Softplus": nn.Softplus(),
    "nn.Hardswish": nn.Hardswish(),
    "nn.Hardswish in place": nn.Hardswish(inplace=True),
    "nn.Hardtanh": nn.Hardtanh(),
}


def clamped(function, rule):
    """Return the activation with max(R, 0) times its own derivative, taken by autograd."""

    class Clamped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.clone())
            return function(x.clone())

        @staticmethod
        def backward(ctx, above):
            positive = above.clamp(min=0)
            with torch.enable_grad():
                leaf = ctx.saved_tensors[0].detach().requires_grad_()
                (slope,) = torch.autograd.grad(function(leaf.clone()).sum(), leaf)
            return positive * slope if rule == "guided" else positive

    return Clamped.apply


@pytest.mark.parametrize("rule", ["guided", "deconv"])
@pytest.mark.parametrize("spelling", OTHERS)
def test_other_activations_get_positive_gradients_only(spelling, rule):
    activation = OTHERS[spelling]
    model, images = make(activation if isinstance(activation, nn.Module) else Plug(activation))
    images = images * 4  # both ends of ReLU6 and Hardswish
    found = model.gradient(images, SCORE * 3, rule)
    net = model.module
    held, net.activation = net.activation, Plug(clamped(net.activation, rule))
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(x)[:, 1].sum(), x)
    net.activation = held
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("spelling", ["nn.ReLU6", "F.leaky_relu_", "nn.SiLU", "clamp to 0 and 6"])
def test_other_activations_can_be_refused(spelling):
    activation = OTHERS[spelling]
    model, images = make(activation if isinstance(activation, nn.Module) else Plug(activation))
    with pytest.raises(ModelError, match=r"guided rule: the network uses .*nonrelu='clamp'"):
        model.gradient(images, SCORE * 3, "guided", "error")
    relu, _ = make(nn.ReLU())
    assert torch.equal(
        relu.gradient(images, SCORE * 3, "guided", "error"),
        relu.gradient(images, SCORE * 3, "guided", "clamp"),
    )


@pytest.mark.parametrize(
    "other", [nn.Identity(), nn.Tanh(), nn.Sigmoid(), Plug(lambda x: x.clamp(-1, 1))]
)
def test_a_rule_that_matches_nothing_fails(other):
    model, images = make(other)
    for rule in ("guided", "deconv"):
        with pytest.raises(ModelError, match=f"{rule} rule: no activation function was found"):
            model.gradient(images, SCORE * 3, rule)


def test_guided_is_plain_where_every_gate_is_open():
    model, images = make(nn.ReLU())
    for parameter in model.module.parameters():
        parameter.data.abs_()
    images = images.abs()
    plain = model.gradient(images, SCORE * 3)
    torch.testing.assert_close(
        model.gradient(images, SCORE * 3, "guided"), plain, atol=1e-12, rtol=0
    )


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.relu(x)

    @staticmethod
    def backward(ctx, above):
        return above * (ctx.saved_tensors[0] > 0)


class Scaled(torch.autograd.Function):
    """A custom function that is no activation."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, above):
        return 2 * above


def test_an_activation_inside_a_custom_function_fails():
    model, images = make(Plug(Hidden.apply))
    assert model.gradient(images, SCORE * 3).shape == images.shape
    with pytest.raises(ModelError, match=r"inside the autograd function HiddenBackward"):
        model.gradient(images, SCORE * 3, "guided")


def test_a_custom_function_without_activation_is_let_be():
    model, images = make(Plug(lambda x: F.relu(Scaled.apply(x))))
    found = model.gradient(images, SCORE * 3, "guided")
    same, _ = make(Plug(lambda x: F.relu(2 * x)))
    torch.testing.assert_close(
        found, same.gradient(images, SCORE * 3, "guided"), atol=1e-12, rtol=0
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_an_activation_inside_a_scripted_part_fails():
    model, images = make(torch.jit.trace(nn.ReLU(), torch.zeros(1, 6, 9, 8).double()))
    with pytest.raises(ModelError, match=r"guided rule: an activation .* was not reached"):
        model.gradient(images, SCORE * 3, "guided")


def test_what_runs_without_gradients_is_no_error():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            with torch.no_grad():
                weight = F.relu(x.mean((1, 2, 3), keepdim=True))
            return (F.relu(self.one(x)) * weight).sum((2, 3))

    torch.manual_seed(0)
    found = convviz.Model(Gate()).gradient(torch.rand(1, 3, 6, 6), SCORE, "guided")
    assert found.abs().max() > 0


def test_the_gate_at_zero_and_nan():
    class Bare(nn.Module):
        def forward(self, x):
            return (F.relu(x) * torch.tensor([1.0, -1.0, torch.nan])).sum((2, 3))

    images = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, torch.nan, torch.nan, torch.nan])
    images = images.view(1, 3, 1, 3)
    target = (Target(1, None, "", 0.0),)
    guided = convviz.Model(Bare()).gradient(images[:, [1, 1]], target, "guided")[0, 1, 0]
    assert guided[0] == 1
    assert guided[1] == 0
    assert guided[2].isnan()
    at_zero = convviz.Model(Bare()).gradient(images[:, [0, 0]], target, "guided")[0, 1, 0]
    assert at_zero.tolist() == [0, 0, 0]
    at_nan = convviz.Model(Bare()).gradient(images[:, [2, 2]], target, "guided")[0, 1, 0]
    assert at_nan[0] == 1
    assert at_nan[1] == 0


class Cut(TorchDispatchMode):
    """Applies the guided rule where autograd runs the backward kernel of a ReLU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.threshold_backward.default:
            return out * (args[0] > 0)
        return out


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet", "squeezenet1_1"])
def test_whole_networks(name):
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet" else {}
    net = torchvision.models.get_model(name, weights=None, **options).double().eval()
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    found = convviz.Model(net).gradient(images, SCORE, "guided")
    x = images.clone().requires_grad_()
    score = net(x)[0, 1]
    with Cut():
        (expected,) = torch.autograd.grad(score, x)
    scale = expected.abs().max()
    assert scale > 0
    assert (found - expected).abs().max() <= 1e-12 * scale


@pytest.mark.parametrize("rule", ["plain", "guided", "deconv"])
def test_a_unit_of_any_layer(rule):
    model, images = make(nn.ReLU(inplace=True))
    unit = Unit("two", 2, (3, 1))
    target = (Target(None, unit, str(unit), 0.0),) * 3
    found = model.gradient(images, target, rule)
    net, x = model.module, images.clone().requires_grad_()
    inner = net.one(x)
    inner = F.relu(inner) if rule == "plain" else Reference.apply(inner, rule)
    (expected,) = torch.autograd.grad(net.two(inner)[:, 2, 3, 1].sum(), x)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_a_unit_before_the_first_relu_is_plain():
    model, images = make(nn.ReLU())
    unit = Unit("one", 0, (4, 4))
    target = (Target(None, unit, str(unit), 0.0),) * 3
    assert torch.equal(model.gradient(images, target, "guided"), model.gradient(images, target))


def test_rules_are_checked():
    model, images = make(nn.ReLU())
    with pytest.raises(ParameterError, match="'plain', 'guided', 'deconv'"):
        model.gradient(images, SCORE * 3, "gilded")
    with pytest.raises(ParameterError, match="'clamp', 'error'"):
        model.gradient(images, SCORE * 3, "guided", "clip")


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_the_explainer(rule):
    model, images = make(nn.ReLU())
    found = convviz.explain(model, images, "guided_backprop", target=[0, 1, 2], rule=rule)
    assert found.values.shape == images.shape
    assert found.values.dtype == torch.float64
    assert found.result.colour
    assert found.result.signed
    for i in range(3):
        expected = of_reference(model.module, images[i : i + 1], rule, index=i)
        torch.testing.assert_close(found.values[i : i + 1], expected, atol=1e-12, rtol=0)


def test_batched_is_singles():
    model, images = make(nn.ReLU())
    whole = convviz.explain(model, images, "guided_backprop").values
    parts = convviz.explain(model, images, "guided_backprop", batch_size=2).values
    single = torch.cat(
        [convviz.explain(model, one[None], "guided_backprop").values for one in images]
    )
    for other in (parts, single):
        torch.testing.assert_close(whole, other, atol=1e-10 * float(whole.abs().max()), rtol=0)


def test_one_grey_channel_and_half_precision():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = convviz.Model(net.half())
    found = convviz.explain(model, torch.rand(2, 1, 12, 12), "guided_backprop")
    assert found.values.shape == (2, 1, 12, 12)
    assert found.values.dtype == torch.float32
    assert found.values.abs().max() > 0
