"""Sums over images from which the statistics of channels are computed, and their merging.

Per layer with C channels:

count, fired, nonfinite     int64 [C]      finite values; values above zero; NaN or infinite ones
fired images                int64 [C]      images with a value above zero
mean, squares               float64 [C]    mean, and sum of squared distances from it
min, max                    float64 [C]
histogram                   int64 [C, B]   finite values in the bins between EDGES
images, bad images          int64          images; images with a non-finite value
class sum                   float64 [L, C] sum of finite values, by label
class count, class fired    int64 [L, C]
class images                int64 [L]
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

import convviz
import convviz.authoring
from convviz import ParameterError

Sums = dict[str, Tensor]
"""The sums of a layer by name, as listed above."""

LOWEST, HIGHEST = -16, 16
"""Range of the histogram in octaves: magnitudes from 2**LOWEST to 2**HIGHEST."""

HALVES = 2 * (HIGHEST - LOWEST)
BINS = 2 * HALVES + 1
_RISING = [2.0**e * half for e in range(LOWEST, HIGHEST) for half in (1.0, 1.5)]
_SIZES = [0.0, *_RISING[1:], float("inf")]
EDGES: tuple[float, ...] = (*(-size for size in reversed(_SIZES)), *_SIZES)
"""Edges of the bins, `[BINS + 1]`; the middle bin holds exact zeros and has no width.

There are two bins per octave and sign; a bin includes its edge farther from zero. The edges are
fixed, because the range is not known before the last image, and because histograms with the same
edges can be added. The bin of a number follows from its exponent and the first bit of its mantissa.
The outermost bins and the two next to zero are open-ended.
"""


@dataclass(frozen=True)
class PerImage:
    """Moments of each image and channel, `[N, C]`; of finite values only."""

    count: Tensor
    mean: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor


def measure(activation: Tensor, rows: Tensor, labels: int) -> Sums:
    """Return the sums of a batch.

    Args:
        activation: a layer's output, `[N, C]`, `[N, C, ...]`, or tokens `[N, T, C]`.
        rows: index of the label of each image, `[N]`.
        labels: number of labels.
    """
    x = as_rows(activation)
    each, nonfinite, histogram = _of_images(x)
    fired = each.high > 0
    count, mean, squares = _pool_images(each)
    rows = rows.to(x.device)
    return {
        "count": count,
        "mean": mean,
        "squares": squares,
        "min": each.low.amin(0),
        "max": each.high.amax(0),
        "fired": histogram[:, HALVES + 1 :].sum(1),
        "fired images": fired.sum(0),
        "nonfinite": nonfinite.sum(0),
        "histogram": histogram,
        "images": torch.tensor(len(x)),
        "bad images": (nonfinite > 0).any(1).sum(),
        "class sum": _sum_by_label(each.count * each.mean, rows, labels),
        "class count": _sum_by_label(each.count, rows, labels),
        "class fired": _sum_by_label(fired.long(), rows, labels),
        "class images": torch.bincount(rows, minlength=labels),
    }


def _of_images(x: Tensor) -> tuple[PerImage, Tensor, Tensor]:
    """Return moments, non-finite values `[N, C]` and histogram `[C, B]` of images `[N, C, P]`."""
    bins = _bin_of_half_octave(1 << (9 if x.dtype == torch.float32 else 12)).to(x.device)
    mean, squares, low, high, histogram = convviz.authoring.channel_moments(
        x[..., None], bins, BINS
    )
    # A mean is finite only if all its values are: the common case needs no masks.
    if bool(mean.isfinite().all()):
        count = torch.full(mean.shape, x.shape[2], device=x.device)
        return PerImage(count, mean, squares, low, high), torch.zeros_like(count), histogram
    # Otherwise non-finite values are replaced by 0, whose bin is then corrected by their number.
    good = torch.isfinite(x)
    nonfinite = (~good).sum(2)
    (*_, histogram) = convviz.authoring.channel_moments(
        x.masked_fill(~good, 0)[..., None], bins, BINS
    )
    histogram[:, HALVES] -= nonfinite.sum(0)
    return _moments_of_finite(x.double(), good), nonfinite, histogram


def merge_moments(a: Sums, b: Sums) -> Sums:
    """Return mean, squares, min and max of the union of two sets (Chan, Golub & LeVeque 1979).

    `squares` is the sum of (x - mean)². A gap d between the means adds d² · n_a · n_b / (n_a + n_b)
    to it. This is associative up to rounding, and stable where E[x²] - E[x]² would cancel.
    """
    both = (a["count"] + b["count"]).clamp(min=1).double()
    gap = b["mean"] - a["mean"]
    return {
        "mean": a["mean"] + gap * (b["count"] / both),
        "squares": a["squares"] + b["squares"] + gap.square() * (a["count"] * b["count"] / both),
        "min": torch.minimum(a["min"], b["min"]),
        "max": torch.maximum(a["max"], b["max"]),
    }


def merge_class_sums(parts: Sequence[Sums], places: Sequence[Tensor], labels: int) -> Sums:
    """Return the sums by label; `places` has the indices of each part's labels among all labels."""
    merged: Sums = {}
    for name in ("class sum", "class count", "class fired", "class images"):
        first = parts[0][name]
        total = torch.zeros((labels, *first.shape[1:]), dtype=first.dtype)
        for part, place in zip(parts, places, strict=True):
            total.index_add_(0, place, part[name])
        merged[name] = total
    return merged


def as_rows(activation: Tensor) -> Tensor:
    """Return a layer's output as `[N, C, positions]`, float32 or float64."""
    x = activation
    if x.ndim < 2:
        raise ParameterError(f"statistics needs an axis of channels, not {list(x.shape)}")
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    if x.ndim == 3:  # tokens
        return x.transpose(1, 2)
    return x[:, :, None] if x.ndim == 2 else x.flatten(2)


@functools.cache
def _bin_of_half_octave(steps: int) -> Tensor:
    """Return the bin of each half octave of a number format, negative numbers first.

    Args:
        steps: half octaves of a sign, see `convviz.authoring.channel_moments`.
    """
    first = steps // 2 - 2 + 2 * LOWEST  # the half octave that ends at 2**LOWEST
    size = torch.arange(steps)
    bins = torch.where(size == 0, 0, (size - first).clamp(1, HALVES))
    return torch.cat([HALVES - bins, HALVES + bins])


def _moments_of_finite(x: Tensor, good: Tensor) -> PerImage:
    count = good.sum(2)
    mean = x.masked_fill(~good, 0).sum(2) / count.clamp(min=1)
    squares = (x - mean[..., None]).masked_fill(~good, 0).square().sum(2)
    low = x.masked_fill(~good, torch.inf).amin(2)
    return PerImage(count, mean, squares, low, x.masked_fill(~good, -torch.inf).amax(2))


def _pool_images(each: PerImage) -> tuple[Tensor, Tensor, Tensor]:
    """Return count, mean and squares over all images, `[C]`, as `merge_moments` for many sets."""
    count = each.count.sum(0)
    mean = (each.count * each.mean).sum(0) / count.clamp(min=1)
    apart = each.count * (each.mean - mean).square()
    return count, mean, (each.squares + apart).sum(0)


def _sum_by_label(values: Tensor, rows: Tensor, labels: int) -> Tensor:
    total = torch.zeros((labels, values.shape[1]), dtype=values.dtype, device=values.device)
    return total.index_add_(0, rows, values)
