"""Conversion of the labels of a data set, in many forms, to class indices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from ..errors import ParameterError

MAX_CLASSES = 1_000_000
"""Upper limit of class indices; a larger label is probably something else, such as an id."""

MISSING_WORDS = frozenset({"nan", "none", "null", "na", "n/a"})
"""Words for a missing number in tables, case-folded."""


class _Unusable(Enum):
    """Kinds of labels that do not denote one class, with the text for a note."""

    SEVERAL = "several labels each"
    MAPPING = "labels of type dict"


Label = int | str | None | _Unusable


def as_labels(
    labels: Any, count: int, classes: Sequence[str] = (), notes: list[str] | None = None
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Return labels as class indices (or None) and the names of the classes.

    Args:
        labels: one per item, or None for no labels at all. A class index (an integer, a boolean
            or a float without fraction; negative: no label), the name of a class ("": no label),
            None or NaN (no label), or a row of zeros and ones (a single one: the index of the
            class; none or several: no label).
        count: the number of items.
        classes: names of the classes; if empty, the sorted label names or the numbers.
        notes: a list that receives sentences about items without a label.

    Raises:
        ParameterError: a label is none of these; the message names the item and the label.
    """
    if labels is None:
        return (None,) * count, ()
    items = list(labels.tolist() if hasattr(labels, "tolist") else labels)
    if len(items) != count:
        raise ParameterError(f"{count} images need {count} labels, not {len(items)}")
    values, fewest = _single_values(items)
    _note_missing(values, notes)
    present = [v for v in values if v is not None and not isinstance(v, _Unusable)]
    if all(isinstance(v, str) for v in present):
        return _named_labels(values, classes)
    if any(isinstance(v, str) for v in present):
        raise ParameterError("labels are class indices or names, not both: int, str")
    return _numbered_labels(values, classes, fewest)


def values_of_text(texts: Sequence[str | None]) -> list[int | None] | list[str | None] | None:
    """Return labels given as text: as numbers if all are numbers; None if there are no labels.

    "3.0" is the number 3, "007" a name. Among numbers, "nan" and "null" are missing labels.
    """
    present = [v for v in texts if v]
    numbers = [v for v in present if v.casefold() not in MISSING_WORDS]
    if not present:
        return None
    if numbers and all(_number(v) is not None for v in numbers):
        return [_number(v) if v else None for v in texts]
    return list(texts)


def _number(text: str) -> int | None:
    """Return the value of a whole number without leading zeros, also of "3.0"; otherwise None."""
    digits = text.removesuffix(".0")
    whole = digits.removeprefix("-").isdecimal() and digits.isascii()
    return int(digits) if whole and digits == str(int(digits)) else None


def _single_values(labels: Sequence[Any]) -> tuple[list[Label], int]:
    """Return one value per label, and the number of classes of one-hot rows (0 without rows)."""
    plain = [_plain(v) for v in labels]
    rows = [v for v in plain if isinstance(v, list | tuple)]
    hot = _are_one_hot(rows)
    values = [_single(v, index, hot) for index, v in enumerate(plain)]
    return values, len(rows[0]) if hot else 0


def _plain(value: Any) -> Any:
    """Return an array as a list, and an array of a single value as that value."""
    return value.tolist() if hasattr(value, "tolist") else value


def _are_one_hot(rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether all rows consist of zeros and ones and have one value per class."""
    lengths = {len(row) for row in rows}
    return len(lengths) == 1 and lengths != {1} and {v for row in rows for v in row} <= {0, 1}


def _single(value: Any, index: int, hot: bool) -> Label:
    if isinstance(value, list | tuple):
        if hot:
            classes = [i for i, v in enumerate(value) if v]
            return _Unusable.SEVERAL if len(classes) > 1 else next(iter(classes), None)
        return _single(value[0], index, hot) if len(value) == 1 else _several(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if not value.is_integer():
            raise ParameterError(f"labels are whole numbers or names; item {index} has {value!r}")
        return int(value)
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, Mapping):
        return _Unusable.MAPPING
    raise ParameterError(
        f"item {index} has a label of type {type(value).__name__}; labels are class indices or "
        "names"
    )


def _several(row: Sequence[Any]) -> _Unusable | None:
    return _Unusable.SEVERAL if row else None


def _note_missing(values: Iterable[Label], notes: list[str] | None) -> None:
    values = list(values)
    if notes is None:
        return
    for kind, count in Counter(v for v in values if isinstance(v, _Unusable)).items():
        first = values.index(kind)
        notes.append(
            f"{count} of {len(values)} items have {kind.value} and count as unlabelled "
            f"(the first is item {first})"
        )
    negative = [i for i, v in enumerate(values) if isinstance(v, int) and v < 0]
    missing = [i for i, v in enumerate(values) if v is None or v == ""] + negative
    if missing:
        below = f", {len(negative)} of them with a negative label" if negative else ""
        notes.append(
            f"{len(missing)} of {len(values)} items have no label{below} "
            f"(the first is item {min(missing)})"
        )


def _numbered_labels(
    values: Sequence[Label], classes: Sequence[str], fewest: int
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    known = tuple(int(v) if isinstance(v, int) and v >= 0 else None for v in values)
    last = max((v for v in known if v is not None), default=-1)
    if classes:
        if last >= len(classes):
            raise ParameterError(
                f"item {known.index(last)} has the label {last}, and there are {len(classes)} "
                "classes"
            )
        return known, tuple(classes)
    if last >= MAX_CLASSES:
        raise ParameterError(f"label {last} is not a class index: below {MAX_CLASSES:,} is allowed")
    if all(isinstance(v, bool) for v in values if v is not None):
        return known, ("False", "True")
    return known, tuple(str(i) for i in range(max(last + 1, fewest)))


def _named_labels(
    values: Sequence[Label], classes: Sequence[str]
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    labels = [v if isinstance(v, str) and v else None for v in values]
    names = tuple(classes) or tuple(sorted({v for v in labels if v}))
    indices = {name: i for i, name in enumerate(names)}
    for index, value in enumerate(labels):
        if value and value not in indices:
            raise ParameterError(
                f"item {index} has the label {value!r}, which is none of the {len(names)} classes"
            )
    return tuple(indices[v] if v else None for v in labels), names
