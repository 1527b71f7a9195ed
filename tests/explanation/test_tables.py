"""Results as tables and arrays: columns by type of result, pandas, NumPy, HTML."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import convviz
from convviz import ConvvizError, Heatmap, Mask, Matches, Points, Table, Tiles
from convviz.authoring import Stack
from convviz.explanation.explanation import Explanation, ExplanationList
from convviz.images.batch import Item
from convviz.notebook import table
from convviz.storage.table_formats import arrow_table

AFFINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NAN = float("nan")


def explanation(result, labels=(0, 1, None), **fields) -> Explanation:
    items = tuple(Item(f"i{n}", f"i{n}.png", AFFINE, (8, 8), n_) for n, n_ in enumerate(labels))
    return Explanation(result=result, explainer=None, name="thing", items=items, **fields)


def rows(result, classes=("cat", "dog"), **fields) -> list[dict]:
    return explanation(result, **fields).to_arrow(classes).to_pylist()


def test_patches_have_a_row_per_unit_and_rank_with_image_and_box():
    pictures = torch.zeros(2, 2, 4, 4, 3, dtype=torch.uint8)
    result = Tiles(
        torch.tensor([[5.0, 4.0], [3.0, NAN]]),
        arrays={
            "items": torch.tensor([[1, 2], [0, -1]]),
            "positions": torch.arange(8).reshape(2, 2, 2),
            "boxes": torch.arange(16.0).reshape(2, 2, 4),
            "prominence": torch.tensor([2.5, 1.5]),
            "photo patches": pictures,
        },
        stacks=(Stack(title="photo patches", pictures="photo patches"),),
    )
    first, second, third = rows(result)  # the rank without an image is left out
    assert first == {
        "unit": 0, "rank": 1, "value": 5.0, "item": 1, "id": "i1", "label": 1, "class": "dog",
        "y": 0, "x": 1, "x0": 0.0, "y0": 1.0, "x1": 2.0, "y1": 3.0, "prominence": 2.5,
    }  # fmt: skip
    assert (second["rank"], second["id"], second["label"], second["class"]) == (2, "i2", None, None)
    assert (third["unit"], third["id"], third["x0"], third["prominence"]) == (1, "i0", 8.0, 1.5)


def test_filters_and_activations_have_a_row_per_tile():
    filters = Tiles(
        torch.zeros(2, 3, 4, 4), layout="rgb", table={"norm": (1.0, 2.0)},
        arrays={"dead": torch.tensor([True, False])},
    )  # fmt: skip
    assert rows(filters)[1] == {"unit": 1, "norm": 2.0, "dead": False}
    maps = Tiles(
        torch.zeros(3, 2, 4, 4), layout="images", arrays={"max": torch.arange(6.0).reshape(3, 2)}
    )
    assert rows(maps)[3] == {
        "item": 1, "id": "i1", "label": 1, "class": "dog", "unit": 1, "max": 3.0,
    }  # fmt: skip


def test_tables_name_channels_or_rows():
    statistics = Table(
        torch.tensor([[1.0, NAN], [2.0, 4.0]]), columns=("mean", "variance"), rows=("c 0", "c 1"),
        arrays={"histogram": torch.ones(2, 3), "dead": torch.tensor([False, True])},
    )  # fmt: skip
    assert rows(statistics)[1] == {"unit": 1, "mean": 2.0, "variance": 4.0, "dead": True}
    plain = Table(torch.tensor([[1.0]]), rows=("first",))
    assert rows(plain) == [{"row": 0, "name": "first", "column 0": 1.0}]


def test_neighbors_have_a_row_per_image_and_rank():
    result = Matches(
        torch.tensor([[0.5], [NAN], [0.25]]),
        arrays={
            "indices": torch.tensor([[2], [-1], [0]]),
            "pixel_indices": torch.tensor([[1], [0], [1]]),
            "pixel_distances": torch.tensor([[9.0], [8.0], [7.0]]),
            "labels": torch.tensor([0, 1, -1]),
        },
        names=("i0", "i1", "i2"),
        classes=("cat", "dog"),
    )
    first, second, _ = rows(result)
    assert first["neighbor_id"] == "i2"
    assert (first["distance"], first["neighbor_class"]) == (0.5, None)
    assert (first["pixel_neighbor"], first["pixel_distance"]) == (1, 9.0)
    assert (second["neighbor"], second["neighbor_id"]) == (None, None)
    assert (second["id"], second["class"], second["rank"]) == ("i1", "dog", 1)


def test_points_and_maps_name_their_images():
    cells = torch.tensor([[0, 1], [2, 3], [4, 5]])
    points = Points(
        torch.arange(6.0).reshape(3, 2), arrays={"cells": cells}, classes=("cat", "dog")
    )
    assert rows(points, classes=())[1] == {
        "item": 1, "id": "i1", "label": 1, "class": "dog",
        "x": 2.0, "y": 3.0, "row": 2, "column": 3,
    }  # fmt: skip
    maps = torch.arange(3 * 2 * 2 * 2.0).reshape(3, 2, 2, 2)
    last = rows(Heatmap(maps, panels=("a", "b")))[-1]
    assert (last["id"], last["panel"], last["y"], last["x"], last["value"]) == (
        "i2",
        "b",
        1,
        1,
        23.0,
    )
    channel = rows(Heatmap(maps, colour=True))[-1]
    assert (channel["channel"], channel["value"]) == (1, 23.0)
    assert rows(Mask(torch.ones(3, 2, 2, dtype=torch.bool)))[0]["value"] is True


def test_labels_without_names_and_images_without_labels():
    points = Points(torch.zeros(2, 2))
    assert set(rows(points, classes=(), labels=(3, 4))[0]) == {"item", "id", "label", "x", "y"}
    assert set(rows(points, labels=(None, None))[0]) == {"item", "id", "x", "y"}


def test_arrays_that_do_not_fit_together_are_an_error():
    result = Points(torch.zeros(2, 1))
    with pytest.raises(ConvvizError, match="thing"):
        explanation(result).to_arrow()


def test_file_names_that_are_not_unicode():
    assert arrow_table({"id": ["caf\udce9", None]}).to_pylist()[0] == {"id": "caf\\udce9"}


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = explanation(Table(torch.tensor([[1.0, NAN]]), columns=("a", "b"))).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["a"].tolist() == [1.0]
    assert frame["b"].isna().all()


def test_without_pandas_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConvvizError, match="pip install pandas"):
        explanation(Points(torch.zeros(3, 2))).to_pandas()


def test_an_explanation_is_an_array_of_its_values():
    values = torch.arange(6.0).reshape(3, 2)
    thing = explanation(Points(values, arrays={"cells": torch.zeros(3, 2)}))
    assert len(thing) == 3
    assert [part.tolist() for part in thing] == values.tolist()
    assert thing[1].tolist() == thing[-2].tolist() == [2.0, 3.0]
    assert thing["cells"].shape == (3, 2)
    assert np.asarray(thing).tolist() == values.tolist()
    assert np.asarray(thing, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(np.asarray(thing), thing.numpy())
    assert not np.shares_memory(np.array(thing), thing.numpy())
    with pytest.raises(ValueError, match="float64"):
        np.array(thing, dtype=np.float64, copy=False)
    with pytest.raises(IndexError):
        thing[3]
    assert bool(explanation(Points(torch.zeros(0, 2)), labels=()))


def test_reprs_are_short():
    result = Points(torch.zeros(1000, 2), unit="px\x1b", arrays={"cells": torch.zeros(1000, 2)})
    assert repr(result) == "<Points [1000×2] float32, px\\x1b; arrays: cells>"
    assert len(repr(explanation(result))) < 200


def test_html_for_notebooks_is_escaped():
    bad = "<script>\x1b"
    html = table((bad,), [(bad,)] * 400)
    assert "<script>" not in html
    assert "\x1b" not in html
    assert "and 100 more" in html
    model = convviz.load_model("demo-digits")
    assert "Model demo-digits" in model._repr_html_()
    layers = model.layers()
    assert f"<{len(layers)} layers" in repr(layers)
    assert layers._repr_html_().count("<tr>") == len(layers) + 1
    pair = ExplanationList([explanation(Heatmap(torch.rand(1, 8, 8)), labels=(0,))] * 2)
    assert pair._repr_html_().count("data:image/png") == 2
