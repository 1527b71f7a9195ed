"""Lifts: the response of units to images of some classes, compared with that to all images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results.types import Result

CLASSES = 8
"""Most classes per unit."""

LEAST_LIFT = 1.1
"""Least lift of a class that a unit is said to fire for."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ClassLifts:
    """Which classes a unit responds to, per unit and rank.

    Attributes:
        classes: int `[C, n]`, positions among the classes of the run; -1 for none.
        lifts: `[C, n]`, how much more than on all images; highest first.
        counts: int `[C, n]`, images of the class in which the unit fires, or that are among its
            top images.
        totals: int `[C, n]`, images that were counted.
        meaning: what lift and count stand for.
        explainer: the explainer whose results were used.
    """

    classes: Array
    lifts: Array
    counts: Array
    totals: Array
    meaning: str
    explainer: str


@dataclass(frozen=True)
class LiftTable:
    """The lift of every class with images for every unit.

    The lift of several classes is the mean of theirs, weighted by the numbers of images.

    Attributes:
        classes: int `[K]`, positions among the classes of the run.
        images: int `[K]`, images of each class.
        lifts: `[K, C]`.
    """

    classes: Array
    images: Array
    lifts: Array


def lifts_of_means(table: Result) -> ClassLifts:
    """Return classes by mean activation on their images, divided by the mean on all images.

    Classes are left out where this lift is below `LEAST_LIFT`.
    """
    known = table_of_means(table)
    present, images, lift = known.classes, known.images, known.lifts
    fires = np.nan_to_num(numbers_of(table["class_fires"])[present])
    best = np.argsort(-lift, axis=0, kind="stable")[:CLASSES].T
    units = np.arange(lift.shape[1])[:, None]
    counts = np.rint(fires * images[:, None]).astype(int)[best, units]
    lifts = lift.T[units, best]
    return ClassLifts(
        classes=np.where(lifts >= LEAST_LIFT, present[best], -1),
        lifts=lifts,
        counts=counts,
        totals=images[best],
        meaning="mean activation on images of the class, divided by the mean on all images; then "
        "the images of the class in which the unit fires",
        explainer="statistics",
    )


def table_of_means(table: Result) -> LiftTable:
    """Return the mean activation on the images of each class, divided by that on all images."""
    images = np.asarray(table["class_images"])
    present = np.flatnonzero(images > 0)
    means, overall = (
        np.nan_to_num(numbers_of(table["class_mean"])[present]),
        numbers_of(table["mean"]),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        lifts = np.where(overall > 0, means / overall, 0.0)
    return LiftTable(present, images[present], lifts)


def lifts_of_patches(tiles: Result, labels: list[int | None]) -> ClassLifts:
    """Return the classes of the top images; the lift compares with their share of all images."""
    known = np.array([-1 if label is None else label for label in labels], dtype=int)
    share = np.bincount(known[known >= 0], minlength=1) / max(1, len(known))
    items = np.asarray(tiles["items"])
    shape = (len(items), CLASSES)
    classes, lifts = np.full(shape, -1), np.zeros(shape)
    counts, totals = np.zeros(shape, int), np.zeros(shape, int)
    for unit, row in enumerate(items):
        of_unit = known[row[row >= 0]]
        values, number = np.unique(of_unit[of_unit >= 0], return_counts=True)
        lift = number / max(1, len(of_unit)) / share[values]
        best = np.lexsort((values, -lift, -number))[:CLASSES]
        width = len(best)
        classes[unit, :width], lifts[unit, :width] = values[best], lift[best]
        counts[unit, :width], totals[unit, :width] = number[best], len(of_unit)
    meaning = (
        "share of the class among the top images, divided by its share among all images; then the "
        "number of top images"
    )
    return ClassLifts(classes, lifts, counts, totals, meaning, "patches")


def table_of_patches(tiles: Result, labels: list[int | None]) -> LiftTable:
    """Return the share of each class among the top images, divided by that among all images."""
    known = np.array([-1 if label is None else label for label in labels], dtype=int)
    images = np.bincount(known[known >= 0], minlength=1)
    present = np.flatnonzero(images > 0)
    items = np.asarray(tiles["items"])
    of_item = np.where(items >= 0, known[items], -1)
    totals = np.maximum(1, (items >= 0).sum(1))
    counts = np.stack([(of_item == label).sum(1) for label in present.tolist()] or [totals * 0])
    share = images[present, None] / max(1, len(known))
    return LiftTable(present, images[present], counts[: len(present)] / totals / share)


def numbers_of(tensor: Any) -> Array:
    """Return a tensor as an array of float64."""
    return np.asarray(tensor.detach().double().numpy())
