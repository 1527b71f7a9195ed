"""Receptive fields against what networks do: gradients, bumped pixels, the closed form, noise."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from locality.networks import (
    Apply,
    Concat,
    Residual,
    assert_exact,
    conv,
    last_field,
    positive,
    seen_by_gradients,
)
from torch import nn

import convviz
from convviz.errors import ParameterError, UnknownNameError
from convviz.graph.export import export
from convviz.locality import Local, locality, receptive_field

NETS = {
    "stride": lambda: nn.Sequential(conv(3, 2, 1), conv(5, 2, 2), conv(2)),
    "dilation": lambda: nn.Sequential(conv(3, 1, 2, 2), conv(3, 2, 3, 3)),
    "oblong": lambda: nn.Sequential(conv((3, 1), (2, 1), (1, 0)), conv((1, 5), (1, 2), (0, 2))),
    "padding by word": lambda: nn.Sequential(conv(4, 1, "same", 2), conv(3, 2, "valid")),
    "max pool": lambda: nn.Sequential(conv(3, 1, 1), nn.MaxPool2d(3, 2, 1)),
    "ceil_mode": lambda: nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), conv(3, 1, 1)),
    "avg pool": lambda: nn.Sequential(
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), conv(3, 1, 1)
    ),
    "adaptive": lambda: nn.Sequential(conv(3, 1, 1), nn.AdaptiveAvgPool2d((4, 5)), conv(2)),
    "adaptive max": lambda: nn.AdaptiveMaxPool2d((4, 5)),
    "residual": lambda: nn.Sequential(
        Residual(conv(3, 1, 1)), nn.ReLU(inplace=True), Residual(nn.Sequential(conv(3), conv(3)))
    ),
    "concat": lambda: nn.Sequential(
        Concat(conv(1), conv(3, 1, 2, 2), nn.AvgPool2d(3, 1, 1)), conv(3, 2, 1, channels=3)
    ),
    "nearest": lambda: nn.Sequential(conv(3, 2, 1), nn.Upsample(scale_factor=2), conv(3, 1, 1)),
    "nearest to size": lambda: Apply(lambda x: F.interpolate(x, (7, 17), mode="nearest-exact")),
    "bilinear": lambda: nn.Sequential(
        conv(3, 2, 1), nn.Upsample(scale_factor=1.7, mode="bilinear"), conv(3, 1, 1)
    ),
    "bilinear, corners": lambda: nn.Upsample((7, 16), mode="bilinear", align_corners=True),
    "antialias": lambda: Apply(lambda x: F.interpolate(x, (4, 5), mode="bilinear", antialias=True)),
    "transposed": lambda: nn.Sequential(
        conv(3, 2, 1), nn.ConvTranspose2d(1, 1, 3, 2, 1, 1), conv(3, 1, 1)
    ),
    "transposed with gaps": lambda: nn.Sequential(
        nn.ConvTranspose2d(1, 1, 2, 3, dilation=2), conv(2, 1, 0, 2)
    ),
    "reflected": lambda: conv(3, 1, 2, 2, padding_mode="reflect"),
    "replicated": lambda: conv(3, 2, 2, padding_mode="replicate"),
    "circular": lambda: conv(3, 1, 1, padding_mode="circular"),
    "zero pad and crop": lambda: nn.Sequential(nn.ZeroPad2d((3, 0, -2, 1)), conv(3, 2, 1)),
    "slices": lambda: Apply(
        lambda x: F.avg_pool2d(x[:, :, 1:-2, :-1:2] + x[:, :, 3:, 1::2], 2, 1, 1)
    ),
    "joined rows": lambda: Apply(lambda x: torch.cat([x[:, :, 4:], x[:, :, :4]], 2)),
    "axes moved": lambda: Apply(
        lambda x: F.avg_pool2d(x.transpose(2, 3), (3, 1)).permute(0, 3, 1, 2).transpose(1, 2)
    ),
    "shuffled pixels": lambda: nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.PixelUnshuffle(2), conv(3, 1, 1, channels=4)
    ),
    "pixel shuffle": lambda: nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), nn.PixelShuffle(2), conv(2)),
    "channels regrouped": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1),
        nn.ChannelShuffle(2),
        Apply(lambda x: x.unflatten(1, (2, 2))[:, 1]),
    ),
    "channel norm": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1), Apply(lambda x: x / x.sum(1, keepdim=True)), conv(1, 1, 0, 1, 4)
    ),
}


# not monotone; and a weight that rounds to 1e-17 instead of 0: both held to gradients only
BUMPED = [name for name in NETS if name not in ("channel norm", "antialias")]
SMOOTH = [name for name in NETS if "max" not in name and "ceil" not in name]


@pytest.mark.parametrize("name", BUMPED)
def test_support_is_what_bumped_pixels_reach(name):
    assert_exact(NETS[name](), (11, 13))


@pytest.mark.parametrize("name", SMOOTH)
def test_support_is_the_hull_of_the_gradients(name):
    assert_exact(NETS[name](), (11, 13), seen_by_gradients)


def araujo(chain):
    """Return size, start and stride of the closed form: (r, start, j), walking forwards."""
    r, start, j = 1, 0.5, 1
    for k, s, p, d in chain:
        wide = d * (k - 1) + 1
        r += (wide - 1) * j
        start += ((wide - 1) / 2 - p) * j
        j *= s
    return r, start, j


windows = st.tuples(
    st.sampled_from(["conv", "max", "avg"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
)


def window(kind, k, s, p, d):
    p = p if kind == "conv" else min(p, k // 2)
    if kind == "conv":
        return conv(k, s, p, d), (k, s, p, d)
    if kind == "max":
        return nn.MaxPool2d(k, s, p, d), (k, s, p, d)
    return nn.AvgPool2d(k, s, p), (k, s, p, 1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(windows, min_size=1, max_size=4), st.integers(9, 15), st.integers(9, 15))
def test_boxes_of_plain_chains_are_the_closed_form(drawn, height, width):
    layers, numbers = zip(*itertools.starmap(window, drawn), strict=True)
    r, start, j = araujo(numbers)
    net, size = positive(nn.Sequential(*layers)), (height, width)
    try:
        net(torch.zeros(1, 1, *size, dtype=torch.float64))
    except RuntimeError:  # nothing is left of the map
        return
    field, seen = assert_exact(net, size)
    assert field.size == (r, r)
    assert field.stride == (j, j)
    for y, x in itertools.product(*map(range, seen.shape[:2])):
        x0, y0, x1, y1 = field.box(y, x)
        assert (x1 - x0, y1 - y0) == (r, r)
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == (start + x * j, start + y * j)


blocks = st.one_of(
    windows.map(lambda w: lambda: window(*w)[0]),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1)).map(
        lambda t: lambda: nn.ConvTranspose2d(1, 1, t[0], t[1], min(t[2], t[0] - 1))
    ),
    st.tuples(st.integers(2, 9), st.integers(2, 9)).map(lambda t: lambda: nn.AdaptiveAvgPool2d(t)),
    st.tuples(st.integers(3, 17), st.booleans()).map(
        lambda t: lambda: nn.Upsample((t[0], t[0] + 1), mode="bilinear", align_corners=t[1])
    ),
    st.sampled_from([1.5, 2.0, 3.0]).map(lambda f: lambda: nn.Upsample(scale_factor=f)),
    st.sampled_from(["zeros", "reflect", "replicate", "circular"]).map(
        lambda m: lambda: conv(3, 1, 1, padding_mode=m)
    ),
    st.integers(1, 2).map(lambda d: lambda: Residual(conv(3, 1, d, d))),
    st.integers(1, 3).map(
        lambda d: (
            lambda: nn.Sequential(
                Concat(conv(3, 2, d, d), nn.MaxPool2d(3, 2, 1)), conv(1, channels=2)
            )
        )
    ),
    st.sampled_from([(2, 2), (3, 2)]).map(lambda t: lambda: nn.MaxPool2d(*t, ceil_mode=True)),
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(blocks, min_size=2, max_size=4), st.integers(6, 12), st.integers(6, 12))
def test_support_of_random_networks(makers, height, width):
    net = positive(nn.Sequential(*(make() for make in makers)))
    try:
        out = net(torch.zeros(2, 1, height, width, dtype=torch.float64))
    except RuntimeError:  # nothing is left of the map
        return
    if 0 in out.shape or max(out.shape) > 60:
        return
    graph = export(net, (1, height, width), torch.float64)
    field = receptive_field(graph, list(graph.layers)[-1])
    if field.whole:
        assert min(out.shape[2:]) == 1, field.reason  # an adaptive pool to one position
        return
    assert_exact(net, (height, width))


def test_a_layer_with_channels_last_names_its_axes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), Apply(lambda x: x.permute(0, 3, 2, 1)))
    field = last_field(net, (8, 9), dtype=torch.float32)
    assert field.axes == (2, 1)
    assert field.positions == (6, 7)
    assert field.box(5, 6) == (6, 5, 9, 8)


def test_positions_outside_the_map_are_refused():
    field = last_field(conv(3), (8, 9), dtype=torch.float32)
    for position in [(6, 0), (0, 7), (-1, 0)]:
        with pytest.raises(ParameterError, match="6 rows and 7 columns"):
            field.box(*position)


def test_without_a_graph_the_field_is_the_whole_image_and_says_why():
    net = Apply(lambda x: (x * 2 if float(x.sum()) > 0 else x * 3).flatten(1))
    model = convviz.Model(net)
    model.forward(torch.ones(1, 1, 6, 7))
    info = model.layers()[0]
    field = model.receptive_field(info.name)
    assert field.whole
    assert field.box(0, 0) == (0, 0, 7, 6)
    assert "torch.export" in field.reason
    assert info.receptive_field == "whole image"


def test_padding_values():
    net = nn.Sequential(
        conv(3, 1, 1), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 1, 1),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.ConstantPad2d(1, 2.5),
    )  # fmt: skip
    graph = export(net, (1, 9, 9))
    rules = locality(graph)
    actual = [rules[node] for node in graph.layers.values()]
    assert all(isinstance(rule, Local) for rule in actual)
    assert [rule.padding for rule in actual] == [0.0, -torch.inf, 0.0, None, 2.5]


def test_layers_of_a_model():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    model = convviz.Model(net, preprocess=convviz.Preprocess(crop=(16, 18)))
    infos = {info.name: info for info in model.layers()}
    assert list(infos) == ["0", "1", "2", "3", "4"]
    assert infos["0"] == type(infos["0"])(
        name="0",
        kind="Conv2d",
        shape=(4, 8, 9),
        receptive_field="3×3, every 2",
        parameters=3 * 4 * 9 + 4,
        default_for=("filters",),
    )
    assert infos["1"].default_for == ("activations", "class_maps", "patches")
    assert infos["2"].receptive_field == "whole image, from 2 on"
    assert infos["3"].default_for == ("features",)
    assert infos["4"].parameters == 25
    with pytest.raises(UnknownNameError, match="'4'"):
        model.receptive_field("44")
    assert model.receptive_field("0", (32, 32)).positions == (16, 16)
