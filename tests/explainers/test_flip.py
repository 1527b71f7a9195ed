"""flip: the smallest rectangle whose covering changes the class, against brute force."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convviz
from convviz import Model, ParameterError, Preprocess
from convviz.authoring import ArrayDataset
from convviz.occlusion import occluded_scores

GRID = 4


def brute_force(model: Model, image: Tensor, grid: int) -> tuple[int, set[tuple[int, ...]]]:
    """Smallest area in cells and the pixels of its flips, by full passes in float64."""
    net = copy.deepcopy(model.module).double().eval()
    edges = [round(i * image.shape[1] / grid) for i in range(grid + 1)]
    spans = [(a, b) for a in range(grid) for b in range(a + 1, grid + 1)]
    old = int(net(image.double()[None]).argmax())
    smallest, flips = grid * grid + 1, set()
    for (y0, y1), (x0, x1) in itertools.product(spans, spans):
        copied = image.double().clone()
        box = (edges[x0], edges[y0], edges[x1], edges[y1])
        copied[:, box[1] : box[3], box[0] : box[2]] = 0
        new, area = int(net(copied[None]).argmax()), (y1 - y0) * (x1 - x0)
        if new != old and area <= smallest:
            flips = flips if area == smallest else set()
            smallest = area
            flips.add((*box, old, new))
    return smallest, flips


def small_net() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1)),
        *(nn.ReLU(), nn.Flatten(), nn.Linear(8 * 10 * 10, 5)),
    )


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, 5, 2, 2), nn.BatchNorm2d(6)
        self.block, self.pool = nn.Conv2d(6, 6, 3, padding=1), nn.AvgPool2d(5)
        self.head = nn.Linear(6 * 4 * 4, 5)

    def forward(self, x):
        x = self.norm(self.stem(x)).relu()
        return self.head(self.pool((x + self.block(x)).relu()).flatten(1))


def global_net() -> nn.Module:
    """Without locality: each pixel reaches every score."""
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 40 * 40, 16), nn.Tanh(), nn.Linear(16, 5))


NETWORKS = {
    "conv, incremental": (small_net, 0),
    "residual, incremental": (Residual, 0),
    "fully connected, dense": (global_net, 10**9),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_rectangles_are_those_of_brute_force(name, monkeypatch):
    build, pixels = NETWORKS[name]
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", pixels)
    torch.manual_seed(0)
    model = Model(build())
    images = 2 * torch.randn(3, 2, 40, 40)
    result = convviz.explain(model, images, "flip", grid=GRID, fill=0.0)
    areas = []
    for i, image in enumerate(images):
        area, flips = brute_force(model, image, GRID)
        areas.append(area if flips else 0)
        of_image = result["image"] == i
        rows = torch.cat([result["boxes"], result["classes"]], 1)[of_image].tolist()
        assert set(map(tuple, rows)) == flips
        assert result["area"][i] == areas[-1]
    assert any(areas)
    counts = torch.zeros(3, GRID, GRID)
    for i, (x0, y0, x1, y1) in zip(result["image"], result["boxes"].tolist(), strict=True):
        counts[i, y0 // 10 : y1 // 10, x0 // 10 : x1 // 10] += 1
    assert torch.equal(result.values, counts)
    for i, box, (old, new), margin in zip(
        *(result["image"], result["boxes"].tolist(), result["classes"].tolist()),
        result["margin"].tolist(),
        strict=True,
    ):
        covered = images[i].clone()
        covered[:, box[1] : box[3], box[0] : box[2]] = 0
        scores = model.forward(covered[None]).output[0]
        assert margin == pytest.approx(float(scores[new] - scores[old]), abs=1e-4)


class Tie(nn.Module):
    """Class 1 leads by 1e-9 if less than half of the image is bright, which float32 cannot tell."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.ones(1))

    def forward(self, x):
        ahead = 1e-9 * (0.5 - x.mean((1, 2, 3)))
        return torch.stack([self.first.expand(len(x)), self.first + ahead], 1)


@pytest.mark.filterwarnings("ignore:.*the same score")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_ties_are_decided_in_float64(dtype):
    model = Model(Tie().to(dtype))
    result = convviz.explain(model, torch.ones(1, 1, 28, 28, dtype=dtype), "flip", fill=0.0)
    assert result["area"].tolist() == [25]  # of 49 cells: the least above a half
    assert result["boxes"].shape == (9, 4)  # 5 x 5 cells
    assert set(map(tuple, result["classes"].tolist())) == {(0, 1)}
    assert "computed again in float64" in " ".join(result.result.notes)
    torch.testing.assert_close(
        result["margin"], torch.full((9,), 1e-9 * (25 / 49 - 0.5)).double(), rtol=1e-3, atol=0
    )


class Refuses64(Tie):
    def forward(self, x):
        if x.dtype == torch.float64:
            raise RuntimeError("no float64")
        return super().forward(x)


@pytest.mark.filterwarnings("ignore:.*the same score")
def test_without_float64_the_result_says_what_is_undecided():
    result = convviz.explain(Model(Refuses64()), torch.ones(1, 1, 28, 28), "flip", fill=0.0)
    assert result["area"].tolist() == [0]
    assert "784 rectangles rounding errors may decide" in " ".join(result.result.notes)


