"""Guided gradients of the top patches of a unit, as the app computes them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.web_client import Client
from PIL import Image

import convviz
from convviz import ConvvizError, ImageError, ParameterError

pytest.importorskip("starlette", reason="the app requires convviz[web]")
from convviz.web.guided_patches import FILE_NAME, GuidedGradients
from convviz.web.loaded_model import LoadedModel
from convviz.web.tasks import guided_patches
from convviz.web.worker_settings import WorkerSettings

LAYER = "stage3.relu"
UNITS = (5, 11)


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of ten digits."""
    folder = tmp_path_factory.mktemp("guided") / "photos"
    digits = convviz.open_dataset("demo-digits:?limit=10")
    for i in range(10):
        file = folder / str(i % 2) / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.load(i)).save(file)
    return folder


@pytest.fixture(scope="module")
def run(model: convviz.Model, photos: Path) -> convviz.Run:
    patches = convviz.explainer("patches", layers=(LAYER,), draw=1, k=3)
    return convviz.analyze(model, photos, patches, photos.parent / "run")


@pytest.fixture(scope="module")
def expected(run: convviz.Run) -> dict[int, np.ndarray]:
    """The guided gradients that `Run.draw` computes, `[k, h, w, 3]` by unit."""
    drawn = {unit: run.draw("patches", LAYER, units=unit) for unit in UNITS}
    return {unit: one["guided gradients"][0].numpy() for unit, one in drawn.items()}


def pictures_of(answer: Any) -> np.ndarray:
    """Return the pictures of an answer, uint8 `[k, h, w, 3]`."""
    document, files = answer
    kind, data = files[FILE_NAME]
    assert kind == "image/png"
    sheet = np.asarray(Image.open(io.BytesIO(data)))
    return np.stack(np.split(sheet, document["columns"], axis=1))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_gradients_are_those_of_run_draw_and_the_run_folder_stays_as_it_is(
    run: convviz.Run, model: convviz.Model, expected: dict[int, np.ndarray]
) -> None:
    before = files_of(run.folder)
    patches = GuidedGradients(convviz.open_run(run.folder), model)
    for unit in UNITS:
        answer = patches.of_unit(LAYER, unit)
        assert np.array_equal(pictures_of(answer), expected[unit])
        assert any("mid-grey" in note for note in answer[0]["notes"])
    assert files_of(run.folder) == before


def test_gradients_are_drawn_where_the_sweep_has_drawn_other_pictures(
    model: convviz.Model, photos: Path, expected: dict[int, np.ndarray], tmp_path: Path
) -> None:
    patches = convviz.explainer(
        "patches", layers=(LAYER,), units=UNITS, k=3, guided=False, per_class=True
    )
    run = convviz.analyze(model, photos, patches, tmp_path / "run", pictures=True)
    assert "guided gradients" not in run["patches"][LAYER].result.arrays
    answer = GuidedGradients(run, model).of_unit(LAYER, UNITS[0])
    assert np.array_equal(pictures_of(answer), expected[UNITS[0]])


def test_gradients_that_the_run_holds_need_no_photos(
    model: convviz.Model, expected: dict[int, np.ndarray], photos: Path, tmp_path: Path
) -> None:
    patches = convviz.explainer("patches", layers=(LAYER,), units=UNITS, k=3)
    run = convviz.analyze(model, photos, patches, tmp_path / "run", pictures=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = GuidedGradients(run, model, str(empty)).of_unit(LAYER, UNITS[1])
    assert np.array_equal(pictures_of(answer), expected[UNITS[1]])


def test_pictures_are_kept_up_to_a_size(run: convviz.Run, model: convviz.Model) -> None:
    first, second = UNITS
    patches = GuidedGradients(run, model)
    answer = patches.of_unit(LAYER, first)
    patches.of_unit(LAYER, second)
    assert patches.of_unit(LAYER, first) is answer
    small = GuidedGradients(run, model, max_bytes=1)
    answer = small.of_unit(LAYER, first)
    assert small.of_unit(LAYER, first) is answer  # the last one is always kept
    small.of_unit(LAYER, second)
    again = small.of_unit(LAYER, first)
    assert again is not answer
    assert again == answer


def test_a_model_with_other_weights_is_refused(run: convviz.Run) -> None:
    other = convviz.load_model("demo-digits")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    with pytest.raises(ParameterError, match=r"other weights.*-m"):
        GuidedGradients(run, other)
    state = LoadedModel(WorkerSettings(None, run.address, "."))
    state.model = other
    document, files = guided_patches(state, {"layer": LAYER, "unit": 0})
    assert "other weights" in document["refused"]
    assert files == {}


def test_a_model_that_cannot_be_loaded_is_refused(photos: Path, tmp_path: Path) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    preprocess = convviz.Preprocess(resize=32, crop=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    unnamed = convviz.Model(module.eval(), preprocess=preprocess)
    run = convviz.analyze(
        unnamed, photos, convviz.explainer("patches", layers=("1",)), tmp_path / "run"
    )
    state = LoadedModel(WorkerSettings(None, run.address, "."))
    document, _ = guided_patches(state, {"layer": "1", "unit": 0})
    assert "-m MODEL" in document["refused"]


@pytest.fixture
def changed_photo(run: convviz.Run, photos: Path) -> Iterator[Path]:
    """The top photo of a unit, with other pixels."""
    item = run.items[int(run["patches"][LAYER].result["items"][UNITS[0], 0])]
    file = photos / item.id
    before = file.read_bytes()
    height, width = item.size
    Image.new("RGB", (width, height), (9, 9, 9)).save(file)
    yield file
    file.write_bytes(before)


def test_photos_that_are_not_those_of_the_sweep_are_refused(
    run: convviz.Run, model: convviz.Model, photos: Path, changed_photo: Path
) -> None:
    with pytest.raises(ImageError, match="--photos") as of_recorded:
        GuidedGradients(run, model).of_unit(LAYER, UNITS[0])
    assert str(of_recorded.value).count("--photos") == 1
    with pytest.raises(ImageError, match="has changed since it was swept"):
        GuidedGradients(run, model, str(photos)).of_unit(LAYER, UNITS[0])
    changed_photo.unlink()
    with pytest.raises(ImageError, match="--photos"):
        GuidedGradients(run, model).of_unit(LAYER, UNITS[0])


def test_units_and_layers_that_the_run_lacks(run: convviz.Run, model: convviz.Model) -> None:
    patches = GuidedGradients(run, model)
    with pytest.raises(ParameterError, match="units 0 to"):
        patches.of_unit(LAYER, 10_000)
    with pytest.raises(ConvvizError, match="stage1"):
        patches.of_unit("stage1", 0)


def test_a_page_gets_the_gradients_from_the_process_of_the_model(
    client: Client, run_folder: str
) -> None:
    job = client.run_task("guided_patches", layer=LAYER, unit=3)
    assert job["status"] == "done", job["error"]
    answer = client.get(job["files"][FILE_NAME])
    assert answer.headers["content-type"] == "image/png"
    drawn = convviz.open_run(run_folder).draw("patches", LAYER, units=3)
    sheet = {FILE_NAME: ("image/png", answer.body)}
    expected = drawn["guided gradients"][0].numpy()
    assert np.array_equal(pictures_of((job["result"], sheet)), expected)
