"""Which layers explainers take when none are given, on small networks of all kinds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ConvNeXt, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.resnet import BasicBlock, ResNet

from convviz import Model, Preprocess


class Functional(nn.Module):
    """Convolutions as modules, everything else as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.head = nn.Conv2d(4, 6, 5), nn.Linear(6 * 14 * 14, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(x)), inplace=True), 2)
        x = F.max_pool2d(F.relu(self.second(x)), 2)
        return self.head(x.flatten(1))


class Wrapped(nn.Module):
    """A ResNet of one block a stage inside a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = one_block()
        self.backbone.fc = nn.Identity()
        self.head = nn.Linear(512, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


class PreActivation(nn.Module):
    """A residual block that begins with norm and ReLU."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), conv(channels, out, stride)
        self.relu, self.shortcut = nn.ReLU(inplace=True), nn.Conv2d(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm(x))
        return self.conv(y) + self.shortcut(y)


class Inverted(nn.Module):
    """Widens, goes down, narrows; no shortcut."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, 12, 1), nn.BatchNorm2d(12), nn.ReLU6(inplace=True)),
            *(conv(12, 12, stride), nn.ReLU6(inplace=True), nn.Conv2d(12, out, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y if x.shape == y.shape else y


class Gated(nn.Module):
    """A gate whose linear layers are called last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = conv(3, 8), nn.Linear(8, 8), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        x = x * self.gate(x.mean((2, 3))).sigmoid()[:, :, None, None]
        return self.head(F.adaptive_avg_pool2d(x, 1)).flatten(1)


def conv(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, 1)


def one_block() -> ResNet:
    return ResNet(BasicBlock, [1, 1, 1, 1])


def head(channels: int) -> tuple[nn.Module, ...]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)


NETS = {
    "one block a stage": (one_block, tuple(f"layer{i}.0" for i in (1, 2, 3, 4)), "/flatten"),
    "wrapped": (Wrapped, tuple(f"backbone.layer{i}.0" for i in (1, 2, 3, 4)), "backbone"),
    "functional": (Functional, ("/relu:1", "/relu:2"), "/flatten"),
    "LeNet": (
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(16 * 13 * 13, 10)),
        ),
        ("1", "4"),
        "6",
    ),
    "1 x 1 at the end of blocks": (
        lambda: nn.Sequential(
            nn.Sequential(conv(3, 4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Sequential(conv(4, 8), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.MaxPool2d(2)),
            *head(8),
        ),
        ("0.3", "1.3"),
        "3",
    ),
    "strides, ReLU in place": (
        lambda: nn.Sequential(
            *(conv(3, 4, 2), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
            *(conv(4, 4, 2), nn.SiLU(), conv(4, 8), nn.BatchNorm2d(8), *head(8)),
        ),
        ("2", "6"),
        "8",
    ),
    "pre-activation": (
        lambda: nn.Sequential(
            *(conv(3, 4), PreActivation(4, 4, 1), PreActivation(4, 8, 2)),
            *(PreActivation(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), *head(8)),
        ),
        ("1", "5"),
        "7",
    ),
    "inverted residuals": (
        lambda: nn.Sequential(
            *(conv(3, 4, 2), Inverted(4, 4, 1), Inverted(4, 8, 2), Inverted(8, 8, 1)),
            *(nn.Conv2d(8, 16, 1), nn.ReLU6(inplace=True), *head(16)),
        ),
        ("1", "5"),
        "7",
    ),
    "no change": (lambda: nn.Sequential(conv(3, 4), nn.ReLU(), *head(4)), ("1",), "3"),
    "gates": (Gated, ("/mul",), "/adaptive_avg_pool2d"),
    "ConvNeXt": (
        lambda: ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)], num_classes=4),
        ("features.1.1", "features.3.0"),
        "classifier.1",
    ),
    "Swin": (
        lambda: SwinTransformer([4, 4], 8, [2, 1], [2, 2], [4, 4], num_classes=4),
        ("features.1.1", "features.3.0"),
        "flatten",
    ),
    "ViT": (
        lambda: VisionTransformer(64, 16, 2, 2, 16, 32, num_classes=4),
        ("encoder.layers.encoder_layer_1",),
        "/getitem",
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_the_outputs_of_stages_are_the_defaults(name):
    make, stages, features = NETS[name]
    torch.manual_seed(0)
    model = Model(make(), preprocess=Preprocess(resize=64, crop=64))
    assert model.default_layers("patches") == stages
    assert model.default_layers("activations") == stages[-1:]
    assert model.default_layers("features") == (features,)
    images = torch.randn(2, 3, 64, 64)
    for layer, maps in model.forward(images, stages).activations.items():
        assert maps.ndim == 4, layer


def test_layers_marks_them():
    torch.manual_seed(0)
    model = Model(one_block(), preprocess=Preprocess(resize=32, crop=32))
    marked = {info.name: info.default_for for info in model.layers() if info.default_for}
    assert marked == {
        "conv1": ("filters",),
        **{f"layer{i}.0": ("patches",) for i in (1, 2, 3)},
        "layer4.0": ("activations", "class_maps", "patches"),
        "/flatten": ("features",),
    }
