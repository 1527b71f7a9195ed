"""Explainers that every sweep runs unless they are switched off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import ParameterError
from . import registry
from .explainer import DatasetExplainer
from .parameters import build


def default_explainers() -> dict[str, type[DatasetExplainer]]:
    """Return the data-set explainers that are on by default, by name.

    Imports all plugins with explainers; broken ones are left out.
    """
    return {
        name: cls
        for name, cls in registry.current().all_explainer_classes()
        if issubclass(cls, DatasetExplainer) and cls.on_by_default
    }


def chosen_defaults(
    switches: Mapping[str, Any], requested: Collection[str]
) -> dict[str, DatasetExplainer]:
    """Return the default explainers of a sweep by name.

    Args:
        switches: False (off), True, or an instance, for every default explainer.
        requested: names of the explainers that the user requested, which are left out.
    """
    classes = default_explainers()
    chosen = {name: _instance(name, classes[name], value) for name, value in switches.items()}
    return {n: e for n, e in chosen.items() if e is not None and n not in requested}


def options_of(cls: type[DatasetExplainer]) -> Mapping[str, str]:
    """Return the fields that are options of `convviz analyze`, with their placeholders."""
    extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
    return {
        name: str(extra["option"])
        for name, extra in extras.items()
        if isinstance(extra, dict) and "option" in extra
    }


def _instance(name: str, cls: type[DatasetExplainer], value: Any) -> DatasetExplainer | None:
    if value is True:
        explainer = build(cls, name, {})
        assert isinstance(explainer, DatasetExplainer)
        return explainer
    if value is False or isinstance(value, cls):
        return value or None
    raise ParameterError(
        f'{name}={value!r}: allowed are True, False and an instance, convviz.explainer("{name}", …)'
    )
