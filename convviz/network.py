"""A network as it is handed over: its wrappers, and the fingerprint of its weights."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ModelError


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


def digest(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: names, dtypes, shapes and bytes, in the order given."""
    fingerprint = hashlib.sha256()
    for name, value in state.items():
        fingerprint.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        flat = value.cpu().contiguous().reshape(-1)
        fingerprint.update(flat.view(torch.uint8).numpy().data)
    return fingerprint.hexdigest()
