"""Figures with options, vector files, and type that is readable on the overview page."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from helpers.folders import content, same
from helpers.spy import photos, tiny_model
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import convviz
from convviz import Heatmap, Mask, Matches, Points, Table, Tiles
from convviz.authoring import Stack
from convviz.errors import ParameterError, UnknownNameError
from convviz.explanation.explanation import Explanation
from convviz.gallery.cards import CSS_DPI
from convviz.images.batch import Item
from convviz.render import FigureOptions, Scene, draw_figure, file_type, render
from convviz.render.profile import bin_place
from convviz.scores.targets import Target

SMALLEST_CSS_PIXELS = 11
PAGE_CSS_PIXELS = 1140
"""Width of the pictures of an overview page in a window of 1280 pixels."""

RNG = torch.Generator().manual_seed(0)


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=RNG)


def pictures(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=RNG)


def scene(count: int = 1, side: int = 224, **options) -> Scene:
    return Scene(
        explainer="explainer",
        layer="layer",
        model="model",
        photos=pictures(count, side, side, 3),
        names=("photo.jpg",) * count,
        targets=("a class with a name (score 12.34)",) * count,
        options=FigureOptions(**options),
    )


def statistics() -> Table:
    columns = ("mean", "variance", "fires", "active")
    arrays = {
        "histogram": torch.ones(40, 4),
        "edges": torch.tensor([-np.inf, -1.0, 0.0, 1.0, np.inf]),
        "class_mean": rand(5, 40).double(),
        "dead": torch.arange(40) == 3,
    }
    classes = tuple(f"a long name of class {i}" for i in range(5))
    return Table(rand(40, 4).abs(), columns=columns, arrays=arrays, classes=classes)


def points() -> Points:
    arrays = {
        "labels": torch.arange(30) % 6 - 1,
        "cells": torch.stack([torch.arange(30) // 6, torch.arange(30) % 6], dim=1),
        "thumbnails": pictures(30, 16, 16, 3),
    }
    return Points(rand(30, 2), arrays=arrays, classes=tuple("abcde"), axes=("t-SNE 1", "t-SNE 2"))


def patches(stacks: int = 2) -> Tiles:
    titles = ["photo patches", "guided gradients, own scales", "c", "d"][:stacks]
    return Tiles(
        rand(8, 9),
        arrays={title: pictures(8, 9, 24, 24, 3) for title in titles},
        stacks=tuple(Stack(title=title, pictures=title) for title in titles),
        order=tuple(range(8)),
        captions=tuple(f"unit {i} · max 4.27 · 2.3 σ" for i in range(8)),
    )


def matches() -> Matches:
    arrays = {
        "indices": torch.arange(80).reshape(10, 8) % 10,
        "thumbnails": pictures(10, 16, 16, 3),
        "labels": torch.arange(10) % 3,
    }
    return Matches(
        rand(10, 8).abs(), arrays=arrays, classes=("x" * 30, "y", "z"), names=("n",) * 10
    )


RESULTS = {
    "heatmap": Heatmap(rand(1, 224, 224), signed=True, unit="score drop", window=(32, 32)),
    "targets": Heatmap(rand(1, 4, 224, 224), panels=tuple("abcd"), unit="score"),
    "classes": Heatmap((rand(1, 224, 224) > 0).float(), classes={0: "x" * 40, 1: "y"}),
    "gradient": Heatmap(rand(1, 3, 224, 224), colour=True, unit="gradient"),
    "mask": Mask(torch.ones(1, 224, 224).bool(), arrays={"seeds": torch.ones(1, 224, 224)}),
    "patches": patches(),
    "stack table": patches(4),
    "filters": Tiles(rand(64, 3, 7, 7), layout="rgb", signed=True, table={"norm": (1.0,) * 64}),
    "kernels": Tiles(rand(40, 40, 3, 3), layout="grid", signed=True),
    "matrix": Tiles(rand(50, 90), layout="matrix", signed=True, unit="weight"),
    "maps": Tiles(rand(1, 144, 7, 7), layout="images", overlays=((0, 1, 2, 3),), unit="activation"),
    "points": points(),
    "matches": matches(),
    "statistics": statistics(),
    "table": Table(rand(5, 10), columns=tuple(f"column number {i}" for i in range(10))),
}


@pytest.mark.parametrize("name", RESULTS)
def test_type_is_readable_where_the_page_shows_a_picture(name: str) -> None:
    for picture in render(RESULTS[name], scene()):
        with Image.open(io.BytesIO(picture.png)) as image:
            dpi = image.info["dpi"][0]
            assert image.width * CSS_DPI / dpi <= PAGE_CSS_PIXELS
        figure = draw_figure(RESULTS[name], scene(), picture.name)
        sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_text().strip()]
        assert min(sizes) * CSS_DPI / 72 >= SMALLEST_CSS_PIXELS


@pytest.mark.parametrize("name", ["heatmap", "points"])
def test_text_stays_text_in_vector_files_which_are_the_same_each_time(name: str) -> None:
    here = scene()
    svg, again = (render(RESULTS[name], here, file_type("svg")) for _ in range(2))
    assert [p.data for p in svg] == [p.data for p in again]
    text = svg[0].data.decode()
    assert re.search(r"<text[^>]*>explainer — layer", text)
    assert svg[0].file_name.endswith(".svg")
    (pdf, *_) = render(RESULTS[name], scene(), file_type("pdf"))
    assert pdf.data.startswith(b"%PDF")
    assert b"/Subtype /Type3" not in pdf.data.replace(b"/Subtype/", b"/Subtype /")
    assert b"/FontFile2" in pdf.data  # a TrueType font, whose text can be searched and edited


def test_a_figure_keeps_its_text_whatever_the_settings_of_the_user(tmp_path) -> None:
    figure = draw_figure(RESULTS["heatmap"], scene())
    assert isinstance(figure, Figure)
    with matplotlib.rc_context({"svg.fonttype": "path"}):
        figure.savefig(tmp_path / "figure.svg")
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert "<text" in (tmp_path / "figure.svg").read_text()


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_options_of_a_figure() -> None:
    heatmap = RESULTS["heatmap"]
    with_title, bare = (draw_figure(heatmap, scene(title=title)) for title in (True, False))
    assert "explainer — layer" in texts(with_title)
    assert "explainer" not in texts(bare)
    assert "score drop" in texts(bare)  # the unit of the colour bar
    assert draw_figure(heatmap, scene(width=3.3)).get_size_inches()[0] == pytest.approx(3.3)
    assert draw_figure(statistics(), scene(width=5)).get_size_inches()[0] == pytest.approx(5)
    panels = draw_figure(heatmap, scene(panels=("map", "photo")))
    assert [ax.get_title("left") for ax in panels.axes] == ["map", "photo", ""]
    only_photo = draw_figure(heatmap, scene(panels=("photo",)))
    assert len(only_photo.axes) == 1  # without a colour bar
    narrow = draw_figure(RESULTS["filters"], scene(width=3))
    assert "norm" not in texts(narrow)  # there is no room for the list
    one_stack = draw_figure(patches(), scene(panels=("photo patches",)))
    assert "guided" not in texts(one_stack)


def test_the_colour_map_of_the_user_is_that_of_the_panel_and_its_bar() -> None:
    figure = draw_figure(RESULTS["heatmap"], scene(cmap="PuOr", panels=("map",)))
    (image,) = figure.axes[0].images
    assert image.get_cmap().name == "PuOr"
    assert figure.axes[1]._colorbar.cmap.name == "PuOr"
    maps = draw_figure(RESULTS["maps"], scene(cmap="magma"))
    shown = maps.axes[-2].images[0].get_array()
    assert (shown[..., 0] != shown[..., 2]).any()  # no greys


def test_panels_of_targets_with_the_same_name_are_all_drawn() -> None:
    maps = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)])[None]
    twins = Heatmap(maps, panels=("crane", "crane"))
    figure = draw_figure(twins, Scene())
    assert [float(ax.images[0].get_array().mean()) for ax in figure.axes[:2]] == [0.0, 1.0]


def explanation(result) -> Explanation:
    item = Item("a", "a.png", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (8, 8))
    target = Target(1, None, "dog", 2.5)
    return Explanation(result=result, explainer=None, name="thing", items=(item,), target=(target,))


def test_class_means_lie_on_the_axis_of_the_histogram() -> None:
    edges = np.array([-np.inf, -1.0, 0.0, 0.0, 1.0, 4.0, np.inf])
    places = {-9.0: 0, -0.5: 1, 0.0: 2, 0.25: 2.75, 1.0: 3.5, 2.5: 4.0, 9.0: 5}
    assert {value: bin_place(edges, value) for value in places} == places
    figure = draw_figure(replace(statistics(), show=(7,)), scene())
    histogram, classes = figure.axes
    assert histogram.get_xlim() == classes.get_xlim()
    names = [text.get_text() for text in classes.get_yticklabels()]
    assert len(names) == 5


def test_a_figure_of_an_explanation_and_its_mistakes() -> None:
    thing = explanation(statistics())
    assert thing.figure("classes", dpi=200).dpi == 200
    assert texts(thing.figure(1)) == texts(thing.figure("classes"))
    for options, named in (
        ({"picture": "clases"}, "classes"),
        ({"picture": 7}, "0 to 1"),
        ({"cmap": "virdis"}, "viridis"),
        ({"panels": ["map"]}, "no panels"),
        ({"panels": "map"}, "list"),
        ({"size": 0.1}, "size=0.1"),
        ({"dpi": 1e9}, "dpi"),
    ):
        with pytest.raises((ParameterError, UnknownNameError), match=re.escape(named)):
            thing.figure(**options)
    with pytest.raises(ParameterError, match="cmap"):
        explanation(RESULTS["mask"]).figure(cmap="magma")
    with pytest.raises(UnknownNameError, match="'overlay'; known: 'a', 'b'"):
        explanation(RESULTS["targets"]).figure(panels=["a", "overlay"])  # it has no photo


@pytest.mark.parametrize("format", ["svg", "pdf", "png"])
def test_saving_in_a_format(format: str, tmp_path) -> None:
    thing = explanation(Heatmap(rand(1, 8, 8)))
    thing.save(tmp_path)
    thing.save(tmp_path, format=format, title=False, dpi=60)
    assert [path.name for path in tmp_path.glob("picture.*")] == [f"picture.{format}"]
    assert convviz.load(tmp_path).equals(thing)
    with pytest.raises(ParameterError, match="jpeg"):
        thing.save(tmp_path, format="jpeg")


def test_frames_of_the_grid_have_the_colours_of_the_legend() -> None:
    figure = draw_figure(points(), scene(), "grid")
    legend = figure.axes[0].get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [*"abcde", "no label"]
    canvas = figure.axes[0].images[0].get_array().reshape(-1, 3)
    for patch in legend.get_patches():
        colour = (np.array(patch.get_edgecolor()[:3]) * 255).round()
        assert (np.abs(canvas - colour).max(axis=1) <= 1).any()


def test_the_same_run_twice_gives_the_same_bytes(tmp_path) -> None:
    what = [
        convviz.explainer("patches", layers=("0",), k=2, draw=2),
        convviz.explainer("statistics", layers=("0",)),
        *("neighbors", "embedding"),
    ]
    for name in ("a", "b"):
        data = photos(9), [0, 1, 2] * 3
        convviz.analyze(tiny_model(), data, what, tmp_path / name, batch_size=4, pictures=True)
    files = content(tmp_path / "a")
    same(files, content(tmp_path / "b"))
    assert len([name for name in files if name.endswith(".png")]) >= 6
