"""The content of the data-set page: rankings, confusions and charts of a run."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
import torch

import convviz
from convviz.report.calibration_chart import calibration_chart
from convviz.report.dataset_results import DatasetResults
from convviz.report.formats import percent


class Noise:
    """Noise images, two of which are equal, with labels that a trained model rarely predicts."""

    name = "noise"
    ids = tuple(f"{i}.png" for i in range(24))
    classes = tuple(map(str, range(10)))
    labels = tuple(i % 10 for i in range(24))

    def load(self, index: int) -> np.ndarray:
        """Return an image; the last one cannot be read."""
        if index == 23:
            raise convviz.ImageError("23.png is damaged")
        return np.random.default_rng(index % 22).integers(0, 255, (8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise") / "run"
    return convviz.analyze("demo-digits", Noise(), ["neighbors"], folder)


@pytest.fixture(scope="module")
def results(run):
    return DatasetResults(run)


@pytest.fixture(scope="module")
def judged(run):
    """Label, predicted class and probability of every image, from the table of all images."""
    table = run["predictions"]["images"].result
    top, share = table["top"][:, 0].tolist(), table["probabilities"][:, 0].tolist()
    return list(zip(table["label"].tolist(), top, share, strict=True))


def test_errors_are_the_wrong_images_by_falling_confidence(results, judged):
    wrong = [i for i, (label, best, _) in enumerate(judged) if label != best]
    expected = sorted(wrong, key=lambda i: -judged[i][2])
    entries = [image for (image,) in results.errors.entries]
    assert [image.row for image in entries] == expected[:24]
    assert results.errors.total == len(wrong)
    first = entries[0]
    label, best, share = judged[first.row]
    assert (first.label, first.predicted) == (str(label), str(best))
    assert first.probability == pytest.approx(share)


def test_confusions_count_pairs_and_name_their_images(results, judged):
    pairs = Counter((str(label), str(best)) for label, best, _ in judged if label != best)
    assert {(c.label, c.predicted): c.images for c in results.confusions} == pairs
    counts = [confusion.images for confusion in results.confusions]
    assert counts == sorted(counts, reverse=True)
    for confusion in results.confusions:
        found = [(str(judged[row][0]), str(judged[row][1])) for row in confusion.examples]
        assert found == [(confusion.label, confusion.predicted)] * min(confusion.images, 4)
    first = results.confusions[0]
    link = f"images.html#class={first.label}&amp;predicted={first.predicted}"
    cell = re.search(re.escape(link) + r'".*?>(\d+)</text>', results.matrix)
    assert int(cell[1]) == first.images


def test_classes_have_counts_and_shares_that_are_none_where_undefined(results, judged):
    for row in results.classes:
        labelled = [best for label, best, _ in judged if str(label) == row.name]
        predicted = sum(str(best) == row.name for _, best, _ in judged)
        assert (row.images, row.predicted) == (len(labelled), predicted)
        assert row.right == labelled.count(int(row.name))
        assert row.recall == (pytest.approx(row.right / row.images) if row.images else None)
        assert row.precision == (pytest.approx(row.right / predicted) if predicted else None)


def test_equal_images_are_a_pair_of_duplicates_and_unreadable_ones_are_listed(results):
    (pair, *_) = results.duplicates.entries
    assert [image.name for image in pair] == ["0.png", "22.png"]
    assert results.skipped_items == [("23.png", "23.png is damaged")]


def test_images_of_a_damaged_result_that_are_not_in_the_run_are_left_out(run):
    result = run["predictions"]["errors"].result
    arrays = result.arrays
    object.__setattr__(result, "arrays", {"items": torch.full_like(arrays["items"], 1000)})
    try:
        assert DatasetResults(run).errors.entries == ()
    finally:
        object.__setattr__(result, "arrays", arrays)


def test_without_labels_the_least_certain_images_are_listed(tmp_path):
    images = [Noise().load(i) for i in range(6)]
    run = convviz.analyze("demo-digits", images, ["statistics"], tmp_path / "run")
    results = DatasetResults(run)
    margins = run["predictions"]["images"].result["margin"]
    rows = [image.row for (image,) in results.uncertain.entries]
    assert rows == margins.argsort(stable=True).tolist()
    assert (results.measures, results.errors.entries, results.matrix) == ({}, (), None)
    assert results.rows() == set(range(6))


def test_the_reliability_diagram_has_a_dot_at_confidence_and_accuracy():
    bins = {
        "from": [0.0, 0.5],
        "to": [0.5, 1.0],
        "images": [0, 8],
        "confidence": [float("nan"), 0.9],
        "accuracy": [float("nan"), 0.25],
        "low": [float("nan"), 0.1],
        "high": [float("nan"), 0.5],
    }
    chart = calibration_chart(bins)
    ((x, y),) = re.findall(r'<circle class="dot" cx="([\d.]+)" cy="([\d.]+)"', chart)
    grid = re.findall(r'<line class="grid" x1="(\d+)" x2="(\d+)" y1="([\d.]+)"', chart)
    left, right, bottom = (float(value) for value in grid[0])
    top = float(grid[4][2])
    assert (float(x) - left) / (right - left) == pytest.approx(0.9, abs=0.001)
    assert (bottom - float(y)) / (bottom - top) == pytest.approx(0.25, abs=0.001)
    assert "8 images, 25 % right (10 % to 50 %)" in chart


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 %"),
        (1, "100 %"),
        (0.9999, "99.9 %"),
        (0.5, "50 %"),
        (0.123, "12.3 %"),
        (0.0042, "0.4 %"),
        (0.00001, "< 0.01 %"),
    ],
)
def test_percentages_are_neither_rounded_to_none_nor_to_all(share, text):
    assert percent(share) == text
