"""Tensors with special values, and their comparison."""

from __future__ import annotations

import torch
from torch import Tensor


def noise(*shape: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Return numbers among which some are NaN, infinite, zero and minus zero."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
    odd = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0])
    x.view(-1)[: 5 * (x.numel() // 10)] = odd.repeat(x.numel() // 10)
    mixed = x.view(-1)[torch.randperm(x.numel(), generator=torch.Generator().manual_seed(1))]
    return mixed.view(shape).to(device, dtype)


def corners(*numbers: int, device: str = "cpu") -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def same(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal, NaN included."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
