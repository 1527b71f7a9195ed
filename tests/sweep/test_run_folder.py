"""analyze(): the run folder that it writes, and how it is opened."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from helpers.spy import Other, Spy, photos, tiny_model
from torch import nn

import convviz
from convviz import (
    ConvvizError,
    ParameterError,
    PluginError,
    Table,
    UnknownNameError,
)
from convviz.storage.path_names import folder_name, layer_name


@pytest.fixture
def model():
    return tiny_model()


def test_the_run_folder_and_its_way_back(model, tmp_path):
    data = (photos(3), [0, 1, 0])
    run = convviz.analyze(model, data, Spy(), tmp_path / "run", batch_size=2)
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["model"]["weights_hash"] == model.weights_hash
    assert record["dataset"]["count"] == 3
    assert record["explainers"]["spy"]["layers"] == ["0", "1"]
    assert record["batch_size"] == 2
    assert set(record["versions"]) >= {"convviz", "torch", "torchvision"}
    again = convviz.open_run(tmp_path / "run")
    assert again.items == run.items
    assert [item.label for item in again.items] == [0, 1, 0]
    assert again["spy"]["0"].equals(run["spy"]["0"])
    leaf = convviz.load(tmp_path / "run" / "results" / "spy" / "1")
    assert torch.equal(leaf.values, run["spy"]["1"].values)
    assert leaf.layer == "1"
    assert [item.id for item in leaf.items] == ["0", "1", "2"]


def test_a_single_layer_is_had_directly(model, tmp_path):
    run = convviz.analyze(model, photos(2), Spy(layers=("1",)), tmp_path / "one")
    assert torch.equal(run["spy"].values, run["spy"]["1"].values)
    assert run["spy"].layer == "1"
    two = convviz.analyze(model, photos(2), Spy(), tmp_path / "two")
    assert [(name, item.layer) for name, item in two["spy"].items()] == [("0", "0"), ("1", "1")]
    assert list(two["spy"]) == list(two["spy"].keys()) == ["0", "1"]
    assert "spy" in two
    assert "2" not in two["spy"]
    with pytest.raises(ConvvizError, match="choose one: 0, 1"):
        _ = two["spy"].values
    with pytest.raises(AttributeError):
        _ = run["spy"].nonsense
    with pytest.raises(UnknownNameError, match="'1'"):
        run["spy"]["2"]
    name = next(iter(run["spy"].only.result.arrays))
    with pytest.raises(
        ConvvizError, match=rf"is an array of spy, not a layer: \['1'\]\['{name}'\]"
    ):
        run["spy"][name]
    with pytest.raises(UnknownNameError, match="'spy'"):
        run["patches"]


def test_nothing_is_overwritten_unasked(model, tmp_path):
    out = tmp_path / "run"
    first = convviz.analyze(model, photos(2), Spy(), out)
    saved = first["spy"]["0"].values
    with pytest.raises(ParameterError, match="overwrite=True"):
        convviz.analyze(model, photos(3), Spy(), out)
    with pytest.raises(PluginError):
        convviz.analyze(model, photos(3), Unfinished(), out, overwrite=True)
    assert torch.equal(convviz.open_run(out)["spy"]["0"].values, saved)
    (out / "my notes.txt").write_text("keep me")
    convviz.analyze(model, photos(3), Other(), out, overwrite=True)
    assert convviz.open_run(out).explainers == ("other", "predictions")
    assert (out / "my notes.txt").read_text() == "keep me"
    assert sorted(os.listdir(tmp_path)) == ["run"]


class Unfinished(Spy):
    """Fails at the very end."""

    def finish(self, model, partials, items, needs):
        raise ValueError("not done")


def test_other_peoples_folders_are_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ParameterError, match="other files"):
            convviz.analyze(model, photos(2), Spy(), tmp_path, overwrite=overwrite)
    with pytest.raises(ParameterError, match="is a file"):
        convviz.analyze(model, photos(2), Spy(), tmp_path / "thesis.tex")
    (tmp_path / "empty").mkdir()
    convviz.analyze(model, photos(2), Spy(), tmp_path / "empty")
    with pytest.raises(ConvvizError, match="not a run folder"):
        convviz.open_run(tmp_path)


@pytest.mark.parametrize("move", range(1, 7))
def test_a_failed_move_is_made_up_for(model, tmp_path, monkeypatch, move):
    out = tmp_path / "run"
    former = convviz.analyze(model, photos(2), Spy(), out)["spy"]["0"].values
    rename, moves = Path.rename, []

    def stubborn(self, target):
        if self.parent in (out / ".convviz-sweep", out / ".convviz-sweep" / "done"):
            moves.append(self)
            if len(moves) == move:
                raise OSError("moved away")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(OSError, match="moved away"):
        convviz.analyze(model, photos(3), Spy(), out, overwrite=True)
    monkeypatch.undo()
    run = convviz.open_run(out)
    assert len(run["spy"]["0"].values) == len(run.items) == (2 if move == 1 else 3)
    if move == 1:
        assert torch.equal(run["spy"]["0"].values, former)
        convviz.analyze(model, photos(3), Spy(), out)
    assert len(convviz.open_run(out).items) == 3
    assert sorted(os.listdir(out)) == ["index.html", "items.parquet", "results", "run.json",
                                       "shards", "skipped.parquet"]  # fmt: skip


@pytest.mark.parametrize(
    "layer",
    ["layer4.1", "features.3/relu:2", "", "%", "a%2Fb", "..", ".hidden", "trailing.", "日本", "~x"],
)
def test_layer_names_become_folder_names_and_back(layer, tmp_path):
    folder = folder_name(layer)
    assert layer_name(folder) == layer
    (tmp_path / folder).mkdir()
    assert [p.name for p in tmp_path.iterdir()] == [folder]


def test_layers_with_slashes_are_kept(model, tmp_path):
    class Slashed(Spy):
        def finish(self, model, partials, items, needs):
            item = Table(torch.ones(1, 1))
            return {"block/relu:2": item, "block": item}

    run = convviz.analyze(model, photos(2), Slashed(), tmp_path / "run")
    assert list(run["slashed"]) == ["block", "block/relu:2"]
    assert run["slashed"]["block/relu:2"].layer == "block/relu:2"


def test_layers_are_listed_in_the_order_of_the_network(tmp_path):
    names = ["stem", *(f"{stage}.{i}" for stage in ("deep", "b") for i in range(11)), "out"]

    stages = {stage: nn.Sequential(*(nn.ReLU() for _ in range(11))) for stage in ("deep", "b")}
    head = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    module = nn.Sequential()
    for name, child in {"stem": nn.Conv2d(3, 2, 3), **stages, "out": head}.items():
        module.add_module(name, child)
    module(torch.zeros(1, 3, 8, 8))
    small = convviz.Model(module, preprocess=convviz.Preprocess(resize=8, crop=8))
    out = tmp_path / "run"
    run = convviz.analyze(small, photos(2), "statistics", out, layers=names)
    assert list(run["statistics"]) == names
    page = (out / "index.html").read_text("utf-8")
    places = [page.index(f"results/statistics/{name}/") for name in names if name.startswith("b.")]
    assert places == sorted(places)
