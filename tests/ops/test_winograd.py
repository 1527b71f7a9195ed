"""Winograd's 3 x 3 convolution of windows against direct convolutions of whole maps."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.library import opcheck

from convviz.network.model import Model
from convviz.occlusion.executor import WindowExecutor, order_by_window_size
from convviz.occlusion.plan import make_plan
from convviz.ops import winograd
from convviz.program.program import compile_graph

# Largest error allowed, as a share of the largest value: direct convolutions come to 7e-7 and
# 1e-15 in the same sizes.
CLOSE = {torch.float32: 3e-6, torch.float64: 1e-14}


def reference_convolution(
    clean: Tensor, parts: list[Tensor], table: Tensor, size: tuple[int, int], w: Tensor, b: Tensor
) -> Tensor:
    """Return the windows, cut out of a direct convolution of every map as a whole, in float64."""
    margin, outputs = 40, []
    for source, index, part_y, part_x, y, x in table.tolist():
        whole = clean.double().clone()
        height, width = whole.shape[2:]
        if source >= 0:
            for dy in range(parts[source].shape[2]):
                for dx in range(parts[source].shape[3]):
                    at = part_y + dy, part_x + dx
                    if 0 <= at[0] < height and 0 <= at[1] < width:
                        whole[0, :, at[0], at[1]] = parts[source][index, :, dy, dx].double()
        out = torch.conv2d(whole, w.double(), b.double(), padding=margin)[0]
        row, column = y + margin, x + margin
        outputs.append(out[:, row : row + size[0], column : column + size[1]])
    return torch.stack(outputs)


def case(dtype: torch.dtype, channels: int = 16, filters: int = 32) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    clean = torch.randn(1, channels, 9, 11, dtype=dtype)
    parts = [
        torch.randn(3, channels, 5, 4, dtype=dtype),
        torch.randn(2, channels, 1, 7, dtype=dtype),
    ]
    weight = torch.randn(filters, channels, 3, 3, dtype=dtype) / (3 * channels**0.5)
    return clean, parts, weight, torch.randn(filters, dtype=dtype)


def far(got: Tensor, want: Tensor) -> float:
    return float((got.double() - want).abs().max() / want.abs().max())


PLACES = st.tuples(st.integers(-1, 1), st.integers(0, 1), *(st.integers(-6, 12) for _ in range(4)))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(PLACES, min_size=1, max_size=9),
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    relu=st.booleans(),
)
def test_windows_are_those_of_a_direct_convolution(rows, size, dtype, relu):
    clean, parts, weight, bias = case(dtype)
    table = torch.tensor(rows, dtype=torch.int64)
    weights = winograd.prepare_weights(weight)
    got = winograd.conv3x3_windows(clean, parts, table, *size, weights, bias, relu)
    want = reference_convolution(clean, parts, table, size, weight, bias)
    scale = want.abs().max()
    want = want.relu() if relu else want
    assert got.shape == want.shape
    assert got.dtype == dtype
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert float((got.double() - want).abs().max() / scale) < CLOSE[dtype]


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize(("channels", "filters"), [(8, 16), (64, 64), (24, 48), (256, 512)])
def test_sizes_of_networks(dtype, channels, filters):
    clean, parts, weight, bias = case(dtype, channels, filters)
    table = torch.tensor([[0, 1, 2, 3, -1, -1], [-1, 0, 0, 0, 3, 4]]).repeat(13, 1)
    weights = winograd.prepare_weights(weight)
    got = winograd.conv3x3_windows(clean, parts, table, 7, 9, weights, bias, False)
    want = reference_convolution(clean, parts, table[:2], (7, 9), weight, bias).repeat(13, 1, 1, 1)
    assert far(got, want) < CLOSE[dtype]


@pytest.mark.parametrize("dtype", CLOSE)
def test_the_reference_gives_the_same(dtype):
    clean, parts, weight, bias = case(dtype)
    table = torch.tensor([[0, 1, 2, 3, -1, -1], [1, 0, 0, 0, 3, 4], [-1, 0, 0, 0, -9, 2]])
    arguments = (clean, parts, table, 6, 5, winograd.prepare_weights(weight), bias, True)
    kernel, reference = (
        run(*arguments) for run in (winograd.conv3x3_windows, winograd.conv3x3_windows._init_fn)
    )
    assert reference.stride() == kernel.stride()
    assert far(kernel, reference.double()) < CLOSE[dtype]


def test_layouts_of_the_inputs_do_not_matter():
    clean, parts, weight, bias = case(torch.float32)
    table = torch.tensor([[0, 1, 2, 3, -1, -1], [1, 0, 0, 0, 3, 4]])
    weights = winograd.prepare_weights(weight)
    want = winograd.conv3x3_windows(clean, parts, table, 6, 5, weights, bias, True)
    last = [t.contiguous(memory_format=torch.channels_last) for t in (clean, *parts)]
    wide = torch.cat([table, table], 1)[:, :6]
    spread = torch.stack([bias, bias], 1)[:, 0]
    got = winograd.conv3x3_windows(last[0], last[1:], wide, 6, 5, weights, spread, True)
    assert torch.equal(got, want)


def test_neither_threads_nor_neighbours_change_a_bit():
    clean, parts, weight, bias = case(torch.float32)
    table = torch.tensor([[0, 1, 2, 3, -1, -1], [1, 0, 0, 0, 3, 4]]).repeat(40, 1)
    weights = winograd.prepare_weights(weight)
    threads = torch.get_num_threads()
    try:
        actual = []
        for count in (1, 2):
            torch.set_num_threads(count)
            actual.append(winograd.conv3x3_windows(clean, parts, table, 9, 9, weights, bias, True))
    finally:
        torch.set_num_threads(threads)
    alone = winograd.conv3x3_windows(clean, parts, table[:1], 9, 9, weights, bias, True)
    assert torch.equal(actual[0], actual[1])
    assert torch.equal(actual[0][:1], alone)


def test_nan_stays_in_its_call():
    clean, parts, weight, bias = case(torch.float32)
    table = torch.tensor([[-1, 0, 0, 0, 0, 0]])
    weights = winograd.prepare_weights(weight)
    want = winograd.conv3x3_windows(clean, [], table, 3, 3, weights, bias, True)
    bad = winograd.conv3x3_windows(clean * float("nan"), [], table, 9, 9, weights, bias, True)
    assert bad[..., :7, :7].isnan().all()
    again = winograd.conv3x3_windows(clean, parts, table, 3, 3, weights, bias, True)
    assert torch.equal(again, want)


def test_no_windows_give_no_windows():
    clean, parts, weight, bias = case(torch.float32)
    weights = winograd.prepare_weights(weight)
    empty = torch.zeros(0, 6, dtype=torch.int64)
    got = winograd.conv3x3_windows(clean, parts, empty, 3, 3, weights, bias, True)
    assert got.shape == (0, 32, 3, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"clean": lambda t: t.half(), "changed": lambda parts: [t.half() for t in parts]},
            "clean must be float32 or float64, got float16",
        ),
        ({"clean": lambda t: t.repeat(2, 1, 1, 1)}, r"clean must be \[1, C, H, W\]"),
        ({"weights": lambda t: t[:35]}, r"weights must be float32 \[36, K / 16, 16, 16\], got"),
        ({"weights": lambda t: t.double()}, r"weights must be float32 .* got float64"),
        ({"bias": lambda t: t[:-1]}, r"bias must be float32 \[32\], got float32 \[31\]"),
        ({"table": lambda t: t[:, :5]}, r"table must be int64 \[P, 6\]"),
        ({"table": lambda t: t + 9}, "row 0 of table names window"),
        ({"height": lambda n: 0}, "must be 1 x 1 or more"),
    ],
)
@pytest.mark.parametrize("path", ["kernel", "reference"])
def test_what_does_not_fit_is_named(change, words, path):
    clean, parts, weight, bias = case(torch.float32)
    arguments = {
        "clean": clean,
        "changed": parts,
        "table": torch.tensor([[0, 1, 2, 3, -1, -1]]),
        "height": 6,
        "width": 5,
        "weights": winograd.prepare_weights(weight),
        "bias": bias,
        "relu": False,
    }
    arguments |= {name: alter(arguments[name]) for name, alter in change.items()}
    call = winograd.conv3x3_windows
    with pytest.raises(RuntimeError, match=words):
        (call if path == "kernel" else call._init_fn)(**arguments)


def test_opcheck():
    clean, parts, weight, bias = case(torch.float32)
    table = torch.tensor([[0, 1, 2, 3, -1, -1]])
    arguments = (clean, parts, table, 6, 5, winograd.prepare_weights(weight), bias, True)
    assert set(opcheck(winograd.conv3x3_windows, arguments).values()) == {"SUCCESS"}


class Threes(nn.Module):
    """3 x 3 convolutions with every padding, with and without bias, norm and rectifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.wide = nn.Sequential(nn.Conv2d(8, 16, 3, padding=2, bias=False), nn.BatchNorm2d(16))
        self.tall = nn.Conv2d(16, 8, 3, padding=(0, 1))
        self.thin = nn.Conv2d(8, 24, 3, bias=False)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        y = self.tall(torch.relu(self.wide(x)))
        y = self.thin(y + 1).relu()
        return self.head(y.mean((2, 3)))


