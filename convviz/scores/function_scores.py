"""Targets that are functions of a network's output: a box's score, a sum over a mask, a value."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ConvvizError, TargetError, first_line
from ..state.device import is_out_of_memory

TargetFunction = Callable[[Any], Any]
"""Maps the network's output for N images to one value per image: a float tensor `[N]`, or a list
of N tensors with one value each."""

_RETURN = (
    "a target function returns one value per image: a float tensor [N], or a list of N tensors "
    "with one value each"
)
_serial_numbers = itertools.count()


class FunctionScores:
    """Computes the values of functions, `[N, K]`, from a network's output.

    It is the `output` of a Model whose scores are these values.

    Args:
        functions: K functions.
    """

    def __init__(self, functions: Sequence[TargetFunction]) -> None:
        self.functions = tuple(functions)
        self.names = _distinct_names(list(map(function_name, self.functions)))
        # Measurements of a network are cached by the `repr` of its output.
        self._number = next(_serial_numbers)

    def __call__(self, out: Any) -> Tensor:
        """Return the values of all functions; raise TargetError if one fails."""
        columns = [
            _values(function, name, out)
            for function, name in zip(self.functions, self.names, strict=True)
        ]
        # Without `len`, which would make the batch size of an exported graph a constant.
        try:
            return torch.stack(columns, 1)
        except RuntimeError as error:
            shapes = ", ".join(
                f"{list(column.shape)} of {name!r}"
                for name, column in zip(self.names, columns, strict=True)
            )
            raise TargetError(f"target functions returned values {shapes}; {_RETURN}") from error

    def __repr__(self) -> str:
        return f"<values {self._number} of {', '.join(self.names)}>"

    def check(self, values: Tensor, count: int) -> Tensor:
        """Return the values; raise TargetError unless there is a row for each of `count` images."""
        if len(values) != count:
            raise TargetError(
                f"target function {self.names[0]!r} returned {len(values)} values for {count} "
                f"images; {_RETURN}"
            )
        return values


def _distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, with numbers where one occurs several times, as "<lambda>" may."""
    return tuple(
        name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
        for i, name in enumerate(names)
    )


def _values(function: TargetFunction, name: str, out: Any) -> Tensor:
    try:
        values = function(out)
        if isinstance(values, list | tuple) and all(isinstance(v, Tensor) for v in values):
            values = torch.stack([v.reshape(()) for v in values]) if values else torch.zeros(0)
    except Exception as error:
        if isinstance(error, ConvvizError) or is_out_of_memory(error):
            raise
        raise TargetError(
            f"target function {name!r} failed on the network's output, {describe(out)}: "
            f"{first_line(error)}"
        ) from error
    if not isinstance(values, Tensor) or values.ndim != 1 or not values.is_floating_point():
        raise TargetError(f"target function {name!r} returned {describe(values)}; {_RETURN}")
    return values


def function_name(function: TargetFunction) -> str:
    """Return "module:function" if that names the function, otherwise a description."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    if is_importable(function):
        return f"{module}:{name}"
    return name or type(function).__name__


def is_importable(function: TargetFunction) -> bool:
    """Return whether a function can be imported by its name in another process."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    place: Any = sys.modules.get(module or "")
    for part in name.split("."):
        place = getattr(place, part, None)
    return bool(name) and place is function and module != "__main__"


def provenance_note(function: TargetFunction) -> str:
    """Return the sentence that says how a result for this function can be computed again."""
    name = function_name(function)
    if is_importable(function):
        return (
            f"The target is the Python function {name}, whose code is not saved with the result; "
            f"-t python:{name} names it on the command line."
        )
    return (
        f"The target is the Python function {name!r}, which is not saved with the result: the "
        "result cannot be recomputed from its files alone."
    )


def describe(out: Any) -> str:
    """Return a short description of a network's output."""
    if isinstance(out, Tensor):
        return f"a {str(out.dtype).removeprefix('torch.')} tensor {list(out.shape)}"
    if isinstance(out, Mapping):
        return "{" + ", ".join(f"{k!r}: {describe(v)}" for k, v in out.items()) + "}"
    if isinstance(out, tuple | list):
        inner = ", ".join(describe(v) for v in out)
        return f"a {type(out).__name__} ({inner})"
    return f"a {type(out).__name__}"
