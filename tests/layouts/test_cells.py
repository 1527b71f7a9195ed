"""Cells of maps, against receptive fields of the exported graph and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer
from torchvision.models.resnet import BasicBlock, ResNet

from convviz import Model


class Branches(nn.Module):
    """Concatenated and added branches of different windows, padding in front, and a crop."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 2, 5, 2), nn.Conv2d(3, 2, 3, 2, 0, 2)
        self.c, self.d = nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 4, (1, 3), (1, 2), (0, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (3, 0, 1, 2))
        x = torch.cat([self.a(x), self.b(x)], 1).relu_()
        x = F.max_pool2d(x + self.c(x), 3, 2, 1)[:, :, 1:, :-1]
        return F.avg_pool2d(self.d(x), 2).mean((2, 3))


NETS = {
    "branches": Branches,
    "ResNet": lambda: ResNet(BasicBlock, [1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", NETS)
def test_local_cells_are_receptive_fields(name):
    torch.manual_seed(0)
    model, size = Model(NETS[name]().eval()), (96, 80)
    compared = 0
    for call in model.calls((3, *size)):
        field = model.receptive_field(call.name, size)
        if field.whole:
            continue
        rows, columns = field.positions
        boxes = [field.box(y, 0) for y in range(rows)], [field.box(0, x) for x in range(columns)]
        expected = tuple((y0 + y1) / 2 for _, y0, _, y1 in boxes[0])
        centers = model.cell_centers(call.name, size)
        assert centers is not None, call.name
        assert centers[0] == expected, call.name
        assert centers[1] == tuple((x0 + x1) / 2 for x0, _, x1, _ in boxes[1]), call.name
        compared += rows * columns > 1
    assert compared > 3


class Gated(nn.Module):
    """A gate, which sees the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return (x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()).relu().mean((2, 3))


def test_gates_do_not_move_cells():
    model = Model(Gated().eval())
    assert model.receptive_field("/relu", (8, 8)).whole
    assert model.cell_centers("/relu", (8, 8)) == ((0.5, 2.5, 4.5, 6.5),) * 2
    assert model.cell_centers("gate", (8, 8)) == ((3.5,), (3.5,))


class Resized(nn.Module):
    """A decoder: pooling, and three ways to enlarge."""

    def __init__(self, enlarge) -> None:
        super().__init__()
        self.enlarge, self.up = enlarge, nn.ConvTranspose2d(3, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.enlarge(self, F.avg_pool2d(x, 2)).relu().mean((2, 3))


@pytest.mark.parametrize(
    ("enlarge", "centers"),
    [
        (lambda net, x: net.up(x), (0.5, 1.5, 2.5, 3.5)),
        (lambda net, x: F.interpolate(x, scale_factor=2), (0.5, 1.5, 2.5, 3.5)),
        (
            lambda net, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
            (1.0, 1 + 2 / 3, 1 + 4 / 3, 3.0),
        ),
        (lambda net, x: F.adaptive_avg_pool2d(x, 1), (2.0,)),
        (lambda net, x: x.flip(2), None),
    ],
)
def test_resizing(enlarge, centers):
    model = Model(Resized(enlarge).eval())
    got = model.cell_centers("/relu", (4, 4))
    assert (got is None) == (centers is None)
    for along in got or ():
        assert along == pytest.approx(centers)


def test_merged_patches_and_shifted_windows():
    torch.manual_seed(0)
    swin = SwinTransformer([4, 4], 8, [2, 2], [2, 2], [2, 2], num_classes=4)
    model = Model(swin.eval())
    assert model.cell_centers("features.1.1", (16, 32))[0] == (2, 6, 10, 14)
    assert model.cell_centers("features.3.1", (16, 32)) == ((4, 12), (4, 12, 20, 28))


def test_what_has_no_positions_has_no_cells():
    model = Model(Gated().eval())
    assert model.cell_centers("/mean:2", (8, 8)) is None
