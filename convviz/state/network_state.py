"""Restore the state of a network and of the random generators exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .module_walk import named_parts, parts_of

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
)
_TABLES = ("_modules", "_parameters", "_buffers", *_HOOKS)

_TableKey = tuple[int, str]
"""Place of a module among the parts of a network, and the attribute that holds the table."""


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
    parameters = [
        p
        for m in parts_of(module)
        for p in m._parameters.values()
        if p is not None and p.requires_grad
    ]
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
        self.parts = named_parts(module)
        self.modes = [m.training for _, m in self.parts]
        # Most hook tables and many other tables are empty, and only the others are copied.
        self.tables = {key: dict(table) for key, table in self._used_tables()}
        self.parameters = [
            (name, p, p.requires_grad, p.grad, _copy(p.grad) if gradients else None)
            for name, p in self._parameters()
        ]
        self.buffers = _BufferCopies(
            [b for _, m in self.parts for b in m._buffers.values() if b is not None]
        )

    def _used_tables(self) -> list[tuple[_TableKey, dict[Any, Any]]]:
        """Return the tables of members and hooks that have entries, by module and attribute.

        The buffers of a scripted part are not a dict and cannot be renamed.
        """
        return [
            ((place, kind), table)
            for place, (_, m) in enumerate(self.parts)
            for attributes in [vars(m)]
            for kind in _TABLES
            if (table := attributes.get(kind)) and isinstance(table, dict)
        ]

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [
            (f"{path}.{name}" if path else name, p)
            for path, m in self.parts
            for name, p in m._parameters.items()
            if p is not None
        ]

    def restore(self) -> list[str]:
        """Restore everything; return descriptions of the changed modules, parameters and hooks."""
        changed = dict.fromkeys(self._restore_tables())
        for (name, m), training in zip(self.parts, self.modes, strict=True):
            if m.training != training:
                changed[f"the train mode of {_display_name(name)}"] = None
                m.training = training
        for name, p, requires_grad, grad, value in self.parameters:
            if p.requires_grad != requires_grad:
                changed[f"requires_grad of {name!r}"] = None
                p.requires_grad_(requires_grad)
            if p.grad is not grad:
                p.grad = grad
            if grad is not None and value is not None:
                _put_back(grad, value)
        self.buffers.restore()
        return list(changed)

    def _restore_tables(self) -> Iterator[str]:
        """Restore the entries of all tables; yield descriptions of those that had changed."""
        now = dict(self._used_tables())
        for key in (self.tables | now) if now.keys() != self.tables.keys() else now:
            before = self.tables.get(key, {})
            if key in now and same_entries(now[key], before):
                continue
            place, kind = key
            name, m = self.parts[place]
            put_back_entries(getattr(m, kind), before)
            if kind in _HOOKS:
                yield f"the hooks of {_display_name(name)}"
            elif kind != "_buffers":  # forward passes may create buffers
                yield f"the parts of {_display_name(name)}"


class _BufferCopies:
    """Copies of the buffers of a network, those of one dtype and device in one tensor.

    The batch norms of a deep network have hundreds of small buffers; to copy and to compare them
    one by one would take longer than a small forward pass.
    """

    def __init__(self, buffers: list[Tensor]) -> None:
        groups: dict[tuple[torch.dtype, torch.device] | int, list[Tensor]] = {}
        for buffer in buffers:
            plain = buffer.layout == torch.strided and type(buffer) in _PLAIN_TENSORS
            key: tuple[torch.dtype, torch.device] | int = id(buffer)
            if plain:
                key = buffer.dtype, buffer.device
            groups.setdefault(key, []).append(buffer)
        self._groups = [
            (group, [b.shape for b in group], _flat_copy(group)) for group in groups.values()
        ]

    def restore(self) -> None:
        """Write back the values that have changed, so that other buffers keep their version."""
        for group, shapes, values in self._groups:
            if len(group) == 1:
                _put_back(group[0], values)
            elif [b.shape for b in group] != shapes or not torch.equal(_flat_copy(group), values):
                pieces = torch.split(values, [shape.numel() for shape in shapes])
                for buffer, shape, value in zip(group, shapes, pieces, strict=True):
                    _put_back(buffer, value.view(shape))


_PLAIN_TENSORS = (Tensor, nn.Parameter, nn.Buffer)


def _flat_copy(tensors: list[Tensor]) -> Tensor:
    """Return a copy of a tensor, or the values of several in one flat copy."""
    if len(tensors) == 1:
        return tensors[0].detach().clone()
    with torch.no_grad():
        return torch.cat([t if t.ndim == 1 else t.reshape(-1) for t in tensors])


def same_entries(table: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two dicts have the same keys, in the same order, for the same objects."""
    return list(table) == list(other) and all(map(is_, table.values(), other.values()))


def put_back_entries(table: dict[Any, Any], before: dict[Any, Any]) -> None:
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
