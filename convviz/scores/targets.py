"""Targets of explanations: class scores, differences of two, units of layers, values of functions.

A target is resolved once per image, on the unchanged image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import TargetError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor

TargetSpec = Any
"""int, label name, Unit, Contrast, a list with one of these per image, a function of the network's
output, or None (the model's top class)."""

_MINUS = " - "
"""Separates the two classes of a contrast in a text."""

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
class Contrast:
    """The score of `a` minus the score of `b`: reasons for one class rather than another.

    Attributes:
        a, b: a class index, a label, a Unit, or None for the top class.
    """

    a: int | str | Unit | None
    b: int | str | Unit | None


@dataclass(frozen=True)
class FunctionColumn:
    """A function whose value is explained, in a model whose scores are the values of functions.

    Attributes:
        name: "module:function", or a description of a function that cannot be imported.
        column: its place among the functions of the call.
    """

    name: str
    column: int


@dataclass(frozen=True)
class Target:
    """A resolved target of one image: exactly one of index, unit, contrast and function is set.

    `Model.scores` and `Model.gradient` accept all of them.

    Attributes:
        index: the class whose score is explained; None for another kind of target.
        unit: the unit that is explained, with its position.
        label: the class name, or the unit, contrast or function as text.
        score: its value for the unchanged image. Without an image it is the value that the
            explainer reached, and NaN until then.
        contrast: two targets, of which the difference is explained, first minus second.
        function: the function of the network's output whose value is explained.
    """

    index: int | None
    unit: Unit | None
    label: str
    score: float
    contrast: tuple[Target, Target] | None = None
    function: FunctionColumn | None = None

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units whose activations its value is computed from."""
        if self.contrast is not None:
            return tuple(unit for part in self.contrast for unit in part.units)
        return () if self.unit is None else (self.unit,)

    @property
    def quantity(self) -> str:
        """The name of its value: score, score difference, activation or value."""
        if self.function is not None:
            return "value"
        if self.contrast is not None:
            return "activation difference" if self.units else "score difference"
        return "score" if self.unit is None else "activation"

    @property
    def specification(self) -> Any:
        """The target as an argument of `explain`; a FunctionColumn for a function."""
        if self.function is not None:
            return self.function
        if self.contrast is not None:
            return Contrast(*(part.specification for part in self.contrast))
        return self.index if self.unit is None else self.unit


def parse_target(text: str, labels: Sequence[str] = ()) -> int | str | Unit | Contrast:
    """Parse a target in the syntax of the command line.

    "281" is a class, "tabby" a label, "layer4.1:17" a unit at its strongest position,
    "layer4.1:17@3,5" a unit at row 3, column 5, "tabby - tiger cat" the difference of two scores.
    A label that matches the whole text takes precedence.

    Raises:
        TargetError: the text can be split into two labels in several ways.
    """
    if matching_labels(text, labels):
        return text
    return _parse_contrast(text, labels) or _parse_simple(text)


def _parse_simple(text: str) -> int | str | Unit:
    """Parse a class index or a unit; any other text is a label."""
    if text.lstrip("-").isdecimal():
        return int(text)
    unit = _UNIT.fullmatch(text)
    if unit is None:
        return text
    position = None if unit["y"] is None else (int(unit["y"]), int(unit["x"]))
    return Unit(unit["layer"], int(unit["channel"]), position)


def _parse_contrast(text: str, labels: Sequence[str]) -> Contrast | None:
    """Parse "a - b"; None if no split of the text gives a known class or unit.

    Labels may contain " - " as well, so the split with two known sides is chosen, or else one with
    a known side, so that the error names the other side.
    """
    words = text.split(_MINUS)
    splits = [
        (_MINUS.join(words[:i]).strip(), _MINUS.join(words[i:]).strip())
        for i in range(1, len(words))
    ]
    ranked = [(sum(_is_known(side, labels) for side in split), split) for split in splits]
    best = max((count for count, _ in ranked), default=0)
    chosen = [split for count, split in ranked if count == best]
    if best == 0:
        return None
    if best == 2 and len(chosen) > 1:
        ways = "; ".join(f"{a!r} minus {b!r}" for a, b in chosen)
        raise TargetError(f"target {text!r} is ambiguous ({ways}); use convviz.Contrast(a, b)")
    a, b = (s if matching_labels(s, labels) else _parse_simple(s) for s in chosen[0])
    return Contrast(a, b)


def _is_known(text: str, labels: Sequence[str]) -> bool:
    return bool(matching_labels(text, labels)) or not isinstance(_parse_simple(text), str)


def matching_labels(text: str, labels: Sequence[str]) -> list[int]:
    """Return the classes with this label; case matters only if that leaves exactly one."""
    return [i for i, name in enumerate(labels) if name == text] or [
        i for i, name in enumerate(labels) if name.casefold() == text.casefold()
    ]


def label_index(label: str | int, labels: Sequence[str]) -> int:
    """Return the class index of an index or a label; case matters only if it is ambiguous."""
    if not isinstance(label, str):
        return int(label)
    if not labels:
        raise TargetError(f"target {label!r}: the model has no class names; use an index")
    same = matching_labels(label, labels)
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
    if isinstance(spec, str | Unit | Contrast | FunctionColumn | Target) or spec is None:
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
    units = [unit for single in specs for unit in _units_in(single, labels)]
    return tuple(dict.fromkeys(unit.layer for unit in units))


def _units_in(spec: Any, labels: Sequence[str]) -> tuple[Unit, ...]:
    """Return the units in the target of one image."""
    if isinstance(spec, str):
        spec = parse_target(spec, labels)
    if isinstance(spec, Target):
        return spec.units
    if isinstance(spec, Contrast):
        return (*_units_in(spec.a, labels), *_units_in(spec.b, labels))
    return (spec,) if isinstance(spec, Unit) else ()


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
        spec: int, label, Unit, Contrast, FunctionColumn, Target or None.
        row: index of the image.
        output: scores `[N, classes]`.
        activations: outputs of the layers of the units.
        labels: class names.
    """
    if isinstance(spec, Target):
        spec = spec.specification
    if isinstance(spec, str):
        spec = parse_target(spec, labels)
    if isinstance(spec, Contrast):
        a, b = (resolve_one(s, row, output, activations, labels) for s in (spec.a, spec.b))
        return _resolve_contrast(a, b)
    if isinstance(spec, Unit):
        return _resolve_unit(spec, row, activations)
    scores = output[row]
    if isinstance(spec, FunctionColumn):
        if tuple(labels[spec.column : spec.column + 1]) != (spec.name,):
            raise TargetError(
                f"target {spec.name!r} is a function, of which only the name is known here; pass "
                "the function itself to convviz.explain"
            )
        return Target(None, None, spec.name, float(scores[spec.column]), function=spec)
    index = _top(scores) if spec is None else _class(spec, len(scores), labels)
    label = labels[index] if index < len(labels) else f"class {index}"
    return Target(index, None, label, float(scores[index]))


def resolve_without_image(
    spec: Any, output: Tensor, activations: Mapping[str, Tensor], labels: Sequence[str]
) -> Target:
    """Resolve a target for an explainer of the model alone, which has no image.

    The score is NaN, and a unit has a position only if one was given.

    Args:
        spec: as in `resolve_one`, but not None.
        output, activations: of a forward pass on any image, for their shapes.
        labels: class names.
    """
    if isinstance(spec, Target):
        spec = spec.specification
    if isinstance(spec, str):
        spec = parse_target(spec, labels)
    if spec is None:
        raise TargetError("without an image there is no top class; give a class or a unit")
    if isinstance(spec, Contrast):
        a, b = (resolve_without_image(s, output, activations, labels) for s in (spec.a, spec.b))
        return _resolve_contrast(a, b)
    if isinstance(spec, Unit):
        check_unit(spec, tuple(activations[spec.layer].shape[1:]))
        return Target(None, spec, str(spec), math.nan)
    return replace(resolve_one(spec, 0, output, activations, labels), score=math.nan)


def _resolve_contrast(a: Target, b: Target) -> Target:
    if a.contrast is not None or b.contrast is not None:
        raise TargetError("a contrast is the difference of two classes or units, not of contrasts")
    if a.specification == b.specification:
        raise TargetError(f"the contrast of {a.label!r} with itself is 0 for every image")
    return Target(None, None, f"{a.label}{_MINUS}{b.label}", a.score - b.score, (a, b))


def _class(spec: Any, count: int, labels: Sequence[str]) -> int:
    if isinstance(spec, bool) or not (isinstance(spec, str) or hasattr(spec, "__index__")):
        raise TargetError(
            f"target {spec!r}: allowed are a class index, a class name, a Unit, a Contrast, a "
            "list with one of these per image, None for the top class, and, in convviz.explain, a "
            "function of the network's output"
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
