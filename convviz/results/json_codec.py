"""Conversion of plain values and dataclasses to strict JSON and back.

Types that JSON lacks are tagged: `{"$float": "nan"}`, `{"$array": name}`, `{"$bytes": base64}`,
`{"$note": [text, about]}`, and `{"$items": [[key, value], ...]}` for mappings whose keys are not
plain words. Lists and tuples are saved alike and come back as tuples.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
from collections.abc import Mapping, Set
from pathlib import PurePath
from typing import Any

import numpy as np
from torch import Tensor, from_numpy

from ..errors import ConvvizError
from .types import Note

Arrays = dict[str, Tensor]


def encode(value: Any, arrays: Arrays, where: str) -> Any:
    """Convert a value to JSON; tensors go into `arrays` under names that start with `where`.

    Raises:
        ConvvizError: a type cannot be saved; the message names `where`.
    """
    match value:
        case Note():
            return {"$note": [str(value), value.about]}
        case None | bool() | str():
            return str(value) if isinstance(value, str) else value
        case enum.Enum():
            return encode(value.value, arrays, where)
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        case np.generic():
            return encode(value.item(), arrays, where)
        case Tensor() | np.ndarray():
            arrays[where] = value if isinstance(value, Tensor) else from_numpy(value.copy())
            return {"$array": where}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode("ascii")}
        case PurePath():
            return str(value)
        case Mapping():
            return _encode_mapping(value, arrays, where)
        case list() | tuple():
            return [encode(v, arrays, f"{where}.{i}") for i, v in enumerate(value)]
        case Set():
            return [encode(v, arrays, f"{where}.{i}") for i, v in enumerate(sorted(value))]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _encode_mapping(fields, arrays, where)
    raise ConvvizError(f"{where} is a {type(value).__name__}, which cannot be saved")


def decode(value: Any, arrays: Mapping[str, Tensor]) -> Any:
    """Convert JSON of `encode` back to values; raises KeyError for a missing array."""
    if isinstance(value, list):
        return tuple(decode(v, arrays) for v in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(tag, content)] = value.items()
        match tag:
            case "$float":
                return float(content)
            case "$array":
                return arrays[content]
            case "$note":
                return Note(*content)
            case "$bytes":
                return base64.b64decode(content)
            case "$items":
                return {decode(k, arrays): decode(v, arrays) for k, v in content}
    return {name: decode(v, arrays) for name, v in value.items()}


def _encode_mapping(value: Mapping[Any, Any], arrays: Arrays, where: str) -> dict[str, Any]:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(v, arrays, f"{where}.{key}") for key, v in value.items()}
    pairs = [
        [encode(k, arrays, where), encode(v, arrays, f"{where}.{k}")] for k, v in value.items()
    ]
    return {"$items": pairs}
