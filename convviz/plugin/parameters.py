"""Parameters of explainers: descriptions and errors, derived from the fields of the class."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from ..errors import ConvvizError, ParameterError, UnknownNameError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

_LIMITS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "a multiple of"}
_LENGTHS = {"min_length": "at least {} long", "max_length": "at most {} long"}
_LAYER_FIELDS = {"layer": ("layers", "several layers"), "layers": ("layer", "one layer")}
"""Field -> the field that explainers have instead of it, and what they read."""
_WORDS = {int: "int", float: "float", str: "text", type(None): "none", bool: "true | false"}


@dataclass(frozen=True)
class Parameter:
    """The description of one parameter as text."""

    name: str
    allowed: str
    default: str
    description: str


def build(cls: type[BaseModel], name: str, params: Mapping[str, Any]) -> BaseModel:
    """Build an explainer; errors name the wrong parameters and the allowed values.

    Raises:
        UnknownNameError: there is no such parameter.
        ParameterError: a value is missing or not allowed.
    """
    from pydantic import ValidationError

    try:
        return cls(**params)
    except ValidationError as error:
        raise _readable_error(error, cls, name) from error


def parameters(cls: type[BaseModel]) -> tuple[Parameter, ...]:
    """Return descriptions of all parameters of an explainer class, in order of declaration."""
    return tuple(
        Parameter(name, allowed_values(field), _default(field), field.description or "")
        for name, field in cls.model_fields.items()
    )


def allowed_values(field: FieldInfo) -> str:
    """Return the values that a field accepts, as text: "int > 0 | int,int"."""
    return _type(field.annotation, tuple(field.metadata))


def value_text(value: Any) -> str:
    """Return a value in the syntax of the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(value_text(item) for item in value) if value else "(empty)"
    return str(value) if isinstance(value, str | int | float) else repr(value)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    value = value_text(field.get_default(call_default_factory=True, validated_data={}))
    extra = field.json_schema_extra
    meaning = extra.get("default_meaning") if isinstance(extra, dict) else None
    if field.default_factory is not None and meaning:
        return str(meaning)  # a default explainer with its own parameters
    return f"{value} ({meaning})" if meaning else value


def _type(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0], args[1:] + metadata)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type(member, metadata) for member in args))
    if origin is Literal:
        return " | ".join(value_text(choice) for choice in args)
    if origin in (tuple, list):
        inner = [_type(item) for item in args if item is not ...]
        open_end = origin is list or ... in args
        return ",".join((*inner, "…") if open_end else inner) + _limits(metadata, _LENGTHS)
    if annotation in _WORDS:
        limits = _limits(metadata, _LIMITS) if annotation in (int, float) else ""
        return _WORDS[annotation] + limits
    name = getattr(annotation, "__name__", str(annotation))
    return {"Explainer": "explainer", "DatasetExplainer": "explainer"}.get(name, name)


def _limits(metadata: tuple[Any, ...], kinds: Mapping[str, str]) -> str:
    limits = []
    for item in metadata:
        for attribute, text in kinds.items():
            bound = getattr(item, attribute, None)
            if bound is not None:
                limits.append(text.format(bound) if "{}" in text else f"{text} {bound}")
    return " " + " and ".join(limits) if limits else ""


def _readable_error(error: ValidationError, cls: type[BaseModel], name: str) -> ConvvizError:
    problems: dict[str, list[Any]] = {}
    for problem in error.errors(include_url=False):
        place = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            right, meaning = _LAYER_FIELDS.get(place, ("", ""))
            if right in cls.model_fields:
                return ParameterError(
                    f"{name} has no parameter {place!r}; it reads {meaning}: {right}=…"
                )
            return UnknownNameError(f"parameter of {name}", place, cls.model_fields)
        problems.setdefault(place, []).append(problem)
    return ParameterError("; ".join(_problem_text(cls, name, *item) for item in problems.items()))


def _problem_text(cls: type[BaseModel], name: str, place: str, problems: list[Any]) -> str:
    first = problems[0]
    messages = dict.fromkeys(p["msg"].removeprefix("Value error, ") for p in problems)
    reason = " or ".join(messages)
    if place not in cls.model_fields:  # a check of several parameters together
        return f"{name}: {reason}"
    field = cls.model_fields[place]
    if first["type"] == "missing":
        return f"{name}.{place} is required: {allowed_values(field)}"
    if isinstance(first.get("ctx", {}).get("error"), ConvvizError):
        return f"{name}.{place}: {reason}"
    value = f"{first['input']!r:.80}"
    return f"{name}.{place}: {value} is not allowed: {reason}; allowed: {allowed_values(field)}"
