"""Targets of explanations: a class score or a unit of a layer, resolved once per image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import TargetError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor

TargetSpec = Any
"""int, label name, Unit, a list with one of these per image, or None (the model's top class)."""

_UNIT = re.compile(r"(?P<layer>.+):(?P<channel>\d+)(?:@(?P<y>\d+),(?P<x>\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Unit:
    """One channel of a layer, at a position (y, x) of its map or (None) where it is strongest."""

    layer: str
    channel: int
    position: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Return the unit in the syntax of the command line."""
        where = "" if self.position is None else "@{},{}".format(*self.position)
        return f"{self.layer}:{self.channel}{where}"


@dataclass(frozen=True)
class Target:
    """A resolved target of one image.

    Attributes:
        index: the class whose score is explained; None for a unit.
        unit: the unit that is explained, with its position; None for a class.
        label: the class name, or the unit as text.
        score: its value for the unchanged image.
    """

    index: int | None
    unit: Unit | None
    label: str
    score: float


def parse_target(text: str, labels: Sequence[str] = ()) -> int | str | Unit:
    """Parse a target in the syntax of the command line.

    "281" is a class, "tabby" a label, "layer4.1:17" a unit at its strongest position,
    "layer4.1:17@3,5" a unit at row 3, column 5. A label with exactly this text takes precedence.
    """
    if text in labels:
        return text
    if text.lstrip("-").isdecimal():
        return int(text)
    unit = _UNIT.fullmatch(text)
    if unit is None:
        return text
    position = None if unit["y"] is None else (int(unit["y"]), int(unit["x"]))
    return Unit(unit["layer"], int(unit["channel"]), position)


def label_index(label: str | int, labels: Sequence[str]) -> int:
    """Return the class index of an index or a label; case matters only if it is ambiguous."""
    if not isinstance(label, str):
        return int(label)
    if not labels:
        raise TargetError(f"target {label!r}: the model has no class names; use an index")
    same = [i for i, name in enumerate(labels) if name == label] or [
        i for i, name in enumerate(labels) if name.casefold() == label.casefold()
    ]
    if len(same) > 1:
        raise TargetError(
            f"target {label!r} names several classes: {', '.join(map(str, same))}; use an index"
        )
    if same:
        return same[0]
    raise UnknownNameError("target", label, labels)


def targets_per_image(spec: TargetSpec, count: int) -> list[Any]:
    """Return one target per image.

    Raises:
        TargetError: the target is a list of another length.
    """
    if isinstance(spec, str | Unit | Target) or spec is None:
        return [spec] * count
    if getattr(spec, "ndim", None) is not None:  # a tensor or array
        spec = spec.tolist()
    if isinstance(spec, list | tuple):
        if len(spec) != count:
            raise TargetError(f"{len(spec)} targets for {count} images; pass one per image")
        return list(spec)
    return [spec] * count


def units_of(spec: TargetSpec, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the layers of the units in a target."""
    specs = list(spec) if isinstance(spec, list | tuple) else [spec]
    parsed = [parse_target(s, labels) if isinstance(s, str) else s for s in specs]
    units = [s.unit if isinstance(s, Target) else s for s in parsed]
    return tuple(dict.fromkeys(u.layer for u in units if isinstance(u, Unit)))


def resolve_all(
    spec: TargetSpec,
    output: Tensor,
    activations: Mapping[str, Tensor],
    labels: Sequence[str],
) -> tuple[Target, ...]:
    """Resolve a target for every image; see `resolve_one` for the arguments."""
    specs = targets_per_image(spec, len(output))
    return tuple(resolve_one(s, i, output, activations, labels) for i, s in enumerate(specs))


def resolve_one(
    spec: Any, row: int, output: Tensor, activations: Mapping[str, Tensor], labels: Sequence[str]
) -> Target:
    """Resolve the target of one image by its forward pass.

    Args:
        spec: int, label, Unit, Target or None.
        row: index of the image.
        output: scores `[N, classes]`.
        activations: outputs of the layers of the units.
        labels: class names.
    """
    if isinstance(spec, Target):
        spec = spec.index if spec.unit is None else spec.unit
    if isinstance(spec, str):
        spec = parse_target(spec, labels)
    if isinstance(spec, Unit):
        return _resolve_unit(spec, row, activations)
    scores = output[row]
    index = _top(scores) if spec is None else _class(spec, len(scores), labels)
    label = labels[index] if index < len(labels) else f"class {index}"
    return Target(index, None, label, float(scores[index]))


def _class(spec: Any, count: int, labels: Sequence[str]) -> int:
    if isinstance(spec, bool) or not (isinstance(spec, str) or hasattr(spec, "__index__")):
        raise TargetError(
            f"target {spec!r}: allowed are a class index, a class name, a Unit, a list with one "
            "of these per image, or None for the top class"
        )
    index = label_index(spec if isinstance(spec, str) else spec.__index__(), labels)
    if not 0 <= index < count:
        raise TargetError(f"target {index}: the model has classes 0 to {count - 1}")
    return index


def _top(scores: Tensor) -> int:
    """Return the top class, the first of several equal ones, which argmax does not guarantee."""
    best = scores.max()
    if best.isnan():
        raise TargetError("the top class is not defined: the model's scores contain NaN")
    return int((scores == best).nonzero()[0, 0])


def _resolve_unit(unit: Unit, row: int, activations: Mapping[str, Tensor]) -> Target:
    if unit.layer not in activations:
        raise TargetError(
            f"unit {unit}: its layer was not captured; run "
            "model.forward(images, model.target_layers(target)) first"
        )
    maps = activations[unit.layer][row]
    check_unit(unit, tuple(maps.shape))
    channel = maps[unit.channel]
    if channel.ndim == 2 and unit.position is None:
        first = _top_position(unit, channel)
        unit = replace(unit, position=(first // channel.shape[1], first % channel.shape[1]))
    value = channel if unit.position is None else channel[unit.position]
    return Target(None, unit, str(unit), float(value))


def check_unit(unit: Unit, shape: tuple[int, ...]) -> None:
    """Raise TargetError if a layer's output (without the batch axis) has no such unit."""
    if len(shape) not in (1, 3):
        raise TargetError(
            f"unit {unit}: the layer's output has shape {list(shape)} per image; units are defined "
            "for [channels] and [channels, height, width]"
        )
    if not 0 <= unit.channel < shape[0]:
        raise TargetError(f"unit {unit}: the layer has channels 0 to {shape[0] - 1}")
    if unit.position is None:
        return
    if len(shape) == 1:
        raise TargetError(f"unit {unit}: the layer has channels but no positions")
    y, x = unit.position
    if not (0 <= y < shape[1] and 0 <= x < shape[2]):
        raise TargetError(
            f"unit {unit}: positions go from 0,0 to {shape[1] - 1},{shape[2] - 1} (row, column)"
        )


def _top_position(unit: Unit, channel: Tensor) -> int:
    best = channel.max()
    if best.isnan():
        raise TargetError(f"unit {unit}: its strongest position is not defined (NaN)")
    return int((channel == best).flatten().nonzero()[0, 0])
