"""Pictures of runs: drawn when something shows them, with the bytes of a sweep with `pictures`."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.folders import content, same
from PIL import Image

import convviz
from convviz import ConvvizWarning, ParameterError
from convviz.cli.main import run as convviz_cli
from convviz.sweep.store.local import LocalRunStore

LAYERS = ("stage1.conv", "stage2.relu")
WHAT = [
    convviz.explainer("patches", layers=LAYERS, k=2, draw=2),
    convviz.explainer("statistics", layers=LAYERS[:1]),
]


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture(scope="module")
def home(model, tmp_path_factory) -> Path:
    """A folder with photos, a run without pictures, and one with them."""
    home = tmp_path_factory.mktemp("pictures")
    digits = convviz.open_dataset("demo-digits")
    for i in range(8):
        (home / "photos" / f"c{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.load(i)).save(home / "photos" / f"c{i % 2}" / f"{i}.png")
    convviz.analyze(model, home / "photos", WHAT, home / "run")
    convviz.analyze(model, home / "photos", WHAT, home / "drawn", pictures=True)
    return home


@pytest.fixture
def run(home, tmp_path, monkeypatch) -> Path:
    """A copy of the run without pictures."""
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home" / "run"


def shown(*arguments: str) -> int:
    return convviz_cli(["show", *arguments])


def test_a_sweep_draws_nothing_and_show_gives_the_bytes_of_a_sweep_with_pictures(run, capsys):
    assert not list(run.rglob("*.png"))
    assert not convviz.open_run(run)["patches"][LAYERS[0]].result.stacks
    assert shown(str(run), "-e", "patches") == 0
    assert [Path(line).name for line in capsys.readouterr().out.split()] == ["picture.png"] * 2
    assert not list(run.rglob("statistics/**/*.png"))
    assert shown(str(run)) == 0
    same(content(run), content(run.parent / "drawn"))
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.png")}
    assert shown(str(run)) == 0
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*.png")}


def test_the_same_call_with_pictures_adds_them_to_a_finished_run(run, model):
    convviz.analyze(model, run.parent / "photos", WHAT, run, pictures=True)
    same(content(run), content(run.parent / "drawn"))


def test_an_explanation_of_a_run_draws_its_pictures_at_first_access_and_keeps_the_arrays(run):
    opened, drawn = convviz.open_run(run), convviz.open_run(run.parent / "drawn")
    for layer in LAYERS:
        expected = drawn["patches"][layer]
        explanation = opened["patches"][layer]
        assert explanation.pictures()[0].png == expected.pictures()[0].png
        assert explanation["guided gradients"].equal(expected["guided gradients"])
        assert opened["patches"][layer].equals(expected)
        assert convviz.open_run(run)["patches"][layer].result.stacks
        assert opened.draw("patches", layer).equals(expected)
    assert "<img" in convviz.open_run(run)["patches"][LAYERS[0]]._repr_html_()


def test_arrays_in_memory_are_drawn_by_the_call_that_swept_them(model, tmp_path):
    photos = np.stack([convviz.open_dataset("demo-digits").load(i) for i in range(6)])
    run = convviz.analyze(model, photos, WHAT[0], tmp_path / "run")
    assert run["patches"][LAYERS[0]]["photo patches"].shape[:2] == (2, 2)


def test_a_photo_that_has_changed_is_not_drawn(run):
    items = convviz.open_run(run).items.ids
    for name in items:
        path = run.parent / "photos" / name
        with Image.open(path) as photo:
            Image.fromarray(255 - np.asarray(photo)).save(path)
    explanation = convviz.open_run(run)["patches"][LAYERS[0]]
    with pytest.raises(convviz.ConvvizError, match="has changed since it was swept"):
        explanation.pictures()
    assert "has changed since it was swept" in explanation._repr_html_()
    with pytest.warns(ConvvizWarning, match="saved without pictures: .*has changed"):
        explanation.save(run.parent / "saved")
    assert convviz.load(run.parent / "saved").equals(explanation)


def test_another_model_draws_nothing(run, model):
    other = convviz.load_model("demo-digits")
    with other.session():
        next(other.module.parameters()).data.add_(1.0)
    other = convviz.Model(other.module, preprocess=other.preprocess, name="other")
    with pytest.raises(ParameterError, match="'other' has other weights"):
        convviz.open_run(run, other)["patches"][LAYERS[0]].pictures()


def test_without_the_model_patches_are_drawn_from_the_photos_and_not_kept(run, capsys, monkeypatch):
    def refuse(*arguments: object, **keywords: object) -> None:
        raise ParameterError("this requires the model of the run")

    monkeypatch.setattr(convviz.Run, "load_model", refuse)
    before = content(run)
    assert shown(str(run), "-e", "patches", "-l", LAYERS[0]) == 0
    assert capsys.readouterr().out.split() == [f"convviz-out/patches/{LAYERS[0]}/picture.png"]
    assert content(run) == before
    drawn = convviz.open_run(run).draw("patches", LAYERS[0])
    assert [s.title for s in drawn.result.stacks] == ["photo patches"]
    assert "the model of the run" in drawn.result.notes[-1]


def test_a_run_that_another_process_writes_to_is_shown_elsewhere(run, capsys, model):
    with LocalRunStore(run).lock():
        assert shown(str(run), "-e", "statistics") == 0
        assert not convviz.open_run(run, model).save_pictures()
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert paths
    assert all(path.parts[0] == "convviz-out" for path in paths)
    assert not list(run.rglob("*.png"))


def test_nothing_is_drawn_that_could_not_be_kept(run, model, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("a photo was read")

    monkeypatch.setattr("convviz.sweep.photos.PhotosOfRun.load", refuse)
    with LocalRunStore(run).lock():
        assert not convviz.open_run(run, model).save_pictures("patches")


def test_a_picture_that_fails_does_not_cost_the_run(model, tmp_path, monkeypatch):
    def fails(result, scene):
        raise RuntimeError("no ink")

    photos = np.stack([convviz.open_dataset("demo-digits").load(i) for i in range(4)])
    monkeypatch.setattr("convviz.explanation.content.render", fails)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = convviz.analyze(model, photos, WHAT[1], tmp_path / "run", pictures=True)
    texts = [str(warning.message) for warning in caught]
    assert any("no ink" in text for text in texts)
    assert any("not all pictures could be saved" in text for text in texts)
    assert run["statistics"][LAYERS[0]].values.isfinite().all()


def test_a_result_that_claims_another_place_is_refused(run, rewrite, tmp_path):
    """Otherwise its pictures would be written there, and a link may lead anywhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    results = run / "results" / "patches"
    (results / "elsewhere").symlink_to(outside)
    rewrite(results / LAYERS[0] / "explanation.json", lambda d: d.update(layer="elsewhere"))
    with pytest.raises(convviz.ConvvizError, match="holds the result of patches elsewhere"):
        convviz.open_run(run)["patches"][LAYERS[0]].pictures()
    assert not list(outside.iterdir())


def test_analyze_names_the_commands_that_show_a_run_and_writes_its_report(run, capsys, tmp_path):
    photos, out = str(run.parent / "photos"), str(tmp_path / "my run")
    command = ["analyze", photos, "-e", "patches", "-m", "demo-digits", "-o", out]
    assert convviz_cli([*command, "--report", str(tmp_path / "pages")]) == 0
    printed = capsys.readouterr().out
    assert f"pictures: convviz show '{out}' -e patches" in printed
    assert f"live pages: convviz serve '{out}' -m demo-digits" in printed
    assert f"report: {tmp_path / 'pages' / 'index.html'}" in printed
    assert (tmp_path / "pages" / "layer").is_dir()
    page = Path(out, "index.html").read_text("utf-8")
    assert "convviz show" in page
    assert convviz_cli(command) == 0
    assert f"interactive pages: convviz report '{out}' --out" in capsys.readouterr().out
    assert shown(out, "-e", "patches") == 0
    assert "convviz show" not in Path(out, "index.html").read_text("utf-8")
