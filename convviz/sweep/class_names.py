"""Names of the classes of a run in pictures and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def outputs_of_classes(record: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the output of the model of each class, as predictions matched them; -1 for none.

    Args:
        record: the plan of a run.

    Returns:
        An entry per class of the data set, in their order; empty if the classes do not match; None
        if no explainer of the run matched them.
    """
    classes = list(record["dataset"]["classes"])
    for saved in record["explainers"].values():
        parameters = saved.get("parameters")
        outputs = parameters.get("outputs") if isinstance(parameters, dict) else None
        if isinstance(outputs, dict) and list(outputs) in ([], classes):
            return outputs
    return None


def class_names(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes of a run.

    Classes that are numbers, because the labels of the data set are, get the names of the outputs
    of the model that they stand for. A name has its number in parentheses if another class has
    the same name, or if the numbers reach less than half of the outputs of the model, because
    they may then have another meaning: the ten classes of another data set, for example.

    Args:
        record: the plan of a run.
    """
    classes, labels = record["dataset"]["classes"], record["model"].get("labels", ())
    outputs = outputs_of_classes(record)
    if outputs is None:
        fits = len(classes) <= len(labels)
        outputs = {name: int(name) for name in classes if fits and _is_number(name)}
    names = [_name(name, outputs.get(name), labels) for name in classes]
    counts = Counter(names)
    is_certain = 2 * len(classes) > len(labels)
    return tuple(
        shown if shown == name or (is_certain and counts[shown] == 1) else f"{shown} ({name})"
        for name, shown in zip(classes, names, strict=True)
    )


def _name(name: str, output: Any, labels: Sequence[str]) -> str:
    """Return the label of the output of a class that is a number, or the class itself."""
    is_output = isinstance(output, int) and 0 <= output < len(labels)
    return labels[output] if is_output and _is_number(name) else name


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and str(int(name)) == name
