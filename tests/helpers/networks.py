"""Small networks that several test files run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class CountingNetwork(nn.Sequential):
    """A sequential network that counts its forward passes in `passes`."""

    passes = 0

    def forward(self, x: Any) -> Any:
        self.passes += 1
        return super().forward(x)


def counting_classifier() -> CountingNetwork:
    """Return a network with seeded weights: one convolution, global pooling, three classes."""
    torch.manual_seed(0)
    return CountingNetwork(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
