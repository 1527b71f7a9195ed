"""Agreement of two maps of an image: rank correlation and overlap of the strongest pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..results.types import Heatmap, Mask, Result

TOP_SHARE = 0.1
"""Share of the pixels that count as the strongest."""

TOP, TOP_IN_MASK, MASKS = "top 10 %", "top 10 % in mask", "masks"
"""Kinds of overlap: of the strongest pixels of two maps, of those with a mask, of two masks."""


@dataclass(frozen=True, eq=False)
class ImageMap:
    """The map of one image in a form that can be compared.

    Attributes:
        values: `[H, W]`, float64: the larger, the more important; NaN has no value.
        signed: zero is neutral, and negative values are evidence against the target.
        is_mask: the values are 0 and 1.
    """

    values: np.ndarray
    signed: bool
    is_mask: bool

    @property
    def magnitude(self) -> np.ndarray:
        """Importance of each pixel, for or against the target."""
        return np.abs(self.values) if self.signed else self.values


def refusal(result: Result) -> str:
    """Return why a result cannot be compared with maps; "" if it can."""
    if isinstance(result, Mask):
        return ""
    if not isinstance(result, Heatmap):
        return f"is a {type(result).__name__}, not a map of the image"
    if result.classes:
        return "is a map of classes, which has no order"
    has_channels = result.colour or result.summed
    if result.values.ndim == 4 and not has_channels and result.values.shape[1] != 1:
        return f"has {result.values.shape[1]} maps per image"
    return ""


def image_map(result: Result, index: int) -> ImageMap:
    """Return the map of one image of a Heatmap or Mask.

    Of colour channels the largest magnitude counts. The score that remains under an occluder is
    negated, because it is low where the image matters.
    """
    if not isinstance(result, Heatmap):
        return ImageMap(result.values[index].detach().cpu().double().numpy(), False, True)
    values = result.of_image(index).numpy()
    if values.ndim == 3:
        values = np.abs(values).max(axis=0) if result.colour else values[0]
    if result.window is not None and not result.signed:
        return ImageMap(-values, False, False)
    return ImageMap(values, result.signed and not result.colour, False)


@dataclass(frozen=True)
class Agreement:
    """Agreement of two maps of an image.

    Attributes:
        image: name of the image.
        targets: labels of the two targets; the same twice if only the explainers differ.
        explainers: names of the two explainers; the same twice if only the targets differ.
        rank_correlation: Spearman's rank correlation over the pixels, NaN for a flat map.
        overlap: the share that `overlap_of` names, 0 to 1.
        overlap_of: "top 10 %" for the share of the strongest pixels that two maps have in common
            (0.1 by chance), "top 10 % in mask" for the share of a map's strongest pixels inside a
            mask, "masks" for the intersection over union of two masks.
    """

    image: str
    targets: tuple[str, str]
    explainers: tuple[str, str]
    rank_correlation: float
    overlap: float
    overlap_of: str


def rank_correlation(a: ImageMap, b: ImageMap) -> float:
    """Return Spearman's rank correlation of two maps; NaN if one of them is flat.

    Two signed maps are compared by value. Otherwise a signed map is compared by magnitude, since
    the other one does not distinguish evidence for the target from evidence against it.
    """
    first, second = _common_pixels(a, b)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def overlap(a: ImageMap, b: ImageMap) -> tuple[float, str]:
    """Return the overlap of the strongest pixels of two maps, and of which pixels it is."""
    first, second = _common_pixels(a, b)
    if a.is_mask and b.is_mask:
        union = np.logical_or(first, second).sum()
        return float(np.logical_and(first, second).sum() / union) if union else math.nan, MASKS
    if a.is_mask or b.is_mask:
        mask, values = (first, second) if a.is_mask else (second, first)
        weights = top_weights(values)
        return float((weights * mask).sum() / weights.sum()), TOP_IN_MASK
    weights = top_weights(first)
    return float(np.minimum(weights, top_weights(second)).sum() / weights.sum()), TOP


def top_weights(values: np.ndarray) -> np.ndarray:
    """Return 1 for the strongest tenth of the pixels and 0 for the others.

    Pixels that tie at the limit share the remaining places, so that the result does not depend on
    the order of the pixels.
    """
    count = max(1, math.ceil(TOP_SHARE * values.size))
    limit = np.partition(values, values.size - count)[values.size - count]
    above, tied = values > limit, values == limit
    return np.asarray(above + tied * ((count - above.sum()) / tied.sum()))


def _common_pixels(a: ImageMap, b: ImageMap) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of both maps, flat, at the pixels where both are finite."""
    if a.values.shape != b.values.shape:
        raise ParameterError(
            f"maps of {_size(a)} and of {_size(b)} pixels cannot be compared: explain the same "
            "image with models of the same input size"
        )
    by_value = a.signed and b.signed
    first, second = (a.values, b.values) if by_value else (a.magnitude, b.magnitude)
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        raise ParameterError("two maps have no pixel in common at which both have a value")
    return first[both], second[both]


def _size(image: ImageMap) -> str:
    return " x ".join(map(str, image.values.shape))
