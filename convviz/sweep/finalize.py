"""The second stage of a sweep: from the partials of the shards to one result per layer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ConvvizWarning, ModelError, PluginError
from ..explanation.explanation import Explanation
from ..explanation.provenance import check_result, versions
from ..explanation.side_effects import restore_network
from ..images.affine import Affine
from ..network.model import Model
from ..plugin.explainer import Partial
from ..progress import track
from ..results.types import Result, with_notes
from ..state.device import is_out_of_memory
from ..storage.durable_file import FULL
from ..storage.path_names import folder_name
from .plan import ExplainerStep, SweepPlan

ResultsByLayer = Mapping[str, Result]
PartialsOfStep = Callable[[int], Iterator[Partial]]


class SweptItems:
    """The items that a sweep used, in order, read from their table on access.

    Args:
        dataset: the data set of the items.
        classes: the names of its classes.
        table: the items.
        leaf_items: the same items for the results, without the columns that only the run needs.
        work: a folder for arrays that do not fit into memory; removed at the end of the sweep.
    """

    def __init__(
        self,
        dataset: Dataset,
        classes: Sequence[str],
        table: ItemTable,
        leaf_items: ItemTable,
        work: Path,
    ) -> None:
        self.all, self.of_results = table, leaf_items
        self.classes = tuple(classes)
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
        """The class index of each item, or None."""
        return tuple(self.all.column("label"))

    @cached_property
    def _indices(self) -> np.ndarray:
        return np.array(self.all.column("index"), dtype=np.int64)

    def load(self, index: int) -> np.ndarray:
        """Return the original photo, uint8 `[h, w, 3]`."""
        return self._dataset.load(int(self._indices[index]))

    def affine(self, index: int) -> Affine:
        """Return the map from pixels of the model input to pixels of the original photo."""
        return self.all[index].affine

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of zeros that is mapped from a file, to save memory.

        Args:
            name: part of the name of the file.
            shape, dtype: of the array, as for NumPy.
        """
        if 0 in shape:  # an empty file cannot be mapped
            return np.zeros(shape, dtype)
        self._work.mkdir(parents=True, exist_ok=True)
        path = self._work / f"{self._spools:03d}-{folder_name(name)}.npy"
        self._spools += 1
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        # If the disk ran full on a write through the map, the process would be killed.
        if hasattr(os, "posix_fallocate"):
            with open(path, "rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array


@dataclass
class SweepOutcome:
    """The results of a sweep.

    Attributes:
        explanations: explainer name -> layer -> Explanation.
        failed: explainer name -> the error that prevented its results.
        omitted: the same for explainers that were not requested but are on by default.
    """

    explanations: dict[str, dict[str, Explanation]] = field(default_factory=dict)
    failed: dict[str, ConvvizError] = field(default_factory=dict)
    omitted: dict[str, ConvvizError] = field(default_factory=dict)

    def check(self, hint: str = "") -> None:
        """Warn of omitted results, and raise the first error of a failed explainer.

        An explainer that is on by default and does not apply to the model (ModelError) is only
        noted in the run.

        Args:
            hint: a note to add to the error.
        """
        for name, error in self.omitted.items():
            if not isinstance(error, ModelError):
                warnings.warn(f"no {name}: {error}", ConvvizWarning, stacklevel=4)
        for error in self.failed.values():
            if hint:
                error.add_note(hint)
            raise error


def finish(
    model: Model,
    plan: SweepPlan,
    partials: PartialsOfStep,
    items: SweptItems,
    notes: tuple[str, ...] = (),
    reused: Collection[int] = (),
    pictures: bool = False,
) -> SweepOutcome:
    """Compute the results of every explainer.

    An explainer that fails affects only the explainers that need it.

    Args:
        model, plan: describe the sweep.
        partials: returns the partials of a step in item order, loaded one by one.
        items: the items that were used.
        notes: notes about the network for all results.
        reused: positions of the steps whose results exist.
        pictures: compute the pictures of the results as well.
    """
    outcome = SweepOutcome()
    results: dict[int, ResultsByLayer | ConvvizError] = {}
    positions = _steps_to_finish(plan.steps, reused)
    for i in track(positions, "finishing", len(positions), lambda i: plan.steps[i].named.name):
        step = plan.steps[i]
        result = _finish_step(model, step, partials(i), items, results, pictures)
        results[i] = result
        if not step.is_requested or i in reused:
            continue
        name = step.named.name
        if isinstance(result, ConvvizError):
            (outcome.omitted if step.named.is_default else outcome.failed)[name] = result
        else:
            outcome.explanations[name] = _explanations(plan, step, result, items, notes)
    return outcome


def _steps_to_finish(steps: Sequence[ExplainerStep], reused: Collection[int]) -> list[int]:
    """Return the positions of the steps without results, and of those that they need."""
    needed = {i for i, step in enumerate(steps) if step.is_requested and i not in reused}
    for i in reversed(range(len(steps))):  # the needs of a step come before it
        if i in needed:
            needed.update(steps[i].needs, steps[i].optional_needs)
    return sorted(needed)


def _finish_step(
    model: Model,
    step: ExplainerStep,
    partials: Iterator[Partial],
    items: SweptItems,
    results: Mapping[int, ResultsByLayer | ConvvizError],
    pictures: bool,
) -> ResultsByLayer | ConvvizError:
    """Return the results of a step, or the error of the explainer or of one that it needs."""
    needs: list[ResultsByLayer] = []
    for position in step.needs:
        result = results[position]
        if isinstance(result, ConvvizError):
            return result
        needs.append(result)
    optional = [results[position] for position in step.optional_needs]
    needs += [result for result in optional if not isinstance(result, ConvvizError)]
    read_errors: list[Exception] = []
    try:
        with restore_network(step.named, model):
            output: Mapping[str, Result] = step.explainer.finish(
                model, _record_errors(partials, read_errors), items, tuple(needs)
            )
            if pictures and step.is_requested:
                output = step.explainer.add_pictures(model, _check_results(step, output), items)
        return _check_results(step, output)
    except Exception as error:
        _raise_if_not_of_explainer(error, read_errors)
        if isinstance(error, ConvvizError):
            return error
        if is_out_of_memory(error):
            return ConvvizError(f"explainer {step.named} ran out of memory at the end: {error}")
        raise


def _record_errors(partials: Iterator[Partial], errors: list[Exception]) -> Iterator[Partial]:
    """Yield partials, and record the error if one cannot be read."""
    try:
        yield from partials
    except Exception as error:
        errors.append(error)
        raise


def _raise_if_not_of_explainer(error: Exception, read_errors: list[Exception]) -> None:
    """Raise the error of a full disk or of an unreadable shard, after which the shards stay."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in FULL:
        raise cause from None
    if not read_errors:
        return
    first = read_errors[0]
    if isinstance(first, ConvvizError):
        raise first from None
    raise ConvvizError(
        f"a finished shard cannot be read ({type(first).__name__}: {first}); the shards are kept, "
        "and the same command resumes the sweep"
    ) from first


def _check_results(step: ExplainerStep, output: Any) -> ResultsByLayer:
    if not isinstance(output, Mapping) or not all(isinstance(layer, str) for layer in output):
        raise PluginError(f"explainer {step.named}: finish returns a dict, layer -> result")
    return {layer: check_result(step.named, result, None) for layer, result in output.items()}


def _explanations(
    plan: SweepPlan,
    step: ExplainerStep,
    results: ResultsByLayer,
    items: SweptItems,
    notes: tuple[str, ...],
) -> dict[str, Explanation]:
    return {
        layer: Explanation(
            result=with_notes(result, notes) if notes else result,
            explainer=step.explainer,
            name=step.named.name,
            layer=layer,
            model=plan.record["model"],
            items=items.of_results,
            versions=versions((step.named,)),
        )
        for layer, result in results.items()
    }
