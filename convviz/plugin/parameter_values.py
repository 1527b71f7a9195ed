"""Parses `-p NAME.FIELD=VALUE` into typed parameters of explainers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError, closest

if TYPE_CHECKING:
    from pydantic import BaseModel

_PLACE = re.compile(r"(:\d+@\d+),(\d+)")
"""The position in the text of a unit, whose comma separates no values: layer4.1:17@3,5."""

Tree = dict[str, Any]
"""Field -> text, or a tree for a field that holds an explainer, whose name is under ""."""


def build_explainers(names: Sequence[str], assignments: Sequence[str]) -> list[Any]:
    """Build explainers by name, with the parameters given as NAME.FIELD=VALUE."""
    from ..plugin import registry

    _check_unique(names)
    classes = {name: registry.current().explainer_class(name) for name in names}
    return list(build_all(classes, assignments).values())


def build_explainers_and_metrics(
    explainers: Sequence[str], metrics: Sequence[str], assignments: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build explainers and metrics by name, with the parameters given as NAME.FIELD=VALUE."""
    from ..plugin import registry

    _check_unique([*explainers, *metrics])
    classes: dict[str, Any] = {n: registry.current().explainer_class(n) for n in explainers}
    classes |= {n: registry.current().metric_class(n) for n in metrics}
    built = build_all(classes, assignments)
    return {n: built[n] for n in explainers}, {n: built[n] for n in metrics}


def build_all(classes: Mapping[str, type[BaseModel]], assignments: Sequence[str]) -> dict[str, Any]:
    """Build explainers or metrics by name, with the parameters given as NAME.FIELD=VALUE."""
    from ..plugin.parameters import build

    trees = _trees(list(classes), assignments)
    return {n: build(cls, n, _parameters(cls, trees[n], n)) for n, cls in classes.items()}


def _check_unique(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ParameterError(f"{twice[0]!r} is given twice")


def parse(cls: type[BaseModel], field: str, text: str) -> Any:
    """Return the value of a field: the first interpretation of the text that the field accepts."""
    default = cls.model_fields[field].get_default(call_default_factory=True, validated_data={})
    for candidate in _candidates(text, isinstance(default, tuple)):
        if _takes(cls, field, candidate):
            return candidate
    parts = _parts(text)  # validation of the explainer reports the error
    if len(parts) > 1:
        return parts
    return text if isinstance(_scalar(text), bool) else _scalar(text)


def _trees(names: Sequence[str], assignments: Sequence[str]) -> dict[str, Tree]:
    trees: dict[str, Tree] = {name: {} for name in names}
    for text in assignments:
        key, equals, value = text.partition("=")
        owners = [name for name in names if key.startswith(f"{name}.") and len(key) > len(name) + 1]
        if not equals or "." not in key:
            raise ParameterError(f"-p {text!r} is not of the form NAME.FIELD=VALUE")
        if not owners:
            name = key.partition(".")[0]
            raise ParameterError(
                f"-p {text!r}: {name!r} is not among {', '.join(names)}; "
                f"{closest(name, tuple(names))}"
            )
        owner = max(owners, key=len)
        _put(trees[owner], key[len(owner) + 1 :].split("."), value, text)
    return trees


def _put(tree: Tree, path: list[str], value: str, text: str) -> None:
    """Set the value at a path of fields; `text` is the assignment, for errors."""
    for field in path[:-1]:
        below = tree.setdefault(field, {})
        tree[field] = tree = below if isinstance(below, dict) else {"": below}
    last = tree.get(path[-1])
    if isinstance(last, str) or (isinstance(last, dict) and "" in last):
        raise ParameterError(f"-p {text!r}: {'.'.join(path)} is given twice")
    if isinstance(last, dict):
        last[""] = value
    else:
        tree[path[-1]] = value


def _parameters(cls: type[BaseModel], tree: Tree, name: str) -> dict[str, Any]:
    """Return the typed parameters of a class; `name` is that of the explainer, for errors."""
    values: dict[str, Any] = {}
    for field, value in tree.items():
        if field not in cls.model_fields:
            values[field] = value  # validation of the explainer reports the error
        elif isinstance(value, dict):
            values[field] = _inner(cls, field, value, name)
        else:
            values[field] = parse(cls, field, value)
    return values


def _inner(cls: type[BaseModel], field: str, tree: Tree, name: str) -> dict[str, Any]:
    """Return the explainer that a field holds, as name and typed parameters.

    If the tree does not name it, it is the default of the field with its parameters.
    """
    from ..plugin import registry
    from ..plugin.validation import is_explainer

    inner, chosen = tree.pop("", None), {}
    if inner is None:
        default = cls.model_fields[field].get_default(call_default_factory=True, validated_data={})
        inner = default if isinstance(default, str) else None
        if is_explainer(type(default)):
            inner = registry.identify(default).name
            chosen = {key: getattr(default, key) for key in default.model_fields_set}
        if inner is None:
            raise ParameterError(
                f"-p {name}.{field}.{next(iter(tree))}: {field} holds no explainer"
            )
    inner_cls = registry.current().explainer_class(inner)
    assigned = _parameters(inner_cls, tree, f"{name}.{field}")
    return {"name": inner, "parameters": {**chosen, **assigned}}


def _candidates(text: str, several: bool = False) -> Iterator[Any]:
    """Yield the interpretations of a text, the most specific first.

    If the field takes several values, a text with commas is first read as several.
    """
    if several and text[:1] == "[":  # before the text itself, which may be a single name
        with suppress(ValueError):
            yield json.loads(text)
    elif several and "," in text:
        yield _parts(text)
    yield _scalar(text)
    yield text
    if text[:1] in ("[", "{"):
        with suppress(ValueError):
            yield json.loads(text)
    yield _parts(text)
    yield tuple(_split(text))


def _parts(text: str) -> tuple[Any, ...]:
    return tuple(map(_scalar, _split(text))) if text.strip() else ()


def _split(text: str) -> list[str]:
    whole = _PLACE.sub("\\1\0\\2", text)
    return [part.replace("\0", ",").strip() for part in whole.split(",")]


def _scalar(text: str) -> Any:
    words = {"none": None, "null": None, "true": True, "false": False}
    if text.casefold() in words:
        return words[text.casefold()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def _takes(cls: type[BaseModel], field: str, value: Any) -> bool:
    """Return whether a field accepts a value; errors of other fields do not count."""
    from pydantic import ValidationError

    try:
        explainer = cls(**{field: value})
    except ValidationError as error:
        return not any(problem["loc"][:1] == (field,) for problem in error.errors())
    # pydantic accepts True for the number 1
    return not isinstance(value, bool) or isinstance(getattr(explainer, field), bool)
