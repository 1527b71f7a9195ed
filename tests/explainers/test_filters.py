"""The filters explainer: weights, batch norm folding, and kernels carried into pixel space."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convviz
from convviz import ConvvizError, Model, ParameterError


def draw(module: nn.Module, **params: object) -> convviz.Tiles:
    if isinstance(module, nn.Conv2d):
        module = nn.Sequential(module, nn.Flatten())
    model = Model(module, preprocess=None)
    result: convviz.Tiles = convviz.explain(model, None, "filters", **params).result
    return result


class Chain(nn.Module):
    """conv, then `between`, then conv."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.second = first, between, second

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.between(self.first(x))).mean((2, 3))


def normed(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels).double()
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return norm


def test_hand_computed_norms_dead_and_closest() -> None:
    conv = nn.Conv2d(3, 4, 1, bias=False)
    weights = torch.tensor([[3.0, 4.0, 0.0], [6.0, 8.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, -2.0]])
    with torch.no_grad():
        conv.weight.copy_(weights[:, :, None, None])
    result = draw(conv)
    assert torch.equal(result.values, conv.weight.detach())
    assert result["norms"].tolist() == [5.0, 10.0, 0.0, 2.0]
    assert result["dead"].tolist() == [False, False, True, False]
    assert result["closest"].tolist()[:3] == [1, 0, -1]
    assert result["cosine"][0] == pytest.approx(1.0)
    assert torch.isnan(result["cosine"][2])
    assert result.table["closest"][2] is None
    assert "1 of 4 filters are dead" in " ".join(result.notes)


def test_a_dead_filter_is_closest_to_none() -> None:
    conv = nn.Conv2d(2, 3, 1, bias=False)
    weights = torch.tensor([[3.0, 4.0], [0.003, 0.004], [4.0, 3.0]])
    with torch.no_grad():
        conv.weight.copy_(weights[:, :, None, None])
    result = draw(conv)
    assert result["dead"].tolist() == [False, True, False]
    assert result["closest"].tolist() == [2, 0, 0]
    assert result["cosine"][0] == pytest.approx(0.96)


def test_a_filter_is_dead_below_a_share_of_the_largest() -> None:
    conv = nn.Conv2d(1, 3, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([100.0, 0.9, 2.0]).view(3, 1, 1, 1))
    assert draw(conv)["dead"].tolist() == [False, True, False]
    assert draw(conv, dead_below=0.05)["dead"].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("conv", "layout"),
    [
        (nn.Conv2d(3, 4, 3), "rgb"),
        (nn.Conv2d(6, 4, 3, groups=2), "rgb"),
        (nn.Conv2d(5, 4, 3), "grid"),
        (nn.Conv2d(4, 4, 3, groups=4), "grid"),
        (nn.Conv2d(5, 4, 1), "matrix"),
        (nn.Conv2d(3, 4, 1), "matrix"),
    ],
)
def test_layout(conv: nn.Conv2d, layout: str) -> None:
    assert draw(conv).layout == layout


def test_normalize_sets_the_scale() -> None:
    conv = nn.Conv2d(3, 4, 3)
    assert (draw(conv).scale, draw(conv, normalize="filter").scale) == ("layer", "tile")


def test_default_is_the_first_conv_and_needs_no_image() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten())
    explanation = convviz.explain(Model(net), None, "filters")
    assert explanation.layer == "0"
    assert explanation.values.shape == (4, 3, 3, 3)


def test_values_are_a_copy() -> None:
    conv = nn.Conv2d(3, 4, 3)
    before = conv.weight.detach().clone()
    draw(conv).values.zero_()
    assert torch.equal(conv.weight, before)


class Spelled(nn.Module):
    """Norms with equal shapes; the one behind the conv is registered first and spelled freely."""

    def __init__(self, spelling: str) -> None:
        super().__init__()
        self.behind, self.other = normed(4), normed(4)
        self.conv, self.spelling = nn.Conv2d(3, 4, 3, bias=False).double(), spelling

    def forward(self, x: Tensor) -> Tensor:
        y, n = self.conv(x), self.behind
        if self.spelling == "module":
            y = n(y)
        elif self.spelling == "functional":
            y = F.batch_norm(y, n.running_mean, n.running_var, n.weight, n.bias, eps=n.eps)
        else:
            args = (n.weight, n.bias, n.running_mean, n.running_var, False, 0.1, n.eps, False)
            y = torch.batch_norm(y, *args)
        return self.other(y).mean((2, 3))


@pytest.mark.parametrize("spelling", ["module", "functional", "torch"])
def test_folding_finds_the_norm_that_takes_the_convs_output(spelling: str) -> None:
    torch.manual_seed(0)
    net = Spelled(spelling).eval()
    folded = draw(net, layer="conv", fold_bn=True).values
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    norm = net.behind
    with torch.no_grad():
        expected = norm(net.conv(x)) - norm(net.conv(torch.zeros_like(x)))
    assert (F.conv2d(x, folded) - expected).abs().max() < 1e-12


def test_folding_a_norm_of_zeros_takes_the_right_one() -> None:
    net = Spelled("module").eval()
    nn.init.zeros_(net.behind.weight)
    assert draw(net, layer="conv", fold_bn=True).values.abs().max() == 0


@pytest.mark.parametrize("inplace", [False, True])
def test_folding_without_a_norm_directly_behind_is_an_error(inplace: bool) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace), nn.BatchNorm2d(4), nn.Flatten())
    with pytest.raises(ParameterError, match=r"no batch norm .*'0'"):
        draw(net, fold_bn=True)


def test_folding_a_norm_without_statistics_is_an_error() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    with pytest.raises(ConvvizError, match="no running statistics"):
        draw(nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten()), fold_bn=True)


def test_folding_sees_a_parametrised_conv() -> None:
    torch.manual_seed(0)
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    net = nn.Sequential(conv, nn.BatchNorm2d(4), nn.Flatten()).eval()
    folded = draw(net, layer="0", fold_bn=True).values
    assert torch.allclose(folded, conv.weight.detach() / (1 + 1e-5) ** 0.5)


CONVS = [
    ({}, {}),
    ({"stride": 2}, {}),
    ({"stride": (2, 3)}, {"stride": 2}),
    ({"dilation": 2}, {"dilation": (1, 3)}),
    ({"stride": 3, "dilation": (2, 1)}, {"stride": (1, 2), "dilation": 2}),
    ({"groups": 3}, {"groups": 2}),
    ({"stride": 2, "groups": 3}, {"groups": 6, "dilation": 2}),
]


@pytest.mark.parametrize(("one", "two"), CONVS)
@pytest.mark.parametrize("kernels", [(3, 3), (1, 3), ((3, 2), (2, 5))])
def test_pixel_view_does_the_work_of_two_convs(one: dict, two: dict, kernels: tuple) -> None:
    torch.manual_seed(1)
    first = nn.Conv2d(3, 6, kernels[0], bias=False, **one).double()
    second = nn.Conv2d(6, 12, kernels[1], bias=False, **two).double()
    result = draw(Chain(first, second, nn.Identity()), layer="second", view="pixel")
    x = torch.randn(2, 3, 53, 61, dtype=torch.float64)
    with torch.no_grad():
        expected = second(first(x))
    stride = [a * b for a, b in zip(first.stride, second.stride, strict=True)]
    got = F.conv2d(x, result.values, stride=stride)
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-12 * max(1.0, float(expected.abs().max()))
    assert not any("approximation" in note for note in result.notes)


def test_pixel_view_says_what_it_ignores_and_keeps_the_pooling_stride() -> None:
    between = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(True), nn.MaxPool2d(3, 2))
    net = Chain(nn.Conv2d(3, 4, 5, 2), nn.Conv2d(4, 6, 3), between)
    result = draw(net, layer="second", view="pixel")
    assert result.values.shape == (6, 3, 5 + 2 * 2 * 2, 13)
    text = " ".join(result.notes)
    assert "linear approximation: it ignores batch norm, relu, max pooling" in text
    assert "pooling stride (2, 2)" in text


def test_pixel_view_with_folded_norms_is_exact_on_a_linear_chain() -> None:
    torch.manual_seed(2)
    first, second = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 2, 3, bias=False)
    chain = nn.Sequential(first, normed(4), second, normed(2), nn.Flatten()).double().eval()
    kernels = draw(chain, layer="2", view="pixel", fold_bn=True).values
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        expected = chain[:4](x) - chain[:4](torch.zeros_like(x))
    assert (F.conv2d(x, kernels) - expected).abs().max() < 1e-12


class Branched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.side, self.top = (nn.Conv2d(c, 3, 3, padding=1) for c in (3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        return self.top(y + self.side(y)).mean((2, 3))


@pytest.mark.parametrize(
    ("layer", "what"), [("stem", "'stem' is the first conv"), ("top", "there is 'add'")]
)
def test_pixel_view_refuses_what_is_not_a_chain_of_two(layer: str, what: str) -> None:
    with pytest.raises(ParameterError, match=what):
        draw(Branched(), layer=layer, view="pixel")


def test_pixel_view_refuses_a_third_conv() -> None:
    net = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(3)), nn.Flatten())
    with pytest.raises(ParameterError, match="there is 'conv2d'"):
        draw(net, layer="2", view="pixel")


def test_other_layers_are_named_with_the_convs_there_are() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
    with pytest.raises(ParameterError, match=r"'1' is ReLU; conv layers: '0'"):
        draw(net, layer="1")


def test_weights_that_are_not_finite_are_named() -> None:
    conv = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        conv.weight[2, 0, 0, 0] = torch.nan
    result = draw(conv)
    assert "Filters with NaN or infinite weights: 1." in result.notes
    assert result["dead"].tolist() == [False] * 4
    assert result["closest"][2] == -1
