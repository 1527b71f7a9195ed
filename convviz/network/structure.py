"""A cheap fingerprint of a network's structure, which invalidates cached layer lists and graphs.

What a network computes depends on its modules, their parameters and buffers (which tensors they
are, not their values: those are read anew each time), the hooks registered on them, and the plain
attributes that its forward passes read. The fingerprint covers all of these.
"""

from __future__ import annotations

import inspect
import itertools
import weakref
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.parameter import is_lazy

Structure = tuple[Hashable, ...]
"""A fingerprint: compare it with `==`, in this process alone."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")
_MEMBERS = ("_parameters", "_buffers", "_modules")
_LEFT_OUT = frozenset(vars(nn.Module())) - set(_MEMBERS)
"""Attributes that every module has; hooks are looked at by themselves."""

_PLAIN = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type, torch.dtype, torch.device}
)

_DEPTH = 3
"""Levels of lists and dicts in a module's attributes that are looked at."""

_LONGEST = 256
"""Length up to which the items of a list or dict are looked at."""


class _Serials:
    """Numbers objects; unlike an `id`, a number is never used again."""

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._next = itertools.count()

    def __call__(self, thing: Any) -> Hashable:
        key = id(thing)
        known = self._numbers.get(key)
        if known is not None and known[0]() is thing:
            return known[1]
        try:
            reference = weakref.ref(thing, lambda _: self._numbers.pop(key, None))
        except TypeError:  # an object with slots alone
            return type(thing), key
        number = next(self._next)
        self._numbers[key] = reference, number
        return number


_serial = _Serials()

_changing: weakref.WeakKeyDictionary[nn.Module, set[str]] = weakref.WeakKeyDictionary()
"""Module -> attributes that a forward pass itself changes, such as counters and recomputed weights.

They say nothing about the structure and are left out.
"""


def structure_of(module: nn.Module) -> Structure:
    """Return the fingerprint of a network as it stands; takes about 4 ms for a ResNet-50."""
    parts: list[Hashable] = [
        tuple(map(_serial, getattr(torch_module, name).values())) for name in _GLOBAL_HOOKS
    ]
    for part in module.modules():  # their names are among the marks of those that hold them
        marks = _marks(part)
        for name in _changing.get(part, ()):
            marks.pop(name, None)
        # of the class alone: that of a scripted module is no plain function
        forward = _serial(inspect.getattr_static(type(part), "forward", None))
        parts.append((_serial(part), _serial(type(part)), forward, *marks.items()))
    return tuple(parts)


@contextmanager
def learn_volatile_attributes(module: nn.Module) -> Iterator[None]:
    """Exclude from future fingerprints what forward passes in the block change by themselves.

    Not parameters and modules: a lazy layer makes them in its first pass, and keeps them.
    """
    before = [(part, _marks(part)) for part in module.modules()]
    yield
    for part, marks in before:
        now = _marks(part)
        changed = {name for name in marks.keys() | now.keys() if marks.get(name) != now.get(name)}
        changed = {name for name in changed if not name.startswith(("_parameters.", "_modules."))}
        if changed:
            _changing.setdefault(part, set()).update(changed)


def tensor_versions(module: nn.Module) -> dict[str, Hashable]:
    """Return, by name, a value per parameter and buffer that changes when it is written to."""
    tensors = (*module.named_parameters(), *module.named_buffers())
    return {name: (_address(t), 0 if t.is_inference() else t._version) for name, t in tensors}


def _address(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except RuntimeError:  # a tensor without storage: lazy, or of a subclass
        return 0


class StructureCache:
    """Values computed from a network, dropped as soon as its structure changes."""

    def __init__(self) -> None:
        self._structure: Structure | None = None
        self._values: dict[Any, Any] = {}

    def at(self, structure: Structure) -> dict[Any, Any]:
        """Return the dict of values for this structure, to be read and extended."""
        if structure != self._structure:
            self._structure, self._values = structure, {}
        return self._values


def _marks(module: nn.Module) -> dict[str, Hashable]:
    """Return what a module's own forward pass depends on, by name."""
    marks: dict[str, Hashable] = {}
    for name, value in vars(module).items():
        if name in _LEFT_OUT:
            continue
        if name in _MEMBERS:
            for key, member in value.items():
                marks[f"{name}.{key}"] = mark(member)
        else:
            marks[name] = value if type(value) in _PLAIN else mark(value)
    for name in _HOOKS:
        if hooks := getattr(module, name):
            marks[name] = tuple(map(_serial, hooks.values()))
    return marks


def mark(value: Any, depth: int = 0) -> Hashable:
    """Return a comparable mark of a value: plain data by content, objects by identity."""
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, Tensor):
        if is_lazy(value):
            return _serial(value)
        return _serial(value), value.shape, value.dtype, value.device
    if kind in (list, tuple, dict, OrderedDict) and len(value) > _LONGEST:
        return kind, id(value), len(value)
    if depth < _DEPTH and kind in (list, tuple, torch.Size):
        return kind, *[v if type(v) in _PLAIN else mark(v, depth + 1) for v in value]
    if depth < _DEPTH and isinstance(value, Mapping):
        return kind, *[(mark(k, _DEPTH), mark(v, depth + 1)) for k, v in value.items()]
    if depth < _DEPTH and (is_dataclass(value) or isinstance(value, SimpleNamespace | Namespace)):
        return _serial(value), mark(vars(value), depth + 1)
    return _serial(value)
