"""Operators on unusual inputs: strides, empty axes, NaN, wrong arguments, compilation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from ops.special_values import corners, noise, same
from torch import Tensor

from convviz.ops.gather_windows import gather_windows
from convviz.ops.guided_relu import RULES, guided_relu, guided_relu_, guided_relu_backward
from convviz.ops.occlude import occlude

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "permuted": lambda x: x.transpose(-1, -3).contiguous().transpose(-1, -3),
    "every second": lambda x: torch.stack([x, x + 1], -1).flatten(-2)[..., ::2],
    "stride 0": lambda x: x[..., :1].expand(x.shape),
    "stride 0 everywhere": lambda x: x.flatten()[0].expand(x.shape),
    "offset": lambda x: torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape),
}


OPERATORS = {
    "gather_windows": gather_windows,
    "guided_relu": guided_relu,
    "guided_relu_": guided_relu_,
    "guided_relu_backward": guided_relu_backward,
    "occlude": occlude,
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
class TestStrides:
    """A tensor's strides change nothing: the same as for a contiguous copy."""

    @pytest.fixture
    def laid(self, layout, dtype, device):
        def give(*shape: int) -> tuple[Tensor, Tensor]:
            x = LAYOUTS[layout](noise(*shape, dtype=dtype, device=device))
            return x, x.clone(memory_format=torch.contiguous_format)

        return give

    @pytest.mark.parametrize("channels_last", [False, True])
    def test_of_gradients(self, laid, channels_last):
        grad, plain = laid(2, 3, 5, 7)
        _, bits = guided_relu(noise(2, 3, 5, 7, dtype=grad.dtype, device=str(grad.device)))
        for rule in RULES:
            got = guided_relu_backward(grad, bits, rule, channels_last)
            assert same(got, guided_relu_backward(plain, bits, rule, channels_last))

    def test_of_bits(self, laid):
        grad, _ = laid(1, 4, 4, 4)
        bits = torch.arange(16, dtype=torch.uint8, device=grad.device)[::2]
        got = guided_relu_backward(grad, bits, "plain", False)
        assert same(got, guided_relu_backward(grad, bits.clone(), "plain", False))

    @pytest.mark.parametrize("channels_last", [False, True])
    def test_of_an_image_and_its_fill(self, laid, channels_last):
        (image, plain), (fill, plain_fill) = laid(3, 6, 7), laid(2, 3, 2, 4)
        y, x = corners(0, 9, 4, 9, device=str(image.device))[::2], corners(3, -1)
        x = x.to(image.device)
        got = occlude(image, y, x, 2, 4, fill, channels_last)
        want = plain.repeat(2, 1, 1, 1)
        want[0, :, 0:2, 3:7] = plain_fill[0]
        want[1, :, 4:6, 0:3] = plain_fill[1, :, :, 1:]
        assert same(got, want)

    def test_of_maps_and_windows(self, laid):
        (clean, plain), (part, plain_part) = laid(1, 3, 6, 7), laid(2, 3, 2, 2)
        rows = [[0, 1, 2, 2, 1, 1], [-1, 0, 0, 0, -1, 4]]
        table = torch.tensor(rows, dtype=torch.int64).T.contiguous().T
        got = gather_windows(clean, [part], table, 3, 4, 5.0)
        want = torch.full((2, 3, 3, 4), 5.0, dtype=plain.dtype, device=plain.device)
        want[0] = plain[0, :, 1:4, 1:5]
        want[0, :, 1:3, 1:3] = plain_part[1]
        want[1, :, 1:, :3] = plain[0, :, 0:2, 4:7]
        assert same(got, want)


@pytest.mark.parametrize("sources", [1, 70], ids=lambda count: f"{count} sources")
def test_a_table_is_read_from_any_device(device, sources):
    """More than 64 sources are too many for the arguments of a CUDA kernel."""
    clean = noise(1, 3, 6, 7, device=device)
    changed = [noise(2, 3, 2, 2, device=device) + i for i in range(sources)]
    table = torch.tensor([[i, i % 2, 2, 2, 1, 1] for i in range(sources)])
    want = clean[:, :, 1:4, 1:5].repeat(sources, 1, 1, 1)
    want[:, :, 1:3, 1:3] = torch.stack([part[i % 2] for i, part in enumerate(changed)])
    for place in ("cpu", device):
        assert same(gather_windows(clean, changed, table.to(place), 3, 4, 5.0), want)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", ["permuted", "every second", "offset", "channels_last", "plain"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 8, 4, 4), (1, 1, 1, 1), (0, 3, 2, 2)], ids=str)
