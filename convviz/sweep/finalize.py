"""The second stage of a sweep: from the shards' partials to one result a layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..data.item_table import ItemTable
from ..device import is_out_of_memory
from ..errors import ConvvizError, PluginError
from ..explanation.explanation import Explanation
from ..explanation.isolation import restore_network
from ..explanation.provenance import check_result, versions
from ..images.affine import Affine
from ..network.model import Model
from ..plugin.explainer import Partial
from ..progress import track
from ..results.types import Result, with_notes
from ..storage.durable_file import FULL
from ..storage.path_names import folder_name
from .plan import Plan, Step

Layers = Mapping[str, Result]
Partials = Callable[[int], Iterator[Partial]]


class SweptItems:
    """The items that a sweep used, in order, read from their table when they are looked at.

    Args:
        dataset: where they come from.
        table: the items.
        leaf_items: the same items, without what only a run needs, for its results.
        work: a folder for what does not fit memory; it goes when the sweep is done.
    """

    def __init__(
        self, dataset: Dataset, table: ItemTable, leaf_items: ItemTable, work: Path
    ) -> None:
        self.all, self.of_results = table, leaf_items
        self.classes = tuple(dataset.classes)
        self._dataset, self._work = dataset, work
        self._spools = 0

    def __len__(self) -> int:
        return len(self.all)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in order."""
        return self.all.ids

    @cached_property
    def labels(self) -> tuple[int | None, ...]:
        """One class index an item, or None."""
        return tuple(self.all.column("label"))

    @cached_property
    def _indices(self) -> np.ndarray:
        return np.array(self.all.column("index"), dtype=np.int64)

    def load(self, index: int) -> np.ndarray:
        """Read the original photo, uint8 `[h, w, 3]`."""
        return self._dataset.load(int(self._indices[index]))

    def affine(self, index: int) -> Affine:
        """Map model-input pixel corners back to those of the original photo."""
        return self.all[index].affine

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of zeros that lives in a file, so that memory stays flat.

        Args:
            name: for a reader of the folder.
            shape, dtype: of the array; dtype is one of numpy's.
        """
        if 0 in shape:  # a file of no bytes cannot be mapped
            return np.zeros(shape, dtype)
        self._work.mkdir(parents=True, exist_ok=True)
        path = self._work / f"{self._spools:03d}-{folder_name(name)}.npy"
        self._spools += 1
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):  # a full disk met through a map would kill the process
            with open(path, "rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array


@dataclass
class Outcome:
    """What a sweep found.

    Attributes:
        explanations: explainer name -> layer -> Explanation.
        failed: explainer name -> the error that kept it from finishing.
    """

    explanations: dict[str, dict[str, Explanation]] = field(default_factory=dict)
    failed: dict[str, ConvvizError] = field(default_factory=dict)


def finish(
    model: Model,
    plan: Plan,
    partials: Partials,
    items: SweptItems,
    notes: tuple[str, ...] = (),
) -> Outcome:
    """Finish every explainer; one that fails keeps back only itself and what builds on it.

    Args:
        model, plan: what was swept.
        partials: gives those of a step, in item order, loaded one by one.
        items: the items that were used.
        notes: what all results say of the network.
    """
    outcome = Outcome()
    results: list[Layers | ConvvizError] = []
    steps = track(plan.steps, "finishing", len(plan.steps), lambda step: step.who.name)
    for i, step in enumerate(steps):
        found = _finish_one(model, step, partials(i), items, results)
        results.append(found)
        if not step.wanted:
            continue
        if isinstance(found, ConvvizError):
            outcome.failed[step.who.name] = found
        else:
            outcome.explanations[step.who.name] = _explanations(plan, step, found, items, notes)
    return outcome


def _finish_one(
    model: Model,
    step: Step,
    partials: Iterator[Partial],
    items: SweptItems,
    results: list[Layers | ConvvizError],
) -> Layers | ConvvizError:
    needs: list[Layers] = []
    for below in step.needs:
        found = results[below]
        if isinstance(found, ConvvizError):
            return found
        needs.append(found)
    broken: list[Exception] = []
    try:
        with restore_network(step.who, model):
            made = step.explainer.finish(model, _read(partials, broken), items, tuple(needs))
        return _checked(step, made)
    except Exception as error:
        cause = error.__cause__
        # No fault of the explainer, and the shards must stay.
        if isinstance(cause, OSError) and cause.errno in FULL:
            raise cause from None
        if broken and isinstance(broken[0], ConvvizError):
            raise broken[0] from None
        if broken:
            raise ConvvizError(
                f"a finished shard cannot be read ({type(broken[0]).__name__}: {broken[0]}); the "
                "shards stay, and the same command goes on from them"
            ) from broken[0]
        if isinstance(error, ConvvizError):
            return error
        if is_out_of_memory(error):
            return ConvvizError(f"explainer {step.who} ran out of memory at the end: {error}")
        raise


def _read(partials: Iterator[Partial], broken: list[Exception]) -> Iterator[Partial]:
    """Yield partials, and note the error of one that cannot be read."""
    try:
        yield from partials
    except Exception as error:
        broken.append(error)
        raise


def _checked(step: Step, made: Any) -> Layers:
    if not isinstance(made, Mapping) or not all(isinstance(layer, str) for layer in made):
        raise PluginError(f"explainer {step.who}: finish returns a dict, layer -> result")
    return {layer: check_result(step.who, result, None) for layer, result in made.items()}


def _explanations(
    plan: Plan, step: Step, found: Layers, items: SweptItems, notes: tuple[str, ...]
) -> dict[str, Explanation]:
    return {
        layer: Explanation(
            result=with_notes(result, notes) if notes else result,
            explainer=step.explainer,
            name=step.who.name,
            layer=layer,
            model=plan.record["model"],
            items=items.of_results,
            versions=versions((step.who,)),
        )
        for layer, result in found.items()
    }
