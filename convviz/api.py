"""The main functions: explain images, analyze a data set, query a finished run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from .errors import ParameterError
from .explanation.explanation import Explanation
from .explanation.provenance import (
    Named,
    check_result,
    describe_model,
    named,
    read_layers,
    versions,
)
from .explanation.side_effects import explain_alone
from .images.batch import Batch
from .network.batch_behavior import is_measured, repeats
from .network.inputs import make_batch
from .network.model import Model
from .plugin import registry
from .plugin.explainer import DatasetExplainer
from .plugin.sources import as_dataset, load_model
from .progress import track
from .results.types import Result, with_notes
from .scores.outputs import Forward, warn_of_meaningless_scores
from .scores.targets import Target, TargetSpec
from .sweep.driver import sweep
from .sweep.run import Run, open_run
from .sweep.settings import SweepSettings, add_settings, make_settings
from .sweep.store.factory import check_out, place_of


def explain(
    model: Model | str, images: Any, what: Any, target: TargetSpec = None, **params: Any
) -> Any:
    """Explain images by one or several explainers.

    Args:
        model: a Model, or a source that `load_model` accepts.
        images: a path, PIL image or uint8 array `[h, w, 3]` or `[h, w]`, or a list of these; a
            folder, whose image files are taken in order, or a glob pattern ("photos/*.jpg"); a
            uint8 array `[n, h, w, 3]` or `[n, h, w]`; or a preprocessed float tensor
            `[N, C, H, W]`. An array of three axes is one image if its last axis has the length
            1 or 3. None where no explainer needs an image.
        what: the name of an explainer, an instance of one, or a list of these.
        target: a class index or label name, a Unit, a list of these with one per image, or None
            for the top class of each image. It is resolved once, on the unchanged images.
        params: parameters of the explainer; only if `what` is a name.

    Returns:
        One Explanation, or a list of them if `what` is a list.
    """
    model = as_model(model)
    explainers = named(what, params)
    with model.session():
        batch = _batch(model, images, explainers)
        forward, targets = _clean_forward(model, batch, explainers, target)
        # One image alone cannot be coupled with others, so it takes a second pass at most to see
        # whether the network is random. Explainers that make copies of the image measure the rest.
        is_plain = (
            len(batch) == 1
            and not is_measured(model, batch.images)
            and any(explainer.explainer.needs_image for explainer in explainers)
            and repeats(model, batch.images, forward.output)
        )
        explanations = [
            _explain_one(model, batch, targets, forward, explainer, is_plain)
            for explainer in track(explainers, "explaining", total=len(explainers))
        ]
    return explanations if isinstance(what, list | tuple) else explanations[0]


def as_model(model: Model | str) -> Model:
    """Return a Model, loaded if a source is given."""
    if isinstance(model, Model):
        return model
    if isinstance(model, str):
        return load_model(model)
    if isinstance(model, torch.nn.Module):
        raise ParameterError(
            "wrap the network first: convviz.Model(network, preprocess=convviz.Preprocess(…))"
        )
    raise ParameterError(f"a model is a convviz.Model or the name of one, not {model!r}")


def _batch(model: Model, images: Any, explainers: tuple[Named, ...]) -> Batch:
    if images is not None:
        return make_batch(images, model)
    names = [explainer.name for explainer in explainers if explainer.explainer.needs_image]
    if names:
        verb = "requires" if len(names) == 1 else "require"
        raise ParameterError(f"no image was given, and {', '.join(names)} {verb} one")
    return Batch(torch.empty(0), torch.empty(0, 0, 0, 3, dtype=torch.uint8), ())


def _clean_forward(
    model: Model, batch: Batch, explainers: tuple[Named, ...], target: TargetSpec
) -> tuple[Forward, tuple[Target, ...]]:
    """Run the one forward pass that all explainers of the call share, and resolve the target."""
    if not len(batch):
        return Forward(torch.empty(0, 0), {}), ()
    names = list(model.target_layers(target))
    for explainer in explainers:
        names += read_layers(explainer, model)
    layers = tuple(dict.fromkeys(model.check_layer(name) for name in names))
    forward = model.forward(batch.images, layers)
    resolved = model.resolve(target, forward)
    warn_of_meaningless_scores(forward.output, resolved, model.name)
    return forward, resolved


def _explain_one(
    model: Model,
    batch: Batch,
    targets: tuple[Target, ...],
    forward: Forward,
    explainer: Named,
    is_plain: bool,
) -> Explanation:
    """Run one explainer and add the provenance; `is_plain` leaves out notes on batches."""
    result = explain_alone(explainer, model, batch, targets, forward)
    reads_images = explainer.explainer.needs_image
    result = check_result(explainer, result, len(batch) if reads_images else None)
    if reads_images and len(batch) and not (is_plain and not is_measured(model, batch.images)):
        result = with_notes(result, model.behavior(batch.images).notes)
    return Explanation(
        result=result,
        explainer=explainer.explainer,
        name=explainer.name,
        layer=_layer(explainer, model, result),
        model=describe_model(model) | ({"activation": "sigmoid"} if model.binary else {}),
        target=targets if reads_images else (),
        items=batch.items if reads_images else (),
        pixels=batch.pixels if reads_images else None,
        versions=versions((explainer,)),
    )


def _layer(explainer: Named, model: Model, result: Result) -> str:
    """Return the layer that an explanation names, or the only one that its explainer read."""
    layer = result.measures.get("layer", getattr(explainer.explainer, "layer", None))
    if isinstance(layer, str):
        return layer
    layers = read_layers(explainer, model)
    return layers[0] if len(layers) == 1 else ""


@add_settings
def analyze(
    model: Model | str, dataset: Any, what: Any, out: str | os.PathLike[str], **params: Any
) -> Run:
    """Explain a data set in one sweep for all explainers; the results are kept in a run folder.

    The same call with the same folder resumes an interrupted run, and opens a finished one.

    Args:
        model: a Model, or a source that `load_model` accepts.
        dataset: a folder or source string, a list of paths, a Dataset, (images, labels) arrays
            with uint8 images `[n, h, w, 3]` or `[n, h, w]`, or a torch data set of PIL images.
        what: the name of a data-set explainer, an instance of one, or a list of these.
        out: the run folder, or an address in an object store ("s3://bucket/run"). It must be new
            or empty, or hold the same run.
        {settings}
        params: parameters of the explainer; only with a single name.

    Returns:
        The Run, as `open_run(out)` opens it. Files that could not be used are in `run.skipped`.

    Raises:
        ParameterError: a value is not allowed, or `out` holds another run; then the message names
            the differences.
    """
    settings = make_settings(
        {name: params.pop(name) for name in SweepSettings.model_fields if name in params}
    )
    place = place_of(out)
    check_out(place)
    model = as_model(model)
    explainers = named(what, params)
    items = as_dataset(dataset)
    with model.session():
        outcome = sweep(model, items, explainers, place, settings)
    for error in outcome.failed.values():
        error.add_note(f"the results of the other explainers are in {place}")
        raise error
    return open_run(str(place), model)


def query(
    run: Run | str | Path, images: Any, k: int = 8, model: Model | None = None
) -> Explanation:
    """Look up images among the items of a finished run.

    The first explainer of the run that answers queries is asked.

    Args:
        run: a Run, or its folder.
        images: one or several, as for `explain`.
        k: how many items to return for each image.
        model: the model of the run. It is optional if `analyze` returned the run in this process,
            and if the run records how its model was loaded (`load_model("resnet50")`).

    Raises:
        ParameterError: no explainer of the run answers queries, or the model is not known.
    """
    run = run if isinstance(run, Run) else open_run(run)
    explainer = _query_explainer(run, k)
    if model is None:
        model = run.model = run.model or run.load_model()
    explanation: Explanation = explain(model, images, explainer)
    return explanation


def _query_explainer(run: Run, k: int) -> DatasetExplainer:
    for name in run.explainers:
        cls = registry.current().explainer_class(name)
        if issubclass(cls, DatasetExplainer):
            explainer = cls.for_query(run.address, k)
            if explainer is not None:
                return explainer
    raise ParameterError(
        f"no explainer of the run in {run.address!r} answers queries (it has "
        f"{', '.join(run.explainers) or 'none'})"
    )
