"""The numbers of units that pages show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convviz
from convviz.errors import ParameterError
from convviz.report.layer_units import LayerUnits, input_size, lifts_of_patches, most_common
from convviz.report.unit_records import column_record, unit_record, visible_box
from convviz.report.writer import prepare_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units") / "run"
    explainers = [convviz.explainer("patches", draw=2), "statistics"]
    return convviz.analyze("demo-digits", "demo-digits:?limit=60", explainers, folder)


@pytest.fixture(scope="module")
def units(run):
    return LayerUnits(run, list(run["patches"])[-1])


def test_columns_are_those_of_the_results(run, units):
    patches, statistics = run["patches"][units.layer], run["statistics"][units.layer]
    assert units.count == len(statistics.values)
    np.testing.assert_array_equal(units.columns["max"], patches.values[:, 0])
    for name in ("mean", "fires", "active", "variance"):
        np.testing.assert_array_equal(units.columns[name], statistics[name])
    np.testing.assert_array_equal(units.dead, statistics["dead"])
    best = int(np.argmax(units.columns["max"]))
    assert units.rank[best] == 1
    assert sorted(units.rank) == list(range(1, units.count + 1))


def test_selectivity_compares_the_best_class_with_the_mean_of_the_others(run, units):
    means = run["statistics"][units.layer]["class_mean"].nan_to_num()
    unit = int(np.argmax(units.columns["max"]))
    ranked = means[:, unit].sort(descending=True).values
    rest = ranked[1:].mean()
    expected = (ranked[0] - rest) / (ranked[0] + rest)
    assert units.columns["selectivity"][unit] == pytest.approx(float(expected))


def test_classes_of_a_unit_are_those_of_the_ranking_of_units(run, units):
    lifts = units.lifts
    unit = int(np.argmax(units.columns["selectivity"]))
    label = lifts.classes[unit, 0]
    ranking = run.units(units.layer, run.classes[label], "statistics")
    [expected] = [entry for entry in ranking if entry.unit == unit]
    assert lifts.lifts[unit, 0] == pytest.approx(expected.lift)
    assert (lifts.counts[unit, 0], lifts.totals[unit, 0]) == (expected.count, expected.of)
    assert (np.diff(lifts.lifts[unit]) <= 0).all()


def test_classes_of_top_images_are_counted_and_compared_with_chance():
    items = torch.tensor([[0, 1, 4, -1], [-1, -1, -1, -1]])
    tiles = convviz.Tiles(torch.ones(2, 4), arrays={"items": items})
    lifts = lifts_of_patches(tiles, [0, 0, 1, 1, 1, None])
    assert lifts.classes[0].tolist() == [0, 1] + [-1] * 6
    assert lifts.counts[0, :2].tolist() == [2, 1]
    assert lifts.totals[0, :2].tolist() == [3, 3]
    np.testing.assert_allclose(lifts.lifts[0, :2], [2 / 3 / (2 / 6), 1 / 3 / (3 / 6)])
    assert (lifts.classes[1] == -1).all()


def test_most_common_rows_are_those_of_a_search_of_all_pairs():
    generator = np.random.default_rng(0)
    keys = np.stack([generator.choice(30, 9, replace=False) for _ in range(40)])
    keys[3, 5:] = -1
    keys[7] = keys[2]
    others, shared = most_common(keys, 4, 3)
    for row, mine in enumerate(keys):
        common = {other: len(({*mine} & {*theirs}) - {-1}) for other, theirs in enumerate(keys)}
        ranked = sorted((-n, other) for other, n in common.items() if other != row and n >= 3)[:4]
        assert others[row].tolist() == [o for _, o in ranked] + [-1] * (4 - len(ranked))
        assert shared[row].tolist() == [-n for n, _ in ranked] + [0] * (4 - len(ranked))
    assert (others[2, 0], shared[2, 0]) == (7, 9)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Preprocess(resize=256, crop=224, interpolation='bilinear')", (224, 224)),
        ("Preprocess(resize=None, crop=(64, 32), mean=0)", (64, 32)),
        ("Preprocess(resize=256, crop=None)", None),
        ("my.transform (ab12)", None),
    ],
)
def test_the_input_size_is_read_from_the_preprocessing(text, size):
    assert input_size(text) == size


def test_boxes_are_limited_to_what_the_model_saw(run, units):
    item = units.items[0]
    height, width = item.size
    box = visible_box(units, 0, (-1e4, -1e4, 1e4, 1e4))
    assert box == [0, 0, width, height]  # the digits are not cropped
    assert visible_box(units, 0, (2.0, 3.0, 4.0, 5.0)) == [2, 3, 4, 5]
    assert visible_box(units, 0, (1e4, 0, 2e4, 5)) is None
    assert visible_box(units, 0, (float("nan"), 0, 1, 1)) is None


def test_the_record_of_a_unit_holds_its_patches_and_histogram(run, units):
    unit = int(np.argmax(units.columns["max"]))
    record = unit_record(units, unit, lambda item: item)
    result = run["patches"][units.layer].result
    assert [p["row"] for p in record["patches"]] == result["items"][unit].tolist()
    values = [p["value"] for p in record["patches"]]
    np.testing.assert_allclose(values, result.values[unit], rtol=1e-4)
    table = run["statistics"][units.layer].result
    assert sum(record["histogram"]["counts"]) == int(table["histogram"][unit].sum())
    assert len(record["histogram"]["edges"]) == len(record["histogram"]["counts"]) + 1
    assert (record["guided"] is not None) == (unit in result.order)
    assert column_record(units)["dead"] == np.flatnonzero(units.dead).tolist()


def test_a_report_replaces_only_a_report(tmp_path, run):
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(ParameterError, match=r"notes\.txt"):
        prepare_folder(other)
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>mine</h1>")
    with pytest.raises(ParameterError, match="no report"):
        prepare_folder(page)
    assert (page / "index.html").read_text() == "<h1>mine</h1>"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").mkdir()
    report = convviz.write_run_report(run, tmp_path / "report").parent
    (report / "stale").mkdir()
    with pytest.raises(ParameterError, match="stale"):
        prepare_folder(report)
    (report / "stale").rmdir()
    link = report / "map"
    link.symlink_to(outside)
    with pytest.raises(ParameterError, match="link"):
        prepare_folder(report)
    assert (outside / "data").is_dir()
    link.unlink()
    prepare_folder(report)
    assert list(report.iterdir()) == []
