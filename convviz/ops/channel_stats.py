"""What maps hold channel by channel: peaks with their places, means, and moments with a histogram.

For explainers of whole data sets, which look at every number of every layer: torch looks for the
place of a maximum, and counts, far more slowly than it multiplies.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.library import custom_op

from .operators import check_floating, word

_LARGEST = (1 << 31) - 1
_SIZES = {torch.float32: 512, torch.float64: 4096}
"""Half octaves of a sign."""


def channel_peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest value of every channel and its position.

    Args:
        maps: `[N, C, H, W]`, floating point.

    Returns:
        The values `[N, C]`, and their places int64 `[N, C]`, y * W + x; the first of equal ones.
        NaN is higher than all else.
    """
    values, places = peaks(maps)
    return values, places


def channel_means(maps: Tensor) -> Tensor:
    """Return the mean of every channel, summed in float64.

    The CPU kernel adds the positions of a map in their order, so that the number of threads, the
    layout in memory and the other images of the batch do not change a bit of it.

    Args:
        maps: `[N, C, H, W]`, floating point.

    Returns:
        float64 `[N, C]`; not finite where the channel has NaN or infinite values.
    """
    mean: Tensor = means(maps)
    return mean


def channel_moments(
    maps: Tensor, homes: Tensor | None = None, bins: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return moments, extremes and a histogram of the values of every channel.

    Args:
        maps: `[N, C, H, W]`, float32 or float64.
        homes: int64 `[2 S]`, the bin of every half octave: of the S sizes of negative numbers,
            then of the others. A number's bits without its sign, rounded up to the first bit of
            the mantissa, count half octaves; zero alone is of size 0. S is 512 for float32 and
            4096 for float64. None puts all into the first bin.
        bins: how many there are.

    Returns:
        float64 `[N, C]`: mean, sum of squared distances from it, minimum and maximum; and int64
        `[C, bins]`, how many values of all maps lie in each bin. The mean of a channel with NaN or
        infinite values is not finite, and the rest says nothing of that channel.
    """
    if homes is None:
        homes = torch.zeros(2 * _SIZES.get(maps.dtype, 0), dtype=torch.int64)
    mean, squares, low, high, histogram = moments(maps, homes, bins)
    return mean, squares, low, high, histogram


@custom_op("convviz::channel_peaks", mutates_args=())
def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Do what `channel_peaks` says."""
    _check("channel_peaks", maps)
    check_floating("channel_peaks", "maps", maps)
    flat = maps.flatten(2)
    places = flat.argmax(2)
    return flat.gather(2, places[..., None])[..., 0], places


@peaks.register_fake
def _(maps: Tensor) -> tuple[Tensor, Tensor]:
    shape = maps.shape[:2]
    return maps.new_empty(shape), maps.new_empty(shape, dtype=torch.int64)


@custom_op("convviz::channel_means", mutates_args=())
def means(maps: Tensor) -> Tensor:
    """Do what `channel_means` says."""
    _check("channel_means", maps)
    check_floating("channel_means", "maps", maps)
    return maps.flatten(2).mean(2, dtype=torch.float64)


@means.register_fake
def _(maps: Tensor) -> Tensor:
    return maps.new_empty(maps.shape[:2], dtype=torch.float64)


@custom_op("convviz::channel_moments", mutates_args=())
def moments(
    maps: Tensor, homes: Tensor, bins: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Do what `channel_moments` says."""
    _check("channel_moments", maps)
    if maps.dtype not in _SIZES:
        raise RuntimeError(
            f"convviz::channel_moments: maps must be float32 or float64, got {word(maps)}"
        )
    sizes = _SIZES[maps.dtype]
    whole, shift = (torch.int32, 22) if maps.dtype == torch.float32 else (torch.int64, 51)
    if homes.dtype != torch.int64 or tuple(homes.shape) != (2 * sizes,):
        raise RuntimeError(
            f"convviz::channel_moments: homes must be int64 [{2 * sizes}] for {word(maps)}, got "
            f"{word(homes)} {list(homes.shape)}"
        )
    if bins < 1 or not bool(((homes >= 0) & (homes < bins)).all()):
        raise RuntimeError(f"convviz::channel_moments: homes must lie in the {bins} bins")
    x = maps.flatten(2).double()
    mean = x.mean(2)
    squares = (x - mean[..., None]).square_().sum(2)
    # [C, N * H * W], and each number's half octave, those of negative numbers first
    bits = maps.flatten(2).transpose(0, 1).flatten(1).contiguous().view(whole)
    size = bits & torch.iinfo(whole).max
    octave = (((size - 1) >> shift) + 1).clamp(max=sizes - 1) + (bits >= 0) * sizes
    rows = torch.arange(maps.shape[1], device=maps.device)[:, None]
    place = rows * bins + homes.to(maps.device)[octave.long()]
    histogram = torch.bincount(place.flatten(), minlength=maps.shape[1] * bins)
    return mean, squares, x.amin(2), x.amax(2), histogram.view(-1, bins)


@moments.register_fake
def _(maps: Tensor, homes: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    mean, squares, low, high = (
        maps.new_empty(maps.shape[:2], dtype=torch.float64) for _ in range(4)
    )
    return mean, squares, low, high, maps.new_empty((maps.shape[1], bins), dtype=torch.int64)


def _check(operator: str, maps: Tensor) -> None:
    if maps.dim() != 4:
        raise RuntimeError(
            f"convviz::{operator}: maps must be [N, C, H, W], got {list(maps.shape)}"
        )
    if not 0 < maps.shape[2] * maps.shape[3] <= _LARGEST:
        raise RuntimeError(
            f"convviz::{operator}: maps must have 1 to {_LARGEST} positions, got {list(maps.shape)}"
        )
