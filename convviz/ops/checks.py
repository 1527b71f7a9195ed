"""Argument checks and memory layouts shared by the operators."""

from __future__ import annotations

import torch
from torch import Tensor


def check(condition: bool, operator: str, message: str) -> None:
    """Raise RuntimeError with a message that names the operator, unless a condition holds."""
    if not condition:
        raise RuntimeError(f"convviz::{operator}: {message}")


def check_floating(operator: str, name: str, x: Tensor) -> None:
    """Raise RuntimeError if a tensor is not floating point."""
    if not x.is_floating_point():
        raise RuntimeError(
            f"convviz::{operator}: {name} must be float16, bfloat16, float32 or float64, "
            f"got {dtype_name(x)}"
        )


def dtype_name(x: Tensor) -> str:
    """Return the name of a tensor's dtype without `torch.`."""
    return str(x.dtype).removeprefix("torch.")


def is_channels_last(x: Tensor) -> bool:
    """Return whether a tensor is dense in memory as `[N, H, W, C]`, not as `[N, C, H, W]`."""
    return (
        x.dim() == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()
    )


def to_layout(x: Tensor, channels_last: bool) -> Tensor:
    """Return x densely in a layout, as a copy only if it is not already."""
    return x.contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )
