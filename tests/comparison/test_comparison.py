"""compare: agreement of maps, tables and pictures."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import nn

import convviz
from convviz import Heatmap, Mask, ParameterError
from convviz.comparison.agreement import ImageMap, overlap, rank_correlation, top_weights
from convviz.explanation.explanation import Explanation
from convviz.scores.targets import Target


def explained(values, name="a", targets=("cat",), cls=Heatmap, **fields):
    pixels = torch.zeros(len(values), *values.shape[-2:], 3, dtype=torch.uint8)
    target = tuple(Target(sum(map(ord, label)), None, label, 1.0) for label in targets)
    items = tuple(
        convviz.authoring.Item(f"{i}.png", f"{i}.png", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (4, 5))
        for i in range(len(values))
    )
    result = cls(values, **fields)
    return Explanation(result, None, name, target=target, items=items, pixels=pixels)


def noise(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_ranks_and_overlaps_are_those_of_their_definition():
    a, b = (noise(seed, 30, 20).double().numpy() for seed in (0, 1))
    a[:3] = np.nan
    first, second = ImageMap(a, False, False), ImageMap(b, False, False)
    seen = np.isfinite(a)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(a[seen], b[seen])[0])
    count = math.ceil(0.1 * seen.sum())
    top = [set(np.argsort(-m[seen])[:count]) for m in (a, b)]
    assert overlap(first, second) == (pytest.approx(len(top[0] & top[1]) / count), "top 10 %")
    assert overlap(first, first)[0] == 1
    assert rank_correlation(first, first) == pytest.approx(1)


def test_ties_share_places_and_flat_maps_have_no_ranks():
    weights = top_weights(np.array([5.0, 3, 3, 3, 3, 0, 0, 0, 0, 0] * 2))  # 2 of 20 pixels
    assert weights.tolist() == ([1.0] + [0.0] * 9) * 2
    assert top_weights(np.arange(20.0) // 4).tolist() == [0.0] * 16 + [0.5] * 4
    flat, other = ImageMap(np.ones((4, 5)), False, False), ImageMap(np.eye(4, 5), False, False)
    assert math.isnan(rank_correlation(flat, other))


def test_signed_maps_are_compared_by_value_and_with_others_by_magnitude():
    values = np.arange(-10.0, 10).reshape(4, 5)
    signed, opposite = ImageMap(values, True, False), ImageMap(-values, True, False)
    strength = ImageMap(np.abs(values), False, False)
    assert rank_correlation(signed, opposite) == pytest.approx(-1)
    assert rank_correlation(signed, strength) == pytest.approx(1)
    assert overlap(signed, opposite)[0] == 0


def test_masks_are_compared_by_the_pixels_inside():
    values = np.arange(20.0).reshape(4, 5)
    lower = ImageMap((values >= 10) * 1.0, False, True)
    last = ImageMap((values >= 15) * 1.0, False, True)
    assert overlap(lower, ImageMap(values, False, False)) == (1.0, "top 10 % in mask")
    assert overlap(ImageMap(-values, False, False), lower) == (0.0, "top 10 % in mask")
    assert overlap(lower, last) == (0.5, "masks")


def test_what_counts_as_important_follows_from_the_result():
    colours = noise(0, 1, 3, 6, 6) - 0.5
    remaining = noise(1, 1, 6, 6)
    comparison = convviz.compare(
        [
            explained(colours, "guided", colour=True, signed=True),
            explained(colours.abs().amax(1), "largest"),
            explained(remaining, "left", window=(2, 2)),
            explained(-remaining, "negated"),
            explained(colours, "channels", summed=True, signed=True),
            explained(colours.sum(1), "sum", signed=True),
        ]
    )
    by_names = {a.explainers: a.rank_correlation for a in comparison.agreements}
    assert by_names["guided", "largest"] == pytest.approx(1)
    assert by_names["left", "negated"] == pytest.approx(1)
    assert by_names["channels", "sum"] == pytest.approx(1)


def test_rows_are_images_and_targets_and_columns_explainers(tmp_path):
    names = [(name, target) for name in "ab" for target in "xy"]
    maps = {
        (name, target): explained(noise(i, 2, 6, 7), name, (target, target))
        for i, (name, target) in enumerate(names)
    }
    comparison = convviz.compare([[maps["a", "x"], maps["a", "y"]], [maps["b", "x"]]])
    assert comparison.columns == ("a", "b")
    assert comparison.rows == (("0.png", "x"), ("0.png", "y"), ("1.png", "x"), ("1.png", "y"))
    pairs = [(a.image, a.targets, a.explainers) for a in comparison.agreements]
    assert pairs == [
        ("0.png", ("x", "x"), ("a", "b")),
        ("1.png", ("x", "x"), ("a", "b")),
        ("0.png", ("x", "y"), ("a", "a")),
        ("1.png", ("x", "y"), ("a", "a")),
    ]
    comparison.save(tmp_path / "out")
    with Image.open(tmp_path / "out" / "comparison.png") as picture:
        assert picture.width > 300
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "comparison.csv").read_text())))
    assert len(rows) == 4
    assert float(rows[0]["rank_correlation"]) == comparison.agreements[0].rank_correlation
    assert rows[2]["second_target"] == "y"
    assert "0.png, x, a | b: rank correlation" in comparison.describe()


@pytest.mark.parametrize(
    ("scale", "factor", "said"),
    [
        ("auto", 1, "one scale for all rows"),
        ("auto", 50, "each map has its own scale"),
        ("shared", 50, "one scale for all rows"),
        ("own", 1, "each map has its own scale"),
    ],
)
def test_the_picture_says_which_scale_it_has(scale, factor, said):
    maps = [explained(noise(0, 1, 6, 7)), explained(factor * noise(1, 1, 6, 7), targets=("dog",))]
    (picture,) = convviz.compare(maps, scale).pictures()
    assert f"a: {said}." in picture.caption


def test_many_rows_are_drawn_in_several_pictures():
    many = [explained(noise(i, 9, 6, 7), name, ("cat",) * 9) for i, name in enumerate("ab")]
    assert [p.name for p in convviz.compare(many).pictures()] == ["comparison-1", "comparison-2"]


def test_columns_of_one_explainer_are_named_by_their_differences():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    what = [convviz.explainer("saliency", channels=c) for c in ("max", "l2")]
    what.append(convviz.explainer("occlusion", window=4, stride=4, fill=0))
    what.append("grabcut")
    explanations = convviz.explain(
        convviz.Model(net), torch.rand(1, 3, 12, 12), what, targets=[0, 1]
    )
    comparison = convviz.compare(explanations)
    assert comparison.columns == (
        "saliency channels=max",
        "saliency channels=l2",
        "occlusion",
        "grabcut",
    )
    assert len(comparison.agreements) == 2 * 6 + 4
    assert comparison.pictures()[0].png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([explained(noise(0, 1, 6, 7))], "at least two maps"),
        ([explained(noise(0, 1, 6, 7))] * 2, "same explainer"),
        ([explained(noise(0, 1, 6, 7), "a", classes={0: "x"})] * 2, "map of classes"),
        ([explained(noise(0, 1, 2, 6, 7), "a")] * 2, "has 2 maps per image"),
        ([explained(noise(0, 2, 6), "t", cls=convviz.Table)], "is a Table"),
        (["saliency"], "takes Explanations"),
        ("saliency", "takes Explanations"),
    ],
)
def test_what_cannot_be_compared_is_an_error(given, words):
    with pytest.raises(ParameterError, match=words):
        convviz.compare(given)


def test_missing_maps_and_masks_are_drawn():
    mask = explained(noise(0, 1, 6, 7) > 0.5, "mask", cls=Mask)
    maps = [explained(noise(1, 1, 6, 7), "map", (t,)) for t in ("cat", "dog")]
    (picture,) = convviz.compare([mask, *maps]).pictures()
    assert picture.png.startswith(b"\x89PNG")
