"""Effects of units on the scores of classes, from saved results about switched-off channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..explanation.explanation import Explanation
from ..results.types import Table

UNIT = "score drop"
SET_TO = "channels set to"
"""The measure by which tables of effects are recognized."""

CLASSES = 6
"""Maximum number of classes per unit."""


@dataclass(frozen=True)
class UnitEffects:
    """Mean drop of the scores when a unit of a layer is switched off.

    Attributes:
        images: number of images over which the drops are averaged.
        set_to: the value of the unit while it is off, in words.
        classes: names of the classes.
        drops: `[C, classes]`.
    """

    images: int
    set_to: str
    classes: tuple[str, ...]
    drops: np.ndarray

    def record(self, unit: int) -> dict[str, Any]:
        """Return the classes whose scores drop most without a unit, for its page."""
        drops = np.nan_to_num(self.drops[unit])
        order = np.argsort(-drops, kind="stable")[:CLASSES]
        shown = [(self.classes[i], float(f"{drops[i]:.3g}")) for i in order if drops[i] > 0]
        return {
            "images": self.images,
            "set_to": self.set_to,
            "classes": [{"name": name, "drop": drop} for name, drop in shown],
        }


def is_effect_table(explanation: Explanation) -> bool:
    """Return whether a result has the drop of each class by unit."""
    result = explanation.result
    return (
        isinstance(result, Table)
        and result.unit == UNIT
        and SET_TO in result.measures
        and result.values.ndim == 2
        and result.values.shape == (len(result.rows), len(result.columns))
    )


def effects_of_layer(
    explanations: Iterable[Explanation], layer: str, units: int, weights_hash: str
) -> UnitEffects | None:
    """Return the mean effects of the units of a layer; None if no result is about it.

    Results of other weights, of other classes, or with units switched off in another way than in
    the first result are left out.
    """
    tables: list[Table] = []
    for explanation in explanations:
        table = explanation.result
        assert isinstance(table, Table)
        is_of_layer = table.measures.get("layer") == layer and len(table.rows) == units
        if is_of_layer and explanation.model.get("weights_hash") == weights_hash:
            tables.append(table)
    alike = [table for table in tables if _setting(table) == _setting(tables[0])]
    if not alike:
        return None
    first = alike[0]
    drops = np.mean([table.values.double().numpy() for table in alike], axis=0)
    return UnitEffects(len(alike), str(first.measures[SET_TO]), tuple(first.columns), drops)


def _setting(table: Table) -> tuple[Any, ...]:
    return str(table.measures[SET_TO]), tuple(table.columns)
