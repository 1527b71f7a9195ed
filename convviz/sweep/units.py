"""Which units of a layer respond to some classes, from the results of a sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

import torch
from torch import Tensor

from ..data.item_table import ItemTable
from ..errors import ConvvizError, ParameterError
from ..results.types import Result
from .class_names import outputs_of_classes

SHOWN = 20
"""Rows of the text of a ranking."""

NAMED = 10
"""Most class names in an error."""

_OUTPUTS = re.compile(r"(?P<first>\d{1,9})-(?P<last>\d{1,9})")
"""A range of outputs of the model: 151-268."""


class RunResults(Protocol):
    """The part of a Run that a ranking reads."""

    plan: dict[str, Any]

    @property
    def items(self) -> ItemTable:
        """The items of the run."""
        ...

    def __iter__(self) -> Iterator[str]: ...

    def __getitem__(self, name: str) -> Any: ...


@dataclass(frozen=True)
class UnitLift:
    """How much more a unit responds to some classes than to all.

    Attributes:
        unit: index of the channel.
        lift: how much more, as a ratio; 1 is neutral. See `Run.units`.
        count: images of the classes that activate the unit, among `of` images.
        of: with best images, those in the list of the unit; otherwise the images of the classes.
    """

    unit: int
    lift: float
    count: int
    of: int


class UnitRanking(Sequence[UnitLift]):
    """Units by lift, highest first. Printing it shows the first 20.

    Attributes:
        layer: the layer.
        classes: names of the classes that are meant.
        explainer: the explainer whose results were used.
        meaning: what `count` counts.
    """

    def __init__(
        self,
        units: Sequence[UnitLift],
        layer: str,
        classes: tuple[str, ...],
        explainer: str,
        meaning: str,
    ) -> None:
        self._units = tuple(units)
        self.layer, self.classes = layer, classes
        self.explainer, self.meaning = explainer, meaning

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, index: Any) -> Any:
        return self._units[index]

    def __iter__(self) -> Iterator[UnitLift]:
        return iter(self._units)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row per unit; requires pandas."""
        import pandas

        return pandas.DataFrame([asdict(unit) for unit in self], columns=list(_COLUMNS))

    def __repr__(self) -> str:
        return self.text()

    def text(self, shown: int = SHOWN) -> str:
        """Return the first units as a table of text."""
        names = ", ".join(self.classes[:3]) + ", …" * (len(self.classes) > 3)
        head = f"units of {self.layer!r} by lift for {len(self.classes)} classes ({names})"
        rows = [f"{u.unit:>6} {u.lift:>8.2f} {f'{u.count} of {u.of}':>12}" for u in self[:shown]]
        rest = [f"… {len(self) - shown} more"] if len(self) > shown else []
        table = [f"{'unit':>6} {'lift':>8} {'count':>12}", *rows, *rest]
        return "\n".join([head, *table, f"count: {self.meaning} (from {self.explainer})"])


_COLUMNS = ("unit", "lift", "count", "of")


def rank_units(
    run: RunResults, layer: str, classes: str | Sequence[str], explainer: str | None = None
) -> UnitRanking:
    """Return the units of a layer by lift; see `Run.units`."""
    known = classes_of(run)
    chosen = _matching(known, [classes] if isinstance(classes, str) else list(classes))
    name, result = _source(run, layer, explainer)
    if "class_fires" in result.arrays:
        counts, totals, lifts = _by_mean(result, chosen)
        meaning = "images of the classes in which the unit fires"
    else:
        counts, totals, lifts = _by_best_images(result, chosen, run.items.column("label"))
        meaning = "images of the classes among those that activate the unit most"
    rows = enumerate(zip(counts, totals, lifts, strict=True))
    units = [UnitLift(unit, lift, n, of) for unit, (n, of, lift) in rows if math.isfinite(lift)]
    units.sort(key=lambda u: (-u.lift, -u.count, u.unit))
    readable = tuple(" / ".join(dict.fromkeys(known[i].names)) for i in chosen)
    return UnitRanking(units, layer, readable, name, meaning)


@dataclass(frozen=True)
class ClassOfRun:
    """A class of the data set.

    Attributes:
        names: that of the data set and, if known, that of the model.
        output: the output of the model, or None if it is not known.
    """

    names: tuple[str, ...]
    output: int | None


def classes_of(run: RunResults) -> list[ClassOfRun]:
    """Return the classes of a run, with the outputs that predictions found for them."""
    labels = run.plan["model"].get("labels", ())
    outputs = outputs_of_classes(run.plan) or {}
    classes = run.plan["dataset"]["classes"]
    return [_class_of_run(name, outputs.get(name), labels) for name in classes]


def _class_of_run(name: str, output: Any, labels: Sequence[str]) -> ClassOfRun:
    if not isinstance(output, int) or output < 0:
        return ClassOfRun((name,), None)
    return ClassOfRun((name, *labels[output : output + 1]), output)


def _matching(classes: Sequence[ClassOfRun], patterns: Sequence[str]) -> list[int]:
    """Return the classes with a name that matches a pattern, or an output in a range.

    Case does not matter.
    """
    chosen = [i for i, known in enumerate(classes) if any(_is_meant(known, p) for p in patterns)]
    if not chosen:
        first = ", ".join(repr(known.names[-1]) for known in classes[:NAMED])
        raise ParameterError(
            f"classes={', '.join(map(repr, patterns))}: no class of the run has such a name; "
            + (
                f"the first of {len(classes)} are {first}"
                if classes
                else "its images have no labels"
            )
        )
    return chosen


def _is_meant(known: ClassOfRun, pattern: str) -> bool:
    if any(fnmatchcase(name.casefold(), pattern.casefold()) for name in known.names):
        return True
    limits = _OUTPUTS.fullmatch(pattern)
    if limits is None or known.output is None:
        return False
    return int(limits["first"]) <= known.output <= int(limits["last"])


def _source(run: RunResults, layer: str, explainer: str | None) -> tuple[str, Result]:
    """Return a result for the layer with best images or, failing that, with firing rates."""
    candidates = [explainer] if explainer else list(run)
    for array in ("positions", "class_fires"):
        for name in candidates:
            results = run[name]
            if layer in results and array in results[layer].result.arrays:
                return name, results[layer].result
    known = sorted({known for name in candidates for known in run[name]})
    raise ConvvizError(
        f"the run has no best images and no firing rates of classes for layer {layer!r}: sweep it "
        f"with patches or statistics, and labels (results exist for {', '.join(known)})"
    )


Counts = tuple[list[int], list[int], list[float]]
"""Per unit: images of the classes, all images that were asked, and the lift; NaN if undefined."""


def _by_best_images(result: Result, chosen: list[int], labels: list[int | None]) -> Counts:
    numbers = torch.tensor([-1 if label is None else label for label in labels])
    is_chosen = torch.isin(numbers, torch.tensor(chosen))
    items: Tensor = result["items"]
    known = items >= 0
    counts = (is_chosen[items.clamp_min(0)] & known).sum(1)
    chance = float(is_chosen.double().mean())
    totals = known.sum(1)
    return counts.tolist(), totals.tolist(), (counts / totals / chance).tolist()


def _by_mean(result: Result, chosen: list[int]) -> Counts:
    """Return the images in which units fire, and lifts of the mean or, with signs, of firing."""
    images = result["class_images"][chosen]
    fires = result["class_fires"][chosen].nan_to_num(0.0)
    counts = (fires * images[:, None]).sum(0).round().long()
    total = int(images.sum())
    share, overall = counts / total, result["fires"]
    if bool((result["min"].nan_to_num(0.0) >= 0).all()):
        means = result["class_mean"][chosen].nan_to_num(0.0)
        share, overall = (means * images[:, None]).sum(0) / total, result["mean"]
    return counts.tolist(), [total] * len(counts), (share / overall).tolist()
