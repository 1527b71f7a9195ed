"""Files that map the classes of a data set to the outputs of a model: CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convviz import ParameterError

from .class_matching import UNMATCHED

MAX_BYTES = 64 << 20
HEADER = ("class", "output")


def read_mapping(path: str) -> dict[str, int | str]:
    """Return class -> output (an index or a label) from a file.

    A CSV file has two columns, class and output; a header "class,output" is optional, and an empty
    output means none. A JSON file is an object, class -> output, or has the form of Keras'
    imagenet_class_index.json, {"0": ["n01440764", "tench"], …}: output -> its names.

    Raises:
        ParameterError: the file cannot be read, or has another form.
    """
    text = _read(path)
    if Path(path).suffix.lower() == ".json":
        return _from_json(text, path)
    return _from_csv(text, path)


def _read(path: str) -> str:
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ParameterError(f"classes: {path} has more than {MAX_BYTES} bytes")
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"classes: {path} cannot be read: {reason}") from error


def _from_csv(text: str, path: str) -> dict[str, int | str]:
    mapping: dict[str, int | str] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and tuple(map(str.lower, cells)) == HEADER):
            continue
        if len(cells) != 2 or not cells[0]:
            raise ParameterError(
                f"classes: line {number} of {path} is {','.join(row)!r}; a line has a class of "
                "the data set and an output of the model"
            )
        name, value = cells[0], _value(cells[1])
        if mapping.setdefault(name, value) != value:
            raise ParameterError(
                f"classes: line {number} of {path} maps {name!r} again, to another output"
            )
    return mapping


def _from_json(text: str, path: str) -> dict[str, int | str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"classes: {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ParameterError(f"classes: {path} holds {type(content).__name__}, not an object")
    if content and all(map(_is_list_of_names, content.keys(), content.values())):
        return _outputs_of_names(content)
    return {name: _json_value(name, value, path) for name, value in content.items()}


def _is_list_of_names(key: str, value: Any) -> bool:
    return key.isdecimal() and isinstance(value, list) and all(isinstance(v, str) for v in value)


def _outputs_of_names(names: Mapping[str, list[str]]) -> dict[str, int | str]:
    """Return name -> output, without names of several outputs ("crane")."""
    outputs: dict[str, set[int]] = {}
    for output, aliases in names.items():
        for alias in aliases:
            outputs.setdefault(alias, set()).add(int(output))
    return {name: next(iter(known)) for name, known in outputs.items() if len(known) == 1}


def _json_value(name: str, value: Any, path: str) -> int | str:
    if value is None:
        return UNMATCHED
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ParameterError(
            f"classes: {path} maps {name!r} to {value!r}; an output is an index, a label or null"
        )
    return value


def _value(text: str) -> int | str:
    """Return the output in a cell of a CSV file."""
    if not text:
        return UNMATCHED
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text


def as_mapping(classes: Mapping[str, int | str] | str) -> dict[str, int | str]:
    """Return a mapping that is given as such or as the path of a file."""
    return read_mapping(classes) if isinstance(classes, str) else dict(classes)
