"""A network, images and comparisons for tests of attribution methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import convviz

TARGETS = [1, 4, 0]
"""A class for each of the three images."""


def with_seed(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a network in eval mode whose weights are drawn with a fixed seed."""
    torch.manual_seed(0)
    return build().eval()


class Net(nn.Module):
    """In-place ReLUs, a stride without padding, and a head that is not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace=True)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.head(self.pool(x).mean((2, 3)).tanh())


def net() -> nn.Module:
    """Return a Net in float64, always the same."""
    return with_seed(Net).double().eval()


def images(count: int = 3, side: int = 19) -> Tensor:
    """Return random images, always the same, `[count, 3, side, side - 2]`."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 3, side, side - 2, generator=generator, dtype=torch.float64)


def explain(
    name: str, target: Any = TARGETS, module: nn.Module | None = None, **params: Any
) -> Any:
    """Explain `images()` by a method, for `TARGETS` and `net()` by default."""
    return convviz.explain(convviz.Model(module or net()), images(), name, target=target, **params)


def close(values: Tensor, expected: Tensor, share: float = 1e-12) -> None:
    """Check that values equal the expected ones up to a share of the largest."""
    assert values.shape == expected.shape
    assert expected.abs().max() > 0
    assert (values - expected).abs().max() <= share * expected.abs().max()


def not_in_place(module: nn.Module) -> nn.Module:
    """Make the ReLUs of a network write new tensors, as Captum needs them."""
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return module
