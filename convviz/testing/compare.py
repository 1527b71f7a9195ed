"""Whether two results are the same, and whether anything was left changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..results.types import Result

TOLERANCE = 1e-10
"""Of the largest value, in float64: what the order of additions may change."""


def differences(one: Result, other: Result, exact: bool = False) -> Iterator[str]:
    """Yield what differs between two results of the same input."""
    for name, a, b in _paired(one, other):
        if b is None:
            yield f"{name!r} is there only once"
        elif a.shape != b.shape:
            yield f"{name!r} has shape {list(a.shape)} once and {list(b.shape)} once"
        else:
            yield from _unequal(name, a, b, exact)


def batch_differences(batched: Result, singles: list[Result]) -> Iterator[str]:
    """Yield what differs between the result of a batch and those of its images alone."""
    for index, single in enumerate(singles):
        for name, many, one in _paired(batched, single):
            if one is None:
                yield f"{name!r} is there only for one of batch and single image"
                continue
            whole = many.shape == one.shape  # an array about the model, not about the images
            if not whole and (not one.ndim or len(one) != 1 or len(many) != len(singles)):
                yield (
                    f"{name!r} has shape {list(many.shape)} for {len(singles)} images "
                    f"and {list(one.shape)} for one"
                )
                continue
            own = many if whole else many[index : index + 1]
            if own.shape != one.shape:
                shapes = f"{list(own.shape)} in the batch and {list(one.shape)} alone"
                yield f"{name!r} of image {index} has shape {shapes}"
            else:
                yield from _unequal(f"{name} of image {index}", own, one, exact=False)


def snapshot(module: nn.Module, inputs: Tensor) -> dict[str, Any]:
    """Write down everything that a call must leave as it is."""
    state: dict[str, Any] = {
        "the inputs": raw(inputs),
        "the inputs' requires_grad": (inputs.requires_grad, inputs.grad),
        "torch's random state": raw(torch.get_rng_state()),
        "numpy's random state": repr(np.random.get_state(legacy=False)),
        "Python's random state": random.getstate(),
        "the grad mode": torch.is_grad_enabled(),
        "the default dtype": torch.get_default_dtype(),
    }
    for name, one in module.named_modules():
        where = name or "the network"
        state[f"train mode of {where}"] = one.training
        for key, hooks in vars(one).items():
            if key.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called")):
                state[f"{key} of {where}"] = list(hooks.items()) if hooks else []
    for name, parameter in module.named_parameters():
        grad = None if parameter.grad is None else raw(parameter.grad)
        state[f"parameter {name}"] = (id(parameter), raw(parameter))
        state[f"gradient of {name}"] = (grad, parameter.requires_grad)
    for name, buffer in module.named_buffers():
        state[f"buffer {name}"] = (id(buffer), raw(buffer))
    return state


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what two snapshots do not have in common."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _paired(one: Result, other: Result) -> Iterator[tuple[str, Tensor, Tensor | None]]:
    first = {"values": one.values, **one.arrays}
    second = {"values": other.values, **other.arrays}
    for name in {**first, **second}:
        a, b = first.get(name), second.get(name)
        yield (name, b, None) if a is None and b is not None else (name, first[name], b)


def _unequal(name: str, a: Tensor, b: Tensor, exact: bool) -> Iterator[str]:
    if a.dtype != b.dtype:
        yield f"{name} is {a.dtype} once and {b.dtype} once"
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
    """Return the bits of a tensor, for which NaN equals itself."""
    return bytes(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