def test_in_place_is_the_same_written_over(device, dtype, layout, shape):
    arguments = noise(*shape, dtype=dtype, device=device)
    if layout == "channels_last":
        x = arguments.clone(memory_format=torch.channels_last)
    else:
        x = LAYOUTS[layout](arguments.clone()) if layout in LAYOUTS else arguments.clone()
    whole = x if x._base is None else x._base
    before, (y, bits) = whole.clone(), guided_relu(x)
    place = x.data_ptr()
    assert torch.equal(guided_relu_(x), bits)
    assert x.data_ptr() == place
    assert same(x, y)
    x.copy_(arguments)
    assert same(whole, before)  # what lies between and around its elements is untouched


class TestEmpty:
    """Nothing in, nothing out, in the shape that is asked for."""

    @pytest.mark.parametrize("shape", [(0,), (0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 4, 0)], ids=str)
    def test_activations(self, device, shape):
        y, bits = guided_relu(torch.empty(shape, device=device))
        assert y.shape == shape
        assert bits.shape == guided_relu_(y).shape == (0,)
        assert guided_relu_backward(y, bits, "guided", len(shape) == 4).shape == shape

    @pytest.mark.parametrize("shape", [(3, 4, 4), (0, 4, 4), (3, 0, 4), (3, 4, 0)], ids=str)
    def test_images(self, device, shape):
        at, none = corners(0, 1, device=device), corners(device=device)
        image, fill = torch.ones(shape, device=device), torch.ones(shape[0], 1, 1, device=device)
        assert occlude(image, none, none, 2, 2, fill).shape == (0, *shape)
        got = occlude(image, at, at, 2, 2, fill, True)
        assert same(got, torch.ones(2, *shape, device=device))

    def test_maps_without_channels_or_positions(self, device):
        table = torch.tensor([[0, 0, 0, 0, 0, 0]])
        clean, part = torch.ones(1, 0, 4, 4, device=device), torch.ones(1, 0, 2, 2, device=device)
        assert gather_windows(clean, [part], table, 3, 3, 0.0).shape == (1, 0, 3, 3)
        clean = torch.ones(1, 2, 4, 4, device=device)
        assert gather_windows(clean, [], table[:0], 3, 3, 0.0).shape == (0, 2, 3, 3)

    def test_a_map_of_no_size_is_all_padding(self, device):
        clean, table = torch.ones(1, 2, 0, 4, device=device), torch.tensor([[-1, 0, 0, 0, 0, 0]])
        got = gather_windows(clean, [], table, 2, 3, -7.0)
        assert same(got, torch.full((1, 2, 2, 3), -7.0, device=device))

    def test_windows_of_no_size_change_nothing(self, device):
        clean, part = noise(1, 2, 4, 4, device=device), torch.ones(1, 2, 0, 3, device=device)
        table = torch.tensor([[0, 0, 1, 1, 0, 0]])
        assert same(gather_windows(clean, [part], table, 4, 4, 0.0), clean)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
class TestNaN:
    """NaN goes where torch's own operators let it go."""

    def test_through_relu_and_back(self, device, dtype):
        x = noise(3, 40, dtype=dtype, device=device)
        grad = noise(40, 3, dtype=dtype, device=device).T
        ours, reference = x.clone().requires_grad_(), x.clone().requires_grad_()
        y = guided_relu(ours, "plain")[0]
        assert same(y, torch.relu(reference))
        y.backward(grad)
        torch.relu(reference).backward(grad)
        assert bool(reference.grad.isnan().any())
        assert same(ours.grad, reference.grad)

    def test_in_the_gradient_of_the_other_rules(self, device, dtype):
        single = torch.ones(8, dtype=dtype, device=device)
        nan = single * float("nan")
        _, bits = guided_relu(nan)
        for rule in ("guided", "deconv"):
            assert same(guided_relu_backward(single, bits, rule, False), single)
            assert same(guided_relu_backward(nan, bits, rule, False), nan)

    def test_is_copied_as_any_number(self, device, dtype):
        image = noise(2, 5, 6, dtype=dtype, device=device)
        fill = torch.full((2, 1, 1), float("nan"), dtype=dtype, device=device)
        at = corners(1, device=device)
        want = image[None].clone()
        want[:, :, 1:3, 1:3] = float("nan")
        assert same(occlude(image, at, at, 2, 2, fill), want)
        table = torch.tensor([[-1, 0, 0, 0, -1, 0]])
        got = gather_windows(image[None], [], table, 3, 6, float("nan"))
        assert same(got[:, :, 1:], image[None, :, :2])
        assert bool(got[:, :, 0].isnan().all())


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(shape, dtype=dtype)


