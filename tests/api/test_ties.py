"""Equal values: what ranks them, that batches do not decide, and that the result says so."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convviz
from convviz import Model, Preprocess
from convviz.authoring import Batch, Forward, Item
from convviz_plugins.explainers.patches import top_k

pytestmark = pytest.mark.usefixtures("quick_pictures")

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PREPROCESS = Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
TOP = 6.0


class Photos:
    """A data set of black photos, as `finish` sees it."""

    def __init__(self, count: int, classes: int = 0) -> None:
        self.ids = tuple(f"{i:03d}" for i in range(count))
        self.labels = tuple(i % classes for i in range(count)) if classes else (None,) * count
        self.classes = tuple(f"class {i}" for i in range(classes))
        self.name = "photos"

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, index: int) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)

    def affine(self, index: int) -> tuple[float, ...]:
        return IDENTITY

    def spool(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.zeros(shape, dtype)


def model(channels: int) -> Model:
    net = nn.Sequential(nn.Conv2d(3, channels, 1), nn.ReLU6(), nn.Flatten())
    return Model(net, preprocess=PREPROCESS)


def saturated(images: int, channels: int, seed: int = 0, dtype: torch.dtype = torch.float32):
    """Return maps `[N, C, 8, 8]` in which most units reach 6, many of them with equal means."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(-3, 9, (images, channels, 8, 8), generator=generator)
    maps = steps.to(dtype).clamp(0, TOP) * 0.1
    maps[torch.rand(maps.shape, generator=generator) < 0.05] = TOP
    maps[images // 2] = maps[1]  # the same map twice: only the order of items is left
    return maps


def parts_of(maps: Tensor, sizes: list[int], explainer, labels=None):
    net, start = model(maps.shape[1]), 0
    for size in sizes:
        here = maps[start : start + size]
        items = tuple(
            Item(str(i), "", IDENTITY, (8, 8), None if labels is None else labels[start + i])
            for i in range(size)
        )
        blank = torch.zeros(size, 3, 8, 8)
        batch = Batch(blank, blank.permute(0, 2, 3, 1).byte(), items)
        yield explainer.reduce(net, batch, Forward(torch.zeros(size, 1), {"1": here}))
        start += size


def swept(maps: Tensor, sizes: list[int], labels=None, **params):
    explainer = convviz.explainer("patches", layers=("1",), border="include", **params)
    return functools.reduce(explainer.merge, parts_of(maps, sizes, explainer, labels))


def in_order(maps: Tensor, channel: int, items: list[int], per_image: int = 1) -> list[tuple]:
    """Return all (value, item, y, x) of a channel in the total order, with exact means."""
    spots = []
    for item in items:
        one = maps[item, channel].double().numpy()
        finite = one[np.isfinite(one)]
        if not len(finite):
            continue
        exact = sum(map(Fraction, finite.tolist()), Fraction(0)) / len(finite)
        mean = float(np.float32(float(exact))) if maps.dtype == torch.float32 else float(exact)
        places = [(-v, -mean, item, y, x) for (y, x), v in np.ndenumerate(one) if math.isfinite(v)]
        spots += sorted(places)[:per_image]
    return [(-v, item, y, x) for v, _, item, y, x in sorted(spots)]


def entries(lists: dict[str, Tensor], channel: int, k: int) -> list[tuple]:
    values, items, positions = (lists[n][channel][:k] for n in ("values", "items", "positions"))
    rows = zip(values.tolist(), items.tolist(), positions.tolist(), strict=True)
    return [(v, i, *p) for v, i, p in rows if i >= 0]


SPLITS = [[23], [1] * 23, [8, 8, 7], [22, 1], [3, 20]]


@pytest.mark.parametrize("per_image", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_equal_values_are_ranked_by_the_mean_however_batches_are_cut(dtype, per_image) -> None:
    maps = saturated(23, 5, dtype=dtype)
    partials = [swept(maps, sizes, k=4, per_image=per_image) for sizes in SPLITS]
    for partial in partials:
        lists = {name: partial["1"][name] for name in top_k.NAMES}
        assert all(torch.equal(lists[n], partials[0]["1"][n]) for n in lists)
        for channel in range(5):
            expected = in_order(maps, channel, list(range(23)), per_image)[:4]
            assert entries(lists, channel, 4) == expected


def test_the_larger_mean_wins_over_the_earlier_item() -> None:
    maps = torch.zeros(4, 1, 2, 2)
    maps[:, 0, 0, 0] = TOP
    maps[2, 0, 1, 1], maps[3, 0, 1, 1] = 3.0, 1.0
    lists = swept(maps, [2, 2], k=3)
    assert lists["1"]["items"][0].tolist() == [2, 3, 0, 1]
    assert lists["1"]["means"][0].tolist() == [2.25, 1.75, 1.5, 1.5]


def test_layouts_and_threads_do_not_decide() -> None:
    maps = saturated(23, 40, seed=3)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            for laid_out in (maps, maps.contiguous(memory_format=torch.channels_last)):
                results.append(swept(laid_out, [8, 8, 7], k=9))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        for layer, tensors in results[0].items():
            assert tensors.keys() == other[layer].keys()
            assert all(torch.equal(t, other[layer][name]) for name, t in tensors.items())


@pytest.mark.parametrize("sizes", SPLITS)
def test_values_that_are_not_finite_enter_no_mean(sizes) -> None:
    maps = saturated(23, 3, seed=1)
    maps[4, 0, 0] = math.inf
    maps[5, 1, 2, 3] = math.nan
    maps[6, 2] = math.nan
    partial = swept(maps, sizes, k=6)
    lists = {name: partial["1"][name] for name in top_k.NAMES}
    for channel in range(3):
        assert entries(lists, channel, 6) == in_order(maps, channel, list(range(23)))[:6]


@pytest.mark.parametrize("sizes", SPLITS)
def test_the_patches_of_a_class_have_the_same_order(sizes) -> None:
    maps = saturated(23, 3, seed=2)
    labels = [i % 3 for i in range(23)]
    partial = swept(maps, sizes, labels, k=3, per_class=True)
    for label in range(3):
        lists = {name: partial["1"][f"class {name}"][label] for name in top_k.NAMES}
        mine = [i for i in range(23) if labels[i] == label]
        for channel in range(3):
            assert entries(lists, channel, 3) == in_order(maps, channel, mine)[:3]


def test_units_without_a_place_are_tied_where_their_values_are_equal() -> None:
    net = model(2)
    explainer = convviz.explainer("patches", layers=("1",), k=2)
    items = tuple(Item(str(i), "", IDENTITY, (8, 8)) for i in range(4))
    batch = Batch(torch.zeros(4, 3, 8, 8), torch.zeros(4, 8, 8, 3, dtype=torch.uint8), items)
    vectors = torch.tensor([[1.0, 4.0], [3.0, 5.0], [3.0, 6.0], [3.0, 7.0]])
    partial = explainer.reduce(net, batch, Forward(torch.zeros(4, 1), {"1": vectors}))
    assert partial["1"]["items"].tolist() == [[1, 2, 3], [3, 2, 1]]
    assert partial["1"]["positions"].unique().tolist() == [-1]
    ties = top_k.count_ties({n: partial["1"][n] for n in top_k.NAMES}, 2)
    assert ties == (0, 1, 0)


def tied_maps() -> Tensor:
    """Return maps of five units, of which four end their list of two between equal values."""
    maps = torch.zeros(4, 5, 2, 2)
    maps[:, 0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])  # no tie
    maps[:, 1, 0, 0] = TOP  # a tie that the mean decides
    maps[:, 1, 1, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    maps[:, 2, 0, 0] = TOP  # a tie that remains
    maps[1, 3, 0, 0] = 1.0  # fires on one image alone
    maps[:, 4, 0, 0] = torch.tensor([6.0, 6.0, 5.0, 4.0])  # equal, and both are in the list
    return maps


def test_what_decided_is_counted_and_said() -> None:
    explainer = convviz.explainer("patches", layers=("1",), k=2, border="include", guided=False)
    for sizes in ([4], [1, 3], [1, 1, 1, 1]):
        partials = parts_of(tied_maps(), sizes, explainer)
        result = explainer.finish(model(5), partials, Photos(4), ())["1"]
        assert result.measures["units with ties decided by the mean"] == 1
        assert result.measures["units with ties that remain"] == 2
        text = " ".join(result.notes)
        assert "2 of 5 units reach the value of their last patch in more than 2" in text
        assert "1 of 5 units have equal means" in text
        assert "1 of 5 units have fewer than 2 patches above zero" in text
        assert result["items"].tolist() == [[3, 2], [3, 2], [0, 1], [1, 0], [0, 1]]
        assert result["means"][1].tolist() == [2.5, 2.25]


def test_without_ties_nothing_is_said_of_them() -> None:
    explainer = convviz.explainer("patches", layers=("1",), k=2, border="include", guided=False)
    partials = parts_of(tied_maps()[:, :1], [4], explainer)
    result = explainer.finish(model(1), partials, Photos(4), ())["1"]
    assert not any("ties" in name for name in result.measures)
    assert not any("more than 2" in note or "equal means" in note for note in result.notes)


def test_classes_drawn_are_ranked_by_the_mean_where_all_of_them_saturate() -> None:
    maps = torch.zeros(24, 1, 2, 2)
    maps[:, 0, 0, 0] = TOP
    maps[12:, 0, 1, 1] = 1.0  # classes 12 to 23 have the larger mean
    explainer = convviz.explainer(
        "patches", layers=("1",), k=1, border="include", guided=False, per_class=True
    )
    partials = parts_of(maps, [10, 14], explainer, list(range(24)))
    photos = Photos(24, 24)
    results = explainer.finish(model(1), partials, photos, ())
    result = explainer.add_pictures(model(1), results, photos)["1"]
    drawn = [s.title for s in result.stacks if s.title.startswith("class")]
    assert drawn == [f"class class {i}" for i in range(12, 22)]


def test_ties_that_remain_in_the_lists_of_classes_are_counted() -> None:
    maps = torch.full((4, 2, 2, 2), TOP)
    maps[:, 1, 0, 0] = torch.arange(4.0)  # the mean decides
    explainer = convviz.explainer(
        "patches", layers=("1",), k=1, border="include", guided=False, per_class=True
    )
    partials = parts_of(maps, [3, 1], explainer, [0, 0, 1, 1])
    data = Photos(4, 2)
    result = explainer.finish(model(2), partials, data, ())["1"]
    assert any("In 2 of 4 lists" in note for note in result.notes)
    assert result["class_items"][..., 0].tolist() == [[0, 1], [2, 3]]


def test_a_run_counts_its_ties_and_is_the_same_each_time(tmp_path) -> None:
    """Photos of two colours through a ReLU6: nearly all values are equal."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU6(), nn.Flatten())
    nn.init.normal_(net[0].weight, std=2.0)
    rng = np.random.default_rng(0)
    photos = (rng.integers(0, 2, (12, 8, 8, 3)) * 255).astype(np.uint8)
    subject = Model(net, preprocess=replace(PREPROCESS, crop=8))
    explainer = convviz.explainer("patches", layers=("1",), k=3, guided=False)
    first, second = (
        convviz.analyze(subject, photos, explainer, tmp_path / name, batch_size=5)["patches"]["1"]
        for name in ("a", "b")
    )
    assert first.result.measures["units with ties decided by the mean"] > 0
    assert first.equals(second)


class Fixed(nn.Module):
    """Gives the same maps whatever the image."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = nn.Parameter(maps)

    def forward(self, x: Tensor) -> Tensor:
        places = nn.functional.adaptive_avg_pool2d(x[:, :1], self.maps.shape[2:])
        return self.maps + 0 * places


def activations(maps: Tensor, **params):
    net = nn.Sequential(Fixed(maps), nn.Flatten())
    return convviz.explain(
        Model(net), torch.ones(1, 3, 4, 4), "activations", target=0, layer="0", **params
    )


def clipped() -> Tensor:
    """Return five maps of which three reach 6; channel 3 has the largest mean of these."""
    maps = torch.zeros(1, 5, 2, 2)
    maps[0, :, 0, 0] = torch.tensor([5.0, TOP, 1.0, TOP, TOP])
    maps[0, 3, 1, 1], maps[0, 0, 1, 1] = 2.0, 4.0
    return maps


def test_channels_of_equal_maximum_are_ranked_by_their_mean() -> None:
    result = activations(clipped(), sort="max", top=1).result
    assert result.order == ((3, 1, 4, 0, 2),)
    assert result.overlays == ((3,),)
    assert any("3 channels tie" in n and "larger mean" in n for n in result.notes)


def test_channels_equal_in_both_are_ranked_by_index_and_that_is_said() -> None:
    result = activations(clipped(), top=2).result
    assert result.overlays == ((3, 1),)
    assert any("3 channels tie" in n and "lowest indices" in n for n in result.notes)


@pytest.mark.parametrize(("top", "sort"), [(3, "max"), (4, "max"), (5, "max"), (9, "max")])
def test_ties_that_decide_nothing_are_not_named(top: int, sort: str) -> None:
    assert not any(
        "tie" in note for note in activations(clipped(), top=top, sort=sort).result.notes
    )


def test_channels_of_equal_mean_are_ranked_by_their_maximum() -> None:
    maps = torch.zeros(1, 3, 2, 2)
    maps[0, 0], maps[0, 1, 0, 0], maps[0, 2, 0, :] = 1.0, 4.0, 2.0
    result = activations(maps, sort="mean", top=1).result
    assert result.order == ((1, 2, 0),)
    assert any("3 channels tie" in n and "larger max" in n for n in result.notes)


def test_with_statistics_the_channels_drawn_are_those_that_stand_out(tmp_path) -> None:
    """Channel 0 is large on all photos, channel 1 small but larger than ever on the last one."""
    net = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[100.0, 0, 0], [0, 1, 0]]).view(2, 3, 1, 1))
    photos = np.random.default_rng(0).integers(90, 110, (12, 8, 8, 3)).astype(np.uint8)
    photos[-1, ..., 1] = 255
    subject = Model(net, preprocess=replace(PREPROCESS, crop=8))
    run = convviz.analyze(subject, photos, "statistics", tmp_path / "run", layers=("1",))
    image = photos[-1].astype(np.uint8)
    plain = convviz.explain(subject, image, "activations", target=0, layer="1", top=1)
    scaled = convviz.explain(
        subject, image, "activations", target=0, layer="1", top=1, statistics=str(run.folder)
    )
    assert plain.result.overlays == ((0,),)
    assert scaled.result.overlays == ((1,),)
