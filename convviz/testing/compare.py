"""Comparison of results, and of the state of a model before and after a call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..results.types import Result

TOLERANCE = 1e-10
"""Tolerance for the order of additions in float64, relative to the largest value."""


def differences(first: Result, other: Result, exact: bool = False) -> Iterator[str]:
    """Yield the differences between two results of the same input."""
    for name, a, b in _pair_arrays(first, other):
        if b is None:
            yield f"{name!r} is in one result only"
        elif a.shape != b.shape:
            yield f"{name!r} has the shapes {list(a.shape)} and {list(b.shape)}"
        else:
            yield from _unequal(name, a, b, exact)


def batch_differences(batched: Result, singles: list[Result]) -> Iterator[str]:
    """Yield the differences between the result of a batch and those of its single images."""
    for index, single in enumerate(singles):
        for name, many, alone in _pair_arrays(batched, single):
            if alone is None:
                yield f"{name!r} is only in one of the results of batch and single image"
                continue
            whole = many.shape == alone.shape  # an array about the model, not about the images
            if not whole and (not alone.ndim or len(alone) != 1 or len(many) != len(singles)):
                yield (
                    f"{name!r} has shape {list(many.shape)} for {len(singles)} images "
                    f"and {list(alone.shape)} for one"
                )
                continue
            part = many if whole else many[index : index + 1]
            if part.shape != alone.shape:
                shapes = f"{list(part.shape)} in the batch and {list(alone.shape)} alone"
                yield f"{name!r} of image {index} has shape {shapes}"
            else:
                yield from _unequal(f"{name} of image {index}", part, alone, exact=False)


def snapshot(module: nn.Module, inputs: Tensor) -> dict[str, Any]:
    """Return the state that a call must not change."""
    state: dict[str, Any] = {
        "the inputs": raw(inputs),
        "the inputs' requires_grad": (inputs.requires_grad, inputs.grad),
        "torch's random state": raw(torch.get_rng_state()),
        "numpy's random state": repr(np.random.get_state(legacy=False)),
        "Python's random state": random.getstate(),
        "the grad mode": torch.is_grad_enabled(),
        "the default dtype": torch.get_default_dtype(),
    }
    for name, submodule in module.named_modules():
        where = name or "the network"
        state[f"train mode of {where}"] = submodule.training
        for key, hooks in vars(submodule).items():
            if key.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called")):
                state[f"{key} of {where}"] = list(hooks.items()) if hooks else []
    for name, parameter in module.named_parameters():
        grad = None if parameter.grad is None else raw(parameter.grad)
        state[f"parameter {name}"] = (id(parameter), raw(parameter))
        state[f"gradient of {name}"] = (grad, parameter.requires_grad)
    for name, buffer in module.named_buffers():
        state[f"buffer {name}"] = (id(buffer), raw(buffer))
    return state


def changed_entries(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of the entries that differ between two snapshots."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _pair_arrays(first: Result, other: Result) -> Iterator[tuple[str, Tensor, Tensor | None]]:
    arrays = {"values": first.values, **first.arrays}
    other_arrays = {"values": other.values, **other.arrays}
    for name in {**arrays, **other_arrays}:
        a, b = arrays.get(name), other_arrays.get(name)
        yield (name, b, None) if a is None and b is not None else (name, arrays[name], b)


def _unequal(name: str, a: Tensor, b: Tensor, exact: bool) -> Iterator[str]:
    if a.dtype != b.dtype:
        yield f"{name} has the dtypes {a.dtype} and {b.dtype}"
    elif exact or not a.is_floating_point():
        if raw(a) != raw(b):
            count = int((a != b).sum())
            yield f"{count or 'some'} of {a.numel()} numbers of {name} differ"
    elif a.numel():
        scale = float(b.nan_to_num().abs().max())
        if not torch.allclose(a, b, rtol=0, atol=TOLERANCE * scale, equal_nan=True):
            gap = float((a - b).nan_to_num().abs().max())
            yield f"{name} differs by {gap:.2g}, its largest value is {scale:.2g}"


def raw(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor, in which NaN equals NaN."""
    return bytes(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
