"""Results as tables with one row per value, and with names instead of indices.

| result | rows |
|---|---|
| Tiles with stacks (patches) | one per unit and rank: the value, the image, the box |
| Tiles with photos (rankings) | one per rank: the image or images, and the columns of the ranking |
| other Tiles | one per filter, or per image and channel |
| Table | one per row |
| Matches | one per image and rank: the neighbour and its distance |
| Points | one per image |
| Heatmap, Mask | one per pixel |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..data.item_table import ItemTable
from ..errors import ConvvizError
from ..images.batch import Item
from ..results.types import Heatmap, Mask, Matches, Points, Result, Table, Tiles
from .content import ExplanationContent

Columns = dict[str, Any]
"""Name -> a NumPy array, or a list with None for missing values; all of one length."""

PARTS = {"positions": ("y", "x"), "boxes": ("x0", "y0", "x1", "y1"), "cells": ("row", "column")}
"""Array with a short last axis -> names of the columns that it becomes."""

LABEL, TOP = "label", "top"
"""Arrays of a table of predictions with outputs of the model, `[n]` and `[n, k]`, best first."""


def columns_of(explanation: ExplanationContent, classes: Sequence[str] = ()) -> Columns:
    """Return the columns of the table of an explanation.

    Args:
        explanation: the explanation.
        classes: the names of the labels of the items, if the result does not hold them.

    Raises:
        ConvvizError: the result has no values per tile or image that fit a table.
    """
    result = explanation.result
    outputs = explanation.model.get("labels", ())
    names = Names(explanation.items, _class_names(result) or tuple(classes), outputs)
    try:
        return _BUILDERS[result.kind](result, names)
    except (ValueError, IndexError, TypeError) as error:
        # Anybody may have written a loaded result: its arrays need not fit together.
        reason = f"its arrays do not fit together ({error})"
        raise ConvvizError(f"the result of {explanation.name} has no table: {reason}") from error


class Names:
    """Ids and labels of items, by their index.

    Args:
        items: the items.
        classes: the names of the labels.
        outputs: the names of the outputs of the model; may be empty.
    """

    def __init__(
        self, items: Sequence[Item], classes: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self._classes, self._outputs = classes, outputs
        if isinstance(items, ItemTable):
            self.ids, self.labels = list(items.ids), items.column("label")
        else:
            self.ids, self.labels = [i.id for i in items], [i.label for i in items]

    def of(self, indices: np.ndarray, prefix: str = "") -> Columns:
        """Return the columns item, id, label and class for items; -1 is not an item.

        The last two are left out if no item has a label, or if the labels have no names.
        """
        which = [int(i) for i in indices.reshape(-1)]
        columns: Columns = {
            f"{prefix}item": [i if i >= 0 else None for i in which],
            f"{prefix}id": [_entry(self.ids, i) for i in which],
        }
        if any(label is not None for label in self.labels):
            labels = [_entry(self.labels, i) for i in which]
            columns[f"{prefix}label"] = labels
            if self._classes:
                columns[f"{prefix}class"] = [class_label(self._classes, n) for n in labels]
        return columns

    def of_outputs(self, outputs: Tensor) -> list[Any]:
        """Return the names of outputs of the model, or their numbers if it has no names.

        -1 stands for no output.
        """
        numbers = outputs.tolist()
        if self._outputs:
            return [_entry(self._outputs, i) for i in numbers]
        return [i if i >= 0 else None for i in numbers]


def class_label(classes: Sequence[str], label: int | None) -> str | None:
    """Return the name of a label, or None if there is none."""
    return None if label is None else _entry(classes, label)


def _entry(values: Sequence[Any], index: int) -> Any:
    return values[index] if 0 <= index < len(values) else None


def _class_names(result: Result) -> tuple[str, ...]:
    names = getattr(result, "classes", ())
    return names if isinstance(names, tuple) else ()


def _grid(*lengths: int) -> list[np.ndarray]:
    """Return the index of every cell of an array along each of its axes, flattened."""
    return [axis.reshape(-1) for axis in np.indices(lengths)]


def _flat(array: Tensor) -> np.ndarray:
    return array.detach().cpu().reshape(-1).numpy()


def _cell_columns(arrays: Mapping[str, Tensor], shape: tuple[int, ...]) -> Columns:
    """Return the arrays with a number per cell, and those in PARTS as one column per part."""
    columns: Columns = {}
    for name, array in arrays.items():
        if tuple(array.shape) == shape:
            columns[name] = _flat(array)
        elif name in PARTS and tuple(array.shape) == (*shape, len(PARTS[name])):
            for i, part in enumerate(PARTS[name]):
                columns[part] = _flat(array[..., i])
    return columns


def _tiles(result: Tiles, names: Names) -> Columns:
    if result.layout == "photos":
        return _ranked_photos(result, names)
    if result.stacks or "boxes" in result.arrays:
        return _ranked_tiles(result, names)
    if result.layout == "images":
        shape = (int(result.values.shape[0]), int(result.values.shape[1]))
        images, units = _grid(*shape)
        return {**names.of(images), "unit": units, **_cell_columns(result.arrays, shape)}
    count = len(result.values)
    table = {name: list(column) for name, column in result.table.items() if len(column) == count}
    further = {n: c for n, c in _cell_columns(result.arrays, (count,)).items() if n not in table}
    return {"unit": np.arange(count), **table, **further}


def _ranked_tiles(result: Tiles, names: Names) -> Columns:
    """Return one row per unit and rank; ranks without an image are left out."""
    count, k = result.values.shape
    units, ranks = _grid(count, k)
    columns: Columns = {"unit": units, "rank": ranks + 1, "value": _flat(result.values)}
    columns |= _cell_columns(
        {n: a for n, a in result.arrays.items() if n != "items"}, (int(count), int(k))
    )
    for name, array in result.arrays.items():
        if tuple(array.shape) == (count,):
            columns[name] = _flat(array).repeat(k)
    if "items" not in result.arrays:
        return columns
    items = _flat(result["items"])
    known = items >= 0
    columns = {name: column[known] for name, column in columns.items()}
    head = {name: columns.pop(name) for name in ("unit", "rank", "value")}
    return {**head, **names.of(items[known]), **columns}


def _ranked_photos(result: Tiles, names: Names) -> Columns:
    """Return one row per rank: the columns of the ranking after the items of its photos."""
    count = len(result.values)
    items = result["items"] if result["items"].ndim == 2 else result["items"][:, None]
    columns: Columns = {"rank": np.arange(count) + 1}
    for place, prefix in zip(range(items.shape[1]), ("", "other "), strict=False):
        columns[f"{prefix}item"] = names.of(items[:, place].numpy())["item"]
    table = {name: list(column) for name, column in result.table.items() if len(column) == count}
    return {**columns, **table}


def _table(result: Table, names: Names) -> Columns:
    count, width = result.values.shape
    is_of_channels = "histogram" in result.arrays
    columns: Columns = {"unit" if is_of_channels else "row": np.arange(count)}
    if result.rows and not is_of_channels:
        columns["name"] = [_entry(result.rows, i) for i in range(count)]
    if TOP in result.arrays:
        columns["label"] = names.of_outputs(result[LABEL])
        columns["predicted"] = names.of_outputs(result[TOP][:, 0])
    for j in range(width):
        name = result.columns[j] if j < len(result.columns) else f"column {j}"
        columns[name] = _flat(result.values[:, j])
    known = {name.replace(" ", "_") for name in columns}
    further = _cell_columns(result.arrays, (int(count),))
    return {**columns, **{n: c for n, c in further.items() if n not in known}}


def _matches(result: Matches, names: Names) -> Columns:
    count, k = result.values.shape
    queries, ranks = _grid(count, k)
    columns: Columns = {}
    if "queries" in result.arrays:  # images of a query, not items of the run
        columns |= {"query": queries, "query_id": [_entry(names.ids, int(i)) for i in queries]}
    else:
        columns |= names.of(queries)
    columns |= {"rank": ranks + 1}
    for space, indices, distances in (
        ("", "indices", "values"),
        ("pixel_", "pixel_indices", "pixel_distances"),
    ):
        if indices not in result.arrays:
            continue
        which = _flat(result[indices])
        columns[f"{space}distance"] = _flat(result[distances])
        columns |= _neighbours(result, which, f"{space}neighbor")
    return columns


def _neighbours(result: Matches, which: np.ndarray, prefix: str) -> Columns:
    """Return index, id and class of neighbours, -1 for none."""
    columns: Columns = {
        prefix: [int(i) if i >= 0 else None for i in which],
        f"{prefix}_id": [_entry(result.names, int(i)) for i in which],
    }
    if "labels" in result.arrays and result.classes:
        labels = result["labels"].tolist()
        columns[f"{prefix}_class"] = [
            None if i < 0 else _entry(result.classes, int(labels[i])) for i in which
        ]
    return columns


def _points(result: Points, names: Names) -> Columns:
    count = len(result.values)
    points = {"x": _flat(result.values[:, 0]), "y": _flat(result.values[:, 1])}
    others = {n: a for n, a in result.arrays.items() if n != "labels"}
    return {**names.of(np.arange(count)), **points, **_cell_columns(others, (count,))}


def _heatmap(result: Heatmap | Mask, names: Names) -> Columns:
    shape = tuple(map(int, result.values.shape))
    axes = _grid(*shape)
    columns = names.of(axes[0])
    if len(shape) == 4:
        panels = () if isinstance(result, Mask) or result.colour else result.panels
        columns["panel" if panels else "channel"] = (
            [_entry(panels, int(i)) for i in axes[1]] if panels else axes[1]
        )
    return {**columns, "y": axes[-2], "x": axes[-1], "value": _flat(result.values)}


_BUILDERS: dict[str, Callable[[Any, Names], Columns]] = {
    "tiles": _tiles,
    "table": _table,
    "matches": _matches,
    "points": _points,
    "heatmap": _heatmap,
    "mask": _heatmap,
}
