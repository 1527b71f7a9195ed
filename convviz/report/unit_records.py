"""The data of a layer page: columns of all units, and records of units in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .binary import packed
from .class_lifts import LEAST_LIFT, Array, LiftTable
from .layer_units import LayerUnits, input_size

UNITS_PER_CHUNK = 64

LIFT_STEPS = 2048
"""Steps of a lift per doubling in the browser."""

LIFT_DOUBLINGS = 16
"""Lifts from 2 to the power of -16 to 16 are kept; smaller ones become 0."""

Box = tuple[float, float, float, float]
RowOf = Callable[[int], int | None]
"""Row of the report for an item of a run; None if the report does not show this image."""


def column_record(units: LayerUnits) -> dict[str, Any]:
    """Return what sorting and filtering need: one entry per unit in each column."""
    lifts = units.lifts
    return {
        "count": units.count,
        "block": UNITS_PER_CHUNK,
        "columns": {name: [short(v) for v in values] for name, values in units.columns.items()},
        "dead": np.flatnonzero(units.dead).tolist(),
        "silent": np.flatnonzero(units.silent).tolist(),
        "duplicates": {str(u): int(k) for u, k in enumerate(units.duplicates) if k >= 0},
        "with_images": [] if lifts is None else _labels_with_images(units),
    }


def lift_record(table: LiftTable) -> dict[str, Any]:
    """Return the lifts of all classes with images, row by row, as numbers of 16 bits.

    0 stands for no lift, n for 2 to the power of (n - 1) / `LIFT_STEPS` - `LIFT_DOUBLINGS`.
    """
    with np.errstate(divide="ignore"):
        levels = np.rint((np.log2(table.lifts) + LIFT_DOUBLINGS) * LIFT_STEPS) + 1
    return {
        "classes": table.classes.tolist(),
        "images": table.images.tolist(),
        "steps": LIFT_STEPS,
        "doublings": LIFT_DOUBLINGS,
        "least": LEAST_LIFT,
        "lifts": packed(np.clip(levels, 0, 2**16 - 1), "<u2"),
    }


def unit_chunks(units: LayerUnits, row_of: RowOf) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the number of each block with the records of its units."""
    for block, start in enumerate(range(0, units.count, UNITS_PER_CHUNK)):
        numbers = range(start, min(start + UNITS_PER_CHUNK, units.count))
        yield block, [unit_record(units, unit, row_of) for unit in numbers]


def unit_record(units: LayerUnits, unit: int, row_of: RowOf) -> dict[str, Any]:
    """Return everything about one unit."""
    others, shared = units.similar
    kin, cosines = units.similar_weights
    return {
        "unit": unit,
        "rank": int(units.rank[unit]),
        "tied": int(units.tie_size[unit]),
        "patches": list(_patches(units, unit, row_of)),
        "guided": _place_among_drawn(units, unit),
        "classes": list(_classes(units, unit)),
        "similar": [
            {"unit": int(other), "shared": int(n)}
            for other, n in zip(others[unit], shared[unit], strict=True)
            if other >= 0
        ],
        "similar_weights": [
            {"unit": int(other), "cosine": round(float(cosine), 2)}
            for other, cosine in zip(kin[unit], cosines[unit], strict=True)
            if other >= 0
        ],
        "histogram": _histogram(units, unit),
        "peaks": _peaks(units, unit, row_of),
    }


def _patches(units: LayerUnits, unit: int, row_of: RowOf) -> Iterator[dict[str, Any]]:
    """Yield the top patches with their boxes in pixels of the photo, if they are mapped to it."""
    tiles = units.tiles
    if tiles is None:
        return
    items, values = tiles["items"][unit].tolist(), tiles.values[unit].tolist()
    boxes, positions = tiles["boxes"][unit].tolist(), tiles["positions"][unit].tolist()
    for item, value, box, position in zip(items, values, boxes, positions, strict=True):
        if item < 0:
            continue
        yield {
            "row": row_of(item),
            "item": item,
            "value": short(value),
            "position": position if min(position) >= 0 else None,
            "box": visible_box(units, item, box),
        }


