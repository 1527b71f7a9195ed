"""The hash of a network's weights, computed again only if they have changed.

SHA-256 takes 75 ms for the weights of a ResNet-50, a third of a gradient for one photo. The hash is
therefore kept, together with marks of all tensors: address, version counter and a fingerprint of
their values. Version counters alone are not enough, because writes through `.data` or NumPy do not
raise them.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..state.module_walk import parts_of
from .structure import named_tensors

_Marks = dict[str, tuple[Hashable, ...]]

_hashes: weakref.WeakKeyDictionary[nn.Module, tuple[_Marks, str]] = weakref.WeakKeyDictionary()

_STATE_METHODS = frozenset({"state_dict", "_save_to_state_dict", "get_extra_state"})
_STATE_HOOKS = ("_state_dict_hooks", "_state_dict_pre_hooks")
_COLUMNS = 1021
"""A prime, so that the same place of two filters is rarely in one column."""

_ROWS = 64
_SMALL = 1 << 14
"""Number of values below which tensors are concatenated before their values are summed."""

_INTS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def hash_weights(module: nn.Module) -> str:
    """Return the SHA-256 of the sorted state dict of a network: names, dtypes, shapes and bytes."""
    marks = _marks(module)
    if marks is None:
        return _digest(module)
    known = _hashes.get(module)
    if known is None or known[0] != marks:
        known = _hashes[module] = marks, _digest(module)
    return known[1]


def _marks(module: nn.Module) -> _Marks | None:
    """Return marks of all tensors; None if the state dict may contain more than these."""
    parts = parts_of(module)
    if not (all(map(_has_plain_state, parts)) and all(map(_saves_plainly, {*map(type, parts)}))):
        return None
    marks: _Marks = {}
    small: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    with torch.no_grad():
        for name, tensor in named_tensors(module):
            if not _is_plain(tensor):
                return None
            dtype, shape, stride = tensor.dtype, tensor.shape, tensor.stride()
            marks[name] = dtype, shape, stride, tensor.data_ptr(), tensor._version
            if dtype.itemsize > 1 and shape.numel() < _SMALL:
                flat = tensor if len(shape) == 1 else tensor.reshape(-1)
                small.setdefault((dtype, tensor.device), []).append(flat)
            else:
                marks[name] += (_fingerprint(_values_in_memory(tensor)),)
        for key, pieces in small.items():  # together: most tensors of a deep network are small
            marks["small tensors {} {}".format(*key)] = (
                _fingerprint(_values_in_memory(torch.cat(pieces))),
            )
    return marks


def _saves_plainly(kind: type[nn.Module]) -> bool:
    return all(getattr(kind, name) is getattr(nn.Module, name) for name in _STATE_METHODS)


def _has_plain_state(module: nn.Module) -> bool:
    attributes = vars(module)
    has_methods = not _STATE_METHODS.isdisjoint(attributes)
    return not has_methods and not any(map(attributes.get, _STATE_HOOKS))


def _is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor has plain memory, whose bytes are its values."""
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided:
        return False
    return not (tensor.is_quantized or tensor.is_complex())


def _values_in_memory(tensor: Tensor) -> Tensor:
    """Return the values of a tensor with plain memory as flat integers."""
    flat = tensor.detach()
    if flat.is_contiguous() or flat.is_contiguous(memory_format=torch.channels_last):
        flat = flat.as_strided((flat.numel(),), (1,))
    return flat.reshape(-1).view(_INTS[flat.element_size()])


def _fingerprint(values: Tensor) -> int:
    """Return a number that changes with a flat integer tensor.

    Values are written in rows of `_COLUMNS` numbers and the rows in blocks of `_ROWS`, the last of
    which may have fewer. The sums of the columns of each block are hashed, which takes 5 % of the
    time of SHA-256. A change of one value always changes a sum; so does an exchange of values,
    unless their distance is a multiple of `_COLUMNS` inside one block. Values after the last row
    are hashed as they are.
    """
    words = values
    if values.device.type == "cpu" and values.nbytes % 8 == 0:
        words = torch.from_numpy(values.numpy().view(np.int64))  # at any address
    rows, rest = len(words) // _COLUMNS, len(words) % _COLUMNS
    parts = [words[len(words) - rest :]]
    if rows:
        table = words[: rows * _COLUMNS].view(rows, _COLUMNS)
        whole = rows - rows % _ROWS
        parts += [table[:whole].view(-1, _ROWS, _COLUMNS).sum(1), table[whole:].sum(0)]
    return hash(tuple(map(_to_bytes, parts)))


def _to_bytes(words: Tensor) -> bytes:
    return words.cpu().numpy().tobytes()


def _digest(module: nn.Module) -> str:
    """Return the SHA-256 of the sorted state dict: names, dtypes, shapes and bytes."""
    fingerprint = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        for key, tensor in _tensors(name, value):
            fingerprint.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            fingerprint.update(flat.view(torch.uint8).numpy().data)
    return fingerprint.hexdigest()


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the plain tensors of a state dict's entry; quantised layers store theirs in tuples."""
    if isinstance(value, Tensor) and value.is_quantized:
        value = (value.int_repr(), value.dequantize())  # the second depends on scale and zero point
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _tensors(f"{name}[{index}]", item)
