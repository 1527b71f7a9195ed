"""The main functions: explain images, analyze a data set, query a finished run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import ParameterError, TargetError
from .explanation.explanation import Explanation, ExplanationList
from .explanation.provenance import (
    Named,
    check_result,
    describe_model,
    explained_layer,
    named,
    versions,
)
from .explanation.shared_pass import (
    explained_targets,
    pass_of_gradients,
    shared_pass,
    targets_for,
    targets_without_images,
)
from .explanation.side_effects import explain_each
from .images.batch import Batch
from .network.batch_behavior import is_measured, repeats
from .network.function_model import function_model
from .network.inputs import make_batch
from .network.model import Model
from .plugin.default_explainers import chosen_defaults, default_names
from .plugin.sources import as_dataset, load_model
from .progress import track
from .results.types import Result, with_notes
from .scores.function_scores import provenance_note
from .scores.outputs import Forward
from .scores.targets import FunctionColumn, Target, TargetSpec
from .sweep.driver import sweep
from .sweep.merge import merge_runs
from .sweep.pictures import save_all
from .sweep.queries import query_explainer
from .sweep.run import Run, open_run
from .sweep.settings import SweepSettings, add_settings, make_settings
from .sweep.store.factory import check_out, place_of


def explain(
    model: Model | str,
    images: Any,
    what: Any,
    target: TargetSpec = None,
    *,
    targets: Sequence[TargetSpec] | None = None,
    **params: Any,
) -> Any:
    """Explain images with one or several explainers.

    Args:
        model: a Model, or a source that `load_model` accepts.
        images: a path, PIL image or uint8 array `[h, w, 3]` or `[h, w]`, or a list of these; a
            folder, whose image files are taken in order, or a glob pattern ("photos/*.jpg"); a
            uint8 array `[n, h, w, 3]` or `[n, h, w]`; or a preprocessed float tensor
            `[N, C, H, W]`. An array of three axes is one image if its last axis has the length
            1 or 3. None where no explainer needs an image.
        what: the name of an explainer, an instance of one, or a list of these.
        target: a class index or label name, a Unit, a Contrast (or "tabby - tiger cat"), a list of
            these with one per image, or None for the top class of each image. It is resolved once,
            on the unchanged images. Or a function that gets the network's output for N images, as
            the network returns it, and returns one value per image, `[N]`: the score of a box, the
            sum over a mask, a predicted value.
        targets: a list of several targets, instead of `target`.
        params: parameters of the explainer; only if `what` is a name.

    Returns:
        One Explanation, or a list of them if `what` is a list. With `targets`, a list of
        Explanations with one per target takes the place of each Explanation; it has one element
        for an explainer that does not use the target.

    Raises:
        TargetError: a target does not fit the model or the images.
    """
    model = as_model(model)
    explainers = named(what, params)
    groups = _target_groups(model, [target] if targets is None else _check_targets(target, targets))
    explanations: list[dict[int, Explanation]] = [{} for _ in explainers]
    with model.session():
        batch = _batch(model, images, explainers)
        for group in groups:
            used = [
                (i, explainer)
                for i, explainer in enumerate(explainers)
                if group is groups[0] or explainer.explainer.uses_target
            ]
            for i, in_group in _explain_group(model, batch, used, group):
                explanations[i] |= in_group
    ordered = [
        ExplanationList(by_target[k] for k in sorted(by_target)) for by_target in explanations
    ]
    results = ordered if targets is not None else ExplanationList(single for (single,) in ordered)
    return results if isinstance(what, list | tuple) else results[0]


@dataclass(frozen=True)
class _TargetGroup:
    """Targets that one forward pass serves: those of the model's scores, or functions.

    Attributes:
        model: the model whose scores, units or functions are explained.
        specs: the targets, by their place among the targets of the call.
        notes: a note for the results of each function, by its column.
        is_alone: whether it is the only target of the call.
    """

    model: Model
    specs: Mapping[int, TargetSpec]
    notes: Sequence[str]
    is_alone: bool


def _check_targets(target: TargetSpec, targets: Sequence[TargetSpec]) -> list[TargetSpec]:
    """Return several targets as a list."""
    if target is not None:
        raise ParameterError("give either target or targets, a list of several, not both")
    if not isinstance(targets, list | tuple) or not targets:
        raise ParameterError(f"targets must be a list of at least one target, not {targets!r}")
    return list(targets)


def _target_groups(model: Model, specs: Sequence[TargetSpec]) -> list[_TargetGroup]:
    """Return the targets that read the model's scores and layers, and those that are functions."""
    for spec in specs:
        if isinstance(spec, list | tuple) and any(map(callable, spec)):
            raise TargetError(
                "a function as target gets the output for all images at once; pass it alone, not "
                "in a list with one target per image"
            )
    functions = {i: spec for i, spec in enumerate(specs) if callable(spec)}
    others = {i: spec for i, spec in enumerate(specs) if not callable(spec)}
    is_alone = len(specs) == 1
    groups = [_TargetGroup(model, others, (), is_alone)] if others else []
    if functions:
        scored = function_model(model, list(functions.values()))
        columns = [FunctionColumn(name, k) for k, name in enumerate(scored.labels)]
        notes = [provenance_note(function) for function in functions.values()]
        specs_of = dict(zip(functions, columns, strict=True))
        groups.append(_TargetGroup(scored, specs_of, notes, is_alone))
    return groups


