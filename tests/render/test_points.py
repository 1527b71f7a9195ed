"""Pictures of points and matches: what is on them, and the cases at the edge."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from convviz import Matches, Points
from convviz.render import Scene, render
from convviz.render.captions import measures_in_words
from convviz.render.matches import choose_queries
from convviz.render.points import grid_canvas

SCENE = Scene(explainer="embedding", layer="features", model="tiny")


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))


def points(count, classes=3, **changes):
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(count)))
    cells = np.stack(np.divmod(np.arange(count), side), axis=1)
    arrays = {
        "labels": torch.arange(count) % max(classes, 1),
        "cells": torch.from_numpy(cells),
        "thumbnails": torch.from_numpy(rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)),
    }
    names = tuple(f"class {i}" for i in range(classes))
    made = {"arrays": arrays, "classes": names, "axes": ("t-SNE 1", "t-SNE 2"), **changes}
    return Points(torch.from_numpy(rng.normal(size=(count, 2))), **made)


def matches(count=6, k=4, labels=True, **changes):
    rng = np.random.default_rng(0)
    indices = torch.from_numpy(rng.integers(0, count, (count, k)))
    arrays = {
        "indices": indices,
        "thumbnails": torch.from_numpy(rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)),
        "pixel_indices": indices.flip(1),
        "pixel_distances": torch.rand(count, k),
    }
    if labels:
        arrays["labels"] = torch.arange(count) % 3
    names = tuple(f"folder/{i}.png" for i in range(count))
    made = {"arrays": arrays, "classes": ("ant", "bee", "cat"), "names": names, **changes}
    return Matches(torch.rand(count, k), **made)


def has_colour(image, colour):
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(image.astype(int) - rgb).max(axis=2) <= 3).any())


def test_a_scatter_and_a_grid():
    scatter, grid = render(points(30, measures={"KL divergence": 1.234}), SCENE)
    assert (scatter.name, grid.name) == ("scatter", "grid")
    for colour in ("#E69F00", "#56B4E9", "#009E73"):
        assert has_colour(pixels(scatter), colour)
    assert not has_colour(pixels(scatter), "#D55E00")


def test_points_alone_give_the_scatter_alone():
    assert [p.name for p in render(points(5, arrays={}), SCENE)] == ["scatter"]


def test_too_many_classes_are_drawn_in_one_colour():
    image = pixels(render(points(80, classes=40), SCENE)[0])
    assert not has_colour(image, "#E69F00")


@pytest.mark.parametrize("count", [1, 2])
def test_few_points(count):
    assert len(render(points(count), SCENE)) == 2


def test_points_that_were_left_out_are_not_drawn():
    result = points(12)
    result.values[3] = float("nan")
    result["cells"][3] = -1
    assert len(render(result, SCENE)) == 2


def test_odd_class_names_are_drawn_without_a_warning():
    names = ("猫", "$x^2$ new\nline", "a very long class name that would not fit at all")
    made = points(20)
    result = Points(made.values, arrays=made.arrays, classes=names, axes=made.axes)
    assert len(render(result, SCENE)) == 2


def test_the_grid_puts_each_picture_in_its_cell():
    thumbnails = np.arange(3, dtype=np.uint8).repeat(4 * 4 * 3).reshape(3, 4, 4, 3) * 50
    canvas = grid_canvas(np.array([[0, 1], [1, 0], [-1, -1]]), thumbnails)
    assert canvas.shape == (11, 11, 3)
    assert (canvas[1:5, 6:10] == 0).all()
    assert (canvas[6:10, 1:5] == 50).all()
    assert (canvas[1:5, 1:5] == 255).all()
    assert not (canvas == 100).any()


def test_the_grid_is_as_large_as_it_is_drawn_however_many_pictures():
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    canvas = grid_canvas(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), thumbnails, largest=4)
    assert canvas.shape == (11, 11, 3)
    means = thumbnails[3].reshape(4, 2, 4, 2, 3).astype(float).mean((1, 3))
    assert np.abs(canvas[6:10, 6:10] - means).max() <= 1


def test_matches_mark_right_and_wrong_classes():
    (picture,) = render(matches(measures={"precision@4": 0.5}), SCENE)
    assert has_colour(pixels(picture), "#00725c")
    assert has_colour(pixels(picture), "#b5460f")
    assert "precision@4 0.5" in picture.caption
    assert "pixels" in picture.caption


def test_without_labels_nothing_is_right_or_wrong():
    (picture,) = render(matches(labels=False), SCENE)
    assert not has_colour(pixels(picture), "#00725c")
    assert not has_colour(pixels(picture), "#b5460f")


def test_without_pixel_neighbours_there_is_one_row():
    full = matches()
    plain = {k: v for k, v in full.arrays.items() if not k.startswith("pixel")}
    one = render(Matches(full.values, arrays=plain, classes=full.classes), SCENE)[0]
    two = render(full, SCENE)[0]
    assert pixels(one).shape[0] < pixels(two).shape[0]


def test_queries_of_their_own_are_drawn_with_their_names():
    full = matches(6)
    queries = torch.full((2, 8, 8, 3), 200, dtype=torch.uint8)
    arrays = {**full.arrays, "queries": queries, "query_labels": torch.tensor([-1, 0])}
    arrays |= {name: arrays[name][:2] for name in ("indices", "pixel_indices", "pixel_distances")}
    result = Matches(full.values[:2], arrays=arrays, classes=full.classes, names=full.names)
    scene = Scene(explainer="neighbors", names=("a.png", "b.png"))
    assert has_colour(pixels(render(result, scene)[0]), "#c8c8c8")


def test_which_queries_are_drawn():
    assert choose_queries(matches(4)) == (0, 1, 2, 3)
    assert choose_queries(matches(9, show=(7, 2))) == (7, 2)
    assert choose_queries(matches(21, labels=False)) == (0, 5, 10, 15, 20)
    ten = matches(40)
    ten.arrays["labels"].copy_(torch.arange(40) // 4)
    assert [int(ten["labels"][i]) for i in choose_queries(ten)] == [0, 2, 4, 7, 9]
    ten["indices"][0] = -1
    assert 0 not in choose_queries(ten)


def test_items_left_out_have_no_row():
    result = matches(3)
    result["indices"][:] = -1
    assert render(result, SCENE) == []


def test_pictures_are_the_same_each_time():
    for result in (points(15), matches()):
        first, second = render(result, SCENE), render(result, SCENE)
        assert [p.png for p in first] == [p.png for p in second]


def test_figures_in_words():
    assert measures_in_words({"images": 7, "share": 0.12345, "all": True}) == (
        "images 7 · share 0.123 · all yes"
    )
    assert measures_in_words({}) == ""
