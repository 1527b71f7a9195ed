"""Prepared convolutions give the numbers of the plain ones, and follow every change of weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convviz import Model
from convviz.gradients import prepared_conv
from convviz.gradients.prepared_conv import PreparedConv, layout_of

CONVOLUTIONS = {
    "1x1": (16, 24, 1, {}),
    "1x1 of stride 2": (16, 24, 1, {"stride": 2}),
    "1x1 of strides 3 and 2": (16, 24, 1, {"stride": (3, 2)}),
    "3x3": (16, 32, 3, {"padding": 1}),
    "3x3 of one channel": (1, 32, 3, {"padding": 1}),
    "3x3 with a wide border": (16, 16, 3, {"padding": (4, 0)}),
    "3x3 of stride 2": (16, 24, 3, {"padding": 1, "stride": 2}),
    "dilated": (16, 24, 3, {"padding": 2, "dilation": 2}),
    "depthwise": (16, 16, 5, {"padding": 2, "groups": 16}),
    "grouped": (16, 32, (3, 2), {"padding": (1, 0), "groups": 4}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("is_kept", [False, True])
def test_convolution_and_gradient_of_its_input(name, layout, is_kept):
    torch.manual_seed(0)
    channels, filters, kernel, options = CONVOLUTIONS[name]
    conv = nn.Conv2d(channels, filters, kernel, **options).requires_grad_(False)
    x = torch.randn(2, channels, 17, 14).contiguous(memory_format=layout)
    factor, shift = torch.rand(filters) - 0.5, torch.randn(filters)
    how = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups
    prepared = PreparedConv(conv.weight, factor, layout_of(x), how, is_kept)
    exact = x.double().requires_grad_()
    weight = conv.weight.double() * factor.double()[:, None, None, None]
    want = F.conv2d(exact, weight, shift.double(), *how)
    gradient = torch.randn(want.shape).contiguous(memory_format=layout)
    (want_gradient,) = torch.autograd.grad(want, exact, gradient.double())
    for _ in range(2):  # the second time with the weights as they were prepared
        torch.testing.assert_close(prepared(x, shift).double(), want, rtol=1e-5, atol=1e-5)
        result = prepared.input_gradient(gradient, x.shape)
        torch.testing.assert_close(result.double(), want_gradient, rtol=1e-5, atol=1e-5)


class Net(nn.Module):
    """Convolutions with and without a batch norm, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.body = nn.Conv2d(16, 16, 3, padding=1)
        self.after = nn.BatchNorm2d(16)
        self.head = nn.Linear(16, 4)
        for norm in (self.norm, self.after):
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
            nn.init.normal_(norm.running_mean)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x)).relu()
        x = self.after(self.body(x)).relu()
        return self.head(self.body(x).mean((2, 3)))


def exact_gradient(net: nn.Module, images: Tensor) -> Tensor:
    """Return the gradient of class 1 by autograd, in float64."""
    x = images.double().requires_grad_()
    (result,) = torch.autograd.grad(copy.deepcopy(net).double().eval()(x)[:, 1].sum(), x)
    return result


def replace_module(net: Net) -> None:
    net.body = nn.Conv2d(16, 16, 3, padding=1)


def write_with_numpy(net: Net) -> None:
    net.body.weight.detach().numpy()[:] *= 1.5


CHANGES = {
    "in place": lambda net: nn.init.normal_(net.body.weight),
    "through .data": lambda net: net.stem.weight.data.mul_(2),
    "with NumPy": write_with_numpy,
    "another tensor as data": lambda net: setattr(net.body.weight, "data", net.body.weight * 3),
    "statistics": lambda net: net.norm.running_var.data.mul_(4),
    "scale of a batch norm": lambda net: nn.init.uniform_(net.after.weight),
    "epsilon": lambda net: setattr(net.norm, "eps", 0.5),
    "bias": lambda net: nn.init.normal_(net.body.bias),
    "a module": replace_module,
    "a state dict": lambda net: net.load_state_dict(Net().state_dict()),
    "the stride": lambda net: setattr(net.stem, "stride", (1, 1)),
    "no gradients": lambda net: net.requires_grad_(False),
    "train mode": lambda net: net.train(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_kept_weights_follow_every_change(change):
    torch.manual_seed(0)
    net = Net()
    model, images = Model(net), torch.randn(2, 3, 33, 31)
    target = model.resolve(1, model.forward(images))
    before = model.gradient(images, target)
    torch.testing.assert_close(before.double(), exact_gradient(net, images), rtol=1e-4, atol=1e-6)
    assert torch.equal(model.gradient(images, target), before)
    CHANGES[change](net)
    with torch.no_grad():
        after = model.gradient(images, target)
    torch.testing.assert_close(after.double(), exact_gradient(net, images), rtol=1e-4, atol=1e-6)


def test_weights_beyond_the_limit_are_prepared_in_each_pass(monkeypatch):
    torch.manual_seed(0)
    net = Net()
    model, images = Model(net), torch.randn(1, 3, 33, 31)
    target = model.resolve(1, model.forward(images))
    monkeypatch.setattr(prepared_conv, "MAX_KEPT_BYTES", 8 * net.stem.weight.nbytes)
    for _ in range(2):
        result = model.gradient(images, target).double()
        torch.testing.assert_close(result, exact_gradient(net, images), rtol=1e-4, atol=1e-6)
    [entry] = model.cache.prepared._entries.values()
    assert entry.tensors[0] is net.stem.weight


def test_what_is_kept_does_not_depend_on_earlier_calls(monkeypatch):
    """A weight that is used in several ways takes no memory from those that come later."""
    weights = [torch.randn(4, 4, 1, 1) for _ in range(3)]
    norms = [torch.randn(4) for _ in range(3)]
    how = [1, 1], [0, 0], [1, 1], 1
    monkeypatch.setattr(prepared_conv, "MAX_KEPT_BYTES", 2 * 2 * weights[0].nbytes)

    def find(weight, norm):
        tensors = (weight, norm)
        return prepared.find(tensors, torch.contiguous_format, how, lambda: (norm, None))

    def is_kept(weight):
        return find(weight, None) is not None

    prepared = prepared_conv.PreparedConvs()
    prepared.begin("hash", [*weights, *norms])
    for norm in norms:
        assert find(weights[0], norm) is not None
    assert [is_kept(weight) for weight in weights] == [True, True, False]
    assert len(prepared._entries) == 2
    x = torch.randn(1, 4, 3, 3)
    for norm in norms:  # entries that were dropped are made again
        conv, _ = find(weights[0], norm)
        want = F.conv2d(x, weights[0] * norm[:, None, None, None])
        torch.testing.assert_close(conv(x, None), want)


def test_a_weight_that_changes_between_the_passes_is_not_used():
    """The network writes to a weight after its convolution, so that its gradient is undefined."""
    conv = nn.Conv2d(2, 2, 1).requires_grad_(False)
    prepared = PreparedConv(conv.weight, None, torch.contiguous_format, ([1, 1], [0, 0], [1, 1], 1))
    y = prepared(torch.randn(1, 2, 3, 3), None)
    conv.weight.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        prepared.input_gradient(y, torch.Size((1, 2, 3, 3)))
