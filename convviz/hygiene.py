"""Leave no trace: everything a network and the random generators hold, put back bit for bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
)


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put the network and the random generators back at the end, whatever happens inside.

    Covers train and eval flags, `requires_grad`, `.grad`, hooks, buffers, and the states of
    the generators of torch (CPU and CUDA), numpy and Python. Parameters are not copied:
    nothing here writes them.
    """
    state = _Snapshot(module)
    try:
        yield
    finally:
        state.restore()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Switch off the gradients of the parameters: only those of the images are wanted."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    try:
        for p in wanted:
            p.requires_grad_(False)
        yield
    finally:
        for p in wanted:
            p.requires_grad_(True)


@contextmanager
def precise(device: torch.device, tf32: bool) -> Iterator[None]:
    """Compute in the model's own precision: no autocast, and no TF32 unless asked for."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if device.type == "cuda":
            stack.enter_context(_tf32(tf32))
        yield


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = allowed
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


class _Snapshot:
    """What `untouched` puts back."""

    def __init__(self, module: nn.Module) -> None:
        modules = list(module.modules())
        self.modes = [(m, m.training) for m in modules]
        self.hooks = [
            (hooks, list(hooks.items()))
            for m in modules
            for hooks in (getattr(m, name, None) for name in _HOOKS)
            if hooks is not None
        ]
        self.parameters = [
            (p, p.requires_grad, p.grad, None if p.grad is None else p.grad.detach().clone())
            for p in module.parameters()
        ]
        self.buffers = [
            (buffer, buffer.detach().clone())
            for m in modules
            for buffer in m._buffers.values()
            if buffer is not None
        ]
        # A scripted part names its buffers for good, in something that is no dict.
        self.named = [
            (m._buffers, dict(m._buffers)) for m in modules if isinstance(m._buffers, dict)
        ]
        self.random = random.getstate()
        self.numpy = np.random.get_state()
        self.torch = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]

    def restore(self) -> None:
        for m, training in self.modes:
            m.training = training
        for hooks, items in self.hooks:
            if list(hooks.items()) != items:
                hooks.clear()
                hooks.update(items)
        for p, requires_grad, grad, value in self.parameters:
            p.requires_grad_(requires_grad)
            p.grad = grad
            _put_back(grad, value)
        for held, before in self.named:
            held.clear()
            held.update(before)
        for buffer, value in self.buffers:
            _put_back(buffer, value)
        random.setstate(self.random)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)


def _put_back(tensor: Tensor | None, value: Any) -> None:
    """Write a value back, unless it is there already."""
    if tensor is None or torch.equal(tensor, value):
        return
    with torch.no_grad():
        tensor.copy_(value)
