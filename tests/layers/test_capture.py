"""Layer names, and the copies of activations that a forward pass keeps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import convviz
from convviz import ModelError, Unit, UnknownNameError
from convviz.authoring import Target
from convviz.layers import naming

IMAGES = torch.linspace(-1, 1, 2 * 3 * 6 * 6).view(2, 3, 6, 6)


class Block(nn.Module):
    """A reused in-place ReLU and a functional sum."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(self.relu(self.conv(x)))
        y += x
        return self.relu(y)


class Net(nn.Module):
    """A block that is called twice, functional operations in the network itself."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 4, 3)
        self.block = Block()
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = F.relu(self.stem(x), inplace=True)
        x = self.block(self.block(x))
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return self.head(x)


@pytest.fixture
def net():
    return Net()


@pytest.fixture
def model(net):
    return convviz.Model(net)


def test_names_come_in_call_order(model):
    assert model.layer_names((3, 6, 6)) == (
        "stem",
        "/relu",
        "block.conv:1",
        "block.relu:1",
        "block.conv:2",
        "block/add:1",
        "block.relu:2",
        "block:1",
        "block.conv:3",
        "block.relu:3",
        "block.conv:4",
        "block/add:2",
        "block.relu:4",
        "block:2",
        "/adaptive_avg_pool2d",
        "/flatten",
        "head",
    )


def test_every_layer_can_be_captured_and_holds_what_it_returned(net, model):
    names = model.layer_names((3, 6, 6))
    actual = model.forward(IMAGES, names).activations
    assert tuple(actual) == names
    expected = {"stem": net.stem(IMAGES)}
    x = expected["/relu"] = expected["stem"].relu()
    for i in (1, 2):
        conv = expected[f"block.conv:{2 * i - 1}"] = net.block.conv(x)
        relu = expected[f"block.relu:{2 * i - 1}"] = conv.relu()
        conv = expected[f"block.conv:{2 * i}"] = net.block.conv(relu)
        total = expected[f"block/add:{i}"] = conv + x
        x = expected[f"block.relu:{2 * i}"] = expected[f"block:{i}"] = total.relu()
    expected["/adaptive_avg_pool2d"] = x.mean((2, 3), keepdim=True)
    expected["/flatten"] = x.mean((2, 3))
    expected["head"] = net.head(x.mean((2, 3)))
    assert set(expected) == set(actual)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value.detach(), msg=name)


def test_captured_maps_are_copies(model):
    first = model.forward(IMAGES, ["stem", "/relu"])
    retained = first.activations["stem"].clone()
    assert (retained < 0).any()  # the in-place ReLU after it did not reach the copy
    model.forward(-IMAGES, ["stem"])
    assert torch.equal(first.activations["stem"], retained)
    assert not first.output.requires_grad
    assert not retained.requires_grad


@pytest.mark.parametrize(
    ("given", "closest"),
    [
        ("steam", "'stem'"),
        ("block", "'block:1', 'block:2'"),
        ("stem:1", "'stem'"),
        ("block:3", "'block:1'"),
        ("block.relu", "'block.relu:4'"),
        ("/relu_", "'/relu'"),
        ("", "known: 'stem'"),
    ],
)
def test_unknown_layers_name_the_closest(model, given, closest):
    for look in (lambda: model.forward(IMAGES, [given]), lambda: model.check_layer(given)):
        with pytest.raises(UnknownNameError, match="unknown layer") as caught:
            look()
        assert closest.split(",")[0] in str(caught.value)


def test_the_users_hooks_work_and_stay(net, model):
    calls = []
    net.stem.register_forward_hook(lambda m, args, out: calls.append("stem"))
    net.block.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    handle = net.head.register_forward_hook(lambda m, args, out: out + 100)
    before = {n: list(m._forward_hooks) for n, m in net.named_modules()}
    model.calls((3, 6, 6))  # the one pass that finds out about layers, kept from here on
    model.behavior(IMAGES)  # and those that find out about batches
    calls.clear()
    actual = model.forward(IMAGES, ["stem", "head", "block/add:1"])
    assert calls == ["stem"]
    assert torch.equal(actual.activations["head"], actual.output)
    assert (actual.output > 50).all()
    assert {n: list(m._forward_hooks) for n, m in net.named_modules()} == before
    handle.remove()
    assert (model.forward(IMAGES).output < 50).all()


def test_functional_calls_inside_leaves_of_torch_are_no_layers():
    class Scaled(nn.Conv2d):
        def forward(self, x):
            return super().forward(F.relu(x))

    class Act(nn.Module):
        def forward(self, x):
            return F.relu(x)

    net = nn.Sequential(nn.ReLU(), Scaled(3, 2, 1), Act(), nn.Flatten())
    assert convviz.Model(net).layer_names((3, 6, 6)) == ("0", "1", "2/relu", "2", "3")


def test_attention_is_one_layer():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(3, 1, batch_first=True)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            return self.attend(tokens, tokens, tokens)[0].mean(1)

    model = convviz.Model(Tokens())
    assert model.layer_names((3, 2, 2)) == ("/flatten", "/transpose", "attend", "/mean")
    assert model.forward(IMAGES, ["attend"]).activations["attend"].shape == (2, 3, 6, 6)


def test_a_network_may_catch_what_its_modules_raise():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.fails = Fails()

        def forward(self, x):
            try:
                x = self.fails(x)
            except ValueError:
                x = x + 1
            return F.relu(x).sum((2, 3))

    assert convviz.Model(Tries()).layer_names((3, 2, 2)) == ("/add", "/relu", "/sum")


def test_gradients_flow_from_a_layer_that_is_overwritten(net, model):
    unit = Unit("block/add:1", 1, (2, 2))
    actual = model.gradient(IMAGES, (Target(None, unit, "", 0.0),) * 2)
    x = IMAGES.clone().requires_grad_()
    inner = net.stem(x).relu()
    (expected,) = torch.autograd.grad(
        (net.block.conv(net.block.conv(inner).relu()) + inner)[:, 1, 2, 2].sum(), x
    )
    torch.testing.assert_close(actual, expected)


def test_functional_layers_are_seen_under_a_rule(model):
    unit = Unit("/relu", 0, (1, 1))
    actual = model.gradient(IMAGES, (Target(None, unit, "", 0.0),) * 2, "guided")
    assert actual.shape == IMAGES.shape


def test_a_network_that_overwrites_what_gradients_need_is_named():
    class Overwrites(nn.Module):
        def forward(self, x):
            y = torch.relu(x)
            y += 1
            return y.sum((2, 3))

    model = convviz.Model(Overwrites())
    with pytest.raises(ModelError, match="in place"):
        model.gradient(IMAGES, (Target(0, None, "", 0.0),) * 2)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("relu_", "relu"),
        ("__add__", "add"),
        ("__radd__", "add"),
        ("__iadd__", "add"),
        ("add_", "add"),
        ("clamp_min_", "clamp"),
        ("concat", "cat"),
        ("_threshold", "threshold"),
        ("__getitem__", "getitem"),
        ("t", "transpose"),
        ("__get__", None),
        ("size", None),
        ("clone", None),
    ],
)
def test_operations_have_one_name(spelling, expected):
    assert naming.operation(spelling) == expected


def test_numbers_come_only_where_needed():
    assert naming.number_names(["a", "b", "a", "c/add", "a"]) == ["a:1", "b", "a:2", "c/add", "a:3"]
    assert naming.split("a.b:12") == ("a.b", 12)
    assert naming.split("a.b/add") == ("a.b/add", None)
