"""A network as it is handed over: its wrappers, its input, and the fingerprint of its weights."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ModelError
from .preprocess import Preprocess

_SIZES = (224, 32, 28, 64, 96, 128, 256, 299, 384, 512)
"""Heights and widths that networks usually take, those tried first first."""


def unwrapped(module: Any) -> nn.Module:
    """Take the wrappers off that hide a network's own layers.

    Raises:
        ModelError: it is scripted or traced, or no module at all.
    """
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif type(module).__name__ == "OptimizedModule":  # torch.compile's, without importing it
            module = module._orig_mod
        else:
            break
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError(
            "a scripted or traced module hides its layers and gradients; give the nn.Module "
            "it was made from"
        )
    if not isinstance(module, nn.Module):
        raise ModelError(f"a Model wraps an nn.Module, not {type(module).__name__}")
    network: nn.Module = module
    return network


def channels_in(module: nn.Module) -> int:
    """Return how many channels the first convolution reads; three where there is none."""
    convs = (m for m in module.modules() if isinstance(m, nn.Conv2d))
    first = next(convs, None)
    return 3 if first is None else first.in_channels


def likely_shapes(
    channels: int, preprocess: Any, seen: tuple[int, ...] | None
) -> list[tuple[int, ...]]:
    """Return the input shapes (C, H, W) to try, the likeliest first.

    Args:
        channels: of an image.
        preprocess: of the network; a Preprocess with a crop settles the shape.
        seen: the shape of the images that the network saw last.
    """
    if isinstance(preprocess, Preprocess) and preprocess.crop is not None:
        crop = preprocess.crop
        return [(channels, *((crop, crop) if isinstance(crop, int) else crop))]
    usual: list[tuple[int, ...]] = [(channels, size, size) for size in _SIZES]
    return usual if seen is None else [seen, *usual]


def digest(module: nn.Module) -> str:
    """Return the SHA-256 of the sorted state dict: names, dtypes, shapes and bytes."""
    fingerprint = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not isinstance(value, Tensor):
            continue
        fingerprint.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        fingerprint.update(flat.view(torch.uint8).numpy().data)
    return fingerprint.hexdigest()
