"""One shard of a sweep: load, one forward pass a batch, every explainer reduces at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.fingerprint import Content
from ..errors import PluginError
from ..explanation.isolation import SweepGuard
from ..explanation.provenance import Named, attribute_errors
from ..images.batch import Batch, Item
from ..network.inputs import collate
from ..network.model import Model
from ..plugin.explainer import Partial
from ..scores.outputs import Forward
from .input.loader import Loader, Ready, Skipped
from .plan import Plan, Step


@dataclass(frozen=True, eq=False)
class Shard:
    """What became of a shard.

    Attributes:
        partials: one a step of the plan; empty where no item of the shard could be used.
        nonfinite: layer -> how many of its values were NaN or infinite, where any was.
        contents: size and hash of each item that was used.
        indices: the items that were used, as places in the data set.
        items: the same items, as explanations know them.
        skipped: the items that could not be used.
    """

    partials: tuple[Partial, ...] = ()
    nonfinite: Counter[str] = field(default_factory=Counter)
    contents: list[Content] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def run_shard(
    model: Model,
    loader: Loader,
    plan: Plan,
    items: Sequence[int],
    batch_size: int,
    then: Sequence[int] = (),
    forward: Callable[[Tensor], Forward] | None = None,
) -> Shard:
    """Sweep some items of a data set, in their order.

    Partials are merged from left to right, so the batch size decides nothing but speed and
    the last bits of the model's own arithmetic.

    Args:
        model, plan: what is done.
        loader: where the items come from.
        items: their places in the data set.
        batch_size: items of a forward pass.
        then: the items likely to be swept next, for the loader.
        forward: runs a batch of images; the model itself where None.
    """
    done = Shard()
    run = forward or partial(model.forward, layers=plan.layers)
    partials: tuple[Partial, ...] = ()
    for waiting in _batches(_usable(loader.load(items, then), done), batch_size):
        batch = _collated(model, loader.dataset, waiting, done)
        new = _reduce(model, plan, batch, run(batch.images), done)
        partials = _merge(plan.steps, partials, new) if partials else new
    return replace(done, partials=partials)


def _usable(found: Iterator[Ready | Skipped], done: Shard) -> Iterator[Ready]:
    """Yield the items that can be used; note the others."""
    for one in found:
        if isinstance(one, Skipped):
            done.skipped.append(one)
        else:
            yield one


def _batches(singles: Iterator[Ready], size: int) -> Iterator[list[Ready]]:
    """Join neighbours into batches; one ends early where the size of the images changes."""
    waiting: list[Ready] = []
    for one in singles:
        full = len(waiting) == size
        if waiting and (full or _shape(one) != _shape(waiting[0])):
            yield waiting
            waiting = []
        waiting.append(one)
    if waiting:
        yield waiting


def _shape(one: Ready) -> torch.Size:
    return one.prepared.image.shape


def _collated(model: Model, dataset: Dataset, waiting: list[Ready], done: Shard) -> Batch:
    """Make a batch, its items named and labelled as in the data set, and note the items."""
    indices = [one.index for one in waiting]
    batch = collate(
        [one.prepared for one in waiting],
        [dataset.ids[i] for i in indices],
        model,
        [dataset.labels[i] for i in indices],
    )
    done.indices.extend(indices)
    done.contents.extend(one.content for one in waiting)
    done.items.extend(batch.items)
    return batch


def _reduce(
    model: Model, plan: Plan, batch: Batch, forward: Forward, shard: Shard
) -> tuple[Partial, ...]:
    for layer, activation in forward.activations.items():
        if bad := _nonfinite(activation):
            shard.nonfinite[layer] += bad
    guard = SweepGuard(model, batch, forward)
    done = []
    for step in plan.steps:
        with attribute_errors(step.who):
            done.append(_checked(step.who, step.explainer.reduce(model, batch, forward)))
        guard.check(step.who)
    return tuple(done)


def _nonfinite(activation: Tensor) -> int:
    """Count the values that are NaN or infinite."""
    # A sum is one pass without a mask; it is not finite where any value is not.
    if bool(activation.sum().isfinite()):
        return 0
    return int(activation.numel() - activation.isfinite().sum())


def _merge(
    steps: tuple[Step, ...], a: tuple[Partial, ...], b: tuple[Partial, ...]
) -> tuple[Partial, ...]:
    done = []
    for step, left, right in zip(steps, a, b, strict=True):
        with attribute_errors(step.who):
            done.append(_checked(step.who, step.explainer.merge(left, right)))
    return tuple(done)


def _checked(who: Named, partial: object) -> Partial:
    """Return a partial that keeps the contract; raises PluginError."""
    good = isinstance(partial, dict) and all(
        isinstance(k, str) and isinstance(v, torch.Tensor) and v.device.type == "cpu"
        for k, v in partial.items()
    )
    if not good:
        raise PluginError(f"explainer {who}: a partial is a flat dict of tensors on the CPU")
    return cast(Partial, partial)
