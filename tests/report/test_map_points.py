"""Points of a map as its page reads them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import convviz
from convviz.report.map_page import STEPS, read_points, sample_by_class
from convviz.report.site import Site


def _numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_points_keep_their_places_classes_and_errors(tmp_path):
    explainers = ["embedding", "neighbors"]
    run = convviz.analyze("demo-digits", "demo-digits:?limit=30", explainers, tmp_path / "run")
    site = Site(run, tmp_path / "report")
    (layer,) = (layer for layer in site.layers if layer.has_map)
    chunk = read_points(site, layer)
    site.pictures.run()  # removes its temporary files
    places = run["embedding"][layer.name].values.double().numpy()
    low, extent = places.min(0), (places.max(0) - places.min(0)).max()
    x, y = _numbers(chunk["x"], "<u2"), _numbers(chunk["y"], "<u2")
    np.testing.assert_allclose(x / STEPS, (places[:, 0] - low[0]) / extent, atol=1 / STEPS)
    np.testing.assert_allclose(y / STEPS, (places[:, 1] - low[1]) / extent, atol=1 / STEPS)
    assert max(chunk["size"]) == 1
    assert _numbers(chunk["labels"], "<i4").tolist() == run.items.column("label")
    ranks = run["predictions"]["images"].result["rank"]
    assert _numbers(chunk["wrong"], "u1").tolist() == (ranks != 0).int().tolist()
    near = run["neighbors"][layer.name].result["indices"].flatten().tolist()
    counts = [near.count(row) for row in range(30)]
    assert _numbers(chunk["priority"], "<u4").tolist() == counts


@pytest.mark.parametrize("size", [10, 100, 900])
def test_a_sample_has_the_share_of_every_class_and_at_least_one_image(size):
    labels = np.array([0] * 899 + [1] * 90 + [2])
    rows = np.arange(1000, 1990)
    sample = sample_by_class(rows, labels, size)
    counts = np.bincount(labels[sample - 1000], minlength=3)
    assert (np.diff(sample) > 0).all()
    assert counts.tolist() == [round(size * 899 / 990), round(size * 90 / 990), 1]
