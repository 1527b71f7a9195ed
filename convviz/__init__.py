"""convviz opens up a ConvNet: filters, activations, feature space, patches, deciding pixels.

These names are for users. Authors of plugins find the others in `convviz.authoring`.
"""

from __future__ import annotations

from . import authoring as authoring
from .lazy_exports import lazy_exports

_MODULES = {
    "Contrast": "scores.targets",
    "Comparison": "comparison.comparison",
    "ConvvizError": "errors",
    "ConvvizWarning": "errors",
    "Explanation": "explanation.explanation",
    "Heatmap": "results.types",
    "ImageError": "errors",
    "Mask": "results.types",
    "Matches": "results.types",
    "MissingLibraryError": "errors",
    "Model": "network.model",
    "ModelError": "errors",
    "ParameterError": "errors",
    "PluginError": "errors",
    "Points": "results.types",
    "Preprocess": "images.preprocess",
    "QualityRecord": "evaluation.quality_record",
    "Result": "results.types",
    "Run": "sweep.run",
    "Table": "results.types",
    "TargetError": "errors",
    "Tiles": "results.types",
    "Unit": "scores.targets",
    "UnknownNameError": "errors",
    "SpeedRecord": "evaluation.speed_record",
    "analyze": "api",
    "array_dataset": "data.dataset",
    "benchmark_speed": "evaluation.speed",
    "benchmark": "evaluation.benchmark",
    "compare": "comparison.comparison",
    "compare_speed": "evaluation.speed_record",
    "explain": "api",
    "explainer": "plugin.registry",
    "explainer_names": "plugin.registry",
    "load": "explanation.explanation",
    "load_image": "images.decode",
    "load_model": "plugin.sources",
    "merge": "api",
    "metric": "plugin.registry",
    "metric_names": "plugin.registry",
    "open_dataset": "plugin.sources",
    "open_run": "sweep.run",
    "query": "api",
    "register": "plugin.registry",
    "show_progress": "progress",
    "widget": "report.widgets",
    "write_report": "gallery",
    "write_run_report": "report",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_MODULES)

__getattr__, __dir__ = lazy_exports(globals(), _MODULES)
