"""One shard of a sweep: load its items, run forward passes, let every explainer reduce."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.fingerprint import Content
from ..errors import PluginError
from ..explanation.provenance import Named, attribute_errors
from ..explanation.side_effects import SweepGuard
from ..images.batch import Batch, Item
from ..network.inputs import collate
from ..network.model import Model
from ..plugin.explainer import Partial, partial_problem
from ..scores.outputs import Forward
from .input.loader import Loader, ReadyItem, SkippedItem
from .plan import ExplainerStep, SweepPlan


@dataclass(frozen=True, eq=False)
class ShardResult:
    """The content of a finished shard.

    Attributes:
        partials: one for each step that was run; empty if no item of the shard could be used.
        nonfinite: layer -> number of values that are NaN or infinite; layers without any are
            left out.
        contents: size and hash of each item that was used.
        indices: the items that were used, as indices in the data set.
        items: the same items, as explanations refer to them.
        skipped: the items that could not be used.
    """

    partials: tuple[Partial, ...] = ()
    nonfinite: Counter[str] = field(default_factory=Counter)
    contents: list[Content] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    skipped: list[SkippedItem] = field(default_factory=list)


def run_shard(
    model: Model,
    loader: Loader,
    plan: SweepPlan,
    items: Sequence[int],
    batch_size: int,
    next_items: Sequence[int] = (),
    forward: Callable[[Tensor], Forward] | None = None,
    steps: Sequence[ExplainerStep] | None = None,
) -> ShardResult:
    """Sweep some items of a data set, in their order.

    Partials are merged from left to right, so the batch size affects nothing but speed and the
    last bits of the arithmetic of the model.

    Args:
        model, plan: describe the sweep.
        loader: loads the items.
        items: their indices in the data set.
        batch_size: items per forward pass.
        next_items: the items that will probably be swept next, for the loader.
        forward: runs a batch of images; the model itself if None.
        steps: the steps of the plan to run; all if None.
    """
    result = ShardResult()
    steps = plan.steps if steps is None else steps
    run = forward or partial(model.forward, layers=plan.layers)
    partials: tuple[Partial, ...] = ()
    for ready in _batches(_usable(loader.load(items, next_items), result), batch_size):
        batch = _collate(model, loader.dataset, ready, result)
        new = _reduce(model, steps, batch, run(batch.images), result)
        partials = _merge(steps, partials, new) if partials else new
    return replace(result, partials=partials)


def _usable(items: Iterator[ReadyItem | SkippedItem], result: ShardResult) -> Iterator[ReadyItem]:
    """Yield the items that can be used, and record the others."""
    for item in items:
        if isinstance(item, SkippedItem):
            result.skipped.append(item)
        else:
            yield item


def _batches(items: Iterator[ReadyItem], size: int) -> Iterator[list[ReadyItem]]:
    """Group consecutive items into batches. A batch ends early if the image size changes."""
    batch: list[ReadyItem] = []
    for item in items:
        is_full = len(batch) == size
        if batch and (is_full or _image_shape(item) != _image_shape(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _image_shape(item: ReadyItem) -> torch.Size:
    return item.prepared.image.shape


def _collate(model: Model, dataset: Dataset, ready: list[ReadyItem], result: ShardResult) -> Batch:
    """Return a batch with the ids and labels of the data set, and record its items."""
    indices = [item.index for item in ready]
    batch = collate(
        [item.prepared for item in ready],
        [dataset.ids[i] for i in indices],
        model,
        [dataset.labels[i] for i in indices],
    )
    result.indices.extend(indices)
    result.contents.extend(item.content for item in ready)
    result.items.extend(batch.items)
    return batch


def _reduce(
    model: Model,
    steps: Sequence[ExplainerStep],
    batch: Batch,
    forward: Forward,
    result: ShardResult,
) -> tuple[Partial, ...]:
    """Return the partial of a batch for each step, and count values that are not finite."""
    result.nonfinite.update(_count_nonfinite(forward.activations))
    guard = SweepGuard(model, batch, forward)
    partials = []
    for step in steps:
        with attribute_errors(step.named):
            partial = step.explainer.reduce(model, batch, forward)
            partials.append(_check_partial(step.named, partial))
        guard.check(step.named)
    return tuple(partials)


def _count_nonfinite(activations: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the number of values that are NaN or infinite, for the layers that have any."""
    # A sum needs a single pass and no mask. It is not finite if any value is not. The result for
    # all layers is read at once, so that a GPU is waited for once.
    finite = [activation.sum().isfinite() for activation in activations.values()]
    if not finite or bool(torch.stack(finite).all()):
        return {}
    counts = {
        layer: int(values.numel() - values.isfinite().sum())
        for layer, values in activations.items()
    }
    return {layer: count for layer, count in counts.items() if count}


def _merge(
    steps: Sequence[ExplainerStep], first: tuple[Partial, ...], second: tuple[Partial, ...]
) -> tuple[Partial, ...]:
    partials = []
    for step, a, b in zip(steps, first, second, strict=True):
        with attribute_errors(step.named):
            partials.append(_check_partial(step.named, step.explainer.merge(a, b)))
    return tuple(partials)


def _check_partial(named: Named, partial: object) -> Partial:
    """Return a partial unchanged; raises PluginError if it is not what the contract requires."""
    if problem := partial_problem(partial):
        raise PluginError(f"explainer {named}: {problem}")
    return cast(Partial, partial)
