"""Restore the state of a network and of the random generators exactly."""

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
def preserve_network(module: nn.Module, gradients: bool = True) -> Iterator[list[str]]:
    """Restore the network and the random generators at the end of the block, also after errors.

    Covers train and eval flags, `requires_grad`, `.grad`, hooks, buffers, the names of modules,
    parameters and buffers, and the states of the generators of torch (CPU and CUDA), numpy and
    Python. Parameters are not copied, since convviz never writes to them.

    Args:
        module: the network.
        gradients: also restore the values of `.grad`, which need as much memory as the weights.

    Yields:
        a list that contains, after the block, descriptions of the changes that were undone.
    """
    network, generators = NetworkState(module, gradients), RandomState()
    changes: list[str] = []
    try:
        yield changes
    finally:
        changes += network.restore()
        generators.restore()


@contextmanager
def freeze_parameters(module: nn.Module) -> Iterator[None]:
    """Disable the gradients of the parameters, because only those of activations are needed."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    try:
        for p in parameters:
            p.requires_grad_(False)
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


@contextmanager
def set_float32_precision(device: torch.device, tf32: bool) -> Iterator[None]:
    """Compute in the model's precision: without autocast, and without TF32 unless allowed."""
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


class NetworkState:
    """The state of a network apart from the values of its parameters.

    Other threads may run the network meanwhile, so `restore` writes only what differs.
    """

    def __init__(self, module: nn.Module, gradients: bool = True) -> None:
        modules = dict(module.named_modules())
        self.modes = [(name, m, m.training) for name, m in modules.items()]
        self.hooks = [
            (name, hooks, list(hooks.items()))
            for name, m in modules.items()
            for hooks in (getattr(m, kind, None) for kind in _HOOKS)
            if hooks is not None
        ]
        self.parameters = [
            (name, p, p.requires_grad, p.grad, _copy(p.grad) if gradients else None)
            for name, p in module.named_parameters()
        ]
        self.buffers = [
            (buffer, buffer.detach().clone())
            for m in modules.values()
            for buffer in m._buffers.values()
            if buffer is not None
        ]
        # The buffers of a scripted part are not a dict and cannot be renamed. Forward passes may
        # create buffers, so changes of buffer tables are not reported.
        self.tables = [
            (name, table, dict(table), table is not m._buffers)
            for name, m in modules.items()
            for table in (m._modules, m._parameters, m._buffers)
            if isinstance(table, dict)
        ]

    def restore(self) -> list[str]:
        """Restore everything; return descriptions of the changed modules, parameters and hooks."""
        changed: dict[str, None] = {}
        for name, table, before, reported in self.tables:
            if not same_entries(table, before):
                if reported:
                    changed[f"the parts of {_display_name(name)}"] = None
                put_back_entries(table, before)
        for name, m, training in self.modes:
            if m.training != training:
                changed[f"the train mode of {_display_name(name)}"] = None
                m.training = training
        for name, hooks, items in self.hooks:
            if list(hooks.items()) != items:
                changed[f"the hooks of {_display_name(name)}"] = None
                put_back_entries(hooks, dict(items))
        for name, p, requires_grad, grad, value in self.parameters:
            if p.requires_grad != requires_grad:
                changed[f"requires_grad of {name!r}"] = None
                p.requires_grad_(requires_grad)
            if p.grad is not grad:
                p.grad = grad
            if grad is not None and value is not None:
                _put_back(grad, value)
        for buffer, value in self.buffers:
            _put_back(buffer, value)
        return list(changed)


def same_entries(table: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two dicts have the same keys, in the same order, for the same objects."""
    return list(table) == list(other) and all(v is other[k] for k, v in table.items())


def put_back_entries(table: dict[str, Any], before: dict[str, Any]) -> None:
    """Restore a dict's entries; if possible, no entry is missing meanwhile for other threads."""
    for key in [key for key in table if key not in before]:
        del table[key]
    table.update(before)
    if list(table) != list(before):
        table.clear()
        table.update(before)


def _display_name(name: str) -> str:
    return repr(name) if name else "the network"


class RandomState:
    """The states of the global random generators."""

    def __init__(self) -> None:
        self.random: Any = random.getstate()
        self.numpy: Any = np.random.get_state()
        self.torch = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]

    def is_current(self) -> bool:
        """Return whether no random number has been drawn since."""
        return _equal(vars(self), vars(RandomState()))

    def restore(self) -> None:
        """Restore the states."""
        random.setstate(self.random)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)


def _equal(a: Any, b: Any) -> bool:
    """Return whether two states of generators are equal: nested dicts, tuples, lists, arrays."""
    if isinstance(a, dict):
        return all(_equal(value, b[name]) for name, value in a.items())
    if isinstance(a, tuple | list):
        return all(map(_equal, a, b))
    if isinstance(a, np.ndarray | Tensor):
        return bool((a == b).all())
    return bool(a == b)


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


def _put_back(tensor: Tensor, value: Tensor) -> None:
    """Write a value into a tensor if it differs, so that unchanged tensors keep their version."""
    if torch.equal(tensor, value):
        return
    with torch.no_grad():
        tensor.copy_(value)
