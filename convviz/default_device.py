"""`torch.set_default_device` is for the user's network, not for tensors that convviz makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_user = threading.local()


@contextmanager
def cpu_by_default() -> Iterator[None]:
    """Make tensors on the CPU where nothing else is said; free where that is so anyway."""
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
    """Make tensors where the user's default says; for calls of the network."""
    device = getattr(_user, "device", None)
    if device is None:
        yield
        return
    with device:
        yield