class Brightest(nn.Module):
    """Class 0 while any pixel is above a half, else class 1."""

    def forward(self, x):
        highest = x.amax((1, 2, 3))
        return torch.stack([highest, torch.full_like(highest, 0.5)], 1)


PREPROCESS = Preprocess(resize=28, crop=28, mean=(0.0,), std=(1.0,))
LABELS = ("bright", "dark")


def spots(*places: tuple[int, int]) -> np.ndarray:
    """Photo of 28 x 28 pixels with a white spot in some cells (row, column) of 7 x 7."""
    photo = np.zeros((28, 28, 3), np.uint8)
    for row, column in places:
        photo[4 * row + 1 : 4 * row + 3, 4 * column + 1 : 4 * column + 3] = 255
    return photo


PHOTOS = [
    spots((3, 4)),
    spots((0, 0), (0, 1)),
    spots((2, 2), (4, 4)),
    spots((5, 6)),
]
AREAS = [1, 2, 9, 1]


def bright_model() -> Model:
    return Model(Brightest(), preprocess=PREPROCESS, labels=LABELS, name="brightest")


def test_a_photo_is_explained_with_classes_and_area():
    result = convviz.explain(bright_model(), PHOTOS, "flip")
    assert result["area"].tolist() == AREAS
    assert result["boxes"].tolist() == [
        [16, 12, 20, 16],
        [0, 0, 8, 4],
        [8, 8, 20, 20],
        [24, 20, 28, 24],
    ]
    assert result.result.captions[1] == "bright (62%) → dark (62%): 4.1% of the image covered"
    covered = result["covered"]
    assert covered[1, :4, :8].max() == 0
    assert torch.equal(covered[0, :12], torch.from_numpy(PHOTOS[0][:12]))
    assert len(result.pictures()) == 4


def test_up_to_max_area_no_rectangle_is_a_result_too():
    result = convviz.explain(bright_model(), PHOTOS[2], "flip", max_area=0.17)  # 8 of 49 cells
    assert result["area"].tolist() == [0]
    assert result["boxes"].shape == (0, 4)
    assert not result.values.any()
    expected = "bright (62%): unchanged by all rectangles up to 17% of the image"
    assert result.result.captions == (expected,)
    assert result.result.measures["rectangles covered"] == sum(
        (8 - h) * (8 - w) for h in range(1, 8) for w in range(1, 8) if h * w <= 8
    )
    assert result.pictures()


def test_over_a_data_set_areas_are_counted_by_class(tmp_path):
    ids, classes = ("a", "b", "c", "d"), ("spot", "pair")
    dataset = ArrayDataset("spots", np.stack(PHOTOS), ids, (0, 1, 1, 0), classes)
    run = convviz.analyze(bright_model(), dataset, ["flip"], out=tmp_path / "run", batch_size=3)
    areas, fragile = run["flip"]["areas"], run["flip"]["fragile"]
    columns = dict(zip(areas.result.columns, areas.values.T.tolist(), strict=True))
    assert areas.result.rows == ("all images", "spot", "pair")  # the most fragile class first
    used = {name: counts for name, counts in columns.items() if any(counts)}
    assert used == {"2.0%": [2, 2, 0], "4.1%": [1, 0, 1], "18.4%": [1, 0, 1]}
    # The second and the last photo flip at the border. By chance: 24 of 49 cells, 44 of 84 pairs,
    # and of the 25 squares of 3 x 3 cells and 0 of others of area 9, 16.
    assert areas.result.measures["at the border"] == "50% of the rectangles"
    pairs_inside = 2 * 5 * 4
    chance = (2 * 24 / 49 + (84 - pairs_inside) / 84 + 16 / 25) / 4
    assert areas.result.measures["by chance"] == f"{chance:.0%}"
    assert fragile["items"].tolist() == [0, 3, 1, 2]
    assert fragile.result.table["area"] == ("2.0%", "2.0%", "4.1%", "18.4%")
    assert fragile.result.table["new class"] == ("dark",) * 4
    outlined = fragile["photos"][2, 0]  # (0, 0), (0, 1) of 7 cells, 32 pixels each
    assert (outlined[0, :64] == torch.tensor([217, 72, 15], dtype=torch.uint8)).all()
    for name in ("areas", "fragile"):
        assert run["flip"][name].pictures()


class Broken(nn.Module):
    def forward(self, x):
        return torch.stack([x.sum((1, 2, 3)), x.sum((1, 2, 3)) / 0.0], 1)


def test_scores_that_are_not_finite_are_named():
    result = convviz.explain(Model(Broken()), torch.ones(1, 1, 28, 28), "flip", grid=2)
    assert result["area"].tolist() == [0]
    assert result.result.captions == ("the scores are not finite",)


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), {}, "several classes"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), {"grid": 9}, "grid=9"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), {"layers": "0"}, "leave out layers"),
    ],
)
def test_what_cannot_be_searched_is_an_error(module, options, words):
    with pytest.raises(ParameterError, match=words):
        convviz.explain(Model(module), torch.ones(1, 1, 8, 8), "flip", **options)


def test_one_name_serves_images_and_data_sets(capsys):
    from convviz.cli.main import run

    assert run(["explainers", "flip"]) == 0
    assert "flip (explains a data set and images;" in capsys.readouterr().out
