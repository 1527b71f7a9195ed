"""The custom operators against references of their own, on every device there is."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.library import opcheck

from convviz.ops import kernels
from convviz.ops.checks import is_channels_last
from convviz.ops.gather_windows import gather_windows
from convviz.ops.guided_relu import RULES, guided_relu, guided_relu_backward
from convviz.ops.occlude import occlude

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
LAYOUTS = ["contiguous", "channels_last", "permuted", "expanded", "offset"]
SHAPES = [(2, 3, 5, 7), (1, 8, 4, 4), (1, 1, 1, 1), (0, 3, 4, 4), (3, 0, 2, 2), (1, 16, 33, 31)]


def laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "permuted":
        return x.permute(0, 2, 3, 1).contiguous().flip(0).permute(0, 3, 1, 2).transpose(2, 3)
    if layout == "expanded":
        return x[:, :, :1, :].expand(-1, -1, x.shape[2], -1)
    if layout == "offset":
        flat = torch.cat([x.new_zeros(1), x.reshape(-1)])
        return flat[1:].view(x.shape)
    return x


def sample(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    flat = x.reshape(-1)
    flat[::5] = 0.0
    if flat.numel() > 3:
        flat[1], flat[2], flat[3] = float("nan"), float("inf"), -float("inf")
    return x.to(device)


def bits_in_memory_order(x: np.ndarray, channels_last: bool) -> list[int]:
    """Pack `not (value <= 0)` one element at a time, lowest bit first."""
    order = (x.transpose(0, 2, 3, 1) if channels_last else x).ravel()
    packed = [0] * ((len(order) + 7) // 8)
    for i, value in enumerate(order):
        if not value <= 0:
            packed[i // 8] |= 1 << (i % 8)
    return packed


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_guided_relu_rectifies_and_packs(device, dtype, layout, shape):
    x = laid_out(sample(shape, dtype, device), layout)
    y, bits = guided_relu(x)
    assert torch.equal(y.isnan(), x.isnan())
    assert torch.equal(y.nan_to_num(7.0), torch.relu(x).nan_to_num(7.0))
    channels_last = is_channels_last(x)
    assert y.is_contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )
    assert bits.tolist() == bits_in_memory_order(x.cpu().double().numpy(), channels_last)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rule", RULES)
def test_guided_relu_backward_follows_the_rule(device, dtype, layout, rule):
    for shape in SHAPES:
        x = laid_out(sample(shape, dtype, device), layout)
        channels_last = is_channels_last(x)
        _, bits = guided_relu(x)
        grad = sample(tuple(x.shape), dtype, device).flip(-1)
        got = guided_relu_backward(grad, bits, rule, channels_last).cpu().double().numpy()
        g, v = grad.cpu().double().numpy(), x.cpu().double().numpy()
        want = np.where((v <= 0) & (rule != "deconv"), 0.0, g)
        want = np.where((g <= 0) & (rule != "plain"), 0.0, want)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("rule", RULES)
def test_autograd_reaches_the_rule(device, rule):
    x = torch.tensor([-1.0, 0.0, 2.0, 3.0], device=device, requires_grad=True)
    y, _ = guided_relu(x, rule)
    y.backward(torch.tensor([5.0, 5.0, -5.0, 5.0], device=device))
    want = {"plain": [0, 0, -5, 5], "guided": [0, 0, 0, 5], "deconv": [5, 5, 0, 5]}[rule]
    assert x.grad.tolist() == want


@settings(max_examples=60, deadline=None)
@given(
    c=st.integers(1, 5),
    h=st.integers(1, 13),
    w=st.integers(1, 13),
    window=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    corners=st.lists(st.tuples(st.integers(-7, 14), st.integers(-7, 14)), max_size=5),
    kind=st.sampled_from(["colour", "image", "colours", "patches"]),
    channels_last=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
def test_occlude_equals_pixel_by_pixel(
    device, c, h, w, window, corners, kind, channels_last, dtype
):
    p = len(corners)
    shape = {
        "colour": (c, 1, 1),
        "image": (c, h, w),
        "colours": (p, c, 1, 1),
        "patches": (p, c, *window),
    }[kind]
    image = torch.arange(c * h * w, dtype=torch.float32).view(c, h, w).to(dtype).to(device)
    count = int(np.prod(shape))
    fill = -(torch.arange(count, dtype=torch.float32) + 1).view(shape).to(dtype).to(device)
    y = torch.tensor([a for a, _ in corners], dtype=torch.int64, device=device)
    x = torch.tensor([b for _, b in corners], dtype=torch.int64, device=device)
    got = occlude(image, y, x, *window, fill, channels_last)
    assert got.shape == (p, c, h, w)
    assert got.dtype == dtype
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert got.is_contiguous(memory_format=layout)
    for i, (top, left) in enumerate(corners):
        for row in range(h):
            for col in range(w):
                inside = top <= row < top + window[0] and left <= col < left + window[1]
                if not inside:
                    want = image[:, row, col]
                elif kind == "colour":
                    want = fill[:, 0, 0]
                elif kind == "image":
                    want = fill[:, row, col]
                elif kind == "colours":
                    want = fill[i, :, 0, 0]
                else:
                    want = fill[i, :, row - top, col - left]
                assert torch.equal(got[i, :, row, col], want)


@settings(max_examples=60, deadline=None)
@given(
    c=st.sampled_from([1, 3, 8]),
    map_size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    part_sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=3),
    window=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    rows=st.lists(
        st.tuples(st.integers(-1, 2), st.integers(0, 1), *[st.integers(-4, 9)] * 4), max_size=5
    ),
    dtype=st.sampled_from(DTYPES),
    padding=st.sampled_from([0.0, -math.inf]),
)
def test_gather_windows_equals_pixel_by_pixel(
    device, c, map_size, part_sizes, window, rows, dtype, padding
):
    h, w = map_size
    clean = torch.arange(c * h * w, dtype=torch.float32).view(1, c, h, w).to(dtype).to(device)
    changed = [
        -(torch.arange(2 * c * a * b, dtype=torch.float32) + 1)
        .view(2, c, a, b)
        .to(dtype)
        .to(device)
        for a, b in part_sizes
    ]
    rows = [r for r in rows if r[0] < len(changed)]
    table = torch.tensor(rows, dtype=torch.int64).view(-1, 6)
    got = gather_windows(clean, changed, table, *window, padding)
    assert got.shape == (len(rows), c, *window)
    assert got.is_contiguous(memory_format=torch.channels_last)
    for i, (source, index, part_y, part_x, top, left) in enumerate(rows):
        for dy in range(window[0]):
            for dx in range(window[1]):
                y, x = top + dy, left + dx
                want = torch.full((c,), padding, dtype=dtype, device=device)
                if 0 <= y < h and 0 <= x < w:
                    want = clean[0, :, y, x]
                    if source >= 0:
                        a, b = part_sizes[source]
                        if 0 <= y - part_y < a and 0 <= x - part_x < b:
                            want = changed[source][index, :, y - part_y, x - part_x]
                assert torch.equal(got[i, :, dy, dx], want)


@pytest.mark.parametrize(
    ("row", "words"), [([2, 0], "there are 1 sources"), ([0, 7], "row 0 of table names window 7")]
)
def test_gather_windows_refuses_a_table_that_points_outside(device, row, words):
    table = torch.tensor([[*row, 0, 0, 0, 0]])
    clean = torch.zeros(1, 2, 4, 4, device=device)
    with pytest.raises(RuntimeError, match=words):
        gather_windows(clean, [torch.zeros(1, 2, 2, 2, device=device)], table, 2, 2, 0.0)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # opcheck's own
def test_opcheck(device):
    x = torch.randn(2, 3, 5, 7, device=device)
    bits = guided_relu(x)[1]
    corners = torch.tensor([0, -2, 7], device=device)
    image, fill = torch.randn(3, 9, 8, device=device), torch.zeros(3, 1, 1, device=device)
    calls = [
        (guided_relu, (x.clone().requires_grad_(), "guided")),
        (guided_relu_backward, (torch.randn_like(x), bits, "deconv", False)),
        (occlude, (image, corners, corners, 3, 4, fill, True)),
        (gather_windows, (x[:1], [x], torch.tensor([[0, 1, 1, 1, 0, 0]]), 3, 3, 0.0)),
    ]
    for operator, arguments in calls:
        assert set(opcheck(operator, arguments).values()) == {"SUCCESS"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda d: guided_relu(torch.ones(2, device=d), "other"),
            "guided_relu: rule.*other",
        ),
        (
            lambda d: guided_relu(torch.ones(2, device=d).int()),
            "guided_relu: x must be float",
        ),
        (
            lambda d: guided_relu_backward(
                torch.ones(9, device=d), torch.zeros(1, dtype=torch.uint8, device=d), "plain", False
            ),
            r"guided_relu_backward: bits must be uint8 \[2\]",
        ),
        (
            lambda d: guided_relu_backward(
                torch.ones(8, device=d), torch.zeros(1, dtype=torch.uint8, device=d), "plain", True
            ),
            "channels_last needs a gradient",
        ),
        (
            lambda d: occlude(
                torch.ones(1, 4, 4, device=d),
                torch.zeros(2, dtype=torch.int64, device=d),
                torch.zeros(2, dtype=torch.int64, device=d),
                2,
                2,
                torch.zeros(2, 1, 1, device=d),
            ),
            r"occlude: fill must be \[1, 1, 1\].*got \[2, 1, 1\]",
        ),
        (
            lambda d: occlude(
                torch.ones(1, 4, 4, device=d),
                torch.zeros(2, dtype=torch.int64, device=d),
                torch.zeros(1, dtype=torch.int64, device=d),
                2,
                2,
                torch.zeros(1, 1, 1, device=d),
            ),
            r"occlude: x must be int64 \[2\]",
        ),
        (
            lambda d: occlude(
                torch.ones(1, 4, 4, device=d),
                torch.zeros(1, dtype=torch.int64, device=d),
                torch.zeros(1, dtype=torch.int64, device=d),
                0,
                2,
                torch.zeros(1, 1, 1, device=d),
            ),
            "the window must be 1 x 1 or more, got 0 x 2",
        ),
    ],
)
def test_bad_arguments_are_named(device, call, words):
    with pytest.raises(RuntimeError, match=words):
        call(device)


def test_paths_name_the_kernel_that_runs():
    paths = kernels.paths()
    rectifiers = {"guided_relu", "guided_relu_", "guided_relu_backward"}
    windows = {"occlude", "gather_windows", "conv3x3_windows"}
    channels = {"channel_peaks", "channel_means", "channel_moments"}
    assert set(paths) == rectifiers | windows | channels
    for name, devices in paths.items():
        assert set(devices) == {"cpu", "cuda"}
        assert devices["cpu"] == "kernel", name  # the suite is of a build
        message = devices["cuda"]
        assert message == "kernel" or message.startswith("Python reference: "), name
        assert torch.cuda.is_available() or message != "kernel", name


SCRIPT = """
import sys
if sys.argv[2] == "reference":
    sys.modules["convviz._C"] = None  # as where nothing could be compiled
