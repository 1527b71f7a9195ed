"""Sums over images from which the statistics of channels are made; all can be merged.

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
"""Octaves of the histogram: from 2**LOWEST to 2**HIGHEST in size."""

HALVES = 2 * (HIGHEST - LOWEST)
BINS = 2 * HALVES + 1
_RISING = [2.0**e * half for e in range(LOWEST, HIGHEST) for half in (1.0, 1.5)]
_SIZES = [0.0, *_RISING[1:], float("inf")]
EDGES: tuple[float, ...] = (*(-size for size in reversed(_SIZES)), *_SIZES)
"""Edges of the bins, `[BINS + 1]`; the middle bin holds exact zeros and has no width.

Two bins an octave of size, for each sign; the edge farther from zero belongs to a bin. They are
fixed, since the range is not known before the last image; a number's bin is read off its exponent
and first bit of mantissa, so that it depends on nothing else, and histograms of any parts add up
to that of the whole. The outermost bins and the two beside zero are open.
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
    """Measure a batch.

    Args:
        activation: a layer's output, `[N, C]`, `[N, C, ...]`, or tokens `[N, T, C]`.
        rows: for each image its place among the labels, `[N]`.
        labels: how many labels there are.
    """
    x = as_rows(activation)
    each, nonfinite, histogram = _of_images(x)
    fired = each.high > 0
    count, mean, squares = _joined(each)
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
        "class sum": _grouped(each.count * each.mean, rows, labels),
        "class count": _grouped(each.count, rows, labels),
        "class fired": _grouped(fired.long(), rows, labels),
        "class images": torch.bincount(rows, minlength=labels),
    }


def _of_images(x: Tensor) -> tuple[PerImage, Tensor, Tensor]:
    """Measure images `[N, C, P]`: moments, non-finite values `[N, C]`, and the histogram."""
    homes = _homes(1 << (9 if x.dtype == torch.float32 else 12)).to(x.device)
    mean, squares, low, high, histogram = convviz.authoring.channel_moments(
        x[..., None], homes, BINS
    )
    if bool(mean.isfinite().all()):
        count = torch.full(mean.shape, x.shape[2], device=x.device)
        return PerImage(count, mean, squares, low, high), torch.zeros_like(count), histogram
    good = torch.isfinite(x)
    nonfinite = (~good).sum(2)
    (*_, histogram) = convviz.authoring.channel_moments(
        x.masked_fill(~good, 0)[..., None], homes, BINS
    )
    histogram[:, HALVES] -= nonfinite.sum(0)
    return _moments_of_finite(x.double(), good), nonfinite, histogram


def merge_moments(a: Sums, b: Sums) -> Sums:
    """Join mean, squares, min and max of two sets (Chan, Golub & LeVeque 1979)."""
    both = (a["count"] + b["count"]).clamp(min=1).double()
    gap = b["mean"] - a["mean"]
    return {
        "mean": a["mean"] + gap * (b["count"] / both),
        "squares": a["squares"] + b["squares"] + gap.square() * (a["count"] * b["count"] / both),
        "min": torch.minimum(a["min"], b["min"]),
        "max": torch.maximum(a["max"], b["max"]),
    }


def merge_class_sums(parts: Sequence[Sums], places: Sequence[Tensor], labels: int) -> Sums:
    """Add up what is kept by label; `places` says where the labels of each part go."""
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
def _homes(steps: int) -> Tensor:
    """Return the bin of every half octave of a number format: negative ones, then positive.

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


def _joined(each: PerImage) -> tuple[Tensor, Tensor, Tensor]:
    """Join the images: counts, means and squares, `[C]`."""
    count = each.count.sum(0)
    mean = (each.count * each.mean).sum(0) / count.clamp(min=1)
    apart = each.count * (each.mean - mean).square()
    return count, mean, (each.squares + apart).sum(0)


def _grouped(values: Tensor, rows: Tensor, labels: int) -> Tensor:
    total = torch.zeros((labels, values.shape[1]), dtype=values.dtype, device=values.device)
    return total.index_add_(0, rows, values)
