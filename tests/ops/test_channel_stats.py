"""Peaks and moments of channels against plain NumPy, on every device there is."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.library import opcheck

import convviz
import convviz.authoring
from convviz.ops import channel_stats

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(2, 3, 5, 7), (1, 8, 4, 4), (3, 16, 1, 1), (0, 3, 4, 4), (2, 0, 2, 2), (5, 33, 3, 2)]
SIZES = {torch.float32: 512, torch.float64: 4096}


def contiguous(x: Tensor) -> Tensor:
    return x.contiguous()


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def transpose_maps(x: Tensor) -> Tensor:
    return x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)


def expand_maps(x: Tensor) -> Tensor:
    return x[:, :, :1].expand(-1, -1, x.shape[2], -1)


def inner(x: Tensor) -> Tensor:
    """Return a map without its border, a view, as explainers cut it."""
    wide = torch.nn.functional.pad(x, (1, 1, 1, 1), value=math.inf)
    return channels_last(wide)[:, :, 1:-1, 1:-1]


LAYOUTS = [contiguous, channels_last, transpose_maps, expand_maps, inner]


def sample(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    flat = x.reshape(-1)
    flat[::5] = 0.0
    if flat.numel() > 3:
        flat[1], flat[2], flat[3] = math.nan, math.inf, -math.inf
    return x.to(device)


def homes(dtype: torch.dtype) -> Tensor:
    """Return homes in which every seventh half octave has the same bin."""
    return torch.arange(2 * SIZES[dtype]) % 7


def octave(value: float, dtype: torch.dtype) -> int:
    """Count half octaves from a number's bits, one number at a time."""
    single = dtype == torch.float32
    (bits,) = struct.unpack("<I" if single else "<Q", struct.pack("<f" if single else "<d", value))
    sign, shift = (31, 22) if single else (63, 51)
    size = -(-(bits & ((1 << sign) - 1)) // (1 << shift))  # rounded up
    return size + (0 if bits >> sign else SIZES[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_peaks_are_the_first_of_the_highest(device, dtype, layout, shape):
    x = sample(shape, dtype, device).round()  # so that there are equal ones
    x = layout(x)
    values, places = convviz.authoring.channel_peaks(x)
    assert values.dtype == dtype
    assert places.dtype == torch.int64
    assert values.shape == places.shape == x.shape[:2]
    flat = x.cpu().double().flatten(2).numpy()
    for n, c in np.ndindex(x.shape[:2]):
        numbers = flat[n, c]
        nan = np.flatnonzero(np.isnan(numbers))
        want = nan[0] if len(nan) else numbers.argmax()
        assert places[n, c] == want
        np.testing.assert_equal(values[n, c].double().item(), numbers[want])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_means_are_those_of_exact_sums(device, dtype, layout, shape):
    x = torch.nan_to_num(sample(shape, dtype, device), 1e-3, 3e4, -3e4)
    x = layout(x)
    means = convviz.authoring.channel_means(x)
    assert means.dtype == torch.float64
    assert means.shape == x.shape[:2]
    flat = x.cpu().double().flatten(2)
    for n, c in np.ndindex(x.shape[:2]):
        exact = math.fsum(flat[n, c].tolist()) / flat.shape[2]
        assert means[n, c].item() == pytest.approx(exact, rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_mean_is_finite_only_where_all_values_are(device, bad):
    x = torch.ones(2, 3, 4, 4, device=device)
    x[1, 2, 3, 0] = bad
    assert (~convviz.authoring.channel_means(x).isfinite()).nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("dtype", SIZES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_moments_are_those_of_numpy(device, dtype, layout, shape):
    x = torch.nan_to_num(sample(shape, dtype, device), 1e-3, 3e4, -3e4)
    x = layout(x)
    mean, squares, low, high, histogram = channel_stats.channel_moments(x, homes(dtype), 7)
    flat = x.cpu().double().flatten(2).numpy()
    if flat.size:
        np.testing.assert_allclose(mean.cpu(), flat.mean(2), rtol=1e-12, atol=1e-12)
        want = ((flat - flat.mean(2, keepdims=True)) ** 2).sum(2)
        np.testing.assert_allclose(squares.cpu(), want, rtol=1e-10)
        np.testing.assert_array_equal(low.cpu(), flat.min(2))
        np.testing.assert_array_equal(high.cpu(), flat.max(2))
    want = np.zeros((shape[1], 7), int)
    for n, c, p in np.ndindex(flat.shape):
        want[c, octave(flat[n, c, p], dtype) % 7] += 1
    np.testing.assert_array_equal(histogram.cpu(), want)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(SIZES, key=str)).flatmap(
        lambda dtype: st.tuples(
            st.just(dtype),
            st.lists(st.floats(width=32 if dtype == torch.float32 else 64), min_size=1, max_size=4),
        )
    )
)
def test_every_number_has_its_bin_and_what_is_not_finite_shows(drawn):
    dtype, numbers = drawn
    x = torch.tensor(numbers, dtype=dtype)[None, None, None]
    every = torch.arange(2 * SIZES[dtype])
    mean, *_, histogram = channel_stats.channel_moments(x, every, len(every))
    saved = channel_stats.moments._init_fn(x, every, len(every))
    assert torch.equal(histogram, saved[-1])
    assert histogram.sum() == len(numbers)
    if all(map(math.isfinite, numbers)):
        for value in numbers:
            assert histogram[0, octave(value, dtype)] > 0
        assert dtype == torch.float64 or mean.isfinite().all()
    else:
        assert not mean.isfinite().any()


def test_threads_and_batches_change_nothing():
    x = torch.randn(9, 24, 40, 40).contiguous(memory_format=torch.channels_last)
    bins, threads = homes(torch.float32), torch.get_num_threads()
    actual = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            results = [*channel_stats.channel_moments(x, bins, 7), *channel_stats.channel_peaks(x)]
            actual.append([*results, channel_stats.channel_means(x)])
    finally:
        torch.set_num_threads(threads)
    for extra in actual[1:]:
        assert all(map(torch.equal, actual[0], extra))
    parts = [channel_stats.channel_moments(part, bins, 7) for part in x.split(4)]
    assert torch.equal(sum(part[-1] for part in parts), actual[0][4])
    assert torch.equal(torch.cat([part[1] for part in parts]), actual[0][1])
    for laid_out in (x, x.contiguous(), transpose_maps(x)):
        means = torch.cat([channel_stats.channel_means(part) for part in laid_out.split(2)])
        assert torch.equal(means, actual[0][-1])


def test_opcheck(device):
    x = torch.randn(2, 3, 5, 7, device=device)
    assert set(opcheck(channel_stats.peaks, (x,)).values()) == {"SUCCESS"}
    assert set(opcheck(channel_stats.means, (x,)).values()) == {"SUCCESS"}
    arguments = (x, homes(torch.float32), 7)
    assert set(opcheck(channel_stats.moments, arguments).values()) == {"SUCCESS"}


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(
    ("operator", "arguments", "words"),
    [
        ("channel_peaks", (torch.ones(2, 3),), r"peaks: maps must be \[N, C, H, W\], got \[2, 3\]"),
        ("channel_peaks", (torch.ones(2, 3, 0, 4),), "maps must have 1 to 2147483647 positions"),
        ("channel_peaks", (torch.ones(1, 1, 1, 1).int(),), "maps must be float16.*got int32"),
        ("channel_means", (torch.ones(2, 3),), r"means: maps must be \[N, C, H, W\], got \[2, 3\]"),
        ("channel_means", (torch.ones(1, 1, 1, 1).int(),), "maps must be float16.*got int32"),
        ("channel_moments", (torch.ones(1, 1, 1, 1).half(), homes(torch.float32), 7), "float16"),
        (
            "channel_moments",
            (torch.ones(1, 1, 1, 1), homes(torch.float64), 7),
            r"homes must be int64 \[1024\] for float32, got int64 \[8192\]",
        ),
        (
            "channel_moments",
            (torch.ones(1, 1, 1, 1), homes(torch.float32), 6),
            "homes must lie in the 6 bins",
        ),
    ],
)
def test_bad_arguments_are_named(operator, arguments, words, reference):
    call = getattr(channel_stats, operator.removeprefix("channel_"))
    with pytest.raises(RuntimeError, match=words):
        (call._init_fn if reference else call)(*arguments)


def test_without_bins_all_values_are_counted_together():
    x = torch.randn(2, 3, 4, 5)
    assert convviz.authoring.channel_moments(x)[-1].tolist() == [[40]] * 3
    assert convviz.authoring.channel_moments(x.double())[-1].tolist() == [[40]] * 3
