"""Apply `torch.set_default_device` to the user's network only, not to convviz's own tensors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_user = threading.local()


@contextmanager
def cpu_by_default() -> Iterator[None]:
    """Use the CPU as the default device in the block; costs nothing if it is the default."""
    device = torch.get_default_device()
    if device.type == "cpu":
        yield
        return
    _user.device = device
    try:
        with torch.device("cpu"):
            yield
    finally:
        _user.device = None


@contextmanager
def user_default() -> Iterator[None]:
    """Restore the user's default device in the block, for calls of the network."""
    device = getattr(_user, "device", None)
    if device is None:
        yield
        return
    with device:
        yield
