"""Fields that hold another explainer, and explainers as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, WithJsonSchema

from ..errors import ParameterError
from . import registry
from .explainer import DatasetExplainer, Explainer


def saved(explainer: Any, mode: str = "python") -> dict[str, Any]:
    """Return what `restore` makes an explainer from: name, distribution, version, parameters.

    Args:
        explainer: the explainer.
        mode: "json" turns the parameters into what JSON can hold.
    """
    return {**asdict(registry.identify(explainer)), "parameters": explainer.model_dump(mode=mode)}


def restore(saved: Mapping[str, Any]) -> Any:
    """Build an explainer from what `saved` returned; only the name is needed.

    The version is a record: another one of the same distribution is taken.
    """
    unknown = sorted(set(saved) - {"name", "distribution", "version", "parameters"})
    if unknown or "name" not in saved:
        raise ParameterError(
            "a saved explainer has name, distribution, version and parameters, "
            f"this has {', '.join(saved) or 'nothing'}"
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
        return restore(value)
    raise ValueError("an explainer is given as an instance, by its name, or as it was saved")


def _to_saved(value: Any, info: SerializationInfo) -> dict[str, Any]:
    return saved(value, info.mode)


ExplainerField = Annotated[
    Explainer,
    PlainValidator(_to_explainer),
    PlainSerializer(_to_saved),
    WithJsonSchema({"type": "object", "title": "explainer"}),
]
"""The type of a field that holds another explainer.

Takes an instance, a registered name, or what it was saved as: name, distribution, version and
parameters. It saves as the latter, so that all parameters of the inner explainer survive.
"""