def _explain_group(
    described: Model, batch: Batch, explainers: Sequence[tuple[int, Named]], group: _TargetGroup
) -> Iterator[tuple[int, dict[int, Explanation]]]:
    """Yield the explanations of each explainer, by the places of the targets in the call.

    Args:
        described: the user's model, which the explanations name.
        batch: the images.
        explainers: pairs of a place in the call and an explainer.
        group: the targets.
    """
    model = group.model
    with model.session():
        run_explainers, specs = [explainer for _, explainer in explainers], [*group.specs.values()]
        forward, targets = shared_pass(model, batch, run_explainers, specs)
        without_images = targets_without_images(model, run_explainers, specs)
        results = []
        for _, explainer in track(explainers, "explaining", total=len(explainers)):
            used = targets_for(explainer, targets, without_images, group.is_alone)
            results.append(_results_of(explainer, model, batch, used, forward))
        notes: tuple[str, ...] = ()
        if len(batch) and any(explainer.explainer.needs_image for explainer in run_explainers):
            forward, targets = pass_of_gradients(model, batch, forward, targets)
            notes = _notes_on_batches(model, batch, forward.output)
        for (i, explainer), of_targets in zip(explainers, results, strict=True):
            is_named = explainer.explainer.uses_target or group.is_alone
            used = targets_for(explainer, targets, without_images, group.is_alone)
            places = zip(group.specs, used if is_named else [()], of_targets, strict=False)
            yield (
                i,
                {
                    place: _explanation(described, group, batch, target, explainer, result, notes)
                    for place, target, result in places
                },
            )


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


def _results_of(
    explainer: Named,
    model: Model,
    batch: Batch,
    targets: Sequence[Sequence[Target]],
    forward: Forward,
) -> tuple[Result, ...]:
    """Run one explainer, and check its results, one per target."""
    results = explain_each(explainer, model, batch, targets, forward)
    count = len(batch) if explainer.explainer.needs_image else None
    return tuple(check_result(explainer, result, count) for result in results)


def _notes_on_batches(model: Model, batch: Batch, scores: Tensor) -> tuple[str, ...]:
    """Return notes on a network that is random or couples the images of a batch.

    One image alone cannot be coupled with others, so that it takes one more pass to see whether
    the network is random. Explainers that make copies of the image have measured the rest.
    """
    images = batch.images
    if len(batch) == 1 and not is_measured(model, images) and repeats(model, images, scores):
        return ()
    return model.behavior(images).notes


def _explanation(
    described: Model,
    group: _TargetGroup,
    batch: Batch,
    target: Sequence[Target],
    explainer: Named,
    result: Result,
    notes: tuple[str, ...],
) -> Explanation:
    """Return a result with its provenance; `notes` are for results that depend on images."""
    model = group.model
    reads_images = explainer.explainer.needs_image
    if reads_images and notes:
        result = with_notes(result, notes)
    target = explained_targets(explainer, target, result)
    if target and target[0].function is not None:
        result = with_notes(result, (group.notes[target[0].function.column],))
    return Explanation(
        result=result,
        explainer=explainer.explainer,
        name=explainer.name,
        layer=explained_layer(explainer, model, result),
        model=describe_model(described) | ({"activation": "sigmoid"} if model.binary else {}),
        target=target,
        items=batch.items if reads_images else (),
        pixels=batch.pixels if reads_images else None,
        versions=versions((explainer,)),
    )