import torch
from convviz.ops import kernels
from convviz.ops.gather_windows import gather_windows
from convviz.ops.guided_relu import guided_relu, guided_relu_, guided_relu_backward
from convviz.ops.occlude import occlude
torch.manual_seed(0)
x = torch.randn(2, 3, 5, 7).contiguous(memory_format=torch.channels_last)
y, bits = guided_relu(x)
back = guided_relu_backward(torch.randn_like(x), bits, "guided", True)
at = torch.tensor([0, -2, 7])
batch = occlude(x[0], at, at, 3, 4, torch.full((3, 1, 1), 9.0), True)
table = torch.tensor([[0, 1, 1, -1, -2, 0], [-1, 0, 0, 0, 4, 4], [0, 0, 2, 2, 0, 1]])
windows = gather_windows(x[:1], [x[:, :, :3, :3]], table, 4, 5, -1.0)
again = guided_relu_(x)
path = kernels.paths()["guided_relu"]["cpu"]
torch.save([path, y, bits, back, batch, windows, x, again], sys.argv[1])
"""


def test_without_kernels_the_references_give_the_same(tmp_path):
    outs = {}
    for path in ("kernel", "reference"):
        file = tmp_path / f"{path}.pt"
        subprocess.run([sys.executable, "-P", "-c", SCRIPT, str(file), path], check=True)
        outs[path] = torch.load(file, weights_only=True)
    assert outs["reference"][0].startswith("Python reference: not built")
    assert outs["kernel"][0] == "kernel"
    for a, b in zip(outs["kernel"][1:], outs["reference"][1:], strict=True):
        assert torch.equal(a, b)
