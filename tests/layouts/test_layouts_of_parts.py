"""Maps behind operators whose axes are not followed, or that are put together of parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convviz import Model


def fill(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, :2] = x[:, :2] * 2
    return y


def enlarge(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)


BEFORE: dict[str, Callable[[Tensor], Tensor]] = {
    "circular margin": lambda x: F.pad(x, (2, 1, 1, 2), mode="circular"),
    "written in part": fill,
    "tiled": lambda x: x.repeat(1, 1, 2, 3),
    "repeated": lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3),
    "enlarged by a view": enlarge,
    "one image at a time": lambda x: torch.cat([x[i : i + 1] * 2 for i in range(len(x))]),
    "stacked images": lambda x: torch.stack([image * 2 for image in x]),
    "frequencies": lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:]),
    "folded": lambda x: F.fold(F.unfold(x, 4, stride=4), x.shape[-2:], 4, stride=4),
    "windows": lambda x: x.unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2)),
    "every second row": lambda x: x[:, :, torch.arange(0, x.shape[2], 2)],
    "matrix over columns": lambda x: x @ torch.eye(x.shape[3], dtype=x.dtype),
    "scattered": lambda x: torch.zeros_like(x).index_add(1, torch.tensor([2, 1, 0]), x),
    "running maximum": lambda x: x.cummax(2)[0],
    "turned": lambda x: x.transpose(2, 3),
}


class Net(nn.Module):
    """A convolution of what a function makes of the images."""

    def __init__(self, before: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before = before
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(self.before(x)).relu().mean((2, 3)))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", BEFORE)
def test_a_convolution_gives_maps_whatever_comes_before_it(name: str, count: int) -> None:
    torch.manual_seed(0)
    net = Net(BEFORE[name]).double().eval()
    images = torch.randn(count, 3, 16, 24, dtype=torch.float64)
    with torch.no_grad():
        expected = net.conv(net.before(images))
    expected = expected.transpose(2, 3) if name == "turned" else expected
    forward = Model(net).forward(images, ["conv"])
    torch.testing.assert_close(forward.activations["conv"], expected, rtol=0, atol=1e-12)


def test_a_tensor_written_in_part_depends_on_the_images() -> None:
    """Parts that are written into a tensor keep their axes when the whole tensor is read."""
    torch.manual_seed(0)
    net = Net(fill).double().eval()
    calls = Model(net).calls((3, 16, 24))
    (conv,) = (call for call in calls if call.name == "conv")
    assert conv.input is not None
    seen, left = set(), [conv.input]
    while left:
        place = left.pop()
        if place not in seen:
            seen.add(place)
            left += calls.values[place].sources
    assert 0 in seen
