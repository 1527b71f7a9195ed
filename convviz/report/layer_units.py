"""The units of a layer as pages show them: numbers, patches, classes and similar units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ..errors import ConvvizError
from ..images.batch import Item
from ..results.types import Result
from ..sweep.run import Run
from .class_lifts import (
    Array,
    ClassLifts,
    LiftTable,
    lifts_of_means,
    lifts_of_patches,
    numbers_of,
    table_of_means,
    table_of_patches,
)

SIMILAR = 6
"""Most similar units per unit."""

LEAST_OVERLAP = 3
"""Minimum number of common top images of similar units."""

DUPLICATE = 8 / 9
"""Share of equal top patches (image and position) from which two units are near-duplicates."""

SILENT = 0.01
"""A unit that fires in a smaller share of the images is silent."""

SHARE_AT_LIMIT = 0.1
"""Share of units with the same maximum from which it counts as the limit of the activation."""


@dataclass(frozen=True)
class PeakStrata:
    """Distribution of the highest value of each unit over the images, with examples by rank.

    Attributes:
        histogram: int `[C, B]`, images in bins of equal width.
        span: `[C, 2]`, lowest and highest value.
        shares: `[S]`, share of the images down to the rank of the examples.
        ranks, items: int `[C, S, E]`, -1 where an example is missing.
        values: `[C, S, E]`.
        positions: int `[C, S, E, 2]`.
        boxes: `[C, S, E, 4]`.
    """

    histogram: Array
    span: Array
    shares: Array
    ranks: Array
    items: Array
    values: Array
    positions: Array
    boxes: Array


class LayerUnits:
    """The results of patches and statistics about one layer of a run.

    Attributes:
        run, layer: the run and the name of the layer.
        tiles: the result of patches, or None.
        table: the result of statistics, or None.
        count: number of units.
        items: the images of the run; read from it if not given.
    """

    def __init__(self, run: Run, layer: str, items: Sequence[Item] = ()) -> None:
        self.run, self.layer = run, layer
        self.items = items or tuple(run.items)
        self.tiles = result_of(run, "patches", layer, "positions")
        self.table = result_of(run, "statistics", layer, "histogram")
        result = self.tiles or self.table
        self.count = len(result.values) if result is not None else 0
        if self.tiles and self.table and len(self.table.values) != self.count:
            raise ConvvizError(
                f"{layer!r} has {self.count} units in patches and {len(self.table.values)} in "
                "statistics"
            )

    @property
    def field(self) -> str:
        """The receptive field in words, if patches recorded it."""
        measures = self.tiles.measures if self.tiles else {}
        return str(measures.get("receptive field", ""))

    @cached_property
    def columns(self) -> dict[str, Array]:
        """One number per unit by name, `[C]`; only what the run holds."""
        columns: dict[str, Array] = {}
        if self.tiles is not None:
            best = numbers_of(self.tiles.values[:, 0])
            columns["max"] = np.where(np.isfinite(best), best, np.nan)  # no patch: NaN or -inf
            if "prominence" in self.tiles.arrays:
                columns["prominence"] = numbers_of(self.tiles["prominence"])
        if self.table is not None:
            for name in ("max", "min", "mean", "variance", "fires", "active"):
                columns.setdefault(name, numbers_of(self.table[name]))
            if (selectivity := self._selectivity) is not None:
                columns["selectivity"] = selectivity
        return columns

    @property
    def _selectivity(self) -> Array | None:
        """Class selectivity (m - r) / (m + r), `[C]` (Morcos et al. 2018, equation 1).

        m is the largest mean activation of a class, r the mean of the other classes' means. None
        for layers with negative values, and without labels.
        """
        means = self._class_means
        if means is None or len(means) < 2:
            return None
        largest = means.max(0)
        rest = (means.sum(0) - largest) / (len(means) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((largest - rest) / (largest + rest))

    @property
    def _class_means(self) -> Array | None:
        """Mean activation by class that has images, `[K', C]`, if no value is negative."""
        table = self.table
        if table is None or "class_mean" not in table.arrays or not self._is_positive:
            return None
        means = numbers_of(table["class_mean"])
        return np.nan_to_num(means[np.asarray(table["class_images"]) > 0])

    @property
    def _is_positive(self) -> bool:
        assert self.table is not None
        return bool((np.nan_to_num(numbers_of(self.table["min"])) >= 0).all())

    @cached_property
    def dead(self) -> Array:
        """Units that are above zero at no position of any image, bool `[C]`."""
        if self.table is not None:
            return np.asarray(self.table["dead"]).astype(bool)
        return ~(self.columns["max"] > 0)

    @cached_property
    def silent(self) -> Array:
        """Units that fire, but in hardly any image, bool `[C]`."""
        if self.table is None:
            return np.zeros(self.count, bool)
        return (self.columns["fires"] < SILENT) & ~self.dead

    @cached_property
    def rank(self) -> Array:
        """Place of each unit by its maximum, from 1, int `[C]`; equal units share the best one."""
        values = np.sort(-self._maxima)
        return np.searchsorted(values, -self._maxima) + 1

    @cached_property
    def tie_size(self) -> Array:
        """Number of units with the same maximum as each unit, itself included, int `[C]`."""
        _, place, counts = np.unique(self._maxima, return_inverse=True, return_counts=True)
        return np.asarray(counts[place])

    @property
    def _maxima(self) -> Array:
        return np.nan_to_num(self.columns["max"], nan=-np.inf)

    @property
    def limit(self) -> tuple[float, int] | None:
        """The upper limit of the activation and how many units reach it; None if there is none.

        It is the highest maximum, if at least a tenth of the units have exactly this value.
        """
        if not self.count:
            return None
        best = int(np.argmax(self._maxima))
        value, units = float(self._maxima[best]), int(self.tie_size[best])
        reaches = value > 0 and units >= max(2, SHARE_AT_LIMIT * self.count)
        return (value, units) if reaches else None

    @cached_property
    def lifts(self) -> ClassLifts | None:
        """The classes of every unit; None without labels."""
        if self._has_class_means:
            assert self.table is not None
            return lifts_of_means(self.table)
        if self.tiles is not None and self.run.classes:
            return lifts_of_patches(self.tiles, self._labels)
        return None

    @property
    def lift_table(self) -> LiftTable | None:
        """The lifts of all classes, computed as `lifts`; None without labels."""
        if self._has_class_means:
            assert self.table is not None
            return table_of_means(self.table)
        if self.tiles is not None and self.run.classes:
            return table_of_patches(self.tiles, self._labels)
        return None

    @property
    def _has_class_means(self) -> bool:
        if not self.run.classes or self.table is None or "class_mean" not in self.table.arrays:
            return False
        return self._is_positive

    @property
    def _labels(self) -> list[int | None]:
        return [item.label for item in self.items]

    @cached_property
    def similar(self) -> tuple[Array, Array]:
        """Similar units `[C, n]`, -1 for none, and the number of common top images `[C, n]`."""
        if self.tiles is None:
            return np.full((self.count, 0), -1), np.zeros((self.count, 0), int)
        keys = np.asarray(self.tiles["items"]).astype(np.int64)
        return most_common(np.where(self._fires, keys, -1), SIMILAR, LEAST_OVERLAP)

    @cached_property
    def similar_weights(self) -> tuple[Array, Array]:
        """Units with similar incoming weights `[C, n]`, -1 for none, and their cosines."""
        none = np.full((self.count, 0), -1), np.zeros((self.count, 0))
        if self.tiles is None or not {"weight_units", "weight_cosines"} <= set(self.tiles.arrays):
            return none
        units, cosines = (numbers_of(self.tiles[f"weight_{name}"]) for name in ("units", "cosines"))
        fits = (
            units.ndim == 2
            and units.shape == cosines.shape
            and len(units) == self.count
            and bool(((units >= -1) & (units < self.count)).all())
        )
        return (units.astype(int), cosines) if fits else none

    @cached_property
    def duplicates(self) -> Array:
        """The lowest unit with nearly the same top patches, -1 for none, int `[C]`."""
        if self.tiles is None:
            return np.full(self.count, -1)
        items = np.asarray(self.tiles["items"]).astype(np.int64)
        positions = np.asarray(self.tiles["positions"]).astype(np.int64) + 1
        size = int(positions.max(initial=0)) + 1
        keys = (items * size + positions[..., 0]) * size + positions[..., 1]
        keys = np.where(self._fires, keys, -1)
        least = max(1, round(DUPLICATE * keys.shape[1]))
        others, _ = most_common(keys, 1, least)
        return np.asarray(others[:, 0])

    @cached_property
    def peaks(self) -> PeakStrata | None:
        """The highest values over all images; None if patches did not record them."""
        return None if self.tiles is None else peak_strata(self.tiles, len(self.items))

    @property
    def _fires(self) -> Array:
        """Whether each top patch exists and is above zero, bool `[C, k]`."""
        assert self.tiles is not None
        return (np.asarray(self.tiles["items"]) >= 0) & (numbers_of(self.tiles.values) > 0)


def result_of(run: Run, explainer: str, layer: str, array: str) -> Result | None:
    """Return a result of a run if it has the array; None otherwise."""
    if explainer not in run or layer not in run[explainer]:
        return None
    result = run[explainer][layer].result
    if "items" in result.arrays and bool((result["items"] >= len(run.items)).any()):
        raise ConvvizError(f"the {explainer} of {layer!r} name images that the run does not have")
    return result if array in result.arrays else None


def peak_strata(tiles: Result, images: int) -> PeakStrata | None:
    """Return the highest values over all images; None if the result has no such valid arrays."""
    names = [f"stratum_{name}" for name in ("ranks", "items", "values", "positions", "boxes")]
    if not {"peak_histogram", "peak_range", "stratum_shares", *names} <= set(tiles.arrays):
        return None
    strata = PeakStrata(
        *(numbers_of(tiles[name]) for name in ("peak_histogram", "peak_range", "stratum_shares")),
        *(numbers_of(tiles[name]) for name in names),
    )
    shape = strata.items.shape
    fits = (
        len(shape) == 3
        and shape[:2] == (len(tiles.values), *strata.shares.shape)
        and strata.histogram.ndim == 2
        and len(strata.histogram) == shape[0]
        and strata.span.shape == (shape[0], 2)
        and strata.ranks.shape == strata.values.shape == shape
        and (strata.positions.shape, strata.boxes.shape) == ((*shape, 2), (*shape, 4))
        and bool((strata.items >= -1).all())
        and bool((strata.items < images).all())
    )
    return strata if fits else None


def most_common(keys: Array, most: int, least: int) -> tuple[Array, Array]:
    """Return the rows that share most keys with each row, and how many they share.

    Args:
        keys: int `[C, k]`; -1 is not a key.
        most: number of rows to return.
        least: rows that share fewer keys are left out.

    Returns:
        Rows `[C, most]`, -1 for none, the most similar first; number of common keys `[C, most]`.
    """
    from scipy.sparse import csr_matrix

    count, width = keys.shape
    rows = np.repeat(np.arange(count), width)
    flat = keys.ravel()
    rows, flat = rows[flat >= 0], flat[flat >= 0]
    _, columns = np.unique(flat, return_inverse=True)
    size = int(columns.max(initial=-1)) + 1
    present = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), (count, max(1, size)))
    present.data[:] = 1
    shared = (present @ present.T).tocsr()
    others, numbers = np.full((count, most), -1), np.zeros((count, most), int)
    for row in range(count):
        span = slice(shared.indptr[row], shared.indptr[row + 1])
        near, common = shared.indices[span], shared.data[span]
        chosen = (near != row) & (common >= least)
        near, common = near[chosen], common[chosen]
        order = np.lexsort((near, -common))[:most]
        others[row, : len(order)], numbers[row, : len(order)] = near[order], common[order]
    return others, numbers


@cache
def input_size(preprocess: str) -> tuple[int, int] | None:
    """Return height and width of the model's input from the description of a preprocessing.

    None if it is not a `Preprocess` with a crop.
    """
    match = re.match(r"Preprocess\(.*?\bcrop=(?:(\d{1,5})|\((\d{1,5}), (\d{1,5})\))", preprocess)
    if match is None:
        return None
    square, height, width = match.groups()
    return (int(square), int(square)) if square else (int(height), int(width))
