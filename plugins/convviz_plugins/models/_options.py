"""Options of all model sources, given as keywords or in a query string."""

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
"""Largest side, in pixels, to which untrusted sources may resize images."""

COMMON = ("labels", "device", "dtype", "output", "activation", "preprocess", *FIELDS)


def check(options: Mapping[str, Any], source_options: Iterable[str] = ()) -> None:
    """Raise for options that neither all sources nor this one (`source_options`) have."""
    known = (*source_options, *COMMON)
    for name in options:
        if name not in known:
            raise UnknownNameError("model option", name, known)


def are_harmless(options: Mapping[str, Any], source_options: Iterable[str] = ()) -> bool:
    """Return whether an untrusted query is safe: it reads no file and limits image sizes.

    Args:
        options: its values, all of them texts.
        source_options: the options of its source in addition to the fields of a Preprocess.
    """
    known = {*source_options, *FIELDS}
    sides = ",".join(str(options.get(name, "")) for name in ("resize", "crop"))
    numbers = [part for part in sides.split(",") if part.strip().isdecimal()]
    small = all(len(part) < 9 and int(part) <= LARGEST_SIDE for part in numbers)
    return small and set(options) <= known


def is_none(value: Any) -> bool:
    """Return whether the value of an option is None, False, or a text for it."""
    return value is None or value is False or str(value).casefold() in ("none", "false", "")


def integer(name: str, value: Any) -> int:
    """Return a value as an int; raises ParameterError."""
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
    """Return a Model of a network; options of the user override those of the source.

    `classes` is the number of classes of the network, if known; the labels must match it.
    """
    class_names = read_labels(options["labels"]) if "labels" in options else tuple(labels)
    if classes is not None and class_names and len(class_names) != classes:
        raise ModelError(
            f"{len(class_names)} labels were given for the {classes} classes of {name}"
        )
    output = options.get("output", output)
    device = _device(options.get("device"))
    try:
        return Model(
            module.eval(),
            preprocess=_preprocess(options, preprocess),
            labels=class_names,
            output=int(output) if isinstance(output, str) and output.isdecimal() else output,
            activation=options.get("activation"),
            device=device,
            dtype=options.get("dtype"),
            name=name,
        )
    except (RuntimeError, AssertionError) as error:  # raised by torch for unavailable devices
        reason = str(error).splitlines()[0]
        raise ModelError(f"{name} cannot be put on device {str(device)!r}: {reason}") from error


def _device(device: Any) -> Any:
    """Return the device; "auto" is the first GPU if there is one."""
    import torch

    if device is None or device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def read_labels(value: Any) -> tuple[str, ...]:
    """Return class names from a list, or a file with one per line, a JSON list or a JSON object.

    A JSON object maps each class index to a name, or to a list whose last element is the name.
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
        raise ParameterError(f"{', '.join(fields)}: the preprocess has no such fields")
    if fields.get("channels", base.channels) != base.channels:
        # Means and deviations of colour channels do not apply to grey images.
        fields = {"mean": (0.0,), "std": (1.0,), **fields}
    return replace(base, **fields)


def _field(name: str, value: Any) -> Any:
    """Return the value of a Preprocess field in a query ("224", "224,256", "none")."""
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
