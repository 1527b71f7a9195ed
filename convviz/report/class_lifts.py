"""Lifts: the response of units to images of some classes, compared with that to all images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results.types import Result

CLASSES = 8
"""Maximum number of classes per unit."""

LEAST_LIFT = 1.1
"""Smallest lift at which a class is listed among those that a unit fires for."""

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
    counts, totals = _counts_of_patches(tiles, labels)
    known = _table_of_counts(counts, totals, labels)
    order = np.lexsort((-known.lifts, -counts), axis=0)[:CLASSES].T  # then by class
    shape, width = (len(totals), CLASSES), order.shape[1]
    units = np.arange(len(totals))[:, None]
    of_best = counts.T[units, order]
    occurs = of_best > 0
    classes, lifts, numbers = np.full(shape, -1), np.zeros(shape), np.zeros(shape, int)
    classes[:, :width] = np.where(occurs, known.classes[order], -1)
    lifts[:, :width] = known.lifts.T[units, order]
    numbers[:, :width] = of_best
    meaning = (
        "share of the class among the top images, divided by its share among all images; then the "
        "number of top images"
    )
    all_of_unit = np.where(numbers > 0, totals[:, None], 0)
    return ClassLifts(classes, lifts, numbers, all_of_unit, meaning, "patches")


def table_of_patches(tiles: Result, labels: list[int | None]) -> LiftTable:
    """Return the share of each class among the top images, divided by that among all images."""
    return _table_of_counts(*_counts_of_patches(tiles, labels), labels)


def _table_of_counts(counts: Array, totals: Array, labels: list[int | None]) -> LiftTable:
    present, images = _images_by_class(labels)
    share = images[:, None] / max(1, len(labels))
    return LiftTable(present, images, counts / np.maximum(1, totals) / share)


def _counts_of_patches(tiles: Result, labels: list[int | None]) -> tuple[Array, Array]:
    """Return the top images by class that has images, `[K, C]`, and all of each unit, `[C]`."""
    present, _ = _images_by_class(labels)
    items = np.asarray(tiles["items"])
    of_item = np.where(items >= 0, _known(labels)[items], -1)
    counts = np.zeros((len(present), len(items)), int)
    for place, label in enumerate(present.tolist()):
        counts[place] = (of_item == label).sum(1)
    return counts, (items >= 0).sum(1)


def _images_by_class(labels: list[int | None]) -> tuple[Array, Array]:
    """Return the classes that have images, `[K]`, and the numbers of their images, `[K]`."""
    known = _known(labels)
    return np.unique(known[known >= 0], return_counts=True)


def _known(labels: list[int | None]) -> Array:
    """Return the labels as an array, -1 for none."""
    return np.array([-1 if label is None else label for label in labels], dtype=int)


def numbers_of(tensor: Any) -> Array:
    """Return a tensor as an array of float64."""
    return np.asarray(tensor.detach().double().numpy())
