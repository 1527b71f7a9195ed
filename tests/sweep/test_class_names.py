"""Integer labels that are indices of the model's outputs appear under the names of the outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import convviz
from convviz.sweep.class_names import class_names

CRANES = ("robin", "crane", "crane")


@pytest.mark.parametrize(
    ("classes", "labels", "outputs", "expected"),
    [
        (["0", "1"], ["cat", "dog"], {"0": 0, "1": 1}, ("cat", "dog")),
        (["0", "1"], ["cat", "dog"], None, ("cat", "dog")),  # without predictions
        (["0", "1"], ["cat", "dog"], {}, ("0", "1")),  # no match
        (["0", "1"], ["cat", "dog"], {"0": 1, "1": -1}, ("dog", "1")),  # a given mapping
        (["0", "1"], ["cat", "dog", "cow"], None, ("cat", "dog")),
        (["0", "1"], ["cat", "dog", "cow", "hen"], None, ("cat (0)", "dog (1)")),
        (["0", "1", "2"], CRANES, None, ("robin", "crane (1)", "crane (2)")),
        (["0", "1", "2"], ["cat", "dog"], None, ("0", "1", "2")),
        (["0", "1"], [], None, ("0", "1")),
        (["felis", "canis"], ["cat", "dog"], {"felis": 0, "canis": 1}, ("felis", "canis")),
        (["00", "01"], ["cat", "dog"], None, ("00", "01")),
        (["False", "True"], ["cat", "dog"], {"False": 0, "True": 1}, ("False", "True")),
        ([], ["cat", "dog"], None, ()),
    ],
)
def test_names_of_outputs_replace_numbers(classes, labels, outputs, expected):
    explainers = {"patches": {"parameters": {"k": 1}}, "other": {}}
    if outputs is not None:
        explainers["predictions"] = {"parameters": {"outputs": outputs}}
    record = {
        "model": {"labels": labels},
        "dataset": {"classes": classes},
        "explainers": explainers,
    }
    assert class_names(record) == expected


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    as_it_is = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    module = nn.Sequential(*layers, nn.Linear(4, 3)).eval()
    return convviz.Model(module, preprocess=as_it_is, labels=CRANES)


@pytest.fixture
def photos():
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)


def sweep(out, photos, names=("patches", "statistics", "neighbors", "embedding"), **options):
    parameters = {
        "patches": {"k": 2, "per_class": True, "layers": ("1",)},
        "statistics": {"layers": ("1",)},
        "neighbors": {"k": 2},
        "embedding": {"perplexity": 2.0},
    }
    explainers = [convviz.explainer(name, **parameters[name]) for name in names]
    data = (photos, [0, 1, 2, 2, 0, 1, 2, 0])
    return convviz.analyze(network(), data, explainers, out, **options)


def test_results_and_tables_have_the_names(tmp_path, photos):
    run = sweep(tmp_path / "run", photos)
    names = ("robin", "crane (1)", "crane (2)")
    assert run.plan["dataset"]["classes"] == ["0", "1", "2"]
    assert run.classes == names
    for name in ("statistics", "neighbors", "embedding"):
        assert tuple(run[name].only.result.classes) == names
    titles = [stack.title for stack in run.draw("patches").result.stacks]
    assert titles[-3:] == [f"class {name}" for name in names]
    matches = run.to_arrow("neighbors")
    known = {column for column in matches.column_names if column.endswith("class")}
    assert known
    assert all(set(matches[column].to_pylist()) <= {*names, None} for column in known)
    assert [u.of for u in run.units("1", classes="crane")] == [2] * 4
    run.export_map(tmp_path / "map.parquet")
    notes = run["predictions"]["images"].result.notes
    assert "Labels are numbers, read as indices of the model's outputs." in notes
    drawn = run.draw("patches", "1", units=[0]).result
    assert {stack.title for stack in drawn.stacks} >= {"photo patches"}


def test_results_are_those_of_one_run_if_predictions_change_the_names(tmp_path, photos):
    mapping = convviz.explainer("predictions", classes={"0": 1, "1": "robin", "2": 2})
    sweep(tmp_path / "run", photos, ["neighbors"], predictions=False)
    options = {"predictions": mapping, "extend": True}
    extended = sweep(tmp_path / "run", photos, ["neighbors"], **options)
    at_once = sweep(tmp_path / "once", photos, ["neighbors"], predictions=mapping)
    for run in (extended, at_once):
        assert run["neighbors"].only.result.classes == run.classes
        assert run.classes == ("crane (0)", "robin", "crane (2)")
