"""Distribution of the highest value of each unit per image, with examples at several ranks.

The best patches show only the extreme of a unit's distribution. The highest value of every image
is therefore kept in the shards, 8 bytes per image and unit. `finish` collects them in arrays on
disk, in item order, so that counts and ranks are exact and do not depend on how a data set is
divided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from convviz.authoring import Items, Partial

from .top_k import NOWHERE

NAMES = ("peaks", "peak positions")
BINS = 48
PER_MILLE = (1, 10, 100, 500, 1000)
"""Ranks of the examples, counted from the highest value, in thousandths of the images."""

EXAMPLES = 3
"""Images of neighbouring ranks at each stratum."""

LARGEST_POSITION = 2**15 - 1


@dataclass(frozen=True, eq=False)
class Strata:
    """Histogram and examples of the units of a layer.

    S strata have E examples each; missing examples have item and rank -1 and value NaN.

    Attributes:
        histogram: images in each of `BINS` bins of equal width, int64 `[C, BINS]`.
        span: lowest and highest value, the outer edges of the bins, `[C, 2]`; NaN without values.
        ranks: places of the examples from 1, the highest value, int64 `[C, S * E]`.
        items: the images, int64 `[C, S * E]`.
        values: their highest values, `[C, S * E]`.
        positions: (y, x) of these values in the map, int64 `[C, S * E, 2]`.
    """

    histogram: Tensor
    span: Tensor
    ranks: Tensor
    items: Tensor
    values: Tensor
    positions: Tensor

    def arrays(self, boxes: Tensor) -> dict[str, Tensor]:
        """Return the arrays of the result, those of examples as `[C, S, E, ...]`.

        Args:
            boxes: receptive fields of the examples, `[C, S * E, 4]`.
        """
        examples = {
            "ranks": self.ranks,
            "items": self.items,
            "values": self.values,
            "positions": self.positions,
            "boxes": boxes,
        }
        shape = len(PER_MILLE), EXAMPLES
        return {
            "peak_histogram": self.histogram,
            "peak_range": self.span,
            "stratum_shares": torch.tensor(PER_MILLE, dtype=torch.float64) / 1000,
            **{f"stratum_{name}": t.unflatten(1, shape) for name, t in examples.items()},
        }


def keep_peaks(peaks: Tensor, positions: Tensor) -> dict[str, Tensor]:
    """Return the highest values of the images of a batch as part of a partial.

    Args:
        peaks: `[N, C]`; -inf where an image has no finite value.
        positions: (y, x) in the map of the layer, `[N, C, 2]`; -1 for units without position.
    """
    small = positions.clamp(max=LARGEST_POSITION).to(torch.int16)
    return dict(zip(NAMES, (peaks.cpu().contiguous(), small.cpu().contiguous()), strict=True))


def join_peaks(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the values of two neighbouring sets of images; nothing if one of them lacks them."""
    if any(name not in part for part in (a, b) for name in NAMES):
        return {}
    return {name: torch.cat([a[name], b[name]]) for name in NAMES}


@dataclass(eq=False)
class PeakTable:
    """The highest values of all images of a data set, in arrays on disk.

    Attributes:
        items: the images; provides the arrays.
        layers: layer -> values `[C, images]` and positions `[C, images, 2]`, in item order.
    """

    items: Items
    layers: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def take(self, partials: Iterator[Partial]) -> Iterator[Partial]:
        """Yield the partials without their peaks, which are moved to the table.

        Layers whose peaks are not known for all images, because shards of an older version are
        used, are left out of the table.
        """
        filled: dict[str, int] = {}
        count = 0
        for partial in partials:
            stop = count + int(partial[""]["count"])
            for layer, tensors in partial.items():
                if NAMES[0] in tensors and filled.get(layer, 0) == count:
                    self._put(layer, tensors, count, stop)
                    filled[layer] = stop
            count = stop
            yield {layer: _without_peaks(tensors) for layer, tensors in partial.items()}
        self.layers = {layer: self.layers[layer] for layer in filled if filled[layer] == count}

    def _put(self, layer: str, tensors: Mapping[str, Tensor], start: int, stop: int) -> None:
        peaks, positions = (tensors[name].numpy() for name in NAMES)
        if layer not in self.layers:
            shape = peaks.shape[1], len(self.items)
            self.layers[layer] = (
                self.items.spool(f"peaks {layer}", shape, peaks.dtype),
                self.items.spool(f"positions {layer}", (*shape, 2), positions.dtype),
            )
        values, places = self.layers[layer]
        values[:, start:stop] = peaks.T
        places[:, start:stop] = positions.transpose(1, 0, 2)

    def strata(self, layer: str) -> Strata | None:
        """Return histogram and examples of a layer; None if its values are not known."""
        if layer not in self.layers:
            return None
        values, places = self.layers[layer]
        histograms, spans, ranks, items = zip(*map(_of_unit, values), strict=True)
        chosen = np.stack(items)
        known = chosen >= 0
        at = np.where(known, chosen, 0)
        units = np.arange(len(values))[:, None]
        return Strata(
            histogram=torch.from_numpy(np.stack(histograms)),
            span=torch.from_numpy(np.stack(spans)),
            ranks=torch.from_numpy(np.stack(ranks)),
            items=torch.from_numpy(chosen),
            values=torch.from_numpy(np.where(known, values[units, at], np.nan)),
            positions=torch.from_numpy(
                np.where(known[..., None], places[units, at], NOWHERE).astype(np.int64)
            ),
        )


def _without_peaks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in NAMES}


def _of_unit(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return histogram, range, and ranks and items of the examples of one unit, `[images]`."""
    descending = -np.sort(-values)  # images without a finite value, -inf, come last
    known = descending[descending > -np.inf]
    span = np.array([known[-1], known[0]] if len(known) else [np.nan, np.nan], np.float64)
    places = example_places(len(known))
    items = np.array([_item_at(values, descending, place) for place in places], np.int64)
    return _histogram(known, span), span, np.where(places >= 0, places + 1, NOWHERE), items


def _histogram(values: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Return the number of values in bins of equal width; equal values fill the first bin."""
    width = (span[1] - span[0]) / BINS
    if not width > 0:
        return np.bincount(np.zeros(len(values), np.int64), minlength=BINS)
    bins = ((values.astype(np.float64) - span[0]) / width).astype(np.int64)
    return np.bincount(bins.clip(0, BINS - 1), minlength=BINS)


def _item_at(values: np.ndarray, descending: np.ndarray, place: int) -> int:
    """Return the image at a place of the order; images of equal value are in item order."""
    if place < 0:
        return NOWHERE
    before = np.searchsorted(-descending, -descending[place])
    return int(np.flatnonzero(values == descending[place])[place - before])


def example_places(count: int) -> np.ndarray:
    """Return the places from 0 of the examples among `count` images, int64 `[S * E]`.

    The examples of a stratum are neighbours around its rank, or the nearest ones at the ends.
    """
    places = np.full((len(PER_MILLE), EXAMPLES), NOWHERE, np.int64)
    shown = min(EXAMPLES, count)
    for stratum, share in enumerate(PER_MILLE):
        rank = -(-count * share // 1000)
        start = min(max(rank - 1 - EXAMPLES // 2, 0), count - shown)
        places[stratum, :shown] = np.arange(start, start + shown)
    return places.ravel()
