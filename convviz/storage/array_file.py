"""Arrays from the bytes of safetensors and .npy files. Every size is checked before use."""

from __future__ import annotations

import json
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ConvvizError
from .checksums import Buffer

HEADER_LIMIT = 16 << 20
"""Maximum length of the header of a safetensors file in bytes."""

NPY_HEADER_LIMIT = 1 << 16
"""Bytes that contain the header of any .npy file that NumPy accepts."""

_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}
_NPY_KINDS = "biufc"
_LENGTH_BYTES = 8


def read_tensors(buffer: Buffer, name: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; they share the buffer's memory.

    Args:
        buffer: the content of the file.
        name: the name of the file in errors.

    Raises:
        ConvvizError: the content is not a valid safetensors file.
    """
    try:
        header, start = _header(buffer)
        end = start
        tensors = {}
        for key, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
            tensors[key], end = _tensor(buffer, entry, start, end)
        if end != len(buffer):
            raise ValueError("its tensors do not fill it")
    except (ValueError, TypeError, KeyError, RecursionError, RuntimeError) as error:
        raise ConvvizError(f"{name} cannot be read: {error}") from error
    return tensors


def read_npy(buffer: Buffer, name: str) -> np.ndarray:
    """Return the array of a .npy file, read-only; it shares the buffer's memory."""
    try:
        with memoryview(buffer) as view:
            head = BytesIO(bytes(view[:NPY_HEADER_LIMIT]))
        version = np.lib.format.read_magic(head)
        readers: dict[tuple[int, int], Any] = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran, dtype = readers[version](head)
        if dtype.kind not in _NPY_KINDS or dtype.hasobject:
            raise ValueError(f"arrays of {dtype} are not allowed")
        if len(buffer) - head.tell() != prod(shape) * dtype.itemsize:
            raise ValueError("its length does not fit its shape")
        empty = not prod(shape)
        flat = np.zeros(0, dtype) if empty else np.frombuffer(buffer, dtype, offset=head.tell())
        array = flat.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # NumPy evaluates the header as a Python literal
        raise ConvvizError(f"{name} cannot be read: {error}") from error
    array.flags.writeable = False
    return array


def _header(buffer: Buffer) -> tuple[dict[str, Any], int]:
    if len(buffer) < _LENGTH_BYTES:
        raise ValueError("it is too short for a header")
    length = int.from_bytes(buffer[:_LENGTH_BYTES], "little")
    if length > min(HEADER_LIMIT, len(buffer) - _LENGTH_BYTES):
        raise ValueError("its header is too long")
    header = json.loads(bytes(buffer[_LENGTH_BYTES : _LENGTH_BYTES + length]))
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    header.pop("__metadata__", None)
    return header, _LENGTH_BYTES + length


def _tensor(buffer: Buffer, entry: Any, start: int, end: int) -> tuple[Tensor, int]:
    """Return one tensor and its end. It must begin at `end`, the end of the previous one."""
    dtype, shape, (first, last) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    sizes = (*shape, first, last)
    if not all(type(size) is int and 0 <= size < 1 << 62 for size in sizes):
        raise ValueError("a shape or an offset is not a natural number")
    count = prod(shape)
    if start + first != end or last - first != count * dtype.itemsize:
        raise ValueError("the offsets of a tensor do not fit its shape")
    if start + last > len(buffer):
        raise ValueError("a tensor ends behind the end of the file")
    if not count:
        return torch.empty(shape, dtype=dtype), start + last
    if (start + first) % dtype.itemsize:
        data = bytearray(buffer[start + first : start + last])
        return torch.frombuffer(data, dtype=dtype).reshape(shape), start + last
    flat = torch.frombuffer(buffer, dtype=dtype, count=count, offset=start + first)
    return flat.reshape(shape), start + last
