"""Speed: what is recorded, and the rule for slower and faster; figures are not asserted."""

from __future__ import annotations

import io
import json

import pytest
import torch
from rich.console import Console

import convviz
from convviz import ConvvizError, ParameterError, SpeedRecord, compare_speed
from convviz.cli.main import run
from convviz.evaluation import speed
from convviz.evaluation.peak_memory import measure
from convviz.evaluation.speed_inputs import load_photos
from convviz.evaluation.speed_record import FORWARD, SpeedRow, speed_differences
from convviz.evaluation.speed_table import speed_table
from convviz.plugin import registry


def make_row(name, seconds, **more):
    return SpeedRow(
        name=name, seconds=seconds, batch=1, layout="contiguous", first_call_s=1, passes=1, **more
    )


def make_record(rows, **more):
    values = {"date": "2026-01-01", "commit": "", "machine": {"cpu": "a"}, "versions": {}}
    model = {"name": "net", "weights_hash": "1", "device": "cpu"}
    return SpeedRecord(**{**values, "model": model, "images": "", "rows": rows, **more})


def record_of(seconds, forward=(1.0, 2.0, 1.0, 2.0), **more):
    return make_record([make_row(FORWARD, list(forward)), make_row("a", seconds)], **more)


# The comparison of records


OLD = [10.0, 20.0, 11.0, 21.0]


@pytest.mark.parametrize(
    ("seconds", "forward", "verdict", "ratio"),
    [
        ([15.0, 30.0, 16.0, 31.0], (1, 2, 1, 2), "slower", 1.5),
        ([20.0, 40.0, 22.0, 42.0], (2, 4, 2, 4), "same", 1.0),  # a machine of half the speed
        ([10.5, 21.0, 11.5, 22.0], (1, 2, 1, 2), "same", 1.05),
        ([5.0, 40.0, 11.0, 30.0], (1, 2, 1, 2), "same", 1.2),  # the quartiles overlap
        ([7.0, 14.0, 7.0, 14.0], (1, 2, 1, 2), "faster", 0.7),
    ],
)
def test_a_change_counts_beyond_noise_and_beyond_the_speed_of_the_machine(
    seconds, forward, verdict, ratio
):
    (change,) = compare_speed(record_of(OLD), record_of(seconds, forward))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(ratio, abs=0.08)


def test_rows_that_do_not_correspond_are_not_compared():
    forward = make_row(FORWARD, [1.0, 1, 1])
    old = make_record([forward, make_row("a", [1.0, 1, 1], parameters={"k": 1})])
    rows = [make_row("a", [1.0, 1, 1], parameters={"k": 2}), make_row("b", [1.0, 1, 1])]
    changes = compare_speed(old, make_record([forward, *rows]))
    assert [change.reason for change in changes] == ["other parameters: k", "not in the old record"]
    short = make_record([make_row(FORWARD, [1.0, 1]), make_row("a", [1.0, 1])])
    assert "2 repeats" in compare_speed(short, short)[0].reason


