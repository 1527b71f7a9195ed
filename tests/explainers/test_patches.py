"""The patches explainer against a brute-force reference, and its boxes against photos."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_photos import AS_IT_IS, IDENTITY, Photos, batches, coarse, network
from torch import Tensor, nn

import convviz
import convviz.authoring
from convviz import Model, ModelError, Preprocess
from convviz.authoring import Batch, Forward, Item, Partial


def swept(
    model: Model, photos: np.ndarray, sizes: list[int], right: bool = False, **params: object
) -> Partial:
    """Reduce batches of these sizes and merge them, from the left or from the right."""
    patches = convviz.explainer("patches", **params)
    layers = patches.resolve_layers(model)
    parts = [
        patches.reduce(model, b, model.forward(b.images, layers))
        for b in batches(model, photos, sizes)
    ]
    if right:
        merged = functools.reduce(lambda b, a: patches.merge(a, b), reversed(parts))
    else:
        merged = functools.reduce(patches.merge, parts)
    return shortened(merged, patches.k)


def shortened(partial: Partial, k: int) -> Partial:
    """Leave out the entry after the k-th of each list, which only tells ties."""
    return {layer: shortened_lists(tensors, k) for layer, tensors in partial.items()}


def shortened_lists(tensors: dict[str, Tensor], k: int) -> dict[str, Tensor]:
    lists = ("values", "means", "items")
    cut = {name: t[..., :k] for name, t in tensors.items() if name.endswith(lists)}
    cut |= {name: t[..., :k, :] for name, t in tensors.items() if name.endswith("positions")}
    return {**tensors, **cut}


def brute_force(
    module: nn.Module, layer: int, photos: np.ndarray, k: int, per_image: int, rim: int = 0
) -> list[list[tuple[float, int, int, int]]]:
    """Return for each channel the best (value, item, y, x), by looking at every position.

    Positions nearer than `rim` to a border of the map are left out.
    """
    maps = []
    for photo in photos:
        x = torch.tensor(photo.astype(np.float32) / np.float32(255)).double().permute(2, 0, 1)[None]
        for m in list(module)[: layer + 1]:
            x = m(x)
        maps.append(x[0].detach().numpy().copy())
    result = []
    for c in range(maps[0].shape[0]):
        stored = []
        for i, item in enumerate(maps):
            high, wide = item[c].shape
            mean = math.fsum(item[c, rim : high - rim, rim : wide - rim].ravel()) / item[c].size
            spots = [
                (-float(v), -mean, i, y, x)
                for (y, x), v in np.ndenumerate(item[c])
                if min(y, x, high - 1 - y, wide - 1 - x) >= rim
            ]
            stored += sorted(spots)[:per_image]
        result.append([(-v, i, y, x) for v, _, i, y, x in sorted(stored)[:k]])
    return result


SPLITS = [[17], [1] * 17, [5, 5, 5, 2], [16, 1]]


@pytest.mark.parametrize(("k", "per_image"), [(3, 1), (9, 1), (7, 2), (9, 3), (1, 1)])
@pytest.mark.parametrize(
    ("layer", "border", "rim"),
    [(1, "include", 0), (1, "exclude", 1), (3, "include", 0), (4, "exclude", 0)],
)
def test_equals_brute_force_however_batches_are_cut(
    layer: int, border: str, rim: int, k: int, per_image: int
) -> None:
    module, photos = network(), coarse(17)
    model = Model(module, preprocess=AS_IT_IS)
    expected = brute_force(module, layer, photos, k, per_image, rim)
    params = {"layers": (str(layer),), "k": k, "per_image": per_image, "border": border}
    for sizes in SPLITS:
        for right in (False, True):
            got = swept(model, photos, sizes, right, **params)
            items, positions = got[str(layer)]["items"], got[str(layer)]["positions"]
            places = [
                [(i, *p) for i, p in zip(*row, strict=True)]
                for row in zip(items.tolist(), positions.tolist(), strict=True)
            ]
            assert places == [[(i, y, x) for _, i, y, x in row] for row in expected]
            values = torch.tensor([[v for v, *_ in row] for row in expected], dtype=torch.float64)
            assert (got[str(layer)]["values"] - values).abs().max() < 1e-12
            assert got[""]["count"].item() == 17


SIDES = [  # padding (y, x) and stride of a 3 x 3 convolution of 12 x 12 -> rows, columns left
    ((0, 0), 1, range(10), range(10)),
    ((1, 1), 1, range(1, 11), range(1, 11)),
    ((1, 0), 1, range(1, 11), range(10)),
    ((1, 1), 2, range(1, 6), range(1, 6)),  # the last window ends at the image's
    ((1, 1), 4, range(1, 3), range(1, 3)),
    ((1, 1), 6, range(2), range(2)),  # no more than half would be left
]


@pytest.mark.parametrize(("padding", "stride", "rows", "columns"), SIDES)
def test_only_where_a_field_leaves_the_image_is_the_border_left_out(
    padding: tuple[int, int], stride: int, rows: range, columns: range
) -> None:
    """On photos without a pattern a map's bias at the border tells which positions took part."""
    conv = nn.Conv2d(3, 1, 3, stride=stride, padding=padding, bias=False)
    nn.init.constant_(conv.weight, -1.0)  # padding is brighter than any photo to it
    module = nn.Sequential(conv, nn.Flatten()).double()
    preprocess = Preprocess(resize=None, crop=12, mean=(0.0,) * 3, std=(1.0,) * 3)
    photos = np.full((2, 12, 12, 3), 200, np.uint8)
    model = Model(module, preprocess=preprocess)
    got = swept(model, photos, [1, 1], layers=("0",), k=400, per_image=200)
    result = {(y, x) for y, x in got["0"]["positions"][0].tolist()}
    assert result == {(y, x) for y in rows for x in columns}
    total = np.prod([(12 + 2 * p - 3) // stride + 1 for p in padding])
    assert got["0"]["cut"].item() == total - len(rows) * len(columns)
    note = f"{got['0']['cut'].item()} positions at the border"
    notes = finished(model, photos, [2], "0", k=1, guided=False).notes
    assert any(n.startswith(note) for n in notes) == (got["0"]["cut"].item() > 0)


def test_padding_wins_no_list_by_itself() -> None:
    """A unit that answers to black as to nothing else finds the black dot, not the padding."""
    conv = nn.Conv2d(3, 1, 3, padding=1, bias=False)
    nn.init.constant_(conv.weight, -1.0)
    photos = np.full((3, 12, 12, 3), 250, np.uint8)
    photos[1, 7, 4] = 0
    model = Model(nn.Sequential(conv, nn.Flatten()).double(), preprocess=AS_IT_IS)
    result = finished(model, photos, [3], "0", k=1, guided=False)
    assert result["items"][0, 0] == 1
    assert max(abs(result["positions"][0, 0] - torch.tensor([7, 4]))) <= 1
    result = finished(model, photos, [3], "0", k=1, guided=False, border="include")
    assert result["positions"][0, 0].tolist() == [0, 0]


def test_there_were_ties() -> None:
    result = brute_force(network(), 4, coarse(17), 9, 1)
    assert sum(a[0] == b[0] for row in result for a, b in itertools.pairwise(row)) > 10


class Poisoned(nn.Module):
    """One channel: the image's red; NaN where it is 1/255, infinite where it is 2/255."""

    def forward(self, x: Tensor) -> Tensor:
        red = (x[:, :1] * 255).round()
        return torch.where(red == 1, torch.nan, torch.where(red == 2, torch.inf, red))


def poisoned() -> tuple[Model, np.ndarray]:
    photos = np.zeros((4, 3, 3, 3), np.uint8)
    photos[0, 1, 1, 0], photos[0, 2, 2, 0] = 1, 50
    photos[1] = 1
    photos[2, 0, 1, 0], photos[2, 0, 0, 0] = 2, 70
    photos[3, 2, 0, 0] = 60
    net = nn.Sequential(nn.Identity(), Poisoned(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Model(net, preprocess=AS_IT_IS), photos


def finished(
    model: Model, photos: np.ndarray, sizes: list[int], layer: str, **params: object
) -> convviz.Tiles:
    patches = convviz.explainer("patches", layers=(layer,), **params)
    parts = []
    for b in batches(model, photos, sizes):
        parts.append(patches.reduce(model, b, model.forward(b.images, (layer,))))
    items = Photos(photos)
    results = patches.finish(model, iter(parts), items, ())
    result: convviz.Tiles = patches.add_pictures(model, results, items)[layer]
    return result


@pytest.mark.parametrize("sizes", [[4], [1, 1, 1, 1], [2, 2]])
def test_nan_and_infinity_never_enter_and_are_counted(sizes: list[int]) -> None:
    model, photos = poisoned()
    result = finished(model, photos, sizes, "1", k=3, guided=False)
    assert result.values.tolist() == [[70.0, 60.0, 50.0]]
    assert result["items"].tolist() == [[2, 3, 0]]
    assert result["positions"].tolist() == [[[0, 0], [2, 0], [2, 2]]]
    assert result.measures["non-finite values"] == 1 + 9 + 1
    assert "NaN or infinite values, left out: 11." in result.notes


def test_too_few_images_leave_blanks() -> None:
    model, photos = poisoned()
    result = finished(model, photos, [4], "1", k=6, guided=False)
    assert result["items"].tolist() == [[2, 3, 0, -1, -1, -1]]
    assert torch.isnan(result.values[0, 3:]).all()
    assert torch.isnan(result["boxes"][0, 3:]).all()
    assert result["positions"][0, 3:].unique().tolist() == [-1]
    assert (result["photo patches"][0, 3:] == 255).all()
    assert "4 images are too few for 6 patches per unit." in result.notes


def test_an_empty_data_set_is_an_error() -> None:
    model, photos = poisoned()
    patches = convviz.explainer("patches", layers=("1",))
    with pytest.raises(convviz.ConvvizError, match="no image"):
        patches.finish(model, iter([]), Photos(photos[:0]), ())


@pytest.mark.parametrize("border", ["exclude", "include"])
@pytest.mark.parametrize("layer", ["0", "3", "6"])
def test_noise_outside_the_box_changes_nothing(layer: str, border: str) -> None:
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.AvgPool2d(2, 1),
        nn.Conv2d(4, 5, 3, padding=1),
        nn.Flatten(),
    ).double()
    photos = np.random.default_rng(4).integers(0, 256, (6, 41, 37, 3)).astype(np.uint8)
    model = Model(net, preprocess=AS_IT_IS)
    result = finished(model, photos, [6], layer, k=2, draw=0, guided=False, border=border)
    images = convviz.authoring.make_batch(list(photos), model).images
    for c in range(result.values.shape[0]):
        for r in range(2):
            x0, y0, x1, y1 = (int(v) for v in result["boxes"][c, r])
            y, x = result["positions"][c, r].tolist()
            item = int(result["items"][c, r])
            inside = torch.zeros(41, 37, dtype=torch.bool)
            inside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
            image = images[item : item + 1]
            noisy = torch.where(inside, image, torch.randn_like(image) * 9)
            value = model.forward(noisy, (layer,)).activations[layer][0, c, y, x]
            assert inside.any()
            assert abs(value - result.values[c, r]) < 1e-12
            noisy = torch.where(inside, torch.randn_like(image) * 9, image)
            other = model.forward(noisy, (layer,)).activations[layer][0, c, y, x]
            assert other != result.values[c, r]


class RedDot(nn.Module):
    """Fires where a pixel is red; sees 3 x 3 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1, bias=False)
        weight = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 3, 3) / 9
        self.conv.weight = nn.Parameter(weight.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)).amax((2, 3))


DOTS = [
    ((100, 160), (50, 80)),
    ((100, 160), (30, 110)),
    ((180, 120), (60, 85)),
    ((64, 64), (20, 40)),
]


@pytest.mark.parametrize(("size", "dot"), DOTS)
def test_boxes_find_a_dot_in_the_original_photo(
    size: tuple[int, int], dot: tuple[int, int], tmp_path: Path
) -> None:
    preprocess = Preprocess(resize=50, crop=40, mean=(0.0,) * 3, std=(1.0,) * 3)
    photo = np.full((*size, 3), 90, np.uint8)
    rows, columns = np.ogrid[: size[0], : size[1]]
    photo[(rows - dot[0]) ** 2 + (columns - dot[1]) ** 2 <= 16] = (255, 0, 0)
    model = Model(RedDot(), preprocess=preprocess)
    explainer = convviz.explainer("patches", layers=("conv",), k=1)
    explanation = convviz.analyze(model, photo[None], explainer, out=tmp_path / "run")[
        "patches"
    ].only
    x0, y0, x1, y1 = explanation["boxes"][0, 0].tolist()
    scale = min(size) / 50
    assert (x1 - x0, y1 - y0) == pytest.approx((3 * scale, 3 * scale), rel=0.03)
    assert (x0 + x1) / 2 == pytest.approx(dot[1] + 0.5, abs=scale)
    assert (y0 + y1) / 2 == pytest.approx(dot[0] + 0.5, abs=scale)
    patch = explanation["photo patches"][0, 0].float()
    assert patch.shape == (64, 64, 3)
    middle = patch[24:40, 24:40].mean((0, 1))
    assert middle[0] > 200
    assert middle[1] < 60


def test_boxes_at_the_border_overhang_and_are_padded() -> None:
    photo = np.full((1, 9, 9, 3), 90, np.uint8)
    photo[0, 0, 8] = (255, 0, 0)
    model = Model(RedDot().double(), preprocess=AS_IT_IS)
    result = finished(model, photo, [1], "conv", k=1, border="include")
    y, x = result["positions"][0, 0].tolist()
    assert result["boxes"][0, 0].tolist() == [x - 1, y - 1, x + 2, y + 2]
    assert result["boxes"][0, 0, 2] == 10 or result["boxes"][0, 0, 1] == -1
    shown = result["photo patches"][0, 0]
    assert (shown == 232).all(-1).any()
    assert ((shown[..., 0] == 255) & (shown[..., 1] == 0)).any()


def test_the_affine_map_of_the_photos_is_used() -> None:
    class Moved(Photos):
        def affine(self, index: int) -> tuple[float, ...]:
            return (2.0, 0.0, 10.0 * index, 0.0, 3.0, 5.0)

    photos = coarse(3)
    model = Model(network(), preprocess=AS_IT_IS)
    patches = convviz.explainer("patches", layers=("0",), k=3, draw=0)
    (batch,) = batches(model, photos, [3])
    partial = patches.reduce(model, batch, model.forward(batch.images, ("0",)))
    plain = patches.finish(model, iter([partial]), Photos(photos), ())["0"]
    moved = patches.finish(model, iter([partial]), Moved(photos), ())["0"]
    shift = 10.0 * plain["items"].double()
    x0, y0, x1, y1 = plain["boxes"].unbind(-1)
    expected = torch.stack([2 * x0 + shift, 3 * y0 + 5, 2 * x1 + shift, 3 * y1 + 5], -1)
    assert torch.equal(moved["boxes"], expected)


def test_a_preprocess_of_ones_own_keeps_boxes_in_the_models_input() -> None:
    def halve(image: object) -> Tensor:
        small = np.asarray(image)[::2, ::2].astype(np.float32) / 255
        return torch.tensor(small).permute(2, 0, 1)

    photo = np.full((1, 20, 20, 3), 90, np.uint8)
    photo[0, 8:12, 12:16] = (255, 0, 0)
    result = finished(Model(RedDot(), preprocess=halve), photo, [1], "conv", k=1)
    y, x = result["positions"][0, 0].tolist()
    assert (y, x) in {(a, b) for a in (4, 5) for b in (6, 7)}
    assert result["boxes"][0, 0].tolist() == [x - 1, y - 1, x + 2, y + 2]


def test_default_layers_are_those_of_the_model() -> None:
    model = Model(network(), preprocess=AS_IT_IS)
    patches = convviz.explainer("patches")
    assert patches.resolve_layers(model) == model.default_layers("patches")


def test_a_field_of_the_whole_image_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.append(nn.Linear(2, 3))
    photos = coarse(3)
    for layer in ("2", "4"):
        result = finished(Model(net.double(), preprocess=AS_IT_IS), photos, [3], layer, k=2)
        assert result["boxes"][0, 0].tolist() == [0, 0, 12, 12]
        assert "whole image" in result.notes[0]
        assert result["guided gradients"].shape == (len(result.order), 2, 64, 64, 3)
    assert result["positions"].unique().tolist() == [-1]


def test_guided_gradients_are_those_of_the_unit() -> None:
    photos = coarse(4)
    model = Model(network(), preprocess=AS_IT_IS)
    result = finished(model, photos, [4], "3", k=2, draw=1)
    assert "own scale" in result.stacks[1].title
    channel = result.order[0]
    item, (y, x) = int(result["items"][channel, 1]), result["positions"][channel, 1].tolist()
    image = convviz.authoring.make_batch(photos[item], model).images
    unit = convviz.Unit("3", channel, (y, x))
    target = convviz.authoring.Target(None, unit, str(unit), 0.0)
    full = model.gradient(image, [target], rule="guided")[0]
    x0, y0, x1, _y1 = (int(v) for v in result["boxes"][channel, 1])
    side = x1 - x0
    cut = torch.zeros(3, side, side, dtype=torch.float64)
    for row in range(side):
        for column in range(side):
            if 0 <= y0 + row < 12 and 0 <= x0 + column < 12:
                cut[:, row, column] = full[:, y0 + row, x0 + column]
    assert full.abs().sum() == pytest.approx(cut.abs().sum())
    shown = result["guided gradients"][0, 1].double() - 128
    at = ((torch.arange(side) + 0.5) * 64 / side).long()
    drawn = shown[at][:, at].permute(2, 0, 1)
    assert (drawn[cut == 0].abs() <= 1).all()
    clear = cut.abs() > 0.2 * cut.abs().max()
    assert (drawn[clear].sign() == cut[clear].sign()).all()


def test_a_net_without_activations_skips_guided_gradients_and_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten())
    result = finished(Model(net, preprocess=AS_IT_IS), coarse(3), [3], "0", k=2)
    assert [s.title for s in result.stacks] == ["photo patches"]
    assert any(n.startswith("No guided gradients: ") for n in result.notes)
    model = Model(net, preprocess=AS_IT_IS)
    unit = convviz.Unit("0", 0, (0, 0))
    target = convviz.authoring.Target(None, unit, "", 0.0)
    with pytest.raises(ModelError):
        model.gradient(torch.zeros(1, 3, 12, 12), [target], rule="guided")


def test_units_at_the_limit_of_a_relu6_show_the_gradient_before_it() -> None:
    from convviz_plugins.explainers.patches.crops import as_colours, resize_gradient

    torch.manual_seed(1)
    conv = nn.Conv2d(3, 2, 3)
    with torch.no_grad():
        conv.weight *= 100
    net = nn.Sequential(conv, nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    result = finished(Model(net.double(), preprocess=AS_IT_IS), coarse(5), [5], "1", k=2)
    assert (result.values == 6).all()
    for row, channel in enumerate(result.order):
        expected = as_colours(resize_gradient(conv.weight[channel].detach(), 64, 64))
        assert (result["guided gradients"][row].numpy() == expected).all()
    (note,) = [n for n in result.notes if "upper limit" in n]
    assert note.startswith("In 4 patches")
    assert not any("plain grey" in n for n in result.notes)


def test_units_below_zero_keep_a_gradient_of_zero() -> None:
    net = network()
    with torch.no_grad():
        net[0].bias -= 1000
    result = finished(Model(net, preprocess=AS_IT_IS), coarse(3), [3], "1", k=2, draw=1)
    assert (result["guided gradients"] == 128).all()
    assert any("2 guided gradients are zero" in n for n in result.notes)
    assert not any("upper limit" in n for n in result.notes)


def test_units_drawn_are_those_of_highest_prominence() -> None:
    photos = coarse(5)
    result = finished(Model(network(), preprocess=AS_IT_IS), photos, [5], "4", k=2, draw=3)
    scores = result["prominence"].tolist()
    assert list(result.order) == sorted(range(6), key=lambda c: (-scores[c], c))[:3]


@pytest.mark.parametrize("units", ["3-4,1", (3, 4, 1), ["3-4", "1"]])
def test_chosen_units_are_drawn(units) -> None:
    photos, model = coarse(5), Model(network(), preprocess=AS_IT_IS)
    result = finished(model, photos, [5], "4", k=2, units=units)
    assert result.order == (3, 4, 1)
    assert any(note == "3 of 6 units are drawn." for note in result.notes)
    with pytest.raises(convviz.ParameterError, match="'4' has the units 0 to 5, not 6"):
        finished(model, photos, [5], "4", k=2, units="6")
    assert result["photo patches"].shape[:2] == (3, 2)
    assert result.values.shape == (6, 2)
    assert any(note.startswith("3 of 6 units are drawn") for note in result.notes)


def test_layers_of_tokens_are_refused() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(2), nn.Linear(100, 7), nn.Flatten())
    with pytest.raises(convviz.ParameterError, match="layer '2'"):
        finished(Model(net, preprocess=AS_IT_IS), coarse(2), [2], "2")


def test_analyze_keeps_every_layer_and_leaves_the_model_alone(tmp_path: Path) -> None:
    net = network(dtype=torch.float32).train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    explainer = convviz.explainer("patches", layers=("0", "3"), k=4)
    model = Model(net, preprocess=AS_IT_IS)
    run = convviz.analyze(model, coarse(9), explainer, out=tmp_path / "run")
    assert sorted(run["patches"]) == ["0", "3"]
    loaded = convviz.open_run(tmp_path / "run")["patches"]["3"]
    assert loaded.values.shape == (6, 4)
    assert loaded["boxes"].shape == (6, 4, 4)
    assert net.training
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


def test_reduce_reads_only_its_forward() -> None:
    """A partial is made of the activations alone: no images, no other state."""
    model = Model(network(), preprocess=AS_IT_IS)
    patches = convviz.explainer("patches", layers=("0",), k=1)
    maps = torch.zeros(2, 4, 3, 3)
    maps[1, 2, 0, 2] = 7
    items = tuple(Item(str(i), "", IDENTITY, (3, 3)) for i in range(2))
    batch = Batch(torch.zeros(2, 3, 3, 3), torch.zeros(2, 3, 3, 3, dtype=torch.uint8), items)
    partial = patches.reduce(model, batch, Forward(torch.zeros(2, 1), {"0": maps}))
    assert partial["0"]["values"][:, 0].tolist() == [0.0, 0.0, 7.0, 0.0]
    assert partial["0"]["items"][:, 0].tolist() == [0, 0, 1, 0]
    assert partial["0"]["positions"][2, 0].tolist() == [0, 2]


LABELS = [0, 2, None, 0, 2, 2, 0, None, 0, 2, 4, 0, 2, 0, 0, 2, 0]


def swept_by_class(model: Model, photos: np.ndarray, sizes: list[int]) -> Partial:
    patches = convviz.explainer("patches", layers=("3",), k=4, per_class=True)
    parts, start = [], 0
    for batch in batches(model, photos, sizes):
        part = LABELS[start : start + len(batch)]
        items = tuple(replace(i, label=n) for i, n in zip(batch.items, part, strict=True))
        start += len(batch)
        forward = model.forward(batch.images, ("3",))
        parts.append(patches.reduce(model, replace(batch, items=items), forward))
    return shortened(functools.reduce(patches.merge, parts), 4)


def test_patches_of_a_class_are_those_of_its_images_alone() -> None:
    module, photos = network(), coarse(17)
    model = Model(module, preprocess=AS_IT_IS)
    for sizes in SPLITS:
        got = swept_by_class(model, photos, sizes)
        assert got[""]["labels"].tolist() == [0, 2, 4]
        for row, label in enumerate((0, 2, 4)):
            selected = [i for i, part in enumerate(LABELS) if part == label]
            expected = brute_force(
                module, 3, photos[selected], 4, 1
            )  # a map of 3 x 3 loses no border
            items = got["3"]["class items"][row].tolist()
            for channel, best in enumerate(expected):
                result = [i for i in items[channel] if i != -1]
                assert result == [selected[i] for _, i, *_ in best]
        assert torch.equal(
            got["3"]["items"], swept(model, photos, [17], layers=("3",), k=4)["3"]["items"]
        )


def test_a_run_holds_and_draws_the_patches_of_every_class(tmp_path: Path) -> None:
    model = Model(network(dtype=torch.float32), preprocess=AS_IT_IS, name="tiny")
    photos, names = coarse(16), [f"c{i % 5}" for i in range(16)]
    run = convviz.analyze(
        model, (photos, names), "patches", tmp_path / "run", layers=("3",), k=4, draw=3,
        per_class=True, batch_size=5, pictures=True,
    )  # fmt: skip
    result = convviz.open_run(tmp_path / "run")["patches"]["3"]
    assert result["class_values"].shape == (5, 6, 4)
    assert result["class_boxes"].shape == (5, 6, 4, 4)
    for label in range(5):
        items = result["class_items"][label]
        assert {i % 5 for i in items.flatten().tolist() if i >= 0} == {label}
        best = result["class_values"][label].nan_to_num(-torch.inf)
        assert torch.equal(best, best.sort(1, descending=True).values)
    first = result["class_values"][..., 0].nan_to_num(-torch.inf).amax(0)
    assert torch.equal(first, result.values[:, 0].nan_to_num(-torch.inf))
    assert [s.title for s in result.result.stacks][2:] == [f"class c{i}" for i in range(5)]
    assert len(result.pictures()) == 1
    assert run["patches"]["3"].equals(result)


def test_patches_of_classes_need_labels(tmp_path: Path) -> None:
    model = Model(network(dtype=torch.float32), preprocess=AS_IT_IS)
    with pytest.raises(convviz.ParameterError, match="needs a data set with labels"):
        convviz.analyze(model, coarse(3), "patches", tmp_path, layers=("3",), per_class=True)


def test_the_winners_are_the_best_of_all_candidates_in_any_layout():
    from convviz_plugins.explainers.patches import top_k
    from convviz_plugins.explainers.patches.best_positions import winners

    maps = torch.randn(7, 4, 5, 3, generator=torch.Generator().manual_seed(0)).mul(2).round()
    last = maps.contiguous(memory_format=torch.channels_last)
    best = top_k.best_entries(winners(last, *convviz.authoring.channel_peaks(last)), 3)
    for channel in range(4):
        spots = [
            (-item.max().item(), -item.mean().item(), i, int(item.flatten().argmax()))
            for i, item in enumerate(maps[:, channel])
        ]
        expected = sorted(spots)[:3]
        assert best["values"][channel].tolist() == [-v for v, *_ in expected]
        assert best["means"][channel].tolist() == pytest.approx([-m for _, m, *_ in expected])
        assert best["items"][channel].tolist() == [i for _, _, i, _ in expected]
        assert best["positions"][channel].tolist() == [[p // 3, p % 3] for *_, p in expected]
