"""An explainer as plain data, and built from it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .errors import ParameterError
from .registry import explainer as by_name
from .registry import identify


def saved(explainer: Any, mode: str = "python") -> dict[str, Any]:
    """Return what `restore` makes an explainer from: name, distribution, version, parameters.

    Args:
        explainer: the explainer.
        mode: "json" turns the parameters into what JSON can hold.
    """
    return {**asdict(identify(explainer)), "parameters": explainer.model_dump(mode=mode)}


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
    return by_name(name, **saved.get("parameters", {}))
