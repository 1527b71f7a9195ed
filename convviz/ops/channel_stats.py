"""Statistics of the channels of maps: peaks and their places, means, moments and histograms.

Explainers of data sets read every number of every layer. torch needs far more time for the place
of a maximum and for histograms than for multiplications; these operators do not.

There are kernels for CPUs only. On CUDA the Python bodies run, which consist of torch's own
reductions. A kernel would need shared memory or shuffles to reduce a map, and has to be justified
by a measurement on a GPU, which `benchmarks/gpu.py bandwidth` makes: a share of the bandwidth of a
copy below 80 % is the reason to write one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.library import custom_op

from .checks import check, check_floating, dtype_name

_MAX_POSITIONS = (1 << 31) - 1

_HALF_OCTAVES = {torch.float32: 512, torch.float64: 4096}
"""Number of half octaves of one sign: two for each exponent of the dtype."""


def channel_peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest value of every channel and its position.

    Args:
        maps: `[N, C, H, W]`, floating point.

    Returns:
        The values `[N, C]`, and their places y * W + x, int64 `[N, C]`: the first among equal
        values. NaN is higher than everything else.
    """
    values, places = peaks(maps)
    return values, places


def channel_means(maps: Tensor) -> Tensor:
    """Return the mean of every channel, summed in float64.

    The CPU kernel adds the positions of a map in their order. The result therefore does not depend
    on the number of threads, the memory layout or the other images of the batch, to the last bit.

    Args:
        maps: `[N, C, H, W]`, floating point.

    Returns:
        float64 `[N, C]`; not finite if the channel has NaN or infinite values.
    """
    mean: Tensor = means(maps)
    return mean


def channel_moments(
    maps: Tensor, homes: Tensor | None = None, bins: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return moments, extremes and a histogram of the values of every channel.

    The histogram counts half octaves: ranges of absolute values between neighbors of
    1, 1.5, 2, 3, 4, 6, 8 …, separately for both signs. A number's half octave is read off its
    bits, without a logarithm: without the sign, the exponent and the first bit of the mantissa are
    the number of the half octave, rounded up. Zero alone has number 0.

    Args:
        maps: `[N, C, H, W]`, float32 or float64.
        homes: int64 `[2 S]`, the bin of each half octave: first the S of negative numbers, then
            those of the others. S is 512 for float32 and 4096 for float64. None puts all values
            into the first bin.
        bins: number of bins.

    Returns:
        float64 `[N, C]`: mean, sum of squared distances from it, minimum and maximum; and int64
        `[C, bins]`, the number of values of all maps in each bin. For a channel with NaN or
        infinite values the mean is not finite, and the other results are undefined.
    """
    if homes is None:
        homes = torch.zeros(2 * _HALF_OCTAVES.get(maps.dtype, 0), dtype=torch.int64)
    mean, squares, low, high, histogram = moments(maps, homes, bins)
    return mean, squares, low, high, histogram


@custom_op("convviz::channel_peaks", mutates_args=())
def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Operator behind `channel_peaks`."""
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
    """Operator behind `channel_means`."""
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
    """Operator behind `channel_moments`."""
    _check("channel_moments", maps)
    check(
        maps.dtype in _HALF_OCTAVES,
        "channel_moments",
        f"maps must be float32 or float64, got {dtype_name(maps)}",
    )
    count = _HALF_OCTAVES[maps.dtype]
    # The integer type of the same size, and the number of bits behind the mantissa's first.
    integer, shift = (torch.int32, 22) if maps.dtype == torch.float32 else (torch.int64, 51)
    check(
        homes.dtype == torch.int64 and tuple(homes.shape) == (2 * count,),
        "channel_moments",
        f"homes must be int64 [{2 * count}] for {dtype_name(maps)}, got "
        f"{dtype_name(homes)} {list(homes.shape)}",
    )
    in_range = bins > 0 and bool(((homes >= 0) & (homes < bins)).all())
    check(in_range, "channel_moments", f"homes must lie in the {bins} bins")
    x = maps.flatten(2).double()
    mean = x.mean(2)
    squares = (x - mean[..., None]).square_().sum(2)
    # The bits of all numbers as [C, N * H * W], without the sign, and the number of half octaves
    # below, rounded up. NaN with a large payload would lie behind the last.
    bits = maps.flatten(2).transpose(0, 1).flatten(1).contiguous().view(integer)
    size = bits & torch.iinfo(integer).max
    octave = (((size - 1) >> shift) + 1).clamp(max=count - 1) + (bits >= 0) * count
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
    check(maps.dim() == 4, operator, f"maps must be [N, C, H, W], got {list(maps.shape)}")
    check(
        0 < maps.shape[2] * maps.shape[3] <= _MAX_POSITIONS,
        operator,
        f"maps must have 1 to {_MAX_POSITIONS} positions, got {list(maps.shape)}",
    )
