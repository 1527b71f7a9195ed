"""predictions: against plain formulas, through sweeps, with labels of all kinds."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
import torch
from helpers.folders import content, same
from helpers.pictures import checksums_instead_of_pictures
from pyarrow import parquet
from torch import nn
from torch.nn import functional as F

import convviz
from convviz import ParameterError
from convviz.cli.main import run as command
from convviz.data.dataset import ArrayDataset
from convviz_plugins.explainers.predictions import accuracy, class_matching, image_scores
from convviz_plugins.explainers.predictions.suspects import find_duplicates, find_suspects

AS_IT_IS = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
COLOURS = ("red", "green", "blue")


class MeanColour(nn.Module):
    """Scores are 10 times the means of the colour channels."""

    def __init__(self, outputs=3):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False).double()
        self.linear = nn.Linear(3, outputs, bias=False).double()
        with torch.no_grad():
            self.conv.weight[:] = torch.eye(3)[:, :, None, None]
            self.linear.weight[:] = 10 * torch.eye(3)[:outputs]

    def forward(self, x):
        return self.linear(self.conv(x).mean((2, 3)))


def model(labels=COLOURS, outputs=3):
    return convviz.Model(MeanColour(outputs), preprocess=AS_IT_IS, labels=labels, name="colours")


def photos(colours):
    """Return one photo per colour (r, g, b in 0 to 255), with a trace of noise."""
    noise = np.random.default_rng(0).integers(0, 3, (len(colours), 8, 8, 3))
    return (np.array(colours)[:, None, None] + noise).astype(np.uint8)


RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)
NEARLY_RED = (110, 100, 20)


def sweep(out, colours=(RED, GREEN, BLUE, RED), labels=("red", "green", "blue", "blue"), **options):
    what = options.pop("what", [])
    data = (photos(colours), None if labels is None else list(labels))
    network = options.pop("model", None) or model()
    return convviz.analyze(network, data, what, out, **options)


def files_of_results(run):
    """Return the files of predictions but those with one row group per shard, and their hashes."""
    files = content(run.folder / "results" / "predictions")
    others = ("items.parquet", "explanation.json")
    return {name: data for name, data in files.items() if not name.endswith(others)}


# Numbers of an image


def test_numbers_are_those_of_plain_formulas():
    scores = torch.randn(6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 3, 8, 2, -1, 5])
    rows = image_scores.measure(model(), scores, labels)
    p = scores.softmax(1)
    best = p.topk(5)
    assert torch.equal(rows["top"], best.indices)
    for name, expected in (
        ("probabilities", best.values),
        ("scores", scores.topk(5).values),
        ("margin", best.values[:, 0] - best.values[:, 1]),
        ("entropy", torch.special.entr(p).sum(1)),
    ):
        assert torch.allclose(rows[name], expected, rtol=0, atol=1e-12)
    known = labels >= 0
    assert torch.allclose(
        rows["loss"][known], F.cross_entropy(scores[known], labels[known], reduction="none")
    )
    before = (scores > scores.gather(1, labels.clamp_min(0)[:, None])).sum(1)
    assert torch.equal(rows["rank"], before.where(known, -1))
    assert rows["loss"].isnan().tolist() == (~known).tolist()


def test_ties_nan_probabilities_and_sigmoids():
    scores = torch.tensor([[1.0, 2.0, 2.0], [torch.nan, 0, 1], [0.25, 0.25, 0.5]])
    rows = image_scores.measure(model(), scores, torch.tensor([2, 0, 2]))
    assert rows["top"].tolist() == [[1, 2, 0], [-1, -1, -1], [2, 0, 1]]
    assert rows["rank"].tolist() == [1, -1, 0]
    assert rows["label"].tolist() == [2, -1, 2]
    assert rows["is_probability"].tolist() == [False, False, True]
    assert rows["probabilities"][2].tolist() == pytest.approx([0.5, 0.25, 0.25])
    independent = convviz.Model(MeanColour(), preprocess=AS_IT_IS, activation="sigmoid")
    rows = image_scores.measure(independent, torch.tensor([[0.0, 2.0, -2.0]]), torch.tensor([0]))
    assert rows["probabilities"][0].tolist() == pytest.approx([0.880797, 0.5, 0.119203], abs=1e-6)
    bits = torch.distributions.Bernoulli(torch.tensor([0.5, 0.880797, 0.119203])).entropy().sum()
    assert float(rows["entropy"]) == pytest.approx(float(bits), abs=1e-5)


# Numbers of a data set


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(8, 10, 0.490162, 0.943318), (0, 5, 0.0, 0.434482), (5, 5, 0.565518, 1.0)],
)
def test_wilson_interval(hits, count, low, high):
    assert accuracy.wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-6)


def judged(label, predicted, confidence, label_probability=None):
    label, predicted = torch.tensor(label), torch.tensor(predicted)
    confidence = torch.tensor(confidence, dtype=torch.float64)
    label_confidence = torch.tensor(label_probability or [0.1] * len(label), dtype=torch.float64)
    label_confidence = torch.where(label == predicted, confidence, label_confidence)
    rank = (label != predicted).long()
    items = torch.arange(len(label))
    return accuracy.Judged(
        items, label, predicted, confidence, label_confidence, -label_confidence.log(), rank
    )


def test_calibration_by_hand():
    images = judged([0, 0, 1, 1], [0, 1, 1, 0], [0.95, 0.55, 0.5, 1.0])
    calibration = accuracy.calibrate(images, 2)
    assert calibration.count.tolist() == [1, 3]  # 0.5 belongs to the lower bin
    assert calibration.accuracy.tolist() == pytest.approx([1, 1 / 3])
    assert calibration.confidence.tolist() == pytest.approx([0.5, 2.5 / 3])
    assert calibration.error == pytest.approx((0.5 + 3 * 0.5) / 4)


def test_classes_and_confusions():
    counts = accuracy.count_classes(judged([4, 4, 4, 7, 7], [4, 7, 7, 7, 9], [0.5] * 5))
    assert counts.outputs.tolist() == [4, 7, 9]
    assert counts.recall().tolist()[:2] == pytest.approx([1 / 3, 1 / 2])
    assert counts.precision().tolist() == pytest.approx([1, 1 / 3, 0])
    assert math.isnan(counts.recall()[2])
    assert counts.confusions().tolist() == [[0, 1, 2], [1, 2, 1]]
    assert counts.matrix(torch.tensor([0, 1, 2])).tolist() == [[1, 2, 0], [0, 1, 1], [0, 0, 0]]


def test_neighbours_confirm_and_refute_suspects():
    images = judged([0, 0, 0, 1, 1], [1, 1, 0, 1, 0], [0.9, 0.8, 0.9, 0.7, 0.6])
    alone = find_suspects(images, images.label, None)
    assert alone.places.tolist() == [0, 1, 4]  # by the gap between the two probabilities
    unsure = judged([0, 0, 1], [0, 1, 1], [0.9, 0.5, 0.6])
    assert find_suspects(unsure, unsure.label, None).places.tolist() == []  # 0.5 is below 0.6
    near = torch.tensor([[-1, -1], [3, 4], [3, 1], [1, 0], [3, -1]])
    checked = find_suspects(images, images.label, near)
    assert checked.places.tolist() == [1, 0]
    assert checked.agree.tolist() == [True, False]


def test_duplicates_are_pairs_closer_than_usual():
    distances = torch.tensor([[1.0, 9.0], [1.0, 8.0], [8.0, 9.0], [10.0, 11.0]])
    indices = torch.tensor([[1, 2], [0, 2], [1, 0], [2, 1]])
    duplicates = find_duplicates(distances, indices, 0.5)
    assert duplicates.pairs.tolist() == [[0, 1]]
    assert duplicates.distances.tolist() == [1.0]


# Labels


@pytest.mark.parametrize(
    ("classes", "labels", "expected"),
    [
        (("blue", "red"), COLOURS, {"blue": 2, "red": 0}),
        (("n01484850_great_white_shark",), ("cock", "great white shark"), 1),
        (("great-white_SHARK",), ("cock", "great white shark, man-eater"), 1),
        (("Man Eater",), ("cock", "great white shark, man-eater"), 1),
        (("0", "2"), COLOURS, {"0": 0, "2": 2}),
        (("1", "0"), ("0", "1"), {"1": 1, "0": 0}),
    ],
)
def test_classes_match_by_name_or_number(classes, labels, expected):
    outputs = class_matching.match_classes(classes, set(classes), labels).outputs
    assert outputs == (expected if isinstance(expected, dict) else {classes[0]: expected})


@pytest.mark.parametrize(
    ("classes", "labels", "reason"),
    [
        (("red", "pink"), COLOURS, "'pink'"),
        (("n02012849_crane",), ("crane", "crane"), "0, 1"),
        (("n01440764",), ("tench",), "'n01440764'"),
        (("red", "Red"), COLOURS, "same class"),
        (("cat",), (), "no class names"),
        (("0", "3"), COLOURS, "label 3"),
        (("007",), ("a",) * 10, "'007'"),
    ],
)
def test_incomplete_or_ambiguous_matches_do_not_count(classes, labels, reason):
    matching = class_matching.match_classes(classes, set(classes), labels)
    assert not matching.outputs
    assert reason in matching.note
    assert "--classes" in matching.note


MAPPINGS = {
    "map.csv": "class,output\nrot,0\nblau,blue\nsonst,\n",
    "map.json": '{"rot": 0, "blau": "blue", "sonst": null}',
    "index.json": '{"0": ["rot", "r"], "2": ["blau", "b"], "1": ["x", "sonst"]}',
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_mapping_files(name, tmp_path):
    (tmp_path / name).write_text(MAPPINGS[name])
    explainer = convviz.explainer("predictions", classes=str(tmp_path / name))
    labels = ["rot", "blau", "sonst", "sonst"]
    run = sweep(tmp_path / "run", labels=labels, predictions=explainer)
    other = 1 if name == "index.json" else -1
    assert run["predictions"]["images"]["label"].tolist() == [0, 2, other, other]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rot,7\nblau,1\n", "7"),
        ("rot,pink\n", "pink"),
        ("rot,0\n", "'blau'"),
        ("rot,0,1\n", "line 1"),
        ("rot,0\nrot,1\n", "'rot'"),
    ],
)
def test_wrong_mappings_are_errors(text, reason, tmp_path):
    (tmp_path / "map.csv").write_text(text)
    explainer = convviz.explainer("predictions", classes=str(tmp_path / "map.csv"))
    with pytest.raises(ParameterError, match=reason):
        sweep(tmp_path / "run", labels=["rot", "blau"] * 2, predictions=explainer)
    assert not (tmp_path / "run" / "run.json").exists()


# Sweeps


def test_results_of_a_sweep(tmp_path):
    colours = (RED, GREEN, BLUE, (230, 20, 20), (20, 120, 100))
    labels = ("red", "green", "blue", "blue", "green")
    run = sweep(tmp_path / "run", colours, labels, what="neighbors", k=2)
    results = run["predictions"]
    assert list(results) == [
        *("accuracy", "classes", "confusion", "duplicates", "errors", "images", "suspects")
    ]
    assert results["accuracy"].result.measures["top-1 accuracy"] == "80.0 % (4 of 5)"
    assert results["images"]["top"][:, 0].tolist() == [0, 1, 2, 0, 1]
    errors = results["errors"].result
    assert errors["items"].tolist() == [3]
    assert (errors.table["label"], errors.table["predicted"]) == (("blue",), ("red",))
    assert results["suspects"]["items"].tolist() == [3]
    assert results["duplicates"].result.table["across classes"] == (True,)
    assert results["duplicates"]["items"].tolist() == [[0, 3]]
    table = parquet.read_table(io.BytesIO(results["images"].result.files["predictions.parquet"]))
    assert table["correct"].to_pylist() == [True, True, True, False, True]
    page = (tmp_path / "run" / "index.html").read_text("utf-8")
    assert '<th scope="col">probability of the label</th>' in page


@pytest.mark.parametrize("what", [[], ["neighbors"]])
def test_shards_give_the_numbers_and_pictures_of_one_run(what, tmp_path):
    colours, labels = (RED, GREEN, BLUE, NEARLY_RED, RED, GREEN), ["red", "blue"] * 3
    runs = [
        sweep(tmp_path / str(size), colours, labels, what=what, batch_size=2, shard_size=size)
        for size in (2, 6)
    ]
    same(*(files_of_results(run) for run in runs))


@checksums_instead_of_pictures()
def test_an_extended_run_has_the_results_of_one_sweep(tmp_path):
    colours, labels = (RED, GREEN, BLUE, RED, NEARLY_RED), ("red", "green", "blue", "blue", "red")
    mapping = convviz.explainer("predictions", classes={"red": 0, "green": 1, "blue": 2})
    sweep(tmp_path / "run", colours[:4], labels[:4], predictions=mapping)
    extension = {"what": "neighbors", "k": 2, "extend": True}
    run = sweep(tmp_path / "run", colours[:4], labels[:4], **extension)
    assert list(run["predictions"]["duplicates"]["items"][0]) == [0, 3]
    assert run.plan["explainers"]["predictions"]["parameters"]["classes"]["blue"] == 2
    run = sweep(tmp_path / "run", colours, labels, **extension)
    at_once = sweep(tmp_path / "once", colours, labels, what="neighbors", k=2, predictions=mapping)
    same(files_of_results(run), files_of_results(at_once))


def test_joined_and_extended_runs_match_the_classes_of_all_photos(tmp_path):
    def data(items, classes):
        ids = tuple(f"{i}.png" for i in items)
        pixels = photos([RED, GREEN, BLUE, BLUE])[list(items)]
        return ArrayDataset("data", pixels, ids, tuple([0, 1, 1, 2][i] for i in items), classes)

    parts = (data(range(2), ("red", "green")), data(range(2, 4), ("red", "green", "blue")))
    whole = data(range(4), ("red", "green", "blue"))
    for name, part in zip("ab", parts, strict=True):
        convviz.analyze(model(), part, [], tmp_path / name)
    convviz.analyze(model(), whole, [], tmp_path / "whole")
    runs = [tmp_path / "a", tmp_path / "b"]
    joined = convviz.merge(runs, tmp_path / "joined", model(), whole)
    extended = convviz.analyze(model(), whole, [], tmp_path / "a", extend=True)
    expected = files_of_results(convviz.open_run(tmp_path / "whole"))
    same(files_of_results(joined), expected)
    same(files_of_results(extended), expected)


def test_without_labels_there_is_no_correctness(tmp_path):
    results = sweep(tmp_path / "run", labels=None)["predictions"]
    assert list(results) == ["images"]
    assert "no labels" in results.only.result.notes[0]


def test_labels_that_do_not_match_are_noted(tmp_path):
    results = sweep(tmp_path / "run", labels=["n01440764"] * 4)["predictions"]
    assert list(results) == ["images"]
    assert "--classes FILE" in results.only.result.notes[0]
    with pytest.raises(convviz.UnknownNameError, match=r"'images'\. No correctness"):
        results["errors"]


def test_numbers_beyond_the_outputs_are_noted(tmp_path):
    run = sweep(tmp_path / "run", labels=[0, 1, 2, 3], model=model(labels=()))
    assert list(run["predictions"]) == ["images"]
    assert "label 3" in run["predictions"].only.result.notes[0]


def test_it_is_on_by_default_and_can_be_switched_off(tmp_path):
    assert set(sweep(tmp_path / "a", what="statistics")) == {"statistics", "predictions"}
    assert set(sweep(tmp_path / "b", what="statistics", predictions=False)) == {"statistics"}
    named = convviz.explainer("predictions", bins=3)
    run = sweep(tmp_path / "c", predictions=named)
    assert run["predictions"]["accuracy"].values.shape[0] == 3
    with pytest.raises(ParameterError, match="predictions=7"):
        sweep(tmp_path / "d", predictions=7)


def test_a_model_with_one_output_gets_a_note(tmp_path):
    options = {"model": model(labels=(), outputs=1), "what": "statistics", "layers": "conv"}
    run = sweep(tmp_path / "run", labels=None, **options)
    assert set(run) == {"statistics"}
    assert any("one output" in note for note in run.notes)
    again = sweep(tmp_path / "run", labels=None, **options)  # opened as it is
    assert again.notes == run.notes


# Units


def test_units_by_lift(tmp_path):
    colours = [RED, RED, GREEN, BLUE, BLUE, BLUE]
    labels = ["red", "red", "green", "blue", "blue", "blue"]
    options = {"layers": "conv", "k": 2, "guided": False, "units": 0, "border": "include"}
    run = sweep(tmp_path / "run", colours, labels, what="patches", **options)
    ranking = run.units("conv", classes="R*")
    assert (ranking[0].unit, ranking[0].count, ranking[0].of) == (0, 2, 2)
    assert ranking[0].lift == pytest.approx(3.0)
    assert "2 of 2" in repr(ranking)
    with pytest.raises(ParameterError, match="pink"):
        run.units("conv", "pink")
    numbers = [COLOURS.index(label) for label in labels]
    run = sweep(tmp_path / "numbers", colours, numbers, what="patches", **options)
    assert run.units("conv", "red")[0] == run.units("conv", "0")[0] == ranking[0]
    assert run.units("conv", "0-1").classes == ("0 / red", "1 / green")
    with pytest.raises(ParameterError, match="3-9"):
        run.units("conv", "3-9")
    run = sweep(tmp_path / "other", colours, labels, what="statistics", layers="conv")
    unit = run.units("conv", classes=["red"])[0]
    means = photos(colours)[..., 0].mean((1, 2))
    assert (unit.unit, unit.count, unit.of) == (0, 2, 2)
    assert unit.lift == pytest.approx(means[:2].mean() / means.mean(), rel=1e-6)


# Tables


def test_tables_have_the_names_of_labels_and_predictions(tmp_path):
    colours, labels = [RED, RED, GREEN, BLUE], ["red", "blue", "green", "blue"]
    run = sweep(tmp_path / "run", colours, labels, what="neighbors", layers="conv")
    images = run["predictions"]["images"].to_arrow().to_pylist()
    assert [row["label"] for row in images] == labels
    assert [row["predicted"] for row in images] == ["red", "red", "green", "blue"]
    assert [name for name in images[0] if name.replace("_", " ") == "label probability"] == [
        "label probability"
    ]
    errors = run["predictions"]["errors"].to_arrow().to_pylist()
    assert [(e["rank"], e["item"], e["label"], e["predicted"]) for e in errors] == [
        (1, 1, "blue", "red")
    ]
    pairs = run["predictions"]["duplicates"].to_arrow().to_pylist()
    assert [(pair["item"], pair["other item"]) for pair in pairs] == [(0, 1)]
    suspects = run["predictions"]["suspects"]
    assert suspects.to_arrow().num_rows == len(suspects.values)


# Command line


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    shift = {str(i): (i + 1) % 10 for i in range(10)}
    (tmp_path / "map.json").write_text(json.dumps(shift))
    call = ["analyze", "demo-digits:?limit=30", "-m", "demo-digits", "--classes", "map.json"]
    assert command([*call, "-o", "run"]) == 0
    errors = convviz.open_run("run")["predictions"]["errors"]
    assert len(errors.values) == 30
    assert command(["show", "run", "-e", "predictions", "-l", "errors", "--worst", "14"]) == 0
    paths = capsys.readouterr().out.splitlines()[-1:]
    assert paths == ["convviz-out/predictions/errors/picture.png"]
    off = ["analyze", "demo-digits:?limit=30", "-m", "demo-digits", "--no-predictions"]
    assert command([*off, "-e", "neighbors", "-o", "other"]) == 0
    assert set(convviz.open_run("other")) == {"neighbors"}
    assert command([*off, "-o", "none"]) == 2
