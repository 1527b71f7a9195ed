"""Small forward passes that measure how a network treats a batch, and their comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConvvizError, ModelError, first_line
from ..layers import capture, naming
from ..scores.outputs import Pick, pick_scores
from ..state.device import is_out_of_memory
from ..state.eager_mode import call_eagerly
from ..state.network_state import RandomState

_SMALL_LAYER = 1e-2
"""Least scale of a layer as a share of the median layer's. Where values cancel each other, only
rounding errors remain, which must not be compared with their own size."""


@dataclass
class ProbePass:
    """The results of one forward pass for the last image of its batch.

    Attributes:
        scores: `[classes]`, float64 on the CPU.
        scale: the largest score of the batch.
        drew: random numbers were drawn from a generator of torch, numpy or Python.
        keys: the modules in the order in which they finished.
        levels: mean absolute value and mean of each module's output; None if its first axis is
            not the batch.
        sigmoid: the scores are the output of a sigmoid.
    """

    scores: Tensor
    scale: float
    drew: bool
    sigmoid: bool
    keys: list[str] = field(default_factory=list)
    levels: list[tuple[tuple[int, ...], Tensor] | None] = field(default_factory=list)


def probe_images(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return an image of medium contrast that resembles the first one, and one of the full range.

    Both lie within the values of the given images. The second has the larger extremes, so that
    values that a batch shares (a maximum, a range, a variance) change with it.
    """
    first = images[:1].detach().float().cpu()
    finite = first[first.isfinite()]
    low = float(finite.min()) if len(finite) else 0.0
    high = float(finite.max()) if len(finite) else 1.0
    if not high > low:
        high = low + 1.0
    span, middle = high - low, (high + low) / 2
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(first.shape, generator=generator) - 0.5
    image = middle + 0.4 * (first.nan_to_num(middle, high, low) - middle) + 0.1 * span * noise
    blocks = torch.rand((1, first.shape[1], 8, 8), generator=generator).round()
    enlarged = nn.functional.interpolate(blocks, size=first.shape[-2:], mode="nearest")
    return image.to(images), (low + span * enlarged).to(images)


def mirror(image: Tensor) -> Tensor:
    """Return a different image: upside down, colors exchanged, half the contrast."""
    return 0.5 * (image.flip(1, 2) + image.mean())


def attempt(module: nn.Module, images: Tensor, output: Pick) -> tuple[ProbePass | None, str]:
    """Run a batch; return the results of its last image, or None and the network's error.

    The error is "" if the network runs but returns no scores `[N, classes]`. Out-of-memory errors
    are raised.
    """
    try:
        return _observe(module, images, output), ""
    except ConvvizError:
        return None, ""
    except Exception as error:  # networks raise anything for a batch that they do not accept
        if is_out_of_memory(error):
            raise
        return None, first_line(error)


def _observe(module: nn.Module, images: Tensor, output: Pick) -> ProbePass:
    keys: list[str] = []
    levels: list[tuple[tuple[int, ...], Tensor] | None] = []
    sigmoids: list[Tensor] = []
    count = len(images)
    place = min(1, count - 1)

    def visit(key: str, kind: str, out: Tensor, *_: Any) -> None:
        if kind in ("Sigmoid", "sigmoid"):
            sigmoids[:] = [out]
        if "/" in key:
            return
        keys.append(key)
        plain = out.ndim > 0 and len(out) == count
        levels.append((tuple(out.shape[1:]), _level(out[place])) if plain else None)

    generators = RandomState()
    with capture.watch(module, visit):
        scores = pick_scores(call_eagerly(module, images.clone()), output)
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != count:
        raise ModelError("no scores")
    wide = scores.detach().double().cpu()
    sigmoid = bool(sigmoids) and _same_values(sigmoids[0], scores)
    drew = not generators.is_current()
    return ProbePass(wide[place], _largest(wide), drew, sigmoid, keys, levels)


def _level(values: Tensor) -> Tensor:
    """Return the mean absolute value and the mean of an image's values, `[2]`."""
    values = values.detach()
    values = values if values.dtype == torch.float64 else values.float()
    return torch.stack([values.abs().mean(), values.mean()])


def _same_values(a: Tensor, b: Tensor) -> bool:
    return a.numel() == b.numel() and bool((a.flatten() == b.flatten()).all())


def _largest(values: Tensor) -> float:
    finite = values[values.isfinite()]
    return float(finite.abs().max()) if len(finite) else 0.0


@dataclass(frozen=True)
class Difference:
    """The difference between two passes.

    Attributes:
        scores: largest difference of a score, as a share of the largest one.
        layer: the first module whose output differs by more than rounding.
        differs: scores or a layer differ by more than rounding.
    """

    scores: float = 0.0
    layer: str = ""
    differs: bool = False


def difference(a: ProbePass, b: ProbePass, tolerance: float) -> Difference:
    """Compare two passes; differences within rounding do not count."""
    scale = max(a.scale, b.scale)
    gap = largest_gap(a.scores, b.scores)
    scores = gap / scale if scale else gap
    layer = _first_differing(a, b, tolerance)
    if scores <= tolerance:
        return Difference(0.0, layer, bool(layer))
    return Difference(scores, layer, True)


def largest_gap(a: Tensor, b: Tensor) -> float:
    """Return the largest difference; NaN in both tensors counts as 0, in one as infinite."""
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (a.isnan() & b.isnan())
    gaps = torch.where(same, 0.0, (a - b).abs().nan_to_num(float("inf"), float("inf")))
    return float(gaps.max()) if gaps.numel() else 0.0


def _first_differing(a: ProbePass, b: ProbePass, tolerance: float) -> str:
    """Return the first module whose output differs; "" if none does or the calls differ."""
    if a.keys != b.keys:
        return ""
    pairs = [
        (place, x[1], y[1])
        for place, (x, y) in enumerate(zip(a.levels, b.levels, strict=True))
        if x is not None and y is not None and x[0] == y[0]
    ]
    if not pairs:
        return ""
    levels_a = torch.stack([x for _, x, _ in pairs]).double().cpu()
    levels_b = torch.stack([y for _, _, y in pairs]).double().cpu()
    scales = torch.maximum(levels_a[:, 0], levels_b[:, 0]).nan_to_num(0.0, 0.0)
    scales = scales.clamp_min(_SMALL_LAYER * float(scales.median()))
    same = (levels_a == levels_b) | (levels_a.isnan() & levels_b.isnan())
    gaps = torch.where(same, 0.0, (levels_a - levels_b).abs().nan_to_num(float("inf"))).amax(1)
    differing = (gaps > tolerance * scales).nonzero()
    if not len(differing):
        return ""
    return naming.number_names(a.keys)[pairs[int(differing[0, 0])][0]]