ONE, BYTE, WHOLE = corners(0), zeros(1, dtype=torch.uint8), torch.int64
WRONG = [
    ("guided_relu", (zeros(2, dtype=torch.int32),), "x must be float16.* got int32"),
    ("guided_relu", (zeros(2), "none"), "rule must be one of plain, guided, deconv, got 'none'"),
    ("guided_relu_", (zeros(2, dtype=torch.int32),), "x must be float16.* got int32"),
    ("guided_relu_", (zeros(2), "none"), "rule must be one of plain, guided, deconv, got 'none'"),
    ("guided_relu_backward", (zeros(8), BYTE, "", False), "rule must be .* got ''"),
    (
        "guided_relu_backward",
        (zeros(8, dtype=torch.int32), BYTE, "plain", False),
        "grad must be float16.* got int32",
    ),
    (
        "guided_relu_backward",
        (zeros(8), zeros(1), "plain", False),
        r"bits must be uint8 \[1\] for a gradient of 8 elements, got float32 \[1\]",
    ),
    (
        "guided_relu_backward",
        (zeros(2, 4), BYTE, "plain", True),
        r"channels_last needs a gradient \[N, C, H, W\], got \[2, 4\]",
    ),
    ("occlude", (zeros(4, 4), ONE, ONE, 1, 1, zeros(1, 1, 1)), r"image must be .* got \[4, 4\]"),
    (
        "occlude",
        (zeros(1, 4, 4, dtype=WHOLE), ONE, ONE, 1, 1, zeros(1, 1, 1, dtype=WHOLE)),
        "image must be float16.* got int64",
    ),
    (
        "occlude",
        (zeros(1, 4, 4), ONE.int(), ONE, 1, 1, zeros(1, 1, 1)),
        r"y must be int64 \[.\], got int32 \[1\]",
    ),
    (
        "occlude",
        (zeros(1, 4, 4), ONE, ONE[None], 1, 1, zeros(1, 1, 1)),
        r"x must be int64 \[1\], got int64 \[1, 1\]",
    ),
    (
        "occlude",
        (zeros(1, 4, 4), ONE, ONE, 1, 0, zeros(1, 1, 1)),
        "the window must be 1 x 1 or more, got 1 x 0",
    ),
    (
        "occlude",
        (zeros(1, 4, 4), ONE, ONE, 1, 1, zeros(1, 1, 1, dtype=torch.float64)),
        "fill must be float32 as the image, got float64",
    ),
    (
        "occlude",
        (zeros(3, 4, 4), ONE, ONE, 2, 2, zeros(1, 3, 2, 1)),
        r"fill must be \[3, 1, 1\].* got \[1, 3, 2, 1\]",
    ),
    ("occlude", (zeros(3, 4, 4), ONE, ONE, 2, 2, zeros()), r"fill must be .* got \[\]"),
    (
        "gather_windows",
        (zeros(2, 1, 4, 4), [], zeros(0, 6, dtype=WHOLE), 1, 1, 0.0),
        r"clean must be \[1, C, H, W\], got \[2, 1, 4, 4\]",
    ),
    (
        "gather_windows",
        (zeros(1, 1, 4, 4, dtype=WHOLE), [], zeros(1, 6, dtype=WHOLE) - 1, 1, 1, 0.0),
        "clean must be float16.* got int64",
    ),
    (
        "gather_windows",
        (zeros(1, 1, 4, 4), [], zeros(2, 5, dtype=WHOLE), 1, 1, 0.0),
        r"table must be int64 \[P, 6\], got int64 \[2, 5\]",
    ),
    (
        "gather_windows",
        (zeros(1, 1, 4, 4), [], zeros(2, 6), 1, 1, 0.0),
        r"table must be int64 \[P, 6\], got float32 \[2, 6\]",
    ),
    (
        "gather_windows",
        (zeros(1, 1, 4, 4), [], zeros(0, 6, dtype=WHOLE), 3, -1, 0.0),
        "the window must be 1 x 1 or more, got 3 x -1",
    ),
    (
        "gather_windows",
        (zeros(1, 2, 4, 4), [zeros(1, 3, 1, 1)], zeros(0, 6, dtype=WHOLE), 1, 1, 0.0),
        r"changed must hold tensors \[n, 2, h, w\] .* got float32 \[1, 3, 1, 1\]",
    ),
    (
        "gather_windows",
        (
            zeros(1, 2, 4, 4),
            [zeros(1, 2, 1, 1, dtype=torch.float16)],
            zeros(0, 6, dtype=WHOLE),
            1,
            1,
            0.0,
        ),
        "changed must hold .* of clean's dtype, float32, got float16",
    ),
    (
        "gather_windows",
        (zeros(1, 2, 4, 4), [zeros(1, 2, 1, 1)], zeros(1, 6, dtype=WHOLE) - 2, 1, 1, 0.0),
        "row 0 of table names window -2 of source -2, and there are 1 sources",
    ),
]


