"""A cheap fingerprint of a network's structure, which invalidates cached layer lists and graphs.

The fingerprint covers the modules, the identities of their parameters and buffers, the hooks
registered on them, and the plain attributes that forward passes read. Tensor values are left out,
because every forward pass reads them again.
"""

from __future__ import annotations

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

from ..state.module_walk import named_parts, parts_of

Structure = tuple[Hashable, ...]
"""A fingerprint, to be compared with `==` within one process."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")
_MEMBERS = ("_parameters", "_buffers", "_modules")
_COMMON_ATTRIBUTES = frozenset(vars(nn.Module())) - set(_MEMBERS)
"""Attributes that every module has. Hooks among them are handled separately."""

_PLAIN = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type, torch.dtype, torch.device}
)

_EAGER_TENSORS = (Tensor, nn.Parameter)

_DEPTH = 3
"""Levels of nested lists and dicts in a module's attributes that are compared."""

_LONGEST = 256
"""Length up to which the items of a list or dict are compared."""


class _Serials:
    """Numbers objects. Unlike an `id`, a number is never reused."""

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
        except TypeError:  # an object with __slots__ only
            return type(thing), key
        number = next(self._next)
        self._numbers[key] = reference, number
        return number


_serial = _Serials()

_changing: weakref.WeakKeyDictionary[nn.Module, set[str]] = weakref.WeakKeyDictionary()
"""Module -> attributes that forward passes change, such as counters and recomputed weights.

They are left out of fingerprints, because they do not belong to the structure.
"""


def structure_of(module: nn.Module) -> Structure:
    """Return the current fingerprint of a network; takes about 4 ms for a ResNet-50."""
    parts: list[Hashable] = [
        tuple(map(_serial, getattr(torch_module, name).values())) for name in _GLOBAL_HOOKS
    ]
    identities: dict[type, tuple[Hashable, Hashable]] = {}
    for part in parts_of(module):  # a module's name is among the marks of its parent
        marks = _marks(part)
        for name in _changing.get(part, ()):
            marks.pop(name, None)
        kind = type(part)
        if kind not in identities:
            identities[kind] = _serial(kind), _serial(_forward_of(kind))
        parts.append((_serial(part), *identities[kind], *marks.items()))
    return tuple(parts)


def _forward_of(kind: type) -> Any:
    """Return the `forward` of a class; that of a scripted module is not a plain function."""
    return next((vars(base)["forward"] for base in kind.__mro__ if "forward" in vars(base)), None)


@contextmanager
def learn_volatile_attributes(module: nn.Module) -> Iterator[None]:
    """Exclude from future fingerprints the attributes that forward passes in the block change.

    Parameters and modules stay included: a lazy layer creates them once, in its first pass.
    """
    before = [(part, _marks(part)) for part in parts_of(module)]
    yield
    for part, marks in before:
        now = _marks(part)
        changed = {name for name in marks.keys() | now.keys() if marks.get(name) != now.get(name)}
        changed = {name for name in changed if not name.startswith(("_parameters.", "_modules."))}
        if changed:
            _changing.setdefault(part, set()).update(changed)


def tensor_versions(module: nn.Module) -> dict[str, Hashable]:
    """Return, by name, a value per parameter and buffer that changes when it is written to."""
    return {
        name: (_address(t), 0 if t.is_inference() else t._version)
        for name, t in named_tensors(module)
    }


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers with their names; takes 1 ms for a ResNet-50.

    A tensor that several modules share comes several times.
    """
    for path, part in named_parts(module):
        prefix = f"{path}." if path else ""
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    yield prefix + name, tensor


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
        if name in _COMMON_ATTRIBUTES:
            continue
        if name in _MEMBERS:
            # Modules are walked one by one, so that the identity of a part is enough.
            of_member = _serial if name == "_modules" else mark
            for key, member in value.items():
                marks[f"{name}.{key}"] = of_member(member)
        else:
            marks[name] = value if type(value) in _PLAIN else mark(value)
    for name in _HOOKS:
        if hooks := getattr(module, name):  # most modules have none
            marks[name] = tuple(map(_serial, hooks.values()))
    return marks


def mark(value: Any, depth: int = 0) -> Hashable:
    """Return a comparable mark of a value: plain data by content, objects by identity."""
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, Tensor):
        if kind not in _EAGER_TENSORS and is_lazy(value):
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
