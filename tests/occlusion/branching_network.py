"""A network with branches of different reach, and a grid of boxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def randomize_statistics(module: nn.Module) -> nn.Module:
    """Return the module in float64, with random running statistics in its batch norms."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return module.eval().double()


def slid(height: int, width: int, window: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Boxes of a grid whose last row and column are cut off at the border."""
    tops, lefts = range(0, height, stride[0]), range(0, width, stride[1])
    return torch.tensor(
        [(x, y, min(x + window[1], width), min(y + window[0], height)) for y in tops for x in lefts]
    )


class Branches(nn.Module):
    """Residual and concatenated branches of unlike reach, ceil_mode, dilation, odd strides."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 5, stride=2, padding=1)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.a = nn.Sequential(nn.Conv2d(6, 6, 3, padding=2, dilation=2), nn.BatchNorm2d(6))
        self.b = nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(inplace=True), nn.AvgPool2d(3, 1, 1))
        self.c = nn.Conv2d(12, 8, (3, 2), stride=(1, 2), padding=(0, 1), groups=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        y = nn.functional.silu(self.a(x) + x)
        z = self.c(torch.cat([y, self.b(x)], 1)) * 0.5 + 1
        return self.head(z.mean((2, 3)))
