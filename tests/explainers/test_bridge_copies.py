"""Bridges on layers of other packages, which torch.fx cannot trace."""

from __future__ import annotations

import pytest
import torch
from helpers.attribution import TARGETS, close, images, with_seed
from torch import Tensor, nn
from torch.nn import functional

import convviz
from convviz import ConvvizError, Model
from convviz_plugins.shared.bridges.network_copy import NetworkCopy

pytest.importorskip("captum")

PIXELS = images(1, 20)


def of_one_image(name: str, module: nn.Module) -> Tensor:
    return convviz.explain(Model(module), PIXELS, name, target=TARGETS[0]).values


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class SamePadded(nn.Conv2d):
    """Pads according to the size of the image, as convolutions of TensorFlow do."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if height % 2 == 0 or width % 2 == 0:  # torch.fx cannot trace this
            x = functional.pad(x, (0, 1 - width % 2, 0, 1 - height % 2))
        return super().forward(x)


class Rectified(SamePadded):
    """The same with an activation that no library can see."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Standardized(SamePadded):
    """The same with a standardized weight."""

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return functional.conv2d(x if x.shape[2] % 2 else functional.pad(x, (0, 1, 0, 1)), weight)


class NormAndActivation(nn.BatchNorm2d):
    """A batch norm that also applies an activation."""

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__(channels)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        torch._assert(x.ndim == 4, "expected 4D input")
        statistics = self.running_mean, self.running_var
        return self.act(functional.batch_norm(x, *statistics, self.weight, self.bias, eps=self.eps))


class FrozenNorm(nn.Module):
    """A batch norm with buffers instead of parameters, as in libraries for detection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("mean", "variance", "scale", "shift"):
            self.register_buffer(name, torch.rand(channels) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(x, self.mean, self.variance, self.scale, self.shift)


def third_party_net(
    conv: type[nn.Conv2d] = SamePadded, activation: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Return a network with layers of other libraries."""

    def build() -> nn.Sequential:
        norm = NormAndActivation(4, activation())
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
            nn.init.uniform_(values, 0.5, 2)
        return nn.Sequential(conv(3, 4, 3, stride=2), norm, Mean(), nn.Linear(4, 5))

    return with_seed(build).double().eval()


def with_torch_layers(network: nn.Sequential) -> nn.Sequential:
    """Return the same network as `third_party_net` of layers of torch, for images of even size."""
    conv, norm = nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)
    conv.load_state_dict(network[0].state_dict())
    norm.load_state_dict(network[1].state_dict())
    padding = nn.ZeroPad2d((0, 1, 0, 1))
    parts = (padding, conv, norm, nn.ReLU(), network[2], network[3])
    return nn.Sequential(*parts).double().eval()


@pytest.mark.parametrize(
    "name", ["captum.guided_backprop", "captum.deep_lift", "zennit.epsilon_plus"]
)
def test_layers_of_other_libraries_are_like_those_of_torch(name):
    network = third_party_net()
    private = NetworkCopy(Model(network))
    assert private.refusal == ""
    assert torch.equal(private.network(PIXELS), network(PIXELS))
    close(of_one_image(name, network), of_one_image(name, with_torch_layers(network)))


@pytest.mark.parametrize("conv", [Rectified, Standardized])
def test_a_layer_that_is_more_than_a_convolution_cannot_be_rebuilt(conv):
    with pytest.raises(ConvvizError, match="cannot trace"):
        of_one_image("zennit.epsilon_plus", third_party_net(conv))


@pytest.mark.parametrize("name", ["captum.guided_backprop", "zennit.deconv_net"])
def test_a_rule_for_relus_requires_one(name):
    with pytest.raises(ConvvizError, match=r"nn\.ReLU modules only"):
        of_one_image(name, third_party_net(activation=nn.ReLU6))


def test_a_frozen_batch_norm_is_a_batch_norm():
    def build() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 4, 3), FrozenNorm(4), nn.ReLU(), Mean(), nn.Linear(4, 5))

    network = with_seed(build).double().eval()
    private = NetworkCopy(Model(network))
    assert private.refusal == ""
    assert any(isinstance(part, nn.BatchNorm2d) for part in private.network.modules())
    close(private.network(PIXELS), network(PIXELS))
