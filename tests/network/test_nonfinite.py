"""A network that gives NaN for one image: no list, index or map may be touched by it."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch
from torch import nn

import convviz

pytestmark = pytest.mark.usefixtures("quick_pictures")

BAD = 4


class Poisoned(nn.Module):
    """A small network whose activations are NaN for images with a white first pixel."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        bad = x[:, :1, :1, :1] >= 0.99
        return self.head(self.flat(self.pool(self.act(self.conv(x)).masked_fill(bad, torch.nan))))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run over images with a bad one among them, and one over the others alone."""
    flat = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    model = convviz.Model(Poisoned(), preprocess=flat, name="poisoned")
    photos = np.random.default_rng(0).integers(0, 200, (14, 8, 8, 3), dtype=np.uint8)
    photos[BAD, 0, 0] = 255
    labels = [f"c{i % 2}" for i in range(14)]
    what = [
        convviz.explainer("patches", layers=("pool",), k=14, guided=False, per_class=True),
        convviz.explainer("neighbors", k=13),
        convviz.explainer("embedding"),
        convviz.explainer("statistics", layers=("pool",)),
    ]
    retained = [i for i in range(14) if i != BAD]
    folder = tmp_path_factory.mktemp("runs")
    whole = convviz.analyze(model, (photos, labels), what, folder / "whole", batch_size=5)
    names = [labels[i] for i in retained]
    clean = convviz.analyze(model, (photos[retained], names), what, folder / "clean", batch_size=5)
    return whole, clean, np.array(retained)


def test_patches_are_those_of_the_other_images(runs):
    whole, clean, retained = runs
    actual, expected = whole["patches"]["pool"], clean["patches"]["pool"]
    for items in (actual["items"], actual["class_items"]):
        assert BAD not in items
    places = torch.from_numpy(np.append(retained, -1))[expected["items"]]
    assert torch.equal(actual["items"], places)
    assert actual.result.measures["non-finite values"] == 6
    assert "NaN or infinite values, left out: 6." in actual.result.notes


def test_neighbors_and_their_index_leave_it_out(runs):
    whole, clean, retained = runs
    actual, expected = whole["neighbors"].only, clean["neighbors"].only
    assert actual["indices"][BAD].tolist() == [-1] * actual["indices"].shape[1]
    assert actual.values[BAD].isnan().all()
    assert BAD not in actual["indices"]
    near = torch.from_numpy(retained)[expected["indices"]]
    assert torch.equal(actual["indices"][retained], near)
    index = faiss.deserialize_index(np.frombuffer(actual.result.files["index.faiss"], np.uint8))
    assert index.ntotal == 13
    assert actual["rows"].tolist() == retained.tolist()
    assert any("1 of 14 images" in note for note in actual.result.notes)


def test_the_map_is_that_of_the_other_images(runs):
    whole, clean, retained = runs
    actual = whole["embedding"].only
    assert actual.values[BAD].isnan().all()
    assert torch.equal(actual.values[retained], clean["embedding"].only.values)
    assert any("1 of 14 images" in note for note in actual.result.notes)


def test_statistics_count_it(runs):
    whole, clean, _ = runs
    actual, expected = whole["statistics"]["pool"], clean["statistics"]["pool"]
    assert actual["nonfinite"].tolist() == [1] * 6
    assert actual.result.measures["images with non-finite values"] == 1
    torch.testing.assert_close(actual["mean"], expected["mean"])
    assert torch.equal(actual["histogram"], expected["histogram"])


def test_a_query_that_is_not_finite_is_refused(runs):
    whole, _, _ = runs
    photo = np.full((8, 8, 3), 255, np.uint8)
    with pytest.raises(convviz.ConvvizError, match=r"NaN|not finite"):
        convviz.query(whole, photo)
