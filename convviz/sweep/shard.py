"""One shard of a sweep: load, one forward pass a batch, every explainer reduces at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor

from ..contents import Content, photo_of
from ..datasets import Dataset
from ..errors import ConvvizError, PluginError
from ..explainers import Partial
from ..images import Batch, Item, Prepared, collate, prepare
from ..model import Model
from ..progress import track
from ..provenance import Named, blamed_on
from .plan import Plan, Step

Waiting = tuple[int, Prepared, Content]
"""An item's place in the data set, the item made ready for the model, and its content."""


@dataclass(frozen=True)
class Skipped:
    """An item that could not be used.

    Attributes:
        index: its place in the data set.
        id: its id there.
        reason: why it was left out.
    """

    index: int
    id: str
    reason: str


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
    model: Model, dataset: Dataset, plan: Plan, items: Sequence[int], batch_size: int
) -> Shard:
    """Sweep some items of a data set, in their order.

    Partials are merged from left to right, so the batch size decides nothing but speed and
    the last bits of the model's own arithmetic.
    """
    done = Shard()
    partials: tuple[Partial, ...] = ()
    for waiting in _batches(_load(model, dataset, items, done), batch_size):
        batch = _collated(model, dataset, waiting, done)
        new = _reduce(model, plan, batch, done)
        partials = _merge(plan.steps, partials, new) if partials else new
    return replace(done, partials=partials)


def _load(model: Model, dataset: Dataset, indices: Sequence[int], done: Shard) -> Iterator[Waiting]:
    """Yield the items one by one, made ready; note those that cannot be used."""
    for index in track(indices, f"images of {dataset.name}", total=len(indices)):
        name = dataset.ids[index]
        try:
            photo, content = photo_of(dataset, index)
            ready = prepare(photo, model, name)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # a bad file must not end the run; it is listed instead
            done.skipped.append(Skipped(index, name, _reason(error)))
            continue
        yield index, ready, content


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ConvvizError) else f"{type(error).__name__}: {text}"


def _batches(singles: Iterator[Waiting], size: int) -> Iterator[list[Waiting]]:
    """Join neighbours into batches; one ends early where the size of the images changes."""
    waiting: list[Waiting] = []
    for one in singles:
        if waiting and (len(waiting) == size or one[1].image.shape != waiting[0][1].image.shape):
            yield waiting
            waiting = []
        waiting.append(one)
    if waiting:
        yield waiting


def _collated(model: Model, dataset: Dataset, waiting: list[Waiting], done: Shard) -> Batch:
    """Make a batch, its items named and labelled as in the data set, and note the items."""
    indices = [index for index, _, _ in waiting]
    batch = collate(
        [ready for _, ready, _ in waiting],
        [dataset.ids[i] for i in indices],
        model,
        [dataset.labels[i] for i in indices],
    )
    done.indices.extend(indices)
    done.contents.extend(content for _, _, content in waiting)
    done.items.extend(batch.items)
    return batch


def _reduce(model: Model, plan: Plan, batch: Batch, shard: Shard) -> tuple[Partial, ...]:
    forward = model.forward(batch.images, plan.layers)
    for layer, activation in forward.activations.items():
        if bad := _nonfinite(activation):
            shard.nonfinite[layer] += bad
    done = []
    for step in plan.steps:
        with blamed_on(step.who):
            done.append(_checked(step.who, step.explainer.reduce(model, batch, forward)))
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
        with blamed_on(step.who):
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
