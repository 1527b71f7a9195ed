"""Comparison of forward passes up to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from ..scores.outputs import Forward


def all_close(actual: Forward, expected: Forward, tolerance: float | None = None) -> bool:
    """Return whether two forward passes of the same layers are equal up to rounding.

    Args:
        actual, expected: the forward passes.
        tolerance: as in `close`.
    """
    pairs = [(actual.output, expected.output)]
    pairs += [(actual.activations[name], value) for name, value in expected.activations.items()]
    return all(close(a, b, tolerance) for a, b in pairs)


def tolerance_of(dtype: torch.dtype) -> float:
    """Return the rounding error that is accepted in a dtype, as a share of the largest value."""
    return {torch.float64: 1e-10, torch.float32: 1e-4}.get(dtype, 2e-2)


def close(actual: Tensor, expected: Tensor, tolerance: float | None = None) -> bool:
    """Return whether two tensors are equal up to rounding.

    Args:
        actual, expected: the tensors.
        tolerance: share of the largest expected value; None for that of the dtype of `actual`.
    """
    if actual.shape != expected.shape:
        return False
    share = tolerance_of(actual.dtype) if tolerance is None else tolerance
    actual, expected = actual.double(), expected.double()
    largest = float(expected.nan_to_num(0, 0, 0).abs().max()) if expected.numel() else 0.0
    return torch.allclose(actual, expected, rtol=0, atol=share * largest, equal_nan=True)
