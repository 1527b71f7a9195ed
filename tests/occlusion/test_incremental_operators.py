"""Occlusion of small networks around one operator each: exact, in windows or in full."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convviz.network.model import Model
from convviz.occlusion import occluded_scores
from convviz.occlusion.occluded_scores import Occluded
from convviz.occlusion.plan import _StepCosts
from convviz.program import operator
from convviz.program.cast import cast_program
from convviz.program.module import to_module
from convviz.program.program import Program, compile_graph

SIZE = 32
BOXES = torch.tensor(
    [(x, y, min(x + 5, SIZE), min(y + 5, SIZE)) for y in range(0, 32, 9) for x in range(0, 32, 9)]
)


class Net(nn.Module):
    """A convolution, then what a test asks for, then a linear layer of everything."""

    def __init__(self, body: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.body = body
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 5, padding=2)
        self.even = nn.Conv2d(6, 6, (4, 3), padding="same", dilation=(1, 2))
        self.norm, self.drop = nn.BatchNorm2d(6), nn.Dropout(0.3)
        self.across, self.by_row = nn.BatchNorm2d(SIZE), nn.PReLU(SIZE)
        self.volume = nn.Conv3d(6, 4, 1)
        for norm in (self.norm, self.across):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        nn.init.uniform_(self.by_row.weight, -1, 1)
        self.heads = nn.ModuleDict()

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self, self.a(x)).to(x.dtype).flatten(1)
        return x @ torch.linspace(-1, 2, x.shape[1] * 5, dtype=x.dtype).sin().view(-1, 5)


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def kernel_of_image(net: Net, x: Tensor) -> Tensor:
    kernel = x.mean((0, 2, 3)).repeat(6, 1)[:, :, None, None]
    return x.max(1, keepdim=True)[0] + F.conv2d(x, kernel * 0)


def norm_by_image(net: Net, x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3)) * 0
    return F.batch_norm(x, mean, mean + 1)


def norm_scaled_by_image(net: Net, x: Tensor) -> Tensor:
    ones = x.mean((0, 2, 3)) * 0 + 1
    return F.batch_norm(x, net.norm.running_mean, net.norm.running_var, ones)


def two_groups(net: Net, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w).relu()


BODIES: dict[str, Callable[[Net, Tensor], Tensor]] = {
    "maximum over channels, whose maps have no channels": lambda net, x: x.amax(1),
    "one channel": lambda net, x: x[:, 0].relu(),
    "stacked maps": lambda net, x: torch.stack([x, net.b(x)], 1).softmax(1) * 2,
    "stacked maps, summed": lambda net, x: torch.stack([x, net.b(x)], 1).sum(1),
    "volumes": lambda net, x: net.volume(x.unsqueeze(2)).relu(),
    "choice by a mask": lambda net, x: torch.where(x > 0, net.b(x), x),
    "product with a mask": lambda net, x: net.b(x) * (x > 0),
    "a mask": lambda net, x: x > 0,
    "winners": lambda net, x: x.argmax(1, keepdim=True),
    "product with integers": lambda net, x: F.max_pool2d(x, 3, 1, 1) * x.sign().long(),
    "padding of maps and channels": lambda net, x: F.pad(x, (1, 1, 1, 1, 2, 2)).relu(),
    "padding of channels": lambda net, x: F.pad(net.b(x)[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)),
    "a slope a row": lambda net, x: first(net.by_row(last(x))),
    "rows shuffled": lambda net, x: net.b(first(F.channel_shuffle(last(x), 4))),
    "channels shuffled": lambda net, x: F.channel_shuffle(x, 3),
    "a norm a row": lambda net, x: first(net.across(last(x))),
    "a norm with statistics of the image": norm_by_image,
    "a norm scaled by the image": norm_scaled_by_image,
    "a kernel made of the image": kernel_of_image,
    "padding by word": lambda net, x: net.norm(net.even(x)).relu(),
    "channels in two groups": two_groups,
    "channels in chunks": lambda net, x: torch.cat([x.chunk(2, 1)[0].relu(), x.chunk(2, 1)[1]], 1),
    "channels in unlike parts": lambda net, x: torch.cat([*x.split([1, 3, 2], 1)][::-1], 1) * x,
    "the last part": lambda net, x: net.b(x).tensor_split(4, 1)[-1],
    "a sum over groups": lambda net, x: x.reshape(-1, 3, 2, SIZE, SIZE).sum(2),
    "channels last, in one row": lambda net, x: last(x).reshape(-1, SIZE, SIZE, 2, 3).amax(4),
    "dropout": lambda net, x: net.drop(x).relu() + 2 * x,
    "pooling to the size there is": lambda net, x: F.adaptive_avg_pool2d(net.b(x), SIZE).relu(),
    "maxima to the size there is": lambda net, x: F.adaptive_max_pool2d(x, SIZE) + x,
    "resampling to the size there is": lambda net, x: net.b(F.interpolate(x, SIZE)),
    "resampling by lines": lambda net, x: F.interpolate(x, SIZE, mode="bilinear").relu(),
    "a turned map": lambda net, x: net.b(x.transpose(2, 3).relu()),
}


@pytest.fixture(autouse=True)
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)


def as_late_as_can_be(tally: _StepCosts, program: Program):
    costs = [windowed for windowed, _ in tally.costs]
    return next((i for i, cost in enumerate(costs) if np.isinf(cost)), len(costs)), "the last"


@pytest.mark.parametrize("late", [False, True], ids=["as planned", "in windows to the last"])
@pytest.mark.parametrize("name", BODIES)
def test_scores_are_those_of_full_passes_with_windows_before(
    name: str, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    if late:
        monkeypatch.setattr(_StepCosts, "cut", as_late_as_can_be)
    net = Net(BODIES[name]).double().eval()
    images = torch.randn(2, 3, SIZE, SIZE, dtype=torch.float64)
    fill = torch.randn_like(images)
    actual = occluded_scores.occluded(
        Model(net), images, BOXES, fill, lambda f, _: f.output, batch_size=7
    )
    want = full_passes(net, images, fill)
    assert actual.plan is not None, actual.how
    assert actual.plan.cut > 0
    torch.testing.assert_close(actual.scores, want, rtol=0, atol=1e-10 * float(want.abs().max()))


def full_passes(net: nn.Module, images: Tensor, fill: Tensor) -> Tensor:
    """Return `[N, P, 5]`, the network run on one copy after the other."""
    scores = []
    for image, covering in zip(images, fill, strict=True):
        for x0, y0, x1, y1 in BOXES.tolist():
            copy = image.clone()
            copy[:, y0:y1, x0:x1] = covering[:, y0:y1, x0:x1]
            with torch.no_grad():
                scores.append(net(copy[None]))
    return torch.cat(scores).view(len(images), len(BOXES), -1)


def test_a_batch_norm_in_float32_of_a_network_in_bfloat16() -> None:
    torch.manual_seed(0)
    net = Net(lambda net, x: net.norm(net.b(x)).relu().mean((2, 3))).to(torch.bfloat16).eval()
    net.norm.float()
    images = torch.randn(1, 3, SIZE, SIZE)

    def scores(engine: str) -> Occluded:
        return occluded_scores.occluded(
            Model(net), images, BOXES, images + 50, lambda f, _: f.output, engine=engine
        )

    actual, want = scores("auto"), scores("dense").scores
    assert actual.plan is not None, actual.how
    largest = float(want.abs().max())
    assert float((want - want[:, :1]).abs().max()) > 0.05 * largest
    torch.testing.assert_close(actual.scores, want, rtol=0, atol=0.02 * largest)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 3])
def test_convolutions_of_single_pixels_in_bfloat16_are_right(
    groups: int, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    products: list[int] = []
    product = operator._product

    def count(*arguments: Tensor) -> Tensor:
        products.append(1)
        return product(*arguments)

    monkeypatch.setattr(operator, "_product", count)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 1, groups=groups, bias=bias), nn.ReLU(), nn.Conv2d(6, 9, 1, groups=groups)
    ).eval()
    model, images = Model(net), torch.randn(2, 3, 7, 5)
    with model.session(), torch.no_grad():
        program = compile_graph(model.graph((3, 7, 5)))
        low = to_module(cast_program(program, torch.bfloat16))
        given = images.to(torch.bfloat16, memory_format=torch.channels_last)
        (actual,) = low(given)
        want = net(images)
    assert actual.dtype == torch.bfloat16
    assert actual.shape == want.shape
    torch.testing.assert_close(actual.float(), want, rtol=0, atol=0.02 * float(want.abs().max()))
    assert len(products) == (2 if groups == 1 else 0)


@pytest.mark.parametrize("name", ["channels in two groups", "channels in chunks"])
def test_channels_are_shuffled_in_windows(name: str) -> None:
    net = Net(BODIES[name]).double().eval()
    program = compile_graph(Model(net).graph((3, SIZE, SIZE)))
    whole = [str(step.call) for step in program.steps if step.rule is None]
    assert len(program.steps) > 5
    assert not any(part in call for call in whole for part in ("relu", "cat", "transpose"))
