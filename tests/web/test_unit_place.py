"""The place of a photo among the images of a run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import convviz
from convviz.sweep.queries import query_layers

pytest.importorskip("starlette", reason="the app requires convviz[web]")
from convviz.web.unit_place import place_in_run

LAYERS = ("stage2.relu", "stage3.relu")
UNIT = 5


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture(scope="module")
def run(model: convviz.Model, tmp_path_factory: pytest.TempPathFactory) -> convviz.Run:
    explainers = [
        convviz.explainer("patches", layers=LAYERS, draw=1, k=4),
        convviz.explainer("neighbors", layers=LAYERS, k=2),
    ]
    folder = tmp_path_factory.mktemp("place") / "run"
    return convviz.analyze(model, "demo-digits:?limit=30", explainers, folder)


def place_of(run: Any, model: convviz.Model, row: int, layer: str = LAYERS[0]) -> Any:
    """Return the place of an image of the data set among those of a run."""
    photo = convviz.open_dataset("demo-digits:?limit=30").load(row)
    batch = convviz.authoring.make_batch(photo, model)
    forward = model.forward(batch.images, [layer])
    return place_in_run(run, model, batch, forward, layer, UNIT)


def test_photos_of_the_run_have_their_own_places(model: convviz.Model, run: convviz.Run) -> None:
    tiles = run["patches"][LAYERS[0]].result
    items, values = tiles["items"][UNIT].tolist(), tiles.values[UNIT].tolist()
    for row, value in zip(items, values, strict=True):
        place = place_of(run, model, row)
        assert place["value"] == pytest.approx(value, rel=1e-4)
        assert place["best"][place["rank"] - 1] == pytest.approx(value, rel=1e-4)
    other = next(row for row in range(30) if row not in items)
    place = place_of(run, model, other)
    assert place["rank"] == 5
    assert place["value"] <= values[-1]
    assert place["images"] == 30


class WithHistogram(dict[str, Any]):
    """A run whose patches have a histogram of the highest values of all images."""

    def __init__(self, run: convviz.Run, span: tuple[float, float]) -> None:
        explanation = run["patches"][LAYERS[0]]
        tiles = explanation.result
        counts = torch.tensor([10, 20, 30, 40]).repeat(len(tiles.values), 1)
        ends = torch.tensor([span]).repeat(len(tiles.values), 1)
        arrays = {**tiles.arrays, "peak_histogram": counts, "peak_range": ends}
        known = replace(explanation, result=replace(tiles, arrays=arrays))
        super().__init__(patches={LAYERS[0]: known})
        self.plan, self.items = run.plan, run.items


def test_the_place_among_all_images(model: convviz.Model, run: convviz.Run) -> None:
    value = float(run["patches"][LAYERS[0]].values[UNIT, 0])
    row = int(run["patches"][LAYERS[0]]["items"][UNIT, 0])
    # The value lies in the third of four bins of equal width.
    known: Any = WithHistogram(run, (value - 2.5, value + 1.5))
    place = place_of(known, model, row)
    histogram = place["histogram"]
    assert histogram["counts"] == [10, 20, 30, 40]
    assert histogram["edges"][2:4] == pytest.approx([value - 0.5, value + 0.5], rel=1e-5)
    assert (histogram["below"], histogram["not_above"]) == (0.3, 0.6)
    missing: Any = WithHistogram(run, (float("nan"), float("nan")))
    place = place_of(missing, model, row)
    assert place["histogram"] is None


def test_no_place_without_patches_of_the_same_model(
    model: convviz.Model, run: convviz.Run, tmp_path: Path
) -> None:
    assert place_of(None, model, 0) is None
    assert place_of(run, model, 0, "stage1.relu") is None
    other = convviz.load_model("demo-digits")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    assert place_of(run, other, 0) is None


def test_images_are_looked_up_by_the_features_of_a_layer(
    model: convviz.Model, run: convviz.Run
) -> None:
    assert set(query_layers(run)) == set(LAYERS)
    photo = convviz.open_dataset("demo-digits:?limit=30").load(7)
    with pytest.raises(convviz.ParameterError, match="one layer"):
        convviz.query(run, photo, k=1, model=model)
    for layer in LAYERS:
        nearest = convviz.query(run, photo, k=1, model=model, layer=layer)
        assert nearest["indices"].tolist() == [[7]]
        assert nearest.result.measures["layer"] == layer
    with pytest.raises(convviz.ParameterError, match="one layer"):
        convviz.query(run, photo, k=1, model=model, layer="stage1.relu")


def test_an_explainer_that_is_not_installed_answers_no_query(
    run: convviz.Run, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    (folder / "results" / "absent").mkdir()
    known = convviz.open_run(folder)
    assert known.explainers[0] == "absent"
    assert set(query_layers(known)) == set(LAYERS)
