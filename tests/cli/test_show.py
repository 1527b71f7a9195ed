"""`convviz show`: pictures of a run, also of units that the run did not draw."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz.cli.main import run as convviz_cli
from convviz.render.unit import restrict


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


def subjects(notes) -> set[str]:
    return {getattr(note, "about", "") for note in notes}


def test_the_picture_of_one_unit_counts_no_units(run_folder):
    patches = convviz.open_run(run_folder)["patches"]["1"]
    assert any(note.startswith("2 of 5 units are drawn") for note in patches.result.notes)
    drawn = convviz.open_run(run_folder).draw("patches", "1", units=patches.result.order[0]).result
    assert not [note for note in drawn.notes if "units" in note]
    assert drawn.notes[0] == patches.result.notes[0]


def test_without_the_model_a_unit_is_cut_out_of_the_photos_without_notes_on_gradients(run_folder):
    patches = convviz.open_run(run_folder)["patches"]["1"]
    left = next(u for u in range(5) if u not in patches.result.order)
    pixels = np.zeros((16, 16, 3), np.uint8)
    drawn = restrict(patches.result, (left,), patches.items, lambda item: pixels)
    assert subjects(patches.result.notes) == {"", "units", "guided gradients"}
    assert drawn.notes
    assert subjects(drawn.notes) == {""}
    assert drawn["photo patches"].shape == (1, 4, 96, 96, 3)


@pytest.mark.parametrize("with_model", [True, False])
def test_units_that_were_not_drawn_look_as_in_a_run_that_drew_them(
    network, run_folder, tmp_path, with_model, monkeypatch
):
    """From another run_folder; without the model there are no guided gradients."""
    monkeypatch.chdir(tmp_path)
    run = convviz.open_run(run_folder, network if with_model else None)
    order = run["patches"]["1"].result.order
    chosen = tuple(u for u in range(5) if u not in order)[:2]
    drawn = run.draw("patches", "1", units=chosen)
    asked = convviz.explainer("patches", layers=("1",), k=4, units=chosen)
    other = convviz.analyze(network, run_folder.parent / "photos", asked, tmp_path / "asked")
    [expected] = other.draw("patches", units=chosen).pictures()
    [picture] = drawn.pictures()
    assert (picture.png == expected.png) is with_model
    assert drawn.result.order == chosen
    assert ("guided gradients" in drawn.result.arrays) or not with_model


def test_show_draws_ranges_of_units_wherever_one_stands(shows, run_folder):
    code, (path,), err = shows("-e", "patches", "-u", "0-2,4")
    assert code == 0, err
    assert path == Path("convviz-out/patches/1/units-0-2,4-picture.png")
    [picture] = convviz.open_run(run_folder).draw("patches", units="0-2,4").pictures()
    assert path.read_bytes() == picture.png
    code, paths, _ = shows("-e", "statistics", "-u", "1,3")
    assert [p.name for p in paths] == ["units-1,3-profile-1.png", "units-1,3-profile-3.png"]


def test_photos_are_found_after_run_and_photos_have_moved(run_folder, tmp_path):
    shutil.copytree(run_folder.parent, tmp_path / "elsewhere")
    moved = convviz.open_run(tmp_path / "elsewhere" / "run")
    assert moved.open_dataset().paths[0].is_relative_to(tmp_path / "elsewhere" / "photos")
    shutil.rmtree(tmp_path / "elsewhere" / "photos")
    assert moved.open_dataset().paths[0].is_relative_to(run_folder.parent / "photos")


@pytest.mark.parametrize("scheme", ["", "list:"])
def test_the_place_of_a_table_is_recorded_with_its_options(
    run_folder, network, tmp_path, monkeypatch, scheme
):
    monkeypatch.chdir(run_folder.parent)
    Path("list.csv").write_text("file,label\nphotos/c0/0.png,a\nphotos/c1/1.png,b\n")
    what = convviz.explainer("statistics", layers=("1",))
    run = convviz.analyze(network, f"{scheme}list.csv?path=file", what, tmp_path / "run")
    monkeypatch.chdir("/")
    place = convviz.open_run(tmp_path / "run").plan["dataset"]["place"]
    assert place["path"] == str(run_folder.parent / "list.csv")
    assert place["options"] == {"path": "file"}
    assert run.open_dataset().ids == tuple(run.items.ids)


def test_show_draws_the_neighbours_of_chosen_images(shows, run_folder):
    run = convviz.open_run(run_folder)
    code, (path,), err = shows("--query", "5.png", "-q", "c0/2.png")
    assert code == 0, err
    ids = [item.id for item in run.items]
    drawn = run.draw("neighbors", queries=("5.png", "c0/2.png"))
    assert [ids[i] for i in drawn.result.show] == ["c1/5.png", "c0/2.png"]
    assert path.read_bytes() == drawn.pictures()[0].png
    assert "image of the run '9.png'" in shows("-q", "9.png")[2]
    assert "has no queries" in shows("-e", "patches", "-q", "5.png")[2]


def test_neighbors_of_chosen_images_are_drawn_in_the_run(run_folder, network, tmp_path):
    what = convviz.explainer("neighbors", k=2, queries="5.png")
    run = convviz.analyze(network, run_folder.parent / "photos", what, tmp_path / "run")
    [index] = run["neighbors"].only.result.show
    assert run.items[index].id == "c1/5.png"


def test_photos_that_are_gone_are_named(shows, run_folder):
    found = convviz.open_run(run_folder)["patches"]["1"]
    (left, *_) = [u for u in range(5) if u not in found.result.order]
    code, _, err = shows("-e", "patches", "-u", str(left), "--photos", "demo-digits")
    assert code == 1
    assert "photos are not available: 'demo-digits" in err
    assert "--photos DATASET" in err
    code, _, err = shows("-e", "patches", "-u", str(left), "--photos", "no-such-run_folder")
    assert code == 1
    assert "--photos DATASET" in err


def test_show_says_what_there_is(shows):
    assert shows("-e", "embedding", "-u", "0")[0] == 2
    assert "no units" in shows("-e", "embedding", "-u", "0")[2]
    assert "has units 0 to 4" in shows("-e", "patches", "-u", "5")[2]
    assert "statistics" in shows("-e", "statisics")[2]
    assert "layer of statistics" in shows("-e", "statistics", "-l", "9")[2]
