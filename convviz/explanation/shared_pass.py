"""The forward pass that the explainers of a call share, and the targets that it resolves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..images.batch import Batch
from ..network.model import Model
from ..results.types import Result
from ..scores.deferred_targets import DeferredTargets
from ..scores.outputs import Forward, warn_of_meaningless_scores
from ..scores.targets import Target, TargetSpec, resolve_without_image
from .provenance import Named, read_layers, reads_forward


def shared_pass(
    model: Model, batch: Batch, explainers: Sequence[Named], specs: Sequence[TargetSpec]
) -> tuple[Forward, Sequence[Sequence[Target]]]:
    """Run the one forward pass that all explainers of a group share, and resolve its targets.

    If there is one target, which is no unit, and no explainer reads the pass, it is not run: its
    scores are empty, and the first gradient resolves the target.
    """
    if not len(batch):
        return Forward(torch.empty(0, 0), {}), ((),) * len(specs)
    units = [name for spec in specs for name in model.target_layers(spec)]
    if len(specs) == 1 and not units and not any(map(reads_forward, explainers)):
        deferred = DeferredTargets(specs[0], len(batch), model.labels)
        return Forward(torch.empty(len(batch), 0), {}), (deferred,)
    names = [name for explainer in explainers for name in read_layers(explainer, model)]
    return _clean_pass(model, batch, [*units, *names], specs)


def targets_without_images(
    model: Model, explainers: Sequence[Named], specs: Sequence[TargetSpec]
) -> Sequence[tuple[Target, ...]]:
    """Return the targets of explainers that use a target but no image.

    A list of targets gives a result for each of them. Empty tuples if there is no such explainer.

    Raises:
        TargetError: a target does not fit the model, or needs an image.
    """
    if not any(map(_needs_target_only, explainers)):
        return ((),) * len(specs)
    # The values do not matter, and an image of zeros fits any network.
    shape = (model.input_channels, *model.input_size)
    layers = tuple(dict.fromkeys(name for spec in specs for name in model.target_layers(spec)))
    forward = model.forward(torch.zeros(1, *shape), layers)
    lists = [spec if isinstance(spec, list | tuple) else [spec] for spec in specs]
    return [
        tuple(
            resolve_without_image(spec, forward.output, forward.activations, model.labels)
            for spec in several
        )
        for several in lists
    ]


def targets_for(
    explainer: Named,
    targets: Sequence[Sequence[Target]],
    without_images: Sequence[tuple[Target, ...]],
    is_alone: bool,
) -> Sequence[Sequence[Target]]:
    """Return the targets that an explainer gets, for each of which it returns a result.

    Args:
        explainer: the explainer.
        targets: the targets of the images.
        without_images: the return value of `targets_without_images`.
        is_alone: whether there is only one target.
    """
    if _needs_target_only(explainer):
        return without_images
    return targets if explainer.explainer.uses_target or is_alone else targets[:1]


def _needs_target_only(explainer: Named) -> bool:
    return explainer.explainer.uses_target and not explainer.explainer.needs_image


def explained_targets(
    explainer: Named, target: Sequence[Target], result: Result
) -> tuple[Target, ...]:
    """Return the targets that an explanation names.

    Those of an explainer without images have the scores in its array "score" `[N]`, if it has one.
    """
    if explainer.explainer.needs_image:
        return tuple(target)
    if not explainer.explainer.uses_target:
        return ()
    if "score" not in result.arrays or result["score"].shape != (len(target),):
        return tuple(target)
    scores = result["score"].tolist()
    return tuple(replace(t, score=score) for t, score in zip(target, scores, strict=True))


def _clean_pass(
    model: Model, batch: Batch, names: Sequence[str], specs: Sequence[TargetSpec]
) -> tuple[Forward, tuple[tuple[Target, ...], ...]]:
    """Run a forward pass that captures some layers, and resolve the targets."""
    layers = tuple(dict.fromkeys(model.check_layer(name) for name in names))
    forward = model.forward(batch.images, layers)
    resolved = tuple(model.resolve(spec, forward) for spec in specs)
    _warn_of_scores(model, forward.output, resolved)
    return forward, resolved


def _warn_of_scores(model: Model, scores: Tensor, resolved: tuple[tuple[Target, ...], ...]) -> None:
    of_scores = [target for target in resolved if not target[0].units]
    warn_of_meaningless_scores(scores, (of_scores or resolved)[0], model.name)


def pass_of_gradients(
    model: Model, batch: Batch, forward: Forward, targets: Sequence[Sequence[Target]]
) -> tuple[Forward, tuple[tuple[Target, ...], ...]]:
    """Return the scores and targets of the pass in which an explainer computed gradients.

    Returns the shared pass and its targets if that was run.
    """
    deferred = targets[0]
    if not isinstance(deferred, DeferredTargets):
        return forward, tuple(map(tuple, targets))
    if deferred.scores is None:  # an explainer needed no gradient of some images
        return _clean_pass(model, batch, [], [list(deferred.specs)])
    scores, resolved = torch.stack(deferred.scores), (tuple(deferred),)
    model.check_raw(scores, lambda: model.behavior(batch.images).sigmoid)
    _warn_of_scores(model, scores, resolved)
    return Forward(scores, {}), resolved
