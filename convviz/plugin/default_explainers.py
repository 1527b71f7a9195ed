"""Explainers that every sweep runs unless they are switched off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError, PluginError, UnknownNameError
from . import registry

if TYPE_CHECKING:
    from .explainer import DatasetExplainer

GROUP = "default_explainers"
"""The entry-point group that declares them, without "convviz."."""


def default_names() -> tuple[str, ...]:
    """Return the names of the explainers that are on by default; imports no plugin."""
    return tuple(dict.fromkeys(entry.name for entry in registry.current().entries(GROUP)))


def options_of(name: str) -> Mapping[str, tuple[str, str]]:
    """Return the fields that are options of `convviz analyze`, with placeholder and description.

    Imports the module that declares them, which need not import the explainer. A broken plugin has
    no options.
    """
    try:
        return registry.current().analyze_options(registry.current().find(GROUP, name))
    except PluginError:
        return {}


def default_class(name: str) -> type[DatasetExplainer] | None:
    """Return the class of an explainer that is on by default; None if its plugin is broken."""
    from .explainer import DatasetExplainer  # importing it imports torch

    try:
        cls = registry.current().explainer_class(name)
    except (PluginError, UnknownNameError):
        return None
    return cls if issubclass(cls, DatasetExplainer) else None


def chosen_defaults(
    switches: Mapping[str, Any], requested: Collection[str]
) -> dict[str, DatasetExplainer]:
    """Return the default explainers of a sweep by name.

    Args:
        switches: False (off), True, or an instance, for every default explainer.
        requested: names of the explainers that the user requested, which are left out.
    """
    chosen = {name: _instance(name, value) for name, value in switches.items()}
    return {n: e for n, e in chosen.items() if e is not None and n not in requested}


def _instance(name: str, value: Any) -> DatasetExplainer | None:
    if value is False:
        return None
    cls = default_class(name)
    if cls is None:
        return None
    if value is True:
        from .parameters import build

        return build(cls, name, {})  # type: ignore[return-value]
    if isinstance(value, cls):
        return value
    raise ParameterError(
        f'{name}={value!r}: allowed are True, False and an instance, convviz.explainer("{name}", …)'
    )
