"""The options that every model source understands, from keywords or from a query string."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from convviz import Model, ModelError, ParameterError, Preprocess, UnknownNameError

FIELDS = ("resize", "crop", "interpolation", "mean", "std", "channels")
_NEUTRAL = {"resize": None, "crop": None, "mean": (0.0,), "std": (1.0,)}
LARGEST_SIDE = 8192
"""Pixels that an image may be resized to where an untrusted file says so."""

COMMON = ("labels", "device", "dtype", "output", "activation", "preprocess", *FIELDS)


def check(options: Mapping[str, Any], own: Iterable[str] = ()) -> None:
    """Refuse options that neither all sources nor this one (`own`) understand."""
    known = (*own, *COMMON)
    for name in options:
        if name not in known:
            raise UnknownNameError("model option", name, known)


def are_harmless(options: Mapping[str, Any], own: Iterable[str] = ()) -> bool:
    """Return whether an untrusted query is safe: it reads no file and cannot fill the memory.

    Args:
        options: its values, all of them texts.
        own: the options that its source knows beside the fields of a Preprocess.
    """
    known = {*own, *FIELDS}
    sides = ",".join(str(options.get(name, "")) for name in ("resize", "crop"))
    numbers = [part for part in sides.split(",") if part.strip().isdecimal()]
    small = all(len(part) < 9 and int(part) <= LARGEST_SIDE for part in numbers)
    return small and set(options) <= known


def is_none(value: Any) -> bool:
    """Whether an option says "nothing": None, or that in words."""
    return value is None or value is False or str(value).casefold() in ("none", "false", "")


def integer(name: str, value: Any) -> int:
    """Read a whole number."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} must be a whole number, not {value!r}") from None


def make_model(
    module: nn.Module,
    options: Mapping[str, Any],
    *,
    name: str,
    preprocess: Any = None,
    labels: Iterable[str] = (),
    classes: int | None = None,
    output: Any = None,
) -> Model:
    """Wrap a network, the user's options before the source's own `preprocess`, `labels`, …

    `classes` is how many the network has, where that is known: as many labels must be given.
    """
    given = read_labels(options["labels"]) if "labels" in options else tuple(labels)
    if classes is not None and given and len(given) != classes:
        raise ModelError(f"{len(given)} labels were given for the {classes} classes of {name}")
    output = options.get("output", output)
    device = _device(options.get("device"))
    try:
        return Model(
            module.eval(),
            preprocess=_preprocess(options, preprocess),
            labels=given,
            output=int(output) if isinstance(output, str) and output.isdecimal() else output,
            activation=options.get("activation"),
            device=device,
            dtype=options.get("dtype"),
            name=name,
        )
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device it lacks
        reason = str(error).splitlines()[0]
        raise ModelError(f"{name} cannot be put on device {str(device)!r}: {reason}") from error


def _device(given: Any) -> Any:
    """Read "auto" as the first GPU where there is one."""
    import torch

    if given is None or given == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return given


def read_labels(value: Any) -> tuple[str, ...]:
    """Read class names: a list, or a file with one a line, a JSON list or a JSON object.

    A JSON object maps each class index to a name, or to a list that ends with it.
    """
    if is_none(value):
        return ()
    if not isinstance(value, str | Path):
        return tuple(str(label) for label in value)
    try:
        text = Path(value).read_text(encoding="utf-8")
        labels = _json_labels(json.loads(text)) if Path(value).suffix == ".json" else None
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"labels {str(value)!r} cannot be read: {error}") from error
    return labels or tuple(line.strip() for line in text.splitlines() if line.strip())


def _json_labels(data: Any) -> tuple[str, ...]:
    if isinstance(data, dict):
        data = [data[str(index)] for index in range(len(data))]
    if not isinstance(data, list) or not data:
        raise ValueError("a list of names, or an object from class index to name, is needed")
    return tuple(str(name[-1] if isinstance(name, list) else name) for name in data)


def _preprocess(options: Mapping[str, Any], default: Any) -> Any:
    base = options.get("preprocess", default)
    fields = {name: _field(name, options[name]) for name in FIELDS if name in options}
    if not fields:
        return base
    if base is None:
        return Preprocess.from_dict({**_NEUTRAL, **fields})
    if not isinstance(base, Preprocess):
        raise ParameterError(f"{', '.join(fields)}: the preprocess has no such fields to set")
    if fields.get("channels", base.channels) != base.channels:
        # Colour means and deviations say nothing about grey.
        fields = {"mean": (0.0,), "std": (1.0,), **fields}
    return replace(base, **fields)


def _field(name: str, value: Any) -> Any:
    """Read a field of a Preprocess from a query ("224", "224,256", "none")."""
    if not isinstance(value, str) or name == "interpolation":
        return value
    if is_none(value):
        return None
    kind = float if name in ("mean", "std") else int
    try:
        values = tuple(kind(part) for part in value.split(","))
    except ValueError:
        raise ParameterError(f"{name} must be numbers, not {value!r}") from None
    return values[0] if len(values) == 1 else values