def test_records_of_different_models_are_refused_and_other_differences_named():
    old = record_of(OLD)
    other = record_of(OLD, model={"name": "net", "weights_hash": "2", "device": "cpu"})
    with pytest.raises(ParameterError, match="weights_hash '1'"):
        compare_speed(old, other)
    new = record_of(OLD, machine={"cpu": "b"}, versions={"torch": "3"})
    assert speed_differences(old, new) == ["cpu: a → b", "torch: none → 3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("{}", "date: Field required"), ("[", "Invalid JSON"), ('{"format": 2}', "format")],
)
def test_files_that_are_no_records_are_refused(tmp_path, text, words):
    (tmp_path / "speed.json").write_text(text)
    with pytest.raises(ConvvizError, match=f"not a record of .*{words}"):
        SpeedRecord.load(tmp_path)


def test_the_table_shows_names_as_they_are():
    record = record_of(OLD, failed={"[bold]b": "no\x1b layer"}, notes=("captum is missing.",))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(speed_table(record, compare_speed(record, record)))
    lines = console.export_text().splitlines()
    assert lines[2].split()[:2] == ["a", "15.5"]
    assert "same (1.00×)" in lines[2]
    assert "captum is missing." in lines
    assert "[bold]b" in lines[-1]
    assert "\x1b" not in lines[-1]


# Measurement


class Twice(convviz.authoring.Explainer):
    """Runs the network twice on every image."""

    def explain(self, model, batch, target, forward):
        for _ in range(2):
            model.forward(batch.images)
        return convviz.Heatmap(torch.zeros(len(batch), *batch.images.shape[2:]))


class Copies(convviz.authoring.Explainer):
    """Runs a copy of the network that is rebuilt from its graph, as bridges do."""

    def reads_forward(self):
        return False

    def explain(self, model, batch, target, forward):
        torch.fx.symbolic_trace(model.module)(batch.images)
        return convviz.Heatmap(torch.zeros(len(batch), *batch.images.shape[2:]))


class Broken(convviz.authoring.Explainer):
    def explain(self, model, batch, target, forward):
        raise ConvvizError("nothing to explain")


@pytest.fixture
def family():
    """Register a family "peer" with explainers of methods that others have too."""

    class Plugin:
        @convviz.authoring.hookimpl
        def convviz_explainers(self):
            return [type(name, (Twice,), {}) for name in ("Twice", "LayerSaliency")]

    registry.reset()
    convviz.register(Plugin(), "peer")
    yield
    registry.reset()


def test_speed_of_a_few_explainers(family):
    record = convviz.benchmark_speed(
        "demo-digits", [Twice(), "saliency", Copies(), Broken()], against=["peer", "nowhere"],
        batches=[1, 2], repeats=2, memory=False,
    )  # fmt: skip
    assert [row.name for row in record.rows] == [
        FORWARD, "twice", "peer.twice", "saliency", "peer.layer_saliency", "copies",
    ]  # fmt: skip
    assert record.row("peer.twice").peer_of == "twice"
    (note,) = record.notes
    assert "not measured: nowhere" in note
    assert "nothing to explain" in record.failed["broken"]
    passes = {name: record.row(name).passes for name in (FORWARD, "twice", "copies")}
    assert passes == {FORWARD: 1, "twice": 3, "copies": 2}  # one more checks that it is not random
    for row in record.rows:
        assert len(row.seconds) == 2
        assert set(row.trials) == {
            f"{layout}, {n}" for layout in ("contiguous", "channels_last") for n in (1, 2)
        }
        assert f"{row.layout}, {row.batch}" == min(row.trials, key=row.trials.get)
    assert record.model["source"] == "demo-digits"


def test_slow_explainers_are_tried_once(monkeypatch):
    monkeypatch.setattr(speed, "SLOW_CALL_S", 0.0)
    record = convviz.benchmark_speed("demo-digits", [Twice()], repeats=1, memory=False)
    row = record.row("twice")
    assert list(row.trials) == ["contiguous, 1"]
    assert "only one setting" in row.notes[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"explainers": ["embedding"]}, "embedding does not explain single images"),
        ({"explainers": ["saliency", "saliency"]}, "'saliency' is given twice"),
        ({"batches": [0]}, r"batches=\(0,\)"),
        ({"repeats": 0}, "repeats=0"),
    ],
)
def test_bad_settings_are_refused(given, words):
    with pytest.raises(ParameterError, match=words):
        convviz.benchmark_speed("demo-digits", **{"explainers": ["saliency"], **given})


def test_photos_are_repeated_if_there_are_few(tmp_path):
    from PIL import Image

    for i in range(2):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    assert [p[0, 0, 0] for p in load_photos(str(tmp_path), 3)] == [0, 1, 0]
    first, second = load_photos("", 2)
    assert (first == load_photos("", 1)[0]).all()
    assert (first != second).any()


def test_memory_is_that_of_a_request():
    request = {
        "model": "demo-digits", "device": "cpu", "layout": "channels_last",
        "explainer": "saliency", "parameters": {"samples": 2}, "images": "", "batch": 2,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    assert 0 <= measure(request) < 2000


def test_the_command_writes_and_compares_a_record(tmp_path, capsys):
    given = ["bench", "speed", "--quick", "-e", "saliency", "-p", "saliency.samples=0",
             "--batch", "1", "--out", str(tmp_path)]  # fmt: skip
    assert run(given) == 0
    saved = json.loads((tmp_path / "speed.json").read_text())
    assert [row["name"] for row in saved["rows"]] == [FORWARD, "saliency"]
    assert saved["rows"][1]["parameters"]["samples"] == 0
    assert len(saved["rows"][1]["seconds"]) == 3
    assert run([*given[:-2], "--compare", str(tmp_path / "speed.json")]) == 0
    assert "slower beyond noise:" in capsys.readouterr().out
    assert run(["bench", "speed", "--quick", "--batch", "x"]) == 2
    assert "--batch 'x'" in capsys.readouterr().err