def visible_box(units: LayerUnits, item: int, box: Box) -> list[float] | None:
    """Return the part of a receptive field that the model saw, in pixels of the photo.

    None if boxes are not in pixels of the photo, because the preprocessing is not a `Preprocess`.
    """
    preprocess = str(units.run.plan["model"].get("preprocess", ""))
    if not preprocess.startswith("Preprocess(") or not all(map(math.isfinite, box)):
        return None
    record = units.items[item]
    height, width = record.size
    seen = (0.0, 0.0, float(width), float(height))
    if size := input_size(preprocess):
        a, b, c, d, e, f = record.affine
        if not b and not d:
            seen = (c, f, a * size[1] + c, e * size[0] + f)
    x0, y0 = max(box[0], seen[0], 0), max(box[1], seen[1], 0)
    x1, y1 = min(box[2], seen[2], width), min(box[3], seen[3], height)
    return [round(float(v), 1) for v in (x0, y0, x1, y1)] if x1 > x0 and y1 > y0 else None


def _place_among_drawn(units: LayerUnits, unit: int) -> int | None:
    """Return the row of a unit in the guided gradients that the run holds."""
    tiles = units.tiles
    if tiles is None or "guided gradients" not in tiles.arrays:
        return None
    order = list(getattr(tiles, "order", ()))
    return order.index(unit) if unit in order else None


def _classes(units: LayerUnits, unit: int) -> Iterator[dict[str, Any]]:
    lifts = units.lifts
    if lifts is None:
        return
    for rank, label in enumerate(lifts.classes[unit].tolist()):
        if label >= 0:
            yield {
                "class": label,
                "lift": short(lifts.lifts[unit, rank]),
                "count": int(lifts.counts[unit, rank]),
                "of": int(lifts.totals[unit, rank]),
            }


def _histogram(units: LayerUnits, unit: int) -> Mapping[str, Any] | None:
    """Return the occupied bins of the values at all positions: edges, and counts between them."""
    if units.table is None:
        return None
    counts: Array = units.table["histogram"][unit].numpy()
    edges: Array = units.table["edges"].numpy().copy()
    occupied = np.flatnonzero(counts)
    if not len(occupied):
        return None
    first, last = int(occupied[0]), int(occupied[-1])
    # The occupied bins end at the extreme values; those at the ends of the range are unbounded.
    edges[first], edges[last + 1] = units.table["min"][unit], units.table["max"][unit]
    return {
        "edges": [short(edge) for edge in edges[first : last + 2]],
        "counts": counts[first : last + 1].tolist(),
    }


def _peaks(units: LayerUnits, unit: int, row_of: RowOf) -> Mapping[str, Any] | None:
    """Return the histogram of the highest values of all images, and examples by rank."""
    peaks = units.peaks
    if peaks is None or not np.isfinite(peaks.span[unit]).all():
        return None
    counts = peaks.histogram[unit].astype(int).tolist()
    ranks = peaks.ranks[unit].astype(int).tolist()
    strata = []
    for stratum, share in enumerate(peaks.shares.tolist()):
        if ranks[stratum] in ranks[stratum + 1 :]:  # few images: the next stratum has them too
            continue
        strata.append({"share": share, "examples": list(_examples(units, unit, stratum, row_of))})
    low, high = peaks.span[unit].tolist()
    return {"low": short(low), "high": short(high), "counts": counts, "strata": strata}


def _examples(
    units: LayerUnits, unit: int, stratum: int, row_of: RowOf
) -> Iterator[dict[str, Any]]:
    peaks = units.peaks
    assert peaks is not None
    for place, item in enumerate(peaks.items[unit, stratum].astype(int).tolist()):
        if item < 0:
            continue
        at = unit, stratum, place
        position = peaks.positions[at].astype(int).tolist()
        yield {
            "row": row_of(item),
            "item": item,
            "rank": int(peaks.ranks[at]),
            "value": short(peaks.values[at]),
            "position": position if min(position) >= 0 else None,
            "box": visible_box(units, item, peaks.boxes[at].tolist()),
        }


def short(value: float) -> float | None:
    """Return a number with five digits; None if it is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _labels_with_images(units: LayerUnits) -> list[int]:
    return sorted({item.label for item in units.items if item.label is not None})
