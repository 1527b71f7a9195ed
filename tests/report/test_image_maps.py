"""Maps of `explain` on the pages of images: which image they belong to, and their values."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch

import convviz
from convviz.report.image_maps import maps_record, read_maps, write_maps
from convviz.report.image_page import image_chunks
from convviz.report.site import Site


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    explainers = [convviz.explainer("patches", draw=0), "neighbors"]
    folder = tmp_path_factory.mktemp("digits") / "run"
    return convviz.analyze("demo-digits", "demo-digits:?limit=30", explainers, folder)


def _save(explanation, folder, item, values=None):
    """Save an explanation as if it were about an item."""
    object.__setattr__(explanation, "items", (item,))
    if values is not None:
        object.__setattr__(explanation.result, "values", values)
    explanation.save(folder)


@pytest.fixture
def explanation(run):
    image = run.open_dataset().load(2)
    return convviz.explain("demo-digits", image, "occlusion", 3, window=2, stride=1)


def test_maps_belong_to_the_image_with_the_same_source_or_the_only_one_of_that_name(
    run, explanation, tmp_path
):
    item, other = run.items[5], run.items[6]
    renamed = convviz.authoring.Item(other.id, f"/elsewhere/{other.source}", other.affine, (8, 8))
    larger = convviz.authoring.Item(other.id, f"/elsewhere/{other.source}", other.affine, (9, 9))
    _save(explanation, tmp_path / "a", item)
    _save(explanation, tmp_path / "b", renamed)
    _save(explanation, tmp_path / "c", larger)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "explanation.json").write_text("{}")
    maps = read_maps(run.items, [tmp_path])
    assert sorted(maps.by_row) == [5, 6]
    assert maps.unmatched == {larger.source}
    assert len(maps.problems) == 1


def test_values_are_saved_in_levels_of_the_scale_and_missing_ones_as_255(
    run, explanation, tmp_path
):
    values = torch.linspace(-2, 2, 64).reshape(1, 8, 8)
    values[0, 0, 1] = torch.nan
    _save(explanation, tmp_path / "maps", run.items[5], values)
    folder = tmp_path / "report"
    site = Site(run, folder)
    maps = read_maps(run.items, [tmp_path / "maps"])
    (name,) = write_maps(site.folder, maps).values()
    site.pictures.run()  # removes its temporary files
    chunk = _value((folder / "data" / f"{name}.js").read_text())
    (panel,) = chunk["panels"]
    levels = np.frombuffer(base64.b64decode(panel["values"]), np.uint8).reshape(8, 8)
    assert (panel["low"], panel["high"], panel["signed"]) == (-2, 2, True)
    assert levels[0, 1] == 255
    decoded = panel["low"] + levels / 254 * (panel["high"] - panel["low"])
    known = levels != 255
    np.testing.assert_allclose(decoded[known], values[0].numpy()[known], atol=2 / 254)
    assert chunk["rows"][panel["row"]]["target"].startswith("3 (score ")
    assert chunk["agreements"] == []
    palette = np.frombuffer(base64.b64decode(chunk["palettes"]["signed"]), np.uint8).reshape(-1, 3)
    assert palette[0, 2] > palette[0, 0]  # blue below zero
    assert palette[254, 0] > palette[254, 2]  # red above
    assert (folder / panel["view"]).exists()


def test_targets_and_models_are_rows_and_their_maps_are_compared(run, tmp_path):
    image, item = run.open_dataset().load(2), run.items[5]
    model = convviz.load_model("demo-digits")
    renamed = convviz.load_model("demo-digits")
    renamed.name = "second"
    sizes = {"window": 2, "stride": 1}
    occlusions = convviz.explain(model, image, "occlusion", targets=[3, 8], **sizes)
    other = convviz.explain(renamed, image, "occlusion", 3, **sizes)
    saliency = convviz.explain(model, image, "saliency", 3)
    for number, single in enumerate([*occlusions, other, saliency]):
        _save(single, tmp_path / str(number), item)
    site = Site(run, tmp_path / "report")
    (name,) = write_maps(site.folder, read_maps(run.items, [tmp_path])).values()
    site.pictures.run()
    chunk = _value((site.folder / "data" / f"{name}.js").read_text())
    assert [column["name"] for column in chunk["columns"]] == ["occlusion", "saliency"]
    rows = [(row["target"][0], row["model"]) for row in chunk["rows"]]
    assert rows == [("3", model.name), ("8", model.name), ("3", "second")]
    places = [(panel["row"], panel["column"]) for panel in chunk["panels"]]
    assert places == [(0, 0), (1, 0), (2, 0), (0, 1)]
    pairs = [tuple(record["panels"]) for record in chunk["agreements"]]
    assert pairs == [(0, 3), (0, 1), (0, 2), (1, 2)]
    expected = convviz.compare([occlusions[0], saliency]).agreements[0]
    assert chunk["agreements"][0]["correlation"] == round(expected.rank_correlation, 4)
    assert chunk["agreements"][0]["overlap"] == round(expected.overlap, 4)
    assert chunk["agreements"][2]["correlation"] == 1  # the same network under another name


def test_models_of_one_name_are_told_apart_by_their_weights(run, tmp_path):
    image, item = run.open_dataset().load(2), run.items[5]
    first, second = convviz.load_model("demo-digits"), convviz.load_model("demo-digits")
    with torch.no_grad():
        next(second.module.parameters()).mul_(0.5)
    for model in (first, second):
        _save(convviz.explain(model, image, "saliency", 3), tmp_path / model.weights_hash, item)
    (maps,) = read_maps(run.items, [tmp_path]).by_row.values()
    record = maps_record(maps, lambda name, pixels: name)
    assert {row["model"] for row in record["rows"]} == {
        f"{model.name}, weights {model.weights_hash[:8]}" for model in (first, second)
    }
    assert sorted((panel["row"], panel["column"]) for panel in record["panels"]) == [(0, 0), (1, 0)]


def _value(script):
    import json

    return json.loads("[" + script.removeprefix("convvizChunk(").rstrip().removesuffix(");") + "]")[
        1
    ]


def test_chunks_list_neighbours_and_the_units_of_which_an_image_is_a_top_image(run):
    layers = list(run["patches"])
    slugs = {layer: f"l{i}" for i, layer in enumerate([*layers, *run["neighbors"]])}
    ((name, chunk),) = image_chunks(run, slugs, [str(i) for i in range(10)])
    assert name == "images/0000"
    layer = next(iter(run["neighbors"]))
    near = run["neighbors"][layer].result
    assert chunk["neighbors"][slugs[layer]]["items"] == near["indices"].tolist()
    tiles = run["patches"][layers[-1]].result
    for row, entries in enumerate(chunk["units"][slugs[layers[-1]]]):
        places = torch.nonzero(tiles["items"] == row).tolist()
        assert all([unit, rank] in places for unit, rank, *_ in entries)
        assert [rank for _, rank, *_ in entries] == sorted(rank for _, rank in places)[:48]
        for unit, rank, value, box, other, other_box in entries:
            assert value == pytest.approx(float(tiles.values[unit, rank]), rel=1e-3)
            assert box == pytest.approx(tiles["boxes"][unit, rank].tolist(), abs=0.051)
            best = next((r for r, item in enumerate(tiles["items"][unit]) if item != row), None)
            assert other == (None if best is None else tiles["items"][unit, best])
            if best is not None:
                assert other_box == pytest.approx(tiles["boxes"][unit, best].tolist(), abs=0.051)
    assert chunk["predictions"]["names"][0][0] in map(str, range(10))
