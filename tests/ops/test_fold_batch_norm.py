"""Folded batch norms against torch's own convolution and batch norm."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from convviz.authoring import fold_batch_norm
from convviz.ops.fold_batch_norm import batch_norm_affine


def statistics(channels: int) -> dict[str, torch.Tensor]:
    return {
        "mean": torch.randn(channels).double(),
        "variance": torch.rand(channels).double() + 0.1,
        "gamma": torch.randn(channels).double(),
        "beta": torch.randn(channels).double(),
    }


@pytest.mark.parametrize("missing", [(), ("gamma",), ("beta",), ("gamma", "beta"), ("bias",)])
@pytest.mark.parametrize("groups", [1, 3])
def test_the_folded_convolution_is_convolution_and_batch_norm(groups, missing):
    torch.manual_seed(0)
    weight, bias = torch.randn(6, 6 // groups, 3, 3).double(), torch.randn(6).double()
    norm = {name: None if name in missing else x for name, x in statistics(6).items()}
    bias = None if "bias" in missing else bias
    x = torch.randn(2, 6, 7, 8).double()
    expected = F.batch_norm(
        F.conv2d(x, weight, bias, groups=groups),
        norm["mean"],
        norm["variance"],
        norm["gamma"],
        norm["beta"],
        eps=0.01,
    )
    folded = fold_batch_norm(weight, bias, **norm, eps=0.01)
    torch.testing.assert_close(F.conv2d(x, *folded, groups=groups), expected)


def test_scale_and_shift_are_those_of_the_definition():
    torch.manual_seed(0)
    norm = statistics(5)
    scale, shift = batch_norm_affine(**norm, eps=0.1, bias=torch.full((5,), 2.0).double())
    for k in range(5):
        mean, variance, gamma, beta = (float(norm[name][k]) for name in norm)
        assert float(scale[k]) == pytest.approx(gamma / (variance + 0.1) ** 0.5)
        assert float(shift[k]) == pytest.approx((2 - mean) * float(scale[k]) + beta)