@pytest.mark.parametrize("size", [(40, 37), (23, 64)])
def test_a_network_of_such_convolutions_is_exact(size, monkeypatch):
    monkeypatch.setattr(winograd, "is_fast", lambda device: True)
    torch.manual_seed(0)
    module = Threes()
    module.wide[1].running_mean.normal_()
    module = module.double().eval()
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    corners = [(x, y) for y in range(0, size[0], 7) for x in range(0, size[1], 9)]
    boxes = torch.tensor([(x, y, min(x + 6, size[1]), min(y + 5, size[0])) for x, y in corners])
    with torch.no_grad():
        program = compile_graph(Model(module).graph((3, *size)))
        ready = [step for step in program.steps if step.conv3x3 is not None]
        assert [step.rectifies for step in ready] == [True, False, True]
        plan = make_plan(program, boxes)
        run = WindowExecutor(program, plan, image, torch.zeros_like(image))
        for positions, values in run.outputs(order_by_window_size(plan)):
            for position, scores in zip(positions, values[program.output], strict=True):
                x0, y0, x1, y1 = boxes[position].tolist()
                copy = image.clone()
                copy[..., y0:y1, x0:x1] = 0
                torch.testing.assert_close(scores[None], module(copy), rtol=0, atol=1e-12)


def test_it_is_taken_where_it_pays():
    assert winograd.pays(64, 64, 8, 8)
    assert not winograd.pays(64, 64, 1, 1)
    assert not winograd.pays(64, 64, 5, 5)
    assert winograd.supports(torch.zeros(64, 8, 3, 3))
    for shape in ((64, 3, 3, 3), (60, 64, 3, 3), (64, 64, 1, 1), (64, 64, 3, 1)):
        assert not winograd.supports(torch.zeros(shape))
    assert not winograd.supports(torch.zeros(64, 64, 3, 3, dtype=torch.bfloat16))
    assert not winograd.is_fast(torch.device("cuda"))


ONE_SET = """
import torch
from convviz import _C
from convviz.ops import kernels, winograd
assert _C.conv3x3_instructions() == {expected!r}, _C.conv3x3_instructions()
torch.manual_seed(0)
for channels, filters in ((8, 16), (24, 48), (32, 32)):
    x, weight = torch.randn(3, channels, 9, 11), torch.randn(filters, channels, 3, 3)
    bias = torch.randn(filters)
    want = torch.conv2d(x.double(), weight.double(), bias.double(), padding=1).relu()
    found = winograd.convolve(x, winograd.prepare_weights(weight), bias, True, (1, 1))
    assert kernels.paths()["conv3x3_windows"]["cpu"] == "kernel"
    torch.testing.assert_close(found.double(), want, rtol=0, atol=1e-5 * float(want.max()))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are instructions of x86-64")
@pytest.mark.parametrize(("limit", "expected"), [("default", ""), ("avx2", "AVX2")])
def test_narrower_instructions_give_the_same(limit, expected):
    if expected and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this processor has no AVX2")
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": limit}
    code = ONE_SET.format(expected=expected)
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=environment)
