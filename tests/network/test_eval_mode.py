"""Networks whose own `train` and `eval` do more than set a flag."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import convviz

PHOTO = torch.linspace(-1, 1, 3 * 8 * 8).reshape(1, 3, 8, 8)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


class Averaged(Plain):
    """Swaps averaged weights in on eval, by the memory of its parameters."""

    def __init__(self):
        super().__init__()
        self.shadow = [p.detach() * 2 + 1 for p in self.parameters()]
        self.swaps = 0

    def swap(self):
        self.swaps += 1
        for i, p in enumerate(self.parameters()):
            p.data, self.shadow[i] = self.shadow[i], p.data

    def train(self, mode=True):
        if mode != self.training:
            self.swap()
        return super().train(mode)


class Merging(nn.Linear):
    """A low-rank adapter that eval adds to the weight, and train takes away again."""

    def __init__(self, *args):
        super().__init__(*args)
        self.a = nn.Parameter(100 * torch.randn(2, self.in_features))
        self.b = nn.Parameter(torch.randn(self.out_features, 2))
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += (-1 if mode else 1) * (self.b @ self.a).data
            self.merged = not mode
        return self

    def forward(self, x):
        y = super().forward(x)
        return y if self.merged else y + x @ self.a.T @ self.b.T


class Adapted(Plain):
    def __init__(self):
        super().__init__()
        self.head = Merging(4, 3)


class FrozenNorm(Plain):
    """Keeps its batch norm in eval mode whatever is asked for."""

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self


class Wrapped(nn.Sequential):
    """An ordinary network with a part that overrides."""

    def __init__(self):
        super().__init__(Averaged(), nn.Identity(), FrozenNorm().conv)
        del self[2]


class Fused(Plain):
    """Folds its batch norm into the convolution on eval, for good."""

    def eval(self):
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = nn.utils.fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()
        return super().eval()


class OneWay(Plain):
    """Overwrites its weights on eval."""

    def eval(self):
        with torch.no_grad():
            self.head.weight.mul_(3)
            self.conv.weight.data.zero_()
        return super().eval()


class Failing(Plain):
    def eval(self):
        self.head = nn.Identity()
        raise ZeroDivisionError


def state(net):
    """Take down objects, memory, values and flags."""
    tensors = [*net.named_parameters(), *net.named_buffers()]
    return (
        [(name, id(m), m.training) for name, m in net.named_modules()],
        [(name, id(t), t.data_ptr(), t.detach().numpy().tobytes()) for name, t in tensors],
    )


def saliency(net):
    return convviz.explain(convviz.Model(net), PHOTO, "saliency").values


@pytest.mark.parametrize("cls", [Averaged, Adapted, FrozenNorm, Wrapped])
@pytest.mark.parametrize("flags", ["train", "eval", "mixed"])
def test_the_network_is_explained_as_its_eval_makes_it_and_put_back(cls, flags):
    net = cls()
    net.train(flags != "eval")
    if flags == "mixed":
        next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)).eval()
    before = state(net)
    x = PHOTO.clone().requires_grad_()
    scores = copy.deepcopy(net).eval()(x)
    (expected,) = torch.autograd.grad(scores.max(), x)
    for _ in range(2):
        torch.testing.assert_close(saliency(net), expected.abs().amax(1))
        assert state(net) == before
    assert not copy.deepcopy(net).eval().training  # its methods still work


def test_rounding_of_what_was_merged_is_undone():
    net = Adapted().train()
    weight = net.head.weight.detach().clone()
    rounded = copy.deepcopy(net).eval().train().head.weight
    assert not torch.equal(weight, rounded)  # W + BA - BA
    saliency(net)
    assert torch.equal(net.head.weight, weight)
    assert not net.head.merged


def test_nothing_is_called_where_the_network_is_in_eval_mode():
    net = Averaged().eval()
    swaps = net.swaps
    saliency(net)
    assert net.swaps == swaps


@pytest.mark.parametrize("cls", [Fused, OneWay, Failing])
def test_what_cannot_be_undone_is_refused_and_put_back(cls):
    net = cls().train()
    before, hooks = state(net), list(net._forward_hooks)
    runs = []
    net.register_forward_pre_hook(lambda *_: runs.append(1))
    with pytest.raises(convviz.ModelError, match=r"eval\(\)"):
        saliency(net)
    assert not runs  # before any work
    assert state(net) == before
    assert hooks == []
    net.register_forward_pre_hook(lambda *_: None)


def test_the_refusal_names_what_differs():
    with pytest.raises(convviz.ModelError, match=r"conv\.weight"):
        saliency(OneWay().train())


def test_after_its_own_eval_such_a_network_works():
    net = Fused().eval()
    x = PHOTO.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(x).max(), x)
    torch.testing.assert_close(saliency(net), expected.abs().amax(1))


def test_an_exception_in_the_session_swaps_the_weights_back():
    net = Averaged().train()
    before = state(net)
    with pytest.raises(ZeroDivisionError), convviz.Model(net).session():
        raise ZeroDivisionError
    assert state(net) == before
    with pytest.raises(KeyboardInterrupt), convviz.Model(net).session():
        raise KeyboardInterrupt
    assert state(net) == before
