"""convviz opens up a ConvNet: filters, activations, feature space, patches, deciding pixels."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "ArrayDataset": "datasets",
    "Batch": "images",
    "ConvvizError": "errors",
    "ConvvizWarning": "errors",
    "Dataset": "datasets",
    "DatasetExplainer": "explainers",
    "Explainer": "explainers",
    "ExplainerField": "explainers",
    "Explanation": "explanation",
    "Features": "features",
    "Forward": "model",
    "Heatmap": "results",
    "ImageError": "errors",
    "Item": "images",
    "Items": "datasets",
    "LayerInfo": "layers",
    "Layers": "sweep.run",
    "Mask": "results",
    "Matches": "results",
    "Model": "model",
    "ModelError": "errors",
    "Occluded": "occluding",
    "ParameterError": "errors",
    "Partial": "explainers",
    "PathDataset": "datasets",
    "Pixels": "features",
    "PluginError": "errors",
    "Points": "results",
    "Preprocess": "preprocess",
    "ReceptiveField": "locality",
    "Result": "results",
    "Run": "sweep.run",
    "Stack": "results",
    "Table": "results",
    "Target": "targets",
    "TargetError": "errors",
    "Tiles": "results",
    "Unit": "targets",
    "UnknownNameError": "errors",
    "analyze": "pipeline",
    "array_dataset": "datasets",
    "as_labels": "labels",
    "channel_means": "channels",
    "channel_moments": "channels",
    "channel_peaks": "channels",
    "decode_image": "images",
    "explain": "pipeline",
    "explainer": "registry",
    "explainer_names": "registry",
    "hookimpl": "hookspecs",
    "load": "explanation",
    "load_image": "images",
    "load_model": "sources",
    "make_batch": "images",
    "occluded": "occluding",
    "open_dataset": "sources",
    "open_run": "sweep.run",
    "parse_target": "targets",
    "pixel_vectors": "features",
    "register": "registry",
    "readable": "datasets",
    "show_progress": "progress",
    "track": "progress",
    "values_of_text": "labels",
    "write_report": "report",
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
