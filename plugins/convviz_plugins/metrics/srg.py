"""srg: area between the curves for the least and the most important regions removed first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from convviz.authoring import (
    ExplainedImage,
    Measure,
    Metric,
    MetricCost,
    MetricScores,
    ScoreCurve,
    descending,
    hookimpl,
)

from ._fills import area_under
from ._imputation import interpolate_removed
from ._segments import superpixels

Imputer = Literal["mean", "linear"]
NOISE = 0.01
"""Standard deviation of the noise on linearly imputed pixels, in the normalized image."""

_SUFFIXES: dict[Imputer, str] = {"mean": "", "linear": "linear"}
_WORDS: dict[Imputer, str] = {"mean": "mean colour", "linear": "linear"}


@dataclass(frozen=True, eq=False)
class _Removal:
    """A division of an image into regions, and the numbers of regions removed at each step.

    Attributes:
        regions: the region of each pixel, `[H, W]`.
        counts: numbers of removed regions, from 0 to all.
    """

    regions: np.ndarray
    counts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Pixels of each region."""
        return np.bincount(self.regions.ravel())

    def order(self, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the regions by falling mean of a map."""
        sums = np.bincount(self.regions.ravel(), values.ravel())
        return descending(sums / self.sizes, rng)

    def areas(self, order: np.ndarray) -> np.ndarray:
        """Return the share of removed pixels at each step, `[steps]`."""
        total = np.concatenate([[0], self.sizes[order].cumsum()])[self.counts]
        return np.asarray(total / self.regions.size)

    def removed_regions(self, orders: Sequence[np.ndarray]) -> tuple[list[bytes], np.ndarray]:
        """Return the different sets of removed regions, and which one each step of an order needs.

        Orders share many sets of superpixels: the first and the last steps of similar maps, and
        all steps of maps that rank them alike.

        Args:
            orders: the regions in the order of their removal.

        Returns:
            The sets in a form for `mask`, and indices `[orders, steps - 2]`: no set for the first
            step, which removes nothing, and for the last one.
        """
        numbers: dict[bytes, int] = {}
        indices = []
        for order in orders:
            rank = np.empty(len(order), np.int32)
            rank[order] = np.arange(len(order), dtype=np.int32)
            for count in self.counts[1:-1]:
                removed = np.packbits(rank < count).tobytes()
                indices.append(numbers.setdefault(removed, len(numbers)))
        return list(numbers), np.array(indices, int).reshape(len(orders), -1)

    def mask(self, removed: bytes) -> np.ndarray:
        """Return the removed pixels of a set of regions, `[H, W]` bool."""
        bits = np.unpackbits(np.frombuffer(removed, np.uint8), count=len(self.sizes))
        return np.asarray(bits.astype(bool)[self.regions])


class SymmetricRelevanceGain(Metric):
    """Area between the curves for the least and for the most important regions removed first.

    Blücher, Vielhaben, Strodthoff 2024: the probability of the explained class over the removed
    area. A random order scores 0 on average, and a reversed map the negative score. Regions are
    superpixels (SLIC), ordered by the mean of the map, or single pixels. Removed regions get the
    mean colour, and in a second measure the linear interpolation of the remaining ones (ROAD, Rong
    et al. 2022) with a little noise; where no pixel remains, also the mean colour.
    """

    regions: Literal["superpixels", "pixels"] = Field(
        "superpixels", description="What is removed as a whole."
    )
    segments: int = Field(25, gt=1, description="Superpixels of an image.")
    fractions: int = Field(
        15, gt=1, description="Steps for single pixels: shares of the image, evenly in logarithm."
    )
    imputers: tuple[Imputer, ...] = Field(
        ("mean", "linear"), min_length=1, description="What removed regions get."
    )

    title: ClassVar[str] = "SRG"

    @field_validator("imputers", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def measures(self) -> tuple[Measure, ...]:
        """Return the gain for each imputer; the first one has the name of the metric."""
        text = "Area between the curves for the least and the most important regions removed first."
        return tuple(
            Measure(
                "SRG" if imputer == "mean" else f"SRG, {imputer}",
                True,
                (-1.0, 1.0),
                _SUFFIXES[imputer],
                text,
            )
            for imputer in self.imputers
        )

    def cost(self) -> MetricCost:
        """Return the passes: two curves for each imputer, whose ends all maps share."""
        steps = self.segments if self.regions == "superpixels" else self.fractions
        return MetricCost(shared=2, per_map=2 * (steps - 1) * len(self.imputers))

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the gains, and all curves over the removed area."""
        removal = image.compute_once(("srg", self), lambda: self._removal(image))
        falling = [removal.order(m.values, image.rng("ties")) for m in image.maps]
        # Least important first, and most important first.
        orders = [order for most in falling for order in (most[::-1], most)]
        areas = np.array([removal.areas(order) for order in orders]).reshape(len(orders), -1)
        sets, indices = removal.removed_regions(orders)
        values: dict[str, np.ndarray] = {}
        curves: dict[str, ScoreCurve] = {}
        for imputer in self.imputers:
            scores = self._scores(image, removal, sets, indices, imputer)
            least, most = area_under(scores, areas).reshape(-1, 2).T
            values[_SUFFIXES[imputer]] = least - most
            curves |= _curves(areas, scores, _WORDS[imputer])
        return MetricScores(values, curves)

    def _removal(self, image: ExplainedImage) -> _Removal:
        height, width = image.image.shape[-2:]
        if self.regions == "superpixels":
            labels = superpixels(image.pixels, self.segments)
            return _Removal(labels, np.arange(labels.max() + 2))
        pixels = np.arange(height * width).reshape(height, width)
        shares = np.geomspace(0.01, 1, self.fractions) * pixels.size
        return _Removal(pixels, np.unique([0, *shares.round().astype(int)]))

    def _scores(
        self,
        image: ExplainedImage,
        removal: _Removal,
        sets: Sequence[bytes],
        indices: np.ndarray,
        how: Imputer,
    ) -> np.ndarray:
        """Return the probabilities at each step, `[orders, steps]`.

        Args:
            image, removal: the image and its regions.
            sets, indices: as in `removed_regions`.
            how: what removed regions get.
        """
        nothing = torch.zeros_like(image.image)

        def ends() -> np.ndarray:
            return image.scores([image.image, nothing], probability=True)

        first, last = image.compute_once("srg ends", ends)
        masks = (removal.mask(removed) for removed in sets)
        inside = image.scores(_impute(image, masks, how), probability=True)[indices]
        count = len(indices)
        return np.column_stack([np.full(count, first), inside, np.full(count, last)])


def _impute(image: ExplainedImage, masks: Iterator[np.ndarray], how: Imputer) -> Iterator[Tensor]:
    """Yield the image without the removed pixels."""
    if how == "mean":
        for mask in masks:
            yield image.image.masked_fill(torch.from_numpy(mask).to(image.image.device), 0.0)
        return
    photo = np.ascontiguousarray(image.image.permute(1, 2, 0).float().cpu().numpy())
    noise = image.rng("noise").standard_normal(photo.shape, np.float32) * np.float32(NOISE)
    for mask in masks:
        variant = interpolate_removed(photo, mask) + noise * mask[..., None]
        yield torch.from_numpy(variant).permute(2, 0, 1).to(image.image)


def _curves(areas: np.ndarray, scores: np.ndarray, imputer: str) -> dict[str, ScoreCurve]:
    """Return both curves of each map on a common axis."""
    x = np.linspace(0, 1, areas.shape[1])
    y = np.array([np.interp(x, *pair) for pair in zip(areas, scores, strict=True)])
    names = (f"least important first, {imputer}", f"most important first, {imputer}")
    return {
        name: ScoreCurve(x, y.reshape(-1, 2, len(x))[:, i], "removed area", "probability")
        for i, name in enumerate(names)
    }


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [SymmetricRelevanceGain]
