"""Explainers as forms: their parameters with types, limits and descriptions, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ..errors import ConvvizError, ParameterError, PluginError
from ..network.model import Model
from ..plugin import registry
from ..plugin.explainer import DatasetExplainer, Explainer
from ..plugin.parameter_values import build_explainers
from ..plugin.parameters import parameters

RUN_WORD = "@run"
"""Stands for the run folder in a parameter: pages do not send paths."""

_PATH_SIGNS = ("/", "\\", "~", "\0")


def list_explainers(family: str = "") -> dict[str, Any]:
    """Return the explainers of images with their parameters.

    Args:
        family: the name of a family of explainers that is imported on demand; "" for all others.
    """
    known = registry.current()
    known.verify()
    if family:
        return {
            "explainers": list(_forms(known.explainer_classes(known.find("explainers", family))))
        }
    forms: list[dict[str, Any]] = []
    families, unavailable = [], {}
    for entry in known.entries("explainers"):
        try:
            if known.call(entry, "convviz_loads_on_demand"):
                families.append(entry.name)
            else:
                forms += _forms(known.explainer_classes(entry))
        except PluginError as error:
            unavailable[entry.name] = str(error)
    return {"explainers": forms, "families": families, "unavailable": unavailable}


def build_from_texts(
    name: str, texts: Mapping[str, str], model: Model, run: str | None
) -> tuple[Any, dict[str, str]]:
    """Return an explainer with the parameters of a form, and the texts that were used.

    Raises:
        ParameterError: a value is not allowed, or is a path.
        UnknownNameError: there is no such explainer or parameter.
    """
    used = {field: _checked_text(field, text, model, run) for field, text in texts.items()}
    [explainer] = build_explainers([name], [f"{name}.{f}={text}" for f, text in used.items()])
    return explainer, used


def _checked_text(field: str, text: str, model: Model, run: str | None) -> str:
    """Return the text of a value; raise ParameterError for a path.

    A request must not make the server open files. Some parameters are paths, and those of other
    plugins may be, so texts that can be paths are refused unless they are names of layers.
    """
    if text == RUN_WORD:
        if run is None:
            raise ParameterError(f"{field}={RUN_WORD}: no run was opened")
        return run
    if not any(sign in text for sign in _PATH_SIGNS):
        return text
    layers = model.layer_names()
    parts = [part.strip() for part in text.split(",")]
    if all(part in layers or not any(sign in part for sign in _PATH_SIGNS) for part in parts):
        return text
    raise ParameterError(
        f"{field}={text!r}: files and addresses are not opened from a page; {RUN_WORD} stands for "
        "the run that is open"
    )


def _forms(classes: Mapping[str, type[Explainer | DatasetExplainer]]) -> Iterator[dict[str, Any]]:
    for name, cls in classes.items():
        is_data_set = issubclass(cls, DatasetExplainer)
        if is_data_set and cls.explain is DatasetExplainer.explain:
            continue  # it explains data sets only
        identity = registry.identify(cls)
        yield {
            "name": name,
            "distribution": f"{identity.distribution} {identity.version}".strip(),
            "summary": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
            "needs_image": bool(getattr(cls, "needs_image", True)),
            "uses_target": bool(getattr(cls, "uses_target", False)),
            "needs_run": is_data_set,
            "fields": _fields(cls),
        }


def _fields(cls: type[BaseModel]) -> Sequence[dict[str, Any]]:
    """Return the parameters of a class with JSON schemas where pydantic can make them."""
    try:
        properties = cls.model_json_schema().get("properties", {})
    except Exception:  # a type of a plugin that has no schema; its text still describes it
        properties = {}
    return [
        {
            "name": parameter.name,
            "allowed": parameter.allowed,
            "default": parameter.default,
            "description": parameter.description,
            "schema": properties.get(parameter.name, {}),
        }
        for parameter in parameters(cls)
    ]


def agreement_of(explanations: Sequence[Any]) -> list[dict[str, Any]]:
    """Return how far the maps of explanations of one photo agree, for each pair."""
    from ..comparison.agreement import image_map, overlap, rank_correlation, refusal

    pairs: list[dict[str, Any]] = []
    for i, first in enumerate(explanations):
        for j, second in enumerate(explanations[:i]):
            try:
                if reason := refusal(first.result) or refusal(second.result):
                    raise ParameterError(reason)
                a, b = image_map(first.result, 0), image_map(second.result, 0)
                share, share_of = overlap(a, b)
                correlation = rank_correlation(a, b)
            except ConvvizError as error:
                pairs.append({"pair": [j, i], "reason": str(error)})
                continue
            pairs.append(
                {
                    "pair": [j, i],
                    "rank_correlation": correlation,
                    "overlap": share,
                    "overlap_of": share_of,
                }
            )
    return pairs
