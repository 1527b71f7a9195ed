"""What authors of explainers, sources, metrics and commands need beside the names in `convviz`."""

from __future__ import annotations

from .lazy_exports import lazy_exports

_MODULES = {
    "ArrayDataset": "data.dataset",
    "Batch": "images.batch",
    "Dataset": "data.dataset",
    "DatasetExplainer": "plugin.explainer",
    "Explainer": "plugin.explainer",
    "ExplainerField": "plugin.explainer_field",
    "Features": "plugin.dataset_features",
    "Forward": "scores.outputs",
    "IMAGE_SUFFIXES": "images.image_files",
    "Item": "images.batch",
    "Items": "data.dataset",
    "LayerInfo": "network.layer_info",
    "LayerKind": "layers.defaults",
    "LayerResults": "sweep.run",
    "MapKind": "plugin.explainer",
    "Note": "results.types",
    "Occluded": "occlusion.occluded_scores",
    "Occluder": "occlusion.occluded_scores",
    "Partial": "plugin.explainer",
    "PathDataset": "data.dataset",
    "Pixels": "plugin.dataset_features",
    "ReceptiveField": "locality",
    "Stack": "results.types",
    "Target": "scores.targets",
    "AblatedScores": "program.channel_ablation",
    "ablated_scores": "program.channel_ablation",
    "as_labels": "data.labels",
    "build_explainers": "cli.parameter_values",
    "channel_means": "ops.channel_stats",
    "channel_moments": "ops.channel_stats",
    "channel_peaks": "ops.channel_stats",
    "decode_image": "images.decode",
    "fit_into_square": "images.squares",
    "fold_batch_norm": "ops.fold_batch_norm",
    "hookimpl": "plugin.hookspecs",
    "import_object": "plugin.python_objects",
    "index_of_name": "data.item_names",
    "make_batch": "network.inputs",
    "numbers_of_parts": "results.number_ranges",
    "occluded": "occlusion.occluded_scores",
    "parse_target": "scores.targets",
    "pixel_vectors": "plugin.dataset_features",
    "preprocess_from_timm": "images.preprocess_import",
    "preprocess_from_torchvision": "images.preprocess_import",
    "readable": "data.dataset",
    "speed_differences": "evaluation.speed_record",
    "speed_table": "evaluation.speed_table",
    "track": "progress",
    "values_of_text": "data.labels",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_MODULES)

__getattr__, __dir__ = lazy_exports(globals(), _MODULES)