@pytest.mark.parametrize("path", ["kernel", "reference"])
@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
def test_what_is_wrong_is_named_with_its_value(device, path, name, arguments, words):
    def on_device(value):
        if isinstance(value, list):
            return [on_device(v) for v in value]
        return value.to(device) if isinstance(value, Tensor) else value

    inputs = [on_device(value) for value in arguments]
    if name == "gather_windows":
        inputs[2] = arguments[2]  # the table stays on the CPU
    operator = OPERATORS[name]
    call = operator if path == "kernel" else operator._init_fn
    with pytest.raises(RuntimeError, match=rf"convviz::{name}: {words}"):
        call(*inputs)


@pytest.mark.slow
class TestLarge:
    """More than 2**31 elements; in float16, a call takes up to 9 GB."""

    count = 2**31 + 21
    spots = (0, 1, 2**31 - 2, 2**31 - 1, 2**31, 2**31 + 8, count - 1)

    def test_activations(self, device):
        x = torch.full((self.count,), -1.0, dtype=torch.float16, device=device)
        for i, spot in enumerate(self.spots):
            x[spot] = i + 1
        y, bits = guided_relu(x)
        del x
        assert [float(y[spot]) for spot in self.spots] == list(range(1, len(self.spots) + 1))
        assert int(torch.count_nonzero(y)) == len(self.spots)
        for spot in self.spots:
            assert int(bits[spot // 8]) >> (spot % 8) & 1
        y.fill_(3.0)
        back = guided_relu_backward(y, bits, "guided", False)
        assert [float(back[spot]) for spot in self.spots] == [3.0] * len(self.spots)
        assert int(torch.count_nonzero(back)) == len(self.spots)

    @pytest.mark.parametrize("channels_last", [False, True])
    def test_occluded_copies(self, device, channels_last):
        image = torch.arange(2, dtype=torch.bfloat16, device=device).add(1).view(2, 1, 1)
        image = image.expand(2, 1024, 1024)
        at = torch.arange(1025, device=device)
        fill = torch.zeros(2, 1, 1, dtype=torch.bfloat16, device=device)
        batch = occlude(image, at, at, 1, 1, fill, channels_last)
        assert batch.numel() > 2**31
        for i in (0, 1022, 1023):
            assert int((batch[i] == 0).sum()) == 2
            assert batch[i, :, i, i].tolist() == [0, 0]
        assert torch.equal(batch[1024], image)  # its window lies outside

    def test_gathered_windows(self, device):
        clean = torch.zeros(1, 2, 1024, 1024, dtype=torch.bfloat16, device=device)
        clean[0, :, 7, 9] = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
        table = torch.tensor([[-1, 0, 0, 0, -i % 5, 0] for i in range(1025)])
        windows = gather_windows(clean, [], table, 1024, 1024, 3.0)
        assert windows.numel() > 2**31
        for i in (0, 1, 1023, 1024):
            assert windows[i, :, 7 - -i % 5, 9].tolist() == [1, 2]
        again = torch.tensor([[0, i, 0, 0, 5, 9] for i in (0, 1023, 1024)])
        far = gather_windows(clean, [windows], again, 4, 1, 0.0)
        for got, i in zip(far, (0, 1023, 1024), strict=True):
            want = [1.0 if 5 + row == 7 - -i % 5 else 0.0 for row in range(4)]
            assert got[0, :, 0].tolist() == want


def test_the_spots_of_the_large_test_lie_on_both_sides_of_the_limit():
    assert all(a < b for a, b in pairwise(TestLarge.spots))
    assert TestLarge.spots[3] < 2**31 <= TestLarge.spots[4]
