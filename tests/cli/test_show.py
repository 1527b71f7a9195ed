"""`convviz show`: pictures of a run, also of units that the run did not draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz.cli.main import run as convviz_cli
from convviz.cli.show import loader
from convviz.render.unit import draw_unit


@pytest.fixture
def shows(run_folder, tmp_path, monkeypatch, capsys):
    """Call `convviz show RUN`, and return its exit code, the paths it prints, and its errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)

    def call(*arguments):
        code = convviz_cli(["show", str(run_folder), *arguments])
        out, err = capsys.readouterr()
        return code, [Path(line) for line in out.split()], err

    return call


def test_show_names_the_pictures_of_the_run_or_copies_them(shows, run_folder, tmp_path):
    code, paths, _ = shows()
    assert code == 0
    assert set(paths) == set(run_folder.glob("results/*/*/*.png"))
    _, copied, _ = shows("-e", "statistics", "-o", "here")
    assert [str(p) for p in copied] == [
        "here/statistics/1/classes.png", "here/statistics/1/profile.png",
    ]  # fmt: skip
    for path in copied:
        assert path.read_bytes() == (run_folder / "results/statistics/1" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["patches", "neighbors", "statistics"])
def test_show_draws_one_unit(shows, run_folder, name):
    unit = convviz.open_run(run_folder)["patches"]["1"].result.order[0]
    code, (path,), _ = shows("-e", name, "-u", str(unit), "-o", "here")
    assert code == 0
    assert path.name.startswith(f"unit-{unit}-")
    with Image.open(path) as picture:
        assert picture.width > 200


def test_the_picture_of_one_unit_counts_no_units(run_folder, monkeypatch):
    found = convviz.open_run(run_folder)["patches"]["1"]
    drawn = []
    monkeypatch.setattr(
        "convviz.render.unit.render", lambda result, scene, kind: drawn.append(result) or []
    )
    draw_unit(found.result, found.scene, found.items, found.result.order[0], lambda item: None)
    (one,) = drawn
    assert any(note.startswith("2 of 5 units are drawn") for note in found.result.notes)
    assert not [note for note in one.notes if "units" in note]
    assert one.notes[0] == found.result.notes[0]


def test_the_picture_of_a_unit_without_gradients_has_no_notes_on_them(run_folder, monkeypatch):
    found = convviz.open_run(run_folder)["patches"]["1"]
    drawn = []
    monkeypatch.setattr(
        "convviz.render.unit.render", lambda result, scene, kind: drawn.append(result) or []
    )
    left = next(u for u in range(5) if u not in found.result.order)
    pixels = np.zeros((16, 16, 3), np.uint8)
    draw_unit(found.result, found.scene, found.items, left, lambda item: pixels)
    subjects = {getattr(note, "about", "") for note in found.result.notes}
    assert subjects == {"", "units", "guided gradients"}
    assert drawn[0].notes
    assert {getattr(note, "about", "") for note in drawn[0].notes} == {""}


def test_a_unit_that_was_not_drawn_is_cut_out_of_the_photos(shows, run_folder):
    run = convviz.open_run(run_folder)
    found = run["patches"]["1"]
    (left, *_) = [u for u in range(5) if u not in found.result.order]
    seen = []

    def load(item):
        seen.append(item.id)
        return loader(run, str(run_folder.parent / "photos"))(item)

    (picture,) = draw_unit(found.result, found.scene, found.items, left, load)
    assert picture.png[:4] == b"\x89PNG"
    assert seen == [run.items[i].id for i in found["items"][left].tolist()]
    photos = str(run_folder.parent / "photos")
    code, (path,), _ = shows("-e", "patches", "-u", str(left), "--photos", photos)
    assert code == 0
    assert path.read_bytes() == picture.png


def test_photos_that_are_gone_are_named(shows, run_folder):
    found = convviz.open_run(run_folder)["patches"]["1"]
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
