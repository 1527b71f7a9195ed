"""`convviz demo`, on fewer photos and digits."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

import convviz
from convviz.cli.main import run
from convviz_plugins.commands import _photo_tiles, demo

ALL = {
    *("filters", "activations", "predictions", "patches", "neighbors", "embedding"),
    "statistics",
    *("occlusion", "saliency", "guided_backprop", "grabcut", "grad_cam", "guided_grad_cam"),
    *("input_x_gradient", "integrated_gradients", "flip", "ablation"),
}


@pytest.fixture
def small(monkeypatch):
    """Make the demo short."""
    monkeypatch.setattr(demo, "PHOTOS", {"coffee": demo.PHOTOS["coffee"]})
    tiles = {name: _photo_tiles.PHOTOS[name] for name in ("cat", "pavilion")}
    monkeypatch.setattr(_photo_tiles, "PHOTOS", tiles)
    monkeypatch.setattr(demo, "TILE_STEP", 240)
    monkeypatch.setattr(demo, "DIGITS", "demo-digits:?limit=60")
    quick = {
        "occlusion": {"stride": 96},
        "flip": {"max_area": 0.02},
        "activations": demo.PARAMETERS["activations"],
    }
    quick["integrated_gradients"] = {"steps": 2}
    monkeypatch.setattr(demo, "PARAMETERS", quick)


def leaves(folder):
    documents = [json.loads(p.read_text("utf-8")) for p in folder.rglob("explanation.json")]
    return {d["explainer"]["name"]: d for d in documents}


def test_the_demo_shows_all_explainers_and_says_where(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["demo"]) == 0
    out = tmp_path / "convviz-demo"
    found = leaves(out)
    assert set(found) == ALL == {*demo.ONE_IMAGE, *demo.DATA_SET, "filters"}
    assert all(document["pictures"] for document in found.values())
    assert found["saliency"]["target"][0]["label"] == "espresso"
    page = (out / "index.html").read_text("utf-8")
    ids = [f'id="{name.replace("_", "-")}"' for name in demo.ORDER]
    assert [i for i in ids if i in page] == ids
    printed = capsys.readouterr().out
    assert str(out / "index.html") in printed
    assert convviz.open_run(out / "digits")["neighbors"].values.shape == (60, 8)
    tiles = convviz.open_run(out / "tiles")
    assert tiles.classes == ("cat", "pavilion")
    assert tuple(tiles["patches"]) == demo.TILE_LAYERS
    for name in demo.RUNS:
        assert str(out / f"{name}-report" / "index.html") in printed
        assert f"convviz serve convviz-demo/{name}\n" in printed
        pages = out / f"{name}-report"
        assert len([*pages.glob("layer/*.html"), *pages.glob("map/*.html")]) >= 4
        photos = list((pages / "media" / "photos").rglob("*.*"))
        assert len(photos) == len(convviz.open_run(out / name).items)


def test_an_interrupt_leaves_what_is_done_with_a_page(small, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_explain_photo", interrupted)
    assert run(["demo", "--out", str(tmp_path / "out")]) == 130
    assert set(leaves(tmp_path / "out")) == {"filters"}
    assert 'id="filters"' in (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "the results so far are in" in capsys.readouterr().err


def test_a_folder_in_use_is_left_alone(tmp_path):
    new, empty, used = tmp_path / "new", tmp_path / "empty", tmp_path / "used"
    empty.mkdir()
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    (tmp_path / "used-2").write_text("a file")
    assert demo.free_folder(new) == new
    assert demo.free_folder(empty) == empty
    assert demo.free_folder(used) == tmp_path / "used-3"
    assert (used / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", demo.PHOTOS)
def test_the_photos_come_with_their_packages(name):
    package, inside = demo.PHOTOS[name]
    photo = files(package).joinpath(inside)
    assert photo.is_file()
    assert convviz.load_image(str(photo)).shape[2] == 3
