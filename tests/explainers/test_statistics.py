"""The statistics explainer: against plain sums over all values, in any split, with bad values."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz
import convviz.authoring
from convviz.authoring import Forward
from convviz.render import Scene, draw_figure, render
from convviz_plugins.explainers.statistics import explainer as statistics

AS_IT_IS = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
CLASSES = ("ant", "bee", "cat")


class Breaking(nn.Sequential):
    """Makes values NaN, and one infinite, wherever the first pixel of an image is white."""

    def forward(self, x):
        bad = (x[:, 0, 0, 0] >= 0.99).nonzero().flatten()
        x = self[1](self[0](x)).clone()
        x[bad, 1, 0, 0] = torch.nan
        x[bad, 2, 1, 1] = torch.inf
        return self[5](self[4](self[3](self[2](x))))


def network(dtype=torch.float64):
    torch.manual_seed(3)
    net = Breaking(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(True), nn.Identity(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 4),
    ).to(dtype).eval()  # fmt: skip
    with torch.no_grad():
        net[0].bias[:4] = 0.1
        net[0].bias[4] = -100.0  # never fires
        net[0].weight[5] = 0.0
        net[0].bias[5] = 0.5  # fires everywhere, always the same
    return convviz.Model(net, preprocess=AS_IT_IS, name="tiny")


def photos(count=11, seed=0, broken=()):
    result = np.random.default_rng(seed).integers(0, 200, (count, 8, 8, 3), dtype=np.uint8)
    result[list(broken), 0, 0, 0] = 255
    return result


def batches(model, pictures, labels, sizes):
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        yield convviz.authoring.make_batch(list(pictures[part]), model), labels[part]
        start += size


def kept(model, pictures, labels, sizes, layers=("0", "1", "2")):
    """Reduce batches of these sizes and merge them from the left."""
    from dataclasses import replace

    stats = convviz.explainer("statistics", layers=layers)
    parts = []
    for batch, part in batches(model, pictures, labels, sizes):
        items = tuple(replace(i, label=n) for i, n in zip(batch.items, part, strict=True))
        batch = replace(batch, items=items)
        parts.append(stats.reduce(model, batch, model.forward(batch.images, layers)))
    return functools.reduce(stats.merge, parts)


class Known:
    """Items of a sweep, as far as statistics looks at them."""

    classes = CLASSES


def tables(model, pictures, labels, sizes=None, layers=("0", "1", "2")):
    stats = convviz.explainer("statistics", layers=layers)
    whole = kept(model, pictures, labels, sizes or [len(pictures)], layers)
    return stats.finish(model, iter([whole]), Known(), ())


LABELS = [0, 1, None, 0, 1, 1, 0, None, 1, 0, 0]


def values_of(model, pictures, layer):
    batch = convviz.authoring.make_batch(list(pictures), model)
    return model.forward(batch.images, (layer,)).activations[layer].double().numpy()


@pytest.mark.parametrize("layer", ["0", "1"])
def test_statistics_are_those_of_all_values_taken_together(layer):
    model, pictures = network(), photos()
    result = tables(model, pictures, LABELS)[layer]
    x = values_of(model, pictures, layer)
    flat = x.transpose(1, 0, 2, 3).reshape(6, -1)
    np.testing.assert_allclose(result["mean"], flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(result["variance"], flat.var(1), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(result["min"], flat.min(1))
    np.testing.assert_array_equal(result["max"], flat.max(1))
    np.testing.assert_array_equal(result["fires"], (x.max((2, 3)) > 0).mean(0))
    np.testing.assert_array_equal(result["active"], (flat > 0).mean(1))
    labels = np.array([-1 if n is None else n for n in LABELS])
    for k in (0, 1):
        selected = x[labels == k]
        np.testing.assert_allclose(result["class_mean"][k], selected.mean((0, 2, 3)), rtol=1e-12)
        np.testing.assert_allclose(result["class_fires"][k], (selected.max((2, 3)) > 0).mean(0))
    assert result["class_images"].tolist() == [5, 4, 0]
    assert result["class_mean"][2].isnan().all()


def test_dead_is_what_never_fires_and_constant_what_never_changes():
    model, pictures = network(), photos()
    result = tables(model, pictures, LABELS)
    assert result["1"]["dead"].tolist() == [False] * 4 + [True, False]
    assert result["1"]["constant"].tolist() == [False] * 4 + [True, True]
    assert result["0"]["dead"].tolist() == [False] * 4 + [True, False]
    assert not result["0"]["constant"][4]
    assert "vary below zero" in " ".join(result["0"].notes)
    below = int((result["0"]["min"] < 0).sum())
    assert f"{below} of 6 channels go below zero" in " ".join(result["0"].notes)
    assert "below zero" not in " ".join(result["1"].notes)
    assert result["1"].measures["dead channels"] == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_histograms_count_every_value_once_in_the_bin_between_its_edges(dtype):
    model, pictures = network(dtype), photos()
    for layer in ("0", "1"):
        result = tables(model, pictures, LABELS)[layer]
        flat = values_of(model, pictures, layer).transpose(1, 0, 2, 3).reshape(6, -1)
        edges = result["edges"].numpy()
        for counts, channel in zip(result["histogram"].numpy(), flat, strict=True):
            assert counts.sum() == channel.size
            for i in counts.nonzero()[0]:
                low, high = edges[i : i + 2]
                if low == high:
                    inside = channel == 0
                elif high > 0:
                    inside = (channel > low) & (channel <= high)
                else:
                    inside = (channel >= low) & (channel < high)
                assert inside.sum() == counts[i]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bins_are_right_at_their_edges_and_for_extreme_values(dtype):
    from convviz_plugins.explainers.statistics.moments import BINS, EDGES, measure

    values = [0.0, -0.0, 1.0, 1.5, 2.0, -1.0, -1.5, 1e-30, -1e-30, 1e30, -1e30, 2.0**-16]
    for value in values:
        item = torch.tensor([[[[value]]]], dtype=dtype)
        counts = measure(item, torch.zeros(1, dtype=torch.long), 1)["histogram"][0]
        (at,) = counts.nonzero().flatten().tolist()
        low, high = EDGES[at], EDGES[at + 1]
        if value == 0:
            assert low == high == 0
        elif value > 0:
            assert low < value <= high
        else:
            assert low <= value < high
    assert len(EDGES) == BINS + 1


SPLITS = [[11], [1] * 11, [4, 7], [3, 3, 5], [10, 1]]


@pytest.mark.parametrize("sizes", SPLITS[1:])
@pytest.mark.parametrize("broken", [(), (2, 3, 9)])
def test_any_split_gives_the_same(sizes, broken):
    model, pictures = network(), photos(broken=broken)
    whole = kept(model, pictures, LABELS, SPLITS[0])
    split = kept(model, pictures, LABELS, sizes)
    assert whole.keys() == split.keys()
    for layer, tensors in whole.items():
        for name, tensor in tensors.items():
            other = split[layer][name]
            if tensor.dtype == torch.int64:
                assert torch.equal(tensor, other), name
            else:
                torch.testing.assert_close(tensor, other, rtol=1e-10, atol=1e-12)


def test_merging_is_associative_with_labels_that_only_some_parts_have():
    model, pictures = network(), photos(9)
    stats = convviz.explainer("statistics", layers=("1",))
    labels = [0, 0, 0, 2, 2, 2, 1, 1, 0]
    a, b, c = (kept(model, pictures[i : i + 3], labels[i : i + 3], [3], ("1",)) for i in (0, 3, 6))
    left, right = stats.merge(stats.merge(a, b), c), stats.merge(a, stats.merge(b, c))
    assert left[""]["labels"].tolist() == [0, 1, 2]
    assert left["1"]["class images"].tolist() == [4, 2, 3]
    torch.testing.assert_close(left, right)


def test_variance_holds_where_the_mean_is_a_million_times_larger():
    class Far(nn.Module):
        def forward(self, x):
            return x + 1e6

    model = convviz.Model(
        nn.Sequential(nn.Conv2d(3, 2, 1), Far(), nn.Flatten()).double().eval(),
        preprocess=AS_IT_IS,
    )
    pictures = photos(8)
    result = tables(model, pictures, [0] * 8, [1] * 8, ("0", "1"))
    torch.testing.assert_close(result["1"]["variance"], result["0"]["variance"], rtol=1e-6, atol=0)


def test_values_that_are_not_finite_are_counted_and_enter_nothing_else():
    model, pictures = network(), photos(broken=(2, 3, 9))
    result = tables(model, pictures, LABELS, [4, 7])["2"]
    assert result["nonfinite"].tolist() == [0, 3, 3, 0, 0, 0]
    assert result.measures["images with non-finite values"] == 3
    assert "6, in 3 image(s)" in " ".join(result.notes)
    flat = values_of(model, pictures, "2").transpose(1, 0, 2, 3).reshape(6, -1)
    good = np.ma.masked_invalid(flat)
    np.testing.assert_allclose(result["mean"], good.mean(1), rtol=1e-12)
    np.testing.assert_allclose(result["variance"], good.var(1), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(result["max"], good.max(1))
    np.testing.assert_array_equal(result["histogram"].sum(1), good.count(1))
    assert result["class_mean"][:2].isfinite().all()


def test_a_channel_without_a_finite_value_is_unknown_not_dead():
    stats = convviz.explainer("statistics", layers=("0",))
    model = network()
    batch = convviz.authoring.make_batch(list(photos(2)), model)
    maps = torch.ones(2, 2, 3, 3)
    maps[:, 1] = torch.nan
    partial = stats.reduce(model, batch, Forward(torch.zeros(2, 1), {"0": maps}))
    result = stats.finish(model, iter([partial]), Known(), ())["0"]
    assert result["dead"].tolist() == [False, False]
    assert result["constant"].tolist() == [True, False]
    assert result["mean"].isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    ("shape", "channels"), [((2, 5), 5), ((2, 7, 5), 5), ((2, 5, 3, 4), 5), ((2, 5, 2, 3, 4), 5)]
)
def test_every_kind_of_layer_is_measured_over_its_channels(shape, channels):
    stats = convviz.explainer("statistics", layers=("0",))
    model = network()
    batch = convviz.authoring.make_batch(list(photos(2)), model)
    torch.manual_seed(0)
    x = torch.randn(shape)
    partial = stats.reduce(model, batch, Forward(torch.zeros(2, 1), {"0": x}))
    result = stats.finish(model, iter([partial]), Known(), ())["0"]
    axis = 2 if len(shape) == 3 else 1
    others = tuple(i for i in range(len(shape)) if i != axis)
    assert len(result.values) == channels
    np.testing.assert_allclose(result["mean"], x.double().mean(others), atol=1e-6)


def test_a_run_gives_them_by_layer_and_draws_them(tmp_path):
    model = network(torch.float32)
    names = [CLASSES[n % 3] for n in range(11)]
    run = convviz.analyze(
        model, (photos(broken=(1,)), names), "statistics", tmp_path / "run", layers=("1", "2"),
        batch_size=4,
    )  # fmt: skip
    assert run["statistics"]["1"]["dead"].tolist() == [False] * 4 + [True, False]
    again = convviz.open_run(tmp_path / "run")["statistics"]["2"]
    assert again.result.classes == CLASSES
    assert [p.name for p in again.pictures()] == ["profile", "classes"]
    assert all(p.png[:4] == b"\x89PNG" for p in again.pictures())


def test_pictures_of_odd_tables_can_be_drawn():
    model = network()
    for count, labels in ((1, [None]), (3, [0, 0, 0])):
        result = tables(model, photos(count), labels[:count])
        for table in result.values():
            assert render(
                table, convviz.explanation.explanation.Explanation(table, None, "s").scene
            )


@pytest.mark.parametrize("bad", [False, True])
def test_memory_format_changes_nothing(bad):
    from convviz_plugins.explainers.statistics import moments

    maps = torch.randn(5, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    if bad:
        maps[2, 1, 3, 4], maps[4, 0, 0, 0] = torch.nan, torch.inf
    rows = torch.tensor([0, 1, 0, 1, 1])
    expected = moments.measure(maps, rows, 2)
    assert expected["histogram"].sum() == maps.isfinite().sum()
    result = moments.measure(maps.contiguous(memory_format=torch.channels_last), rows, 2)
    for name, value in expected.items():
        torch.testing.assert_close(result[name], value, rtol=1e-5, atol=1e-6)


def table_of_class_means(means: torch.Tensor) -> convviz.Table:
    """Return a table with class means `[classes, rows]` in standard deviations."""
    values = torch.zeros(means.shape[1], 7, dtype=torch.float64)
    values[:, statistics.COLUMNS.index("variance")] = 1
    return convviz.Table(
        values,
        arrays={
            "class_mean": means,
            "histogram": torch.ones(len(values), 4, dtype=torch.int64),
            "edges": torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64),
        },
        columns=statistics.COLUMNS,
        rows=tuple(map(str, range(len(values)))),
        classes=tuple(f"class {i}" for i in range(len(means))),
    )


def drawn_colours(difference: float) -> np.ndarray:
    """Draw the class means of a table whose channel 0 differs by so many standard deviations."""
    mean = torch.zeros(2, 3, dtype=torch.float64)
    mean[0, 0], mean[1, 0] = difference, -difference
    pictures = render(table_of_class_means(mean), Scene())
    (picture,) = [p for p in pictures if p.name == "classes"]
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def test_class_means_of_all_layers_have_one_scale():
    """A difference of 0.08 deviations is as pale in one layer as in another, 1.5 is dark."""

    def reddest(image):
        inside = image[:, : image.shape[1] * 3 // 5]  # without the colour bar
        return int((inside[..., 0] - inside[..., 2]).max())

    faint, middle, strong = (reddest(drawn_colours(d)) for d in (0.08, 0.75, 1.5))
    assert faint < 30
    assert middle > 2 * faint
    assert strong > middle


def test_classes_without_images_are_not_counted():
    means = torch.full((40, 30), torch.nan, dtype=torch.float64)
    means[:26] = torch.eye(30, dtype=torch.float64)[:26]
    figure = draw_figure(table_of_class_means(means), Scene(), "classes")
    assert "24 of 26 classes are drawn." in [text.get_text() for text in figure.texts]


def test_channels_that_fire_equally_often_are_ordered_by_share_of_positions():
    """The mean has another scale in every channel and must not order them."""
    from convviz.render.profile import _order

    values = torch.zeros(4, 7, dtype=torch.float64)
    column = {name: values[:, i] for i, name in enumerate(statistics.COLUMNS)}
    column["fires"][:] = torch.tensor([1.0, 1.0, 0.5, 1.0])
    column["active"][:] = torch.tensor([0.2, 0.9, 0.4, 0.6])
    column["mean"][:] = torch.tensor([9.0, 1.0, 5.0, 2.0])
    table = convviz.Table(values, columns=statistics.COLUMNS, rows=tuple("0123"))
    assert _order(table).tolist() == [1, 3, 0, 2]
