"""Networks, and their receptive fields as measured by bumped pixels and by gradients."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn

from convviz.graph.export import Graph, export
from convviz.locality import receptive_field


class Apply(nn.Module):
    """A function as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        y = self.body(x)
        return y + x[..., : y.shape[-2], : y.shape[-1]]


class Concat(nn.Module):
    def __init__(self, *bodies):
        super().__init__()
        self.bodies = nn.ModuleList(bodies)

    def forward(self, x):
        return torch.cat([body(x) for body in self.bodies], 1)


def conv(k=3, s=1, p=0, d=1, channels=1, **more):
    return nn.Conv2d(channels, 1, k, s, p, d, **more)


def positive(net):
    """Return the network with positive weights, so that no contributions cancel."""
    generator = torch.Generator().manual_seed(0)
    net = net.double().eval()
    for p in net.parameters():
        p.data = torch.rand(p.shape, generator=generator, dtype=p.dtype) + 0.1
    return net


def seen_by_bumps(net, size):
    """Return which pixels change which positions, `[h, w, H, W]`: each raised by itself."""
    pixels = size[0] * size[1]
    base = torch.rand(1, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    bumped = base.repeat(pixels, 1, 1, 1)
    bumped.view(pixels, pixels)[range(pixels), range(pixels)] += 1e3
    with torch.no_grad():
        changed = ((net(bumped) - net(base)).abs() > 1e-8).any(1)
    return changed.permute(1, 2, 0).unflatten(2, size).numpy()


def seen_by_gradients(net, size):
    """Return the same from the gradients, summed over the channels of the output."""
    h, w = net(torch.zeros(1, 1, *size, dtype=torch.float64)).shape[2:]
    x = torch.rand(1, 1, *size, dtype=torch.float64).repeat(h * w, 1, 1, 1).requires_grad_()
    net(x).sum(1).flatten(1).diagonal().sum().backward()  # of the n-th copy the n-th position
    return (x.grad[:, 0] != 0).unflatten(0, (h, w)).numpy()


def hull(seen):
    if not seen.any():
        return (0, 0, 0, 0)
    ys, xs = np.nonzero(seen)
    return (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)


def last_field(net, size, channels=1, dtype=torch.float64):
    graph = export(nn.Sequential(net), (channels, *size), dtype)
    assert isinstance(graph, Graph), graph
    return receptive_field(graph, list(graph.layers)[-1])


def clip_box(box, size):
    x0, y0, x1, y1 = box
    return (max(x0, 0), max(y0, 0), min(x1, size[1]), min(y1, size[0]))


def inside(inner, outer):
    if inner == (0, 0, 0, 0):
        return True
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )


def assert_exact(net, size, seen_by=seen_by_bumps):
    """Hold every position's field to what the network does."""
    net = positive(net)
    field = last_field(net, size)
    assert not field.whole, field.reason
    seen = seen_by(net, size)
    assert field.positions == seen.shape[:2]
    for y, x in itertools.product(*map(range, seen.shape[:2])):
        assert field.support(y, x) == hull(seen[y, x]), (y, x)
        assert inside(field.support(y, x), clip_box(field.box(y, x), size)), (y, x)
    return field, seen
