"""The scores of one image, and their form in the files of a benchmark."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import ConvvizError


@dataclass(frozen=True)
class CurveRecord:
    """One kind of curve of an image for several explainers.

    Attributes:
        x: positions on the axis.
        y: explainer -> values.
        x_label, y_label: labels of the axes.
    """

    x: list[float]
    y: Mapping[str, list[float]]
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True)
class ImageScores:
    """The scores of one image.

    Attributes:
        id: id of the image.
        target: label of the explained target.
        values: measure -> explainer -> score; NaN where undefined. What is missing was not
            computed.
        curves: name of a curve, "metric: curve" -> the curves.
        seconds: explainer -> seconds of the explanation.
        failures: explainer -> why it failed.
    """

    id: str
    target: str
    values: Mapping[str, Mapping[str, float]]
    curves: Mapping[str, CurveRecord] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the scores as strict JSON; NaN becomes null."""
        return json.dumps(_without_nan(asdict(self)), allow_nan=False).encode()

    @classmethod
    def from_json(cls, content: bytes, place: str) -> ImageScores:
        """Return the scores in a file; raises ConvvizError if it is damaged.

        Args:
            content: the content of the file.
            place: the file, for errors.
        """
        try:
            record = json.loads(content)
            return cls(
                id=_text(record["id"]),
                target=_text(record["target"]),
                values={_text(m): _numbers(row) for m, row in record["values"].items()},
                curves={_text(name): _curve(c) for name, c in record["curves"].items()},
                seconds=_numbers(record["seconds"]),
                failures={_text(k): _text(v) for k, v in record["failures"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConvvizError(
                f"{place} is damaged ({reason}); remove it to compute it again"
            ) from error


def _curve(record: Any) -> CurveRecord:
    y = {_text(name): _row(values) for name, values in record["y"].items()}
    curve = CurveRecord(_row(record["x"]), y, _text(record["x_label"]), _text(record["y_label"]))
    if any(len(values) != len(curve.x) for values in y.values()):
        raise ValueError("a curve has another length than its axis")
    return curve


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _numbers(record: Any) -> dict[str, float]:
    return {_text(name): _number(value) for name, value in record.items()}


def _row(values: Any) -> list[float]:
    if not isinstance(values, list):
        raise TypeError(f"{type(values).__name__} instead of a list")
    return [_number(value) for value in values]


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} instead of a number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of a text")
    return value
