"""Operators that are global or local, seen from the receptive fields behind them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from locality.networks import (
    Apply,
    last_field,
)
from torch import nn

GLOBAL = {
    "mean": ("mean", lambda x: x - x.mean((2, 3), keepdim=True)),
    "group norm": ("group_norm", lambda x: F.group_norm(x, 1)),
    "instance norm": ("instance_norm", lambda x: F.instance_norm(x)),
    "layer norm over rows": ("layer_norm", lambda x: F.layer_norm(x, x.shape[1:])),
    "batch statistics": ("batch_norm", lambda x: F.batch_norm(x, None, None, training=True)),
    "flatten": ("flatten", lambda x: x.flatten(1)),
    "global pool": ("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, 1)),
    "attention": (
        "matmul",
        lambda x: torch.softmax(x.flatten(2).mT @ x.flatten(2), -1),
    ),
    "rolled": ("roll", lambda x: x.roll(1, 2)),
    "no rule": ("fft_fft2", lambda x: torch.fft.fft2(x).real),
}


@pytest.mark.parametrize("name", GLOBAL)
def test_global_operators_say_so(name):
    op, function = GLOBAL[name]
    net = nn.Sequential(nn.Conv2d(1, 2, 3), Apply(function), nn.Identity())
    field = last_field(net.eval(), (8, 9), dtype=torch.float32)
    assert field.whole
    assert field.box(0, 0) == field.support(0, 0) == (0, 0, 9, 8)
    assert field.size == (8, 9)
    assert field.stride is None
    if name == "attention":
        op = "flatten"  # it goes first
    assert op in field.reason
    assert field.since in str(field)


LOCAL = {
    "elementwise": lambda x: F.hardswish(F.silu(F.gelu(F.elu(x)))) * torch.sigmoid(x) - 1,
    "batch norm": lambda x: F.batch_norm(x, torch.zeros(2), torch.ones(2)),
    "dropout": lambda x: F.dropout2d(F.dropout(x, training=False), training=False),
    "prelu": lambda x: F.prelu(x, torch.ones(2)),
    "layer norm of channels": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (2,)).permute(
        0, 3, 1, 2
    ),
    "linear of channels": lambda x: F.linear(x.movedim(1, -1), torch.ones(5, 2)).movedim(-1, 1),
    "softmax of channels": lambda x: x.softmax(1) + x.log_softmax(1),
    "unit length": lambda x: F.normalize(x, dim=1),
    "local response norm": lambda x: F.local_response_norm(x, 2),
    "channels flipped": lambda x: x.flip(1)[:, [1, 0]],
    "chunks": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1) + torch.stack(x.unbind(1), 1),
    "made alike": lambda x: x + torch.zeros_like(x) + x.new_ones(x.shape[-2:]),
    "maximum of channels": lambda x: x.max(1, keepdim=True).values + x.amax(1, keepdim=True),
    "in place": lambda x: x.clone().mul_(2).add_(x).relu_().clamp_(0, 6),
}


@pytest.mark.parametrize("name", LOCAL)
def test_operators_that_mix_channels_only_are_local(name):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), Apply(LOCAL[name])).eval()
    field = last_field(net, (8, 9), dtype=torch.float32)
    assert not field.whole, field.reason
    assert field.box(1, 2) == (2, 1, 5, 4)
    assert field.size == (3, 3)
