"""benchmark: the quality of explanations, measured on a data set."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..api import as_model
from ..errors import ParameterError
from ..network.model import Model
from ..plugin import registry
from ..plugin.metric import Metric
from ..plugin.sources import as_dataset
from ..scores.targets import TargetSpec
from ..sweep.store.file_lock import lock_folder
from .folder import BenchmarkFolder
from .inputs import BenchmarkInputs, Masks
from .quality_record import QualityRecord
from .run import BenchmarkRun, BenchmarkSettings
from .sources import MapSet, explainer_sources
from .statistics import summarize

BUILT_IN = "convviz"
"""The distribution whose metrics are the default."""


def benchmark(
    model: Model | str,
    data: Any,
    explainers: Any,
    metrics: Any = None,
    out: str | os.PathLike[str] | None = None,
    *,
    images: int | None = None,
    repeat_images: int = 20,
    budget: int | None = None,
    target: TargetSpec = None,
    masks: Masks = None,
    seed: int = 0,
    batch_size: int | None = None,
    controls: bool = True,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
) -> QualityRecord:
    """Measure the quality of explainers on a data set.

    Every explainer explains every image, and every metric scores every map. The same call with the
    same folder resumes an interrupted benchmark, and reads the scores of a finished one. On
    Ctrl-C the report is that of the images that are done.

    Args:
        model: a Model, or a source that `load_model` accepts.
        data: a data set, as in `analyze`.
        explainers: a name, an instance, or a list of these; or a dict name -> name or instance.
            All that have one map per image are allowed.
        metrics: likewise; None for all built-in metrics (`convviz metrics` lists them). Those that
            need masks run only with `masks`.
        out: folder for the report and, to resume, the scores of each image; None keeps no files.
        images: number of images, evenly spaced over the data set; None for all.
        repeat_images: number of images for metrics that repeat the explanations, and for the
            blurred maps.
        budget: forward passes that a metric may take for one explainer and image; pairs above it
            are not computed, and marked.
        target: what is explained, the same for all images: a class, a Unit or a Contrast; None for
            the top class of each image.
        masks: the object in each image: a folder with the ids of the images as names of PNG files,
            a dict id -> array, or a function from an id to an array or None. An array is `[h, w]`
            in the size of the photo; values above 0 are the object.
        seed: of metrics and controls.
        batch_size: images per forward pass of metrics; None for the fastest of a few sizes.
        controls: add maps that do not depend on the model (random, random_smooth, center, sobel),
            and each map blurred.
        engine: "local" for this process, or "ray" for the processes of a Ray cluster, which score
            different images at the same time.
        address: of the Ray cluster; None for the one that runs, or a new one on this machine.
        threads: PyTorch threads of each process; None for 1 with "ray", where a process runs on
            each CPU, and otherwise for those of this process.

    Returns:
        The scores of all images and their statistics.

    Raises:
        ParameterError: a value is not allowed, or `out` holds another benchmark.
    """
    settings = BenchmarkSettings(
        images, repeat_images, budget, target, seed, batch_size, controls, engine, address, threads
    )
    model = as_model(model)
    inputs = BenchmarkInputs(as_dataset(data), model, masks)
    map_set = MapSet(explainer_sources(explainers), controls)
    chosen = chosen_metrics(metrics, masks is not None)
    folder = None if out is None else BenchmarkFolder(Path(out))
    with model.session(), nullcontext() if folder is None else lock_folder(folder.path):
        run = BenchmarkRun(inputs, map_set, chosen, settings, folder)
        scores = run.run()
    facts = {
        "model": model.name,
        "data set": inputs.dataset.name,
        "images": str(len(scores.images)),
    }
    record = QualityRecord(scores, summarize(scores), facts, inputs.photo)
    if folder is not None:
        record.save(folder.path)
    if run.is_interrupted:
        raise KeyboardInterrupt
    return record


def chosen_metrics(metrics: Any, has_masks: bool) -> dict[str, Metric]:
    """Return the metrics of a benchmark by name; for None the built-in ones.

    Args:
        metrics: as in `benchmark`.
        has_masks: whether there are masks; without them metrics that need masks are refused, and
            left out of the built-in ones.
    """
    if metrics is None:
        metrics = default_metrics(has_masks)
    chosen: dict[str, Metric] = {}
    for name, value in _named_metrics(metrics):
        metric = registry.metric(value) if isinstance(value, str) else value
        if not isinstance(metric, Metric):
            raise ParameterError(f"a metric is a name or an instance of one, not {metric!r}")
        if name in chosen:
            raise ParameterError(f"metric {name!r} is given twice: pass a dict name -> metric")
        if "mask" in metric.needs and not has_masks:
            raise ParameterError(f"metric {name!r} needs masks: pass masks=…")
        chosen[name] = metric
    if not chosen:
        raise ParameterError("no metric was given; `convviz metrics` lists them")
    return chosen


def default_metrics(has_masks: bool) -> list[str]:
    """Return the names of the built-in metrics; those that need masks only with masks."""
    entries = registry.current().entries("metrics")
    names = [entry.name for entry in entries if entry.distribution == BUILT_IN]
    classes = {name: registry.current().metric_class(name) for name in names}
    return [name for name in names if has_masks or "mask" not in classes[name].needs]


def _named_metrics(metrics: Any) -> list[tuple[str, Any]]:
    if isinstance(metrics, dict):
        return list(metrics.items())
    listed = metrics if isinstance(metrics, list | tuple) else [metrics]
    return [(m if isinstance(m, str) else registry.identify(m).name, m) for m in listed]
