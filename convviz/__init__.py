"""convviz opens up a ConvNet: filters, activations, feature space, patches, deciding pixels."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Batch": "images",
    "ConvvizError": "errors",
    "DatasetExplainer": "explainers",
    "Explainer": "explainers",
    "Explanation": "explanation",
    "Forward": "model",
    "Heatmap": "results",
    "Item": "images",
    "Mask": "results",
    "Matches": "results",
    "Model": "model",
    "ModelError": "errors",
    "ParameterError": "errors",
    "Partial": "explainers",
    "Points": "results",
    "Preprocess": "preprocess",
    "Stack": "results",
    "Table": "results",
    "Target": "targets",
    "Tiles": "results",
    "Unit": "targets",
    "UnknownNameError": "errors",
    "explain": "pipeline",
    "hookimpl": "hookspecs",
    "load_image": "images",
    "make_batch": "images",
    "track": "progress",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
