"""`convviz show`: pictures of a run, also of units that the run did not draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz
from convviz.cli.main import run as convviz_cli
from convviz.cli.show import loader
from convviz.render.unit import draw_unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run over files, with all data-set explainers."""
    home = tmp_path_factory.mktemp("show")
    rng = np.random.default_rng(0)
    for i in range(8):
        (home / "photos" / f"c{i % 2}").mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / "photos" / f"c{i % 2}" / f"{i}.png")
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(5, 2),
    )  # fmt: skip
    flat = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    what = [
        convviz.explainer("patches", layers=("1",), k=4, units=2),
        convviz.explainer("neighbors", k=2),
        convviz.explainer("embedding", method="pca"),
        convviz.explainer("statistics", layers=("1",)),
    ]
    convviz.analyze(
        convviz.Model(net, preprocess=flat, name="tiny"), home / "photos", what, home / "run"
    )
    return home / "run"


@pytest.fixture
def shows(folder, tmp_path, monkeypatch, capsys):
    """Call `convviz show RUN`, and return its exit code, the paths it prints, and its errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)

    def call(*arguments):
        code = convviz_cli(["show", str(folder), *arguments])
        out, err = capsys.readouterr()
        return code, [Path(line) for line in out.split()], err

    return call


def test_show_names_the_pictures_of_the_run_or_copies_them(shows, folder, tmp_path):
    code, paths, _ = shows()
    assert code == 0
    assert set(paths) == set(folder.glob("results/*/*/*.png"))
    _, copied, _ = shows("-e", "statistics", "-o", "here")
    assert [str(p) for p in copied] == [
        "here/statistics/1/classes.png", "here/statistics/1/profile.png",
    ]  # fmt: skip
    for path in copied:
        assert path.read_bytes() == (folder / "results/statistics/1" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["patches", "neighbors", "statistics"])
def test_show_draws_one_unit(shows, folder, name):
    unit = convviz.open_run(folder)["patches"]["1"].result.order[0]
    code, (path,), _ = shows("-e", name, "-u", str(unit), "-o", "here")
    assert code == 0
    assert path.name.startswith(f"unit-{unit}-")
    with Image.open(path) as picture:
        assert picture.width > 200


def test_the_picture_of_one_unit_counts_no_units(folder, monkeypatch):
    found = convviz.open_run(folder)["patches"]["1"]
    drawn = []
    monkeypatch.setattr(
        "convviz.render.unit.render", lambda result, scene: drawn.append(result) or []
    )
    draw_unit(found.result, found.scene, found.items, found.result.order[0], lambda item: None)
    (one,) = drawn
    assert any(note.startswith("2 of 5 units are drawn") for note in found.result.notes)
    assert not [note for note in one.notes if "units" in note]
    assert one.notes[0] == found.result.notes[0]


def test_the_picture_of_a_unit_without_gradients_has_no_notes_on_them(folder, monkeypatch):
    found = convviz.open_run(folder)["patches"]["1"]
    drawn = []
    monkeypatch.setattr(
        "convviz.render.unit.render", lambda result, scene: drawn.append(result) or []
    )
    left = next(u for u in range(5) if u not in found.result.order)
    pixels = np.zeros((16, 16, 3), np.uint8)
    draw_unit(found.result, found.scene, found.items, left, lambda item: pixels)
    subjects = {getattr(note, "about", "") for note in found.result.notes}
    assert subjects == {"", "units", "guided gradients"}
    assert drawn[0].notes
    assert {getattr(note, "about", "") for note in drawn[0].notes} == {""}


def test_a_unit_that_was_not_drawn_is_cut_out_of_the_photos(shows, folder):
    run = convviz.open_run(folder)
    found = run["patches"]["1"]
    (left, *_) = [u for u in range(5) if u not in found.result.order]
    seen = []

    def load(item):
        seen.append(item.id)
        return loader(run, str(folder.parent / "photos"))(item)

    (picture,) = draw_unit(found.result, found.scene, found.items, left, load)
    assert picture.png[:4] == b"\x89PNG"
    assert seen == [run.items[i].id for i in found["items"][left].tolist()]
    photos = str(folder.parent / "photos")
    code, (path,), _ = shows("-e", "patches", "-u", str(left), "--photos", photos)
    assert code == 0
    assert path.read_bytes() == picture.png


def test_photos_that_are_gone_are_named(shows, folder):
    found = convviz.open_run(folder)["patches"]["1"]
    (left, *_) = [u for u in range(5) if u not in found.result.order]
    code, _, err = shows("-e", "patches", "-u", str(left), "--photos", "demo-digits")
    assert code == 1
    assert "photos are not available: 'demo-digits" in err
    assert "--photos DATASET" in err
    code, _, err = shows("-e", "patches", "-u", str(left), "--photos", "no-such-folder")
    assert code == 1
    assert "--photos DATASET" in err


def test_show_says_what_there_is(shows):
    assert shows("-e", "embedding", "-u", "0")[0] == 2
    assert "no units" in shows("-e", "embedding", "-u", "0")[2]
    assert "has units 0 to 4" in shows("-e", "patches", "-u", "5")[2]
    assert "statistics" in shows("-e", "statisics")[2]
    assert "layer of statistics" in shows("-e", "statistics", "-l", "9")[2]
