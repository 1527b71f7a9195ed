"""The numbers of units that pages show."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.cli.main import run as run_command
from convviz.errors import ConvvizError, ParameterError
from convviz.report import layer_page
from convviz.report.class_lifts import lifts_of_patches, table_of_means, table_of_patches
from convviz.report.image_maps import read_maps
from convviz.report.layer_units import LayerUnits, input_size, most_common
from convviz.report.overview import class_count
from convviz.report.reproduce import map_commands, photo_file
from convviz.report.second_run import SecondRun
from convviz.report.unit_effects import effects_of_layer
from convviz.report.unit_records import column_record, lift_record, unit_record, visible_box
from convviz.report.writer import prepare_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units") / "run"
    explainers = [convviz.explainer("patches", draw=2), "statistics"]
    return convviz.analyze(
        "demo-digits", "demo-digits:?limit=60", explainers, folder, pictures=True
    )


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
    highest = units.columns["max"]
    assert units.rank.tolist() == [1 + int((highest > value).sum()) for value in highest]
    assert units.tie_size.tolist() == [int((highest == value).sum()) for value in highest]


def test_units_of_the_same_maximum_share_their_rank_and_the_limit_is_stated(run, units):
    capped = LayerUnits(run, units.layer)
    highest = capped.columns["max"]
    highest[:] = np.minimum(highest, np.sort(highest)[-8])
    assert capped.rank.min() == 1
    assert (capped.tie_size[capped.rank == 1] == 8).all()
    assert capped.rank[capped.rank > 1].min() == 9
    assert capped.limit == (highest.max(), 8)
    assert units.limit is None


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


@pytest.mark.parametrize("explainer", ["statistics", "patches"])
def test_lifts_of_several_classes_are_those_of_the_ranking_of_units(run, units, explainer):
    labels = [item.label for item in units.items]
    table = {
        "statistics": lambda: table_of_means(units.table),
        "patches": lambda: table_of_patches(units.tiles, labels),
    }[explainer]()
    record = lift_record(table)
    levels = np.frombuffer(base64.b64decode(record["lifts"]), "<u2").reshape(table.lifts.shape)
    assert np.array_equal(levels == 0, table.lifts == 0)
    lifts = np.where(levels, 2 ** ((levels - 1.0) / record["steps"] - record["doublings"]), 0)
    chosen = [record["classes"].index(run.classes.index(name)) for name in ("3", "8")]
    weights = table.images[chosen]
    lift = weights @ lifts[chosen] / weights.sum()
    ranking = run.units(units.layer, ["3", "8"], explainer)
    assert len(ranking) > 0
    for entry in ranking:
        assert lift[entry.unit] == pytest.approx(entry.lift, rel=1e-3)


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
    edges = record["histogram"]["edges"]
    extremes = [float(table[name][unit]) for name in ("min", "max")]
    assert [edges[0], edges[-1]] == pytest.approx(extremes, rel=1e-4)
    assert len(edges) == len(record["histogram"]["counts"]) + 1
    assert (record["guided"] is not None) == (unit in result.order)
    assert column_record(units)["dead"] == np.flatnonzero(units.dead).tolist()


def test_guided_gradients_of_many_units_are_several_pictures(tmp_path, monkeypatch):
    """A JPEG file has at most 65 535 rows."""
    pictures = torch.arange(5, dtype=torch.uint8)[:, None, None, None, None] * 50
    tiles = {"guided gradients": pictures.expand(5, 3, 8, 8, 3)}
    result = type("Tiles", (), {"arrays": tiles, "__getitem__": lambda self, name: tiles[name]})()
    units = SimpleNamespace(tiles=result)
    monkeypatch.setattr(layer_page, "GUIDED_SIDE", 16)
    site, layer = SimpleNamespace(folder=tmp_path), SimpleNamespace(slug="conv")
    found = layer_page._write_guided(site, layer, units)
    assert found["block"] == 2
    assert [sheet["rows"] for sheet in found["sheets"]] == [2, 2, 1]
    for unit in range(5):
        sheet = found["sheets"][unit // found["block"]]
        pixels = np.asarray(Image.open(tmp_path / sheet["atlas"]))
        assert pixels.shape == (8 * sheet["rows"], 24, 3)
        assert abs(pixels[8 * (unit % 2) + 4, 4, 0] - 50.0 * unit) < 8


@pytest.mark.parametrize(
    ("classes", "outputs", "count"),
    [
        ([*map(str, range(998))], 1000, 1000),  # the last two outputs have no images
        ([*map(str, range(10))], 1000, 10),  # digits of another data set
        (["cat", "dog"], 3, 2),
        (["0", "1"], 0, 2),
    ],
)
def test_numbered_classes_are_counted_up_to_the_last_output(classes, outputs, count):
    labels = [f"output {number}" for number in range(outputs)]
    plan = {"dataset": {"classes": classes}, "model": {"labels": labels}}
    assert class_count(plan) == count


def test_commands_name_the_file_of_a_photo_where_the_data_set_has_files(run):
    plan = {
        "dataset": {"place": {"path": "photos/list.csv", "scheme": "list"}},
        "model": {"name": "net", "source": "resnet50"},
    }
    other = SimpleNamespace(address="my run", plan=plan)
    assert photo_file(other, "a b.jpg") == "photos/a b.jpg"
    plan["dataset"]["place"] = {"path": "photos", "scheme": "folder"}
    assert photo_file(other, "cat/1.jpg") == "photos/cat/1.jpg"
    assert photo_file(run, "0001") == "PHOTO"
    assert map_commands(other) == [
        "convviz explain PHOTO -m resnet50 -e grad_cam -e occlusion --out maps",
        "convviz report 'my run' maps",
        "convviz serve 'my run'",
    ]


def chunk(folder, name):
    """Return the value of a chunk of a report."""
    text = (folder / "data" / f"{name}.js").read_text("utf-8")
    return json.loads(text.removeprefix("convvizChunk(").removesuffix(");\n").split(",", 1)[1])


def test_a_second_run_is_shown_with_the_images_of_the_first(tmp_path, run, units, capsys):
    half = convviz.analyze(
        "demo-digits",
        "demo-digits:?limit=30",
        [convviz.explainer("patches", layers=[units.layer], draw=0)],
        tmp_path / "half",
    )
    target = tmp_path / "pages"
    assert run_command(["report", str(run.folder), str(half.folder), "--out", str(target)]) == 0
    assert f"report: {target / 'index.html'}" in capsys.readouterr().out
    slug = units.layer.replace(".", "-")
    records = chunk(target, f"layer/{slug}/second-000")
    items = half["patches"][units.layer]["items"]
    ids = run.items.ids
    for unit in range(5):
        shown = [ids[patch["row"]] for patch in records[unit]["patches"]]
        assert shown == [half.items.ids[item] for item in items[unit].tolist() if item >= 0]
    layer = chunk(target, f"layer/{slug}/layer")
    assert layer["second"]["count"] == units.count
    changed = chunk(target, f"layer/{slug}/units")["columns"]["changed"]
    assert set(changed) <= {0, None}  # the same model on fewer images
    (name,) = (target / "media" / "sheets" / f"{slug}_second").iterdir()
    assert name.name == "000.jpg"
    assert run_command(["report", "a", "b", "c"]) == 2
    assert "not 3" in capsys.readouterr().err


def second_of(run, rows, folder, load=None, labels=None, model="demo-digits"):
    """Return a run of some images of another one, in this order."""
    items = convviz.open_dataset("demo-digits:?limit=60")
    data = SimpleNamespace(
        name="second",
        ids=tuple(items.ids[row] for row in rows),
        labels=tuple(items.labels[row] for row in rows) if labels is None else labels,
        classes=items.classes,
        load=lambda index: (load or items.load)(rows[index]),
    )
    explainers = ["neighbors", convviz.explainer("patches", draw=0)]
    return convviz.analyze(model, data, explainers, folder)


def test_changed_top_images_are_counted_among_common_images(tmp_path, run, units):
    few = second_of(run, range(0, 60, 3), tmp_path / "few")
    slug = units.layer.replace(".", "-")
    for name, first, second in (("more", few, run), ("fewer", run, few)):
        page = convviz.write_run_report(first, tmp_path / name, other=second)
        changed = chunk(page.parent, f"layer/{slug}/units")["columns"]["changed"]
        assert {share for share in changed if share is not None} == {0}  # the same network
    tiles = few["patches"][units.layer]
    second = SecondRun(few, "few", run)
    other = LayerUnits(few, units.layer)
    other.tiles = replace(
        tiles.result, arrays={**tiles.result.arrays, "items": tiles["items"].roll(1, 0)}
    )
    shares = layer_page._changed_shares(SimpleNamespace(second=second), units, other)
    for unit, share in enumerate(shares):
        common = [
            r for r in dict.fromkeys(units.tiles["items"][unit].tolist()) if r >= 0 and r % 3 == 0
        ]
        rolled = [3 * r for r in dict.fromkeys(other.tiles["items"][unit].tolist()) if r >= 0]
        depth = min(len(common), len(rolled))
        kept = len({*common[:depth]} & {*rolled[:depth]})
        assert share == (pytest.approx(1 - kept / depth, abs=1e-4) if depth else None)
    assert max(share for share in shares if share is not None) > 0.5


def test_images_of_another_size_are_not_the_same(tmp_path, run):
    large = second_of(run, range(5), tmp_path / "large", lambda row: np.zeros((9, 9, 3), np.uint8))
    page = convviz.write_run_report(run, tmp_path / "pages", other=large)
    assert "No image has the same name and size in both runs" in page.read_text("utf-8")
    assert not any(chunk(page.parent, "images/0000")["second"]["has"])


def test_predictions_of_both_runs_are_judged_by_the_labels_of_the_first(tmp_path, run):
    other = second_of(run, range(10), tmp_path / "other", labels=(0,) * 10)
    page = convviz.write_run_report(run, tmp_path / "pages", other=other)
    first = chunk(page.parent, "items-000")
    assert first["second_correct"][:10] == first["correct"][:10] == [True] * 10
    assert first["second_correct"][10:] == [None] * 50
    assert f"convviz report {run.address} {other.address} maps" in (
        page.parent / "image.html"
    ).read_text("utf-8")


def test_predictions_of_classes_without_common_names_are_not_compared(tmp_path, run):
    model = convviz.load_model("demo-digits")
    labels = [f"digit {number}" for number in range(10)]
    renamed = convviz.Model(model.module, preprocess=model.preprocess, labels=labels)
    other = second_of(run, range(10), tmp_path / "other", model=renamed)
    page = convviz.write_run_report(run, tmp_path / "pages", other=other)
    text = page.read_text("utf-8")
    assert "no class names in common" in text
    assert "same prediction" not in text


def test_patches_of_images_that_the_run_lacks_are_refused(run, units, monkeypatch):
    monkeypatch.setitem(vars(run), "items", tuple(run.items)[:5])
    with pytest.raises(ConvvizError, match="images that the run does not have"):
        LayerUnits(run, units.layer)


def test_images_of_a_second_run_are_found_by_name(tmp_path, run):
    other = second_of(run, range(59, 19, -1), tmp_path / "other")
    page = convviz.write_run_report(run, tmp_path / "pages", other=other)
    details = chunk(page.parent, "images/0000")
    rows = {name: row for row, name in enumerate(run.items.ids)}
    assert details["second"]["has"] == [row >= 20 for row in range(60)]
    assert details["second"]["predictions"]["names"][:20] == [[]] * 20
    assert details["second"]["predictions"]["names"][20:] == details["predictions"]["names"][20:]
    for slug, near in details["second"]["neighbors"].items():
        layer = next(name for name in other["neighbors"] if name.replace(".", "-") == slug)
        indices = other["neighbors"][layer]["indices"].tolist()
        for row in range(20, 60):
            own = other.items.ids.index(run.items.ids[row])
            names = [other.items.ids[i] for i in indices[own] if i >= 0]
            assert [i for i in near["items"][row] if i >= 0] == [rows[name] for name in names]
    for slug, units_of in details["second"]["units"].items():
        layer = next(name for name in other["patches"] if name.replace(".", "-") == slug)
        tops = other["patches"][layer]["items"]
        assert units_of[:20] == [[]] * 20
        for row in range(20, 60):
            own = other.items.ids.index(run.items.ids[row])
            for unit, rank, _, _, best, _ in units_of[row]:
                assert tops[unit, rank] == own
                assert best != row
                assert best is None or run.items.ids[best] in other.items.ids
    first = chunk(page.parent, "items-000")
    assert first["second_predicted"] == [None] * 20 + first["predicted"][20:]
    overview = page.read_text("utf-8")
    assert "100 % (40 of 40)" in overview
    assert '<dt>images in both runs</dt><dd class="plain">40</dd>' in overview


def test_photos_that_are_missing_leave_names_and_numbers(tmp_path, run, units):
    moved = convviz.open_dataset("demo-digits:?limit=3")
    known = [name in moved.ids for name in run.items.ids]
    page = convviz.write_run_report(run, tmp_path / "pages", photos=moved)
    note = f"{known.count(False)} photos are not available"
    assert note in page.read_text("utf-8")
    items = chunk(page.parent, "items-000")
    assert [bool(preview) for preview in items["previews"]] == known
    assert items["names"] == list(run.items.ids)
    slug = units.layer.replace(".", "-")
    sheet = (page.parent / "layer" / f"{slug}.html").read_text("utf-8")
    assert note in sheet
    best = units.tiles["items"][:, 0].tolist()
    hidden = sum(item < 0 or not known[item] for item in best)
    assert sheet.count('class="tile missing"') == hidden > 0


def test_layers_that_are_numbers_have_pictures_in_the_contact_sheet(tmp_path):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    preprocess = convviz.Preprocess(resize=32, crop=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    model = convviz.Model(module.eval(), preprocess=preprocess)
    patches = convviz.explainer("patches", layers=["1"])
    run = convviz.analyze(model, "demo-digits:?limit=5", patches, tmp_path / "run")
    report = convviz.write_run_report(run, tmp_path / "pages").parent
    style = (report / "media" / "sheets.css").read_text()
    classes = re.findall(r"^\.([^{]+)\{", style, re.MULTILINE)
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_-]*", name) for name in classes)
    [of_sheet] = [name for name in classes if name.startswith("sheet")]
    assert f'class="tile {of_sheet} x0 y0"' in (report / "layer" / "1.html").read_text()


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


def test_the_effects_of_units_are_means_over_the_images_that_were_explained(run, units, tmp_path):
    photos = run.open_dataset()
    model = convviz.load_model("demo-digits")
    tables = [convviz.explain(model, photos.load(i), "ablation", layer=units.layer) for i in (0, 1)]
    for number, explanation in enumerate(tables):
        explanation.save(tmp_path / str(number))
    saved = read_maps(run.items, [tmp_path]).effects
    weights = run.plan["model"]["weights_hash"]
    effects = effects_of_layer(saved, units.layer, units.count, weights)
    drops = sum(table.values.double() for table in tables) / 2
    unit = int(drops.amax(1).argmax())
    record = effects.record(unit)
    assert (record["images"], record["set_to"]) == (2, "0")
    best = record["classes"][0]
    assert best["name"] == model.label(int(drops[unit].argmax()))
    assert best["drop"] == pytest.approx(float(drops[unit].max()), rel=6e-3)
    assert all(entry["drop"] > 0 for entry in record["classes"])
    assert effects_of_layer(saved, units.layer, units.count, "other") is None
    assert effects_of_layer(saved, "other", units.count, weights) is None
