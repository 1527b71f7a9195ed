"""Fields that hold another explainer, and conversion of explainers to plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, WithJsonSchema

from ..errors import ParameterError
from . import registry
from .explainer import DatasetExplainer, Explainer


def dump_explainer(explainer: Any, mode: str = "python") -> dict[str, Any]:
    """Return an explainer as plain data: name, distribution, version and parameters.

    Args:
        explainer: the explainer.
        mode: "json" converts the parameters to JSON types.
    """
    return {**asdict(registry.identify(explainer)), "parameters": explainer.model_dump(mode=mode)}


def restore_explainer(saved: Mapping[str, Any]) -> Any:
    """Build an explainer from the data of `dump_explainer`, of which only the name is required.

    The version is not compared: the installed version of the distribution is used.
    """
    unknown = sorted(set(saved) - {"name", "distribution", "version", "parameters"})
    if unknown or "name" not in saved:
        raise ParameterError(
            "a saved explainer has name, distribution, version and parameters, "
            f"not {', '.join(saved) or 'nothing'}"
        )
    owner = saved.get("distribution")
    name = f"{owner}:{saved['name']}" if owner else str(saved["name"])
    return registry.explainer(name, **saved.get("parameters", {}))


def _to_explainer(value: Any) -> Any:
    if isinstance(value, Explainer | DatasetExplainer):
        return value
    if isinstance(value, str):
        return registry.explainer(value)
    if isinstance(value, Mapping):
        return restore_explainer(value)
    raise ValueError("allowed are an instance, a name, or a saved explainer")


def _to_saved(value: Any, info: SerializationInfo) -> dict[str, Any]:
    return dump_explainer(value, info.mode)


ExplainerField = Annotated[
    Explainer,
    PlainValidator(_to_explainer),
    PlainSerializer(_to_saved),
    WithJsonSchema({"type": "object", "title": "explainer"}),
]
"""The type of a field that holds another explainer.

Accepts an instance, a registered name, or a mapping with name, distribution, version and
parameters. It is saved as such a mapping, with all parameters of the inner explainer.
"""