@add_settings
def analyze(
    model: Model | str, dataset: Any, what: Any, out: str | os.PathLike[str], **params: Any
) -> Run:
    """Explain a data set in one sweep for all explainers; the results are kept in a run folder.

    The same call with the same folder resumes an interrupted run, and opens a finished one. With
    `extend=True`, explainers, layers and photos are added to a finished run.

    Args:
        model: a Model, or a source that `load_model` accepts.
        dataset: a folder or source string, a list of paths, a Dataset, (images, labels) arrays
            with uint8 images `[n, h, w, 3]` or `[n, h, w]`, or a torch data set of PIL images.
        what: the name of a data-set explainer, an instance of one, or a list of these.
        out: the run folder, or an address in an object store ("s3://bucket/run"). It must be new
            or empty, or hold the same run, or a run to extend.
        {settings}
        params: parameters of the explainer; only with a single name. Explainers that are on by
            default, such as predictions, are switched off by `predictions=False` and configured
            by `predictions=convviz.explainer("predictions", …)`.

    Returns:
        The Run, as `open_run(out)` opens it. Files that could not be used are in `run.skipped`.

    Raises:
        ParameterError: a value is not allowed, or `out` holds another run; the message says more.
    """
    settings = make_settings(
        {name: params.pop(name) for name in SweepSettings.model_fields if name in params}
    )
    place = place_of(out)
    check_out(place)
    model = as_model(model)
    explainers = _explainers_of_sweep(what, params)
    items = as_dataset(dataset)
    with model.session():
        outcome = sweep(model, items, explainers, place, settings)
    outcome.check(f"the results of the other explainers are in {place}")
    run = Run(str(place), model, items)
    if settings.pictures:  # also of results that an earlier call left without
        save_all(run)
    return run


def _explainers_of_sweep(what: Any, params: dict[str, Any]) -> tuple[Named, ...]:
    """Return the requested explainers and those that are on by default."""
    switches = {name: params.pop(name, True) for name in default_names()}
    is_empty = isinstance(what, list | tuple) and not what
    requested = () if is_empty and not params else named(what, params)
    names = tuple(explainer.name for explainer in requested)
    defaults = list(chosen_defaults(switches, names).values())
    if not defaults:
        return requested or named(what, params)
    return (*requested, *(replace(n, is_default=True) for n in named(defaults, {})))


def merge(
    runs: Sequence[Run | str | os.PathLike[str]],
    out: str | os.PathLike[str],
    model: Model | str | None = None,
    photos: Any = None,
    overwrite: bool = False,
) -> Run:
    """Join finished runs over parts of a data set into one run, without sweeping again.

    The shards of the runs are put together in the order of the runs, and the results are computed
    from them. The joined run has the bytes of one sweep over everything if the pieces are all the
    parts of one data set, in order (`analyze(…, part="1/2")`, `part="2/2"`). For other pieces,
    values differ from one sweep by rounding errors.

    Args:
        runs: the runs, or their folders.
        out: the run folder to write.
        model: the model of the runs; loaded as they record it if not given.
        photos: a data set with the photos of all runs, if they have moved.
        overwrite: replace the run in `out`.

    Raises:
        ParameterError: the runs differ in model, explainers, parameters or preprocessing, have
            items in common, or different classes.
        ConvvizError: a shard of a run is missing or damaged.
    """
    place = place_of(out)
    check_out(place)
    opened = [run if isinstance(run, Run) else open_run(os.fspath(run)) for run in runs]
    known = (
        as_model(model) if model is not None else next((r.model for r in opened if r.model), None)
    )
    dataset = None if photos is None else as_dataset(photos)
    used = merge_runs(opened, place, known, dataset, overwrite)
    return open_run(str(place), used)


def query(
    run: Run | str | Path,
    images: Any,
    k: int = 8,
    model: Model | None = None,
    layer: str | None = None,
) -> Explanation:
    """Look up images among the items of a finished run.

    The first explainer of the run that answers queries is asked.

    Args:
        run: a Run, or its folder.
        images: one or several, as for `explain`.
        k: how many items to return for each image.
        model: the model of the run. It is optional if `analyze` returned the run in this process,
            and if the run records how its model was loaded (`load_model("resnet50")`).
        layer: the layer whose features are compared; may be omitted if the run has only one.

    Raises:
        ParameterError: no explainer of the run answers queries, or the model is not known.
    """
    run = run if isinstance(run, Run) else open_run(os.fspath(run))
    explainer = query_explainer(run, k, layer)
    if model is None:
        model = run.model = run.model or run.load_model()
    explanation: Explanation = explain(model, images, explainer)
    return explanation
