"""The second stage of a sweep: from the shards' partials to one result a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..errors import ConvvizError, PluginError
from ..explanation import Explanation
from ..images import Affine, Item
from ..model import Model
from ..progress import track
from ..provenance import blamed_on, check_result, versions
from ..results import Result
from .plan import Plan, Step
from .shard import Shard

Layers = Mapping[str, Result]


class SweptItems:
    """The items that a sweep used, in order.

    Args:
        dataset: where they come from.
        indices: their places in it.
        items: the items.
    """

    def __init__(self, dataset: Dataset, indices: list[int], items: list[Item]) -> None:
        self.all = tuple(items)
        self.ids = tuple(item.id for item in items)
        self.labels = tuple(item.label for item in items)
        self.classes = tuple(dataset.classes)
        self._dataset, self._indices = dataset, indices

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, index: int) -> np.ndarray:
        """Read the original photo, uint8 `[h, w, 3]`."""
        return self._dataset.load(self._indices[index])

    def affine(self, index: int) -> Affine:
        """Map model-input pixel corners back to those of the original photo."""
        return self.all[index].affine


def swept(dataset: Dataset, shards: list[Shard]) -> SweptItems:
    """Return the items that the shards used."""
    indices = [index for shard in shards for index in shard.indices]
    return SweptItems(dataset, indices, [item for shard in shards for item in shard.items])


@dataclass
class Outcome:
    """What a sweep found.

    Attributes:
        explanations: explainer name -> layer -> Explanation.
        failed: explainer name -> the error that kept it from finishing.
    """

    explanations: dict[str, dict[str, Explanation]] = field(default_factory=dict)
    failed: dict[str, ConvvizError] = field(default_factory=dict)


def finish(model: Model, plan: Plan, shards: list[Shard], items: SweptItems) -> Outcome:
    """Finish every explainer; one that fails keeps back only itself and what builds on it."""
    outcome = Outcome()
    results: list[Layers | ConvvizError] = []
    used = [shard for shard in shards if shard.items]
    for i, step in enumerate(track(plan.steps, "finishing", total=len(plan.steps))):
        found = _finish_one(model, step, i, used, items, results)
        results.append(found)
        if not step.wanted:
            continue
        if isinstance(found, ConvvizError):
            outcome.failed[step.who.name] = found
        else:
            outcome.explanations[step.who.name] = _explanations(plan, step, found, items)
    return outcome


def _finish_one(
    model: Model,
    step: Step,
    position: int,
    shards: list[Shard],
    items: SweptItems,
    results: list[Layers | ConvvizError],
) -> Layers | ConvvizError:
    needs: list[Layers] = []
    for below in step.needs:
        found = results[below]
        if isinstance(found, ConvvizError):
            return found
        needs.append(found)
    try:
        with blamed_on(step.who):
            partials = (shard.partials[position] for shard in shards)
            made = step.explainer.finish(model, partials, items, tuple(needs))
        return _checked(step, made)
    except ConvvizError as error:
        return error


def _checked(step: Step, made: Any) -> Layers:
    if not isinstance(made, Mapping) or not all(isinstance(layer, str) for layer in made):
        raise PluginError(f"explainer {step.who}: finish returns a dict, layer -> result")
    return {layer: check_result(step.who, result, None) for layer, result in made.items()}


def _explanations(
    plan: Plan, step: Step, found: Layers, items: SweptItems
) -> dict[str, Explanation]:
    return {
        layer: Explanation(
            result=result,
            explainer=step.explainer,
            name=step.who.name,
            layer=layer,
            model=plan.record["model"],
            items=items.all,
            versions=versions((step.who,)),
        )
        for layer, result in found.items()
    }
