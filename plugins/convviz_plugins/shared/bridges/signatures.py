"""Parameters of explainers from the signatures of the functions of other libraries."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, PositiveInt, create_model
from pydantic.fields import FieldInfo

from convviz import MissingLibraryError
from convviz.authoring import Explainer

Fields = dict[str, tuple[Any, FieldInfo]]
"""Name of a parameter -> its type, and its default and description."""


@dataclass(frozen=True)
class Translation:
    """The rules by which arguments of a library become parameters of explainers.

    Attributes:
        replaced: argument -> the fields that users set instead of it.
        injected: arguments that the explainer sets itself, or leaves at the library's default.
        choices: argument -> the texts that it accepts.
        descriptions: argument -> the description of its field.
    """

    replaced: Mapping[str, Fields]
    injected: frozenset[str]
    choices: Mapping[str, Sequence[str]]
    descriptions: Mapping[str, str]

    def fields(self, *functions: Callable[..., Any]) -> Fields | None:
        """Return the fields of some functions; None if an argument cannot be translated."""
        fields: Fields = {}
        for function in functions:
            for parameter in inspect.signature(function).parameters.values():
                is_open = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
                if parameter.name in self.injected or is_open:
                    continue
                if parameter.name in self.replaced:
                    fields |= self.replaced[parameter.name]
                elif isinstance(parameter.default, bool | int | float | str):
                    fields[parameter.name] = self._field(parameter.name, parameter.default)
                elif parameter.default is parameter.empty:
                    return None
        return fields

    def _field(self, name: str, default: bool | int | float | str) -> tuple[Any, FieldInfo]:
        kind: Any = type(default)
        if name in self.choices:
            kind = Literal[tuple(self.choices[name])]
        elif kind is int and default > 0:
            kind = PositiveInt
        unknown = f"{name.replace('_', ' ')} of the library".capitalize()
        return kind, Field(default, description=self.descriptions.get(name, f"{unknown}."))


def explainer_class(
    name: str, base: type[Explainer], fields: Fields, doc: str, **attributes: Any
) -> type[Explainer]:
    """Return a subclass of an explainer.

    Args:
        name: of the class.
        base: the class with the code.
        fields: its parameters besides those of the base.
        doc: its docstring.
        attributes: class variables.
    """
    package = base.__module__.rpartition(".")[0]  # from which pickle gets the class
    cls = create_model(name, __base__=base, __module__=package, __doc__=doc, **fields)  # type: ignore[call-overload]
    for attribute, value in attributes.items():
        setattr(cls, attribute, value)
    assert issubclass(cls, Explainer)
    return cls


def own_arguments(explainer: Explainer, function: Callable[..., Any]) -> dict[str, Any]:
    """Return the values of the parameters that a function has too, by name."""
    names = inspect.signature(function).parameters
    return {n: getattr(explainer, n) for n in type(explainer).model_fields if n in names}


def missing_library(error: ModuleNotFoundError, library: str, extra: str) -> MissingLibraryError:
    """Return the error for a library that is not installed."""
    return MissingLibraryError(
        f"{library} is not installed: pip install 'convviz[{extra}]' ({error})"
    )
