"""Runs over pieces of a data set that are joined: the bytes of one run, and errors."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.extended_runs import (
    CLASSES,
    EMBEDDING,
    NEIGHBORS,
    PATCHES,
    PHOTOS,
    STATISTICS,
    data,
    other_weights,
    same_but_for_history,
    sweep,
    without_history,
)
from helpers.folders import content, same
from PIL import Image

import convviz
from convviz import ConvvizError, ParameterError
from convviz.cli.main import run as convviz_cli
from convviz.sweep.worker import Worker

WHAT = [PATCHES, STATISTICS, NEIGHBORS, EMBEDDING]


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch):
    """Return a function after whose call nothing may be swept."""

    def sweeps(self, task):
        raise AssertionError("swept again")

    return lambda: monkeypatch.setattr(Worker, "__call__", sweeps)


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_of_a_data_set_give_the_bytes_of_one_run(model, tmp_path, parts, no_sweep):
    whole = sweep(model, tmp_path / "whole", WHAT, range(11))
    pieces = [
        sweep(model, tmp_path / str(i), WHAT, range(11), part=f"{i + 1}/{parts}")
        for i in range(parts)
    ]
    counts = [len(piece.items) for piece in pieces]
    assert counts == ([4, 7] if parts == 2 else [4, 4, 3])
    no_sweep()
    photos = data(range(11))
    run = convviz.merge([tmp_path / str(i) for i in range(parts)], tmp_path / "run", model, photos)
    assert run.items == whole.items
    history = same_but_for_history(tmp_path / "run", tmp_path / "whole")
    assert [call["items"] for call in history] == counts
    before = content(tmp_path / "run")
    convviz.merge(pieces, tmp_path / "run", model, photos)  # finished: opened
    same(content(tmp_path / "run"), before)
    with pytest.raises(ParameterError, match="already holds a run"):
        convviz.merge(pieces[::-1], tmp_path / "run", model, photos)


def test_parts_of_a_small_data_set_have_smaller_shards(model, tmp_path):
    sizes = {"shard_size": None, "threads": 1}
    pieces = [
        sweep(model, tmp_path / str(i), [STATISTICS], range(10), part=f"{i}/3", **sizes)
        for i in (1, 2, 3)
    ]
    assert [len(piece.items) for piece in pieces] == [3, 3, 4]
    convviz.merge([tmp_path / str(i) for i in (1, 2, 3)], tmp_path / "run", model, data(range(10)))
    sweep(model, tmp_path / "whole", [STATISTICS], range(10), shard_size=3, threads=1)
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


def test_parts_run_the_graph_of_the_whole_data_set(model, tmp_path):
    sizes = {"batch_size": 32, "shard_size": 100}
    sweep(model, tmp_path / "whole", [STATISTICS], range(300), **sizes)
    for i in (1, 2):
        sweep(model, tmp_path / str(i), [STATISTICS], range(300), part=f"{i}/2", **sizes)
    convviz.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "run", model, data(range(300)))
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


def test_other_pieces_give_the_same_patches_and_sums_within_rounding(model, tmp_path, no_sweep):
    whole = sweep(model, tmp_path / "whole", WHAT, range(11))
    sweep(model, tmp_path / "a", WHAT, range(5))
    sweep(model, tmp_path / "b", WHAT, range(5, 11))
    no_sweep()
    run = convviz.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "run", model, data(range(11)))
    assert run.plan["shard_sizes"] == [4, 1, 4, 2]
    assert run.plan["dataset"]["count"] == 11
    assert run.plan["dataset"]["ids_hash"] == whole.plan["dataset"]["ids_hash"]
    for layer in whole["patches"]:
        ours, theirs = run["patches"][layer], whole["patches"][layer]
        for name in ("items", "positions", "boxes"):
            assert torch.equal(ours[name].nan_to_num(), theirs[name].nan_to_num())
    assert torch.equal(run["neighbors"].only["indices"], whole["neighbors"].only["indices"])
    torch.testing.assert_close(run["neighbors"].values, whole["neighbors"].values)
    torch.testing.assert_close(run["statistics"].values, whole["statistics"].values)


def test_a_joined_run_is_extended_without_sweeping_its_explainers(model, tmp_path, monkeypatch):
    sweep(model, tmp_path / "a", [STATISTICS], range(5))
    sweep(model, tmp_path / "b", [STATISTICS], range(5, 11))
    convviz.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "run", model, data(range(11)))
    steps = []
    call = Worker.__call__

    def recorded(self, task):
        steps.append(len(self._outstanding_steps(task)))
        return call(self, task)

    monkeypatch.setattr(Worker, "__call__", recorded)
    run = sweep(model, tmp_path / "run", [PATCHES], range(11), extend=True)
    assert steps == [1, 1, 1, 1]
    assert run.explainers == ("patches", "statistics")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"what": [convviz.explainer("statistics", layers=("stage2.conv",))]}, "stage2.conv"),
        ({"what": [PATCHES]}, "explainers.patches"),
        ({"model": other_weights}, r"model.weights_hash: \w+… → \w+…"),
        ({"precision": "bf16"}, "precision: model → bf16"),
        ({"items": range(3, 8)}, "1 items are in several of the runs: '003'"),
        ({"dataset": data(range(4, 8), ("bee", "dog"), ("bee", "dog"))}, "classes of .* bee, dog"),
    ],
)
def test_runs_that_do_not_fit_are_refused(model, tmp_path, given, says):
    sweep(model, tmp_path / "a", [STATISTICS], range(4))
    given = {"what": [STATISTICS], "items": range(4, 8), **given}
    used = given.pop("model", lambda: model)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", convviz.ConvvizWarning)  # without bfloat16
        sweep(used, tmp_path / "b", given.pop("what"), **given)
    with pytest.raises(ParameterError, match=says):
        convviz.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "run", model)
    assert not (tmp_path / "run").exists()


def test_a_missing_shard_and_a_single_run_are_refused(model, tmp_path):
    for name, items in (("a", range(4)), ("b", range(4, 8))):
        sweep(model, tmp_path / name, [STATISTICS], items)
    (tmp_path / "b" / "shards" / "000000.safetensors").unlink()
    runs = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(ConvvizError, match=r"shard 0 of .*000000.safetensors is missing"):
        convviz.merge(runs, tmp_path / "run", model)
    with pytest.raises(ParameterError, match="two runs or more"):
        convviz.merge(runs[:1], tmp_path / "run", model)
    before = content(tmp_path / "b")
    with pytest.warns(convviz.ConvvizWarning, match="shard 0 is computed again"):
        sweep(model, tmp_path / "b", [STATISTICS], range(4, 8), extend=True, verify=True)
    assert content(tmp_path / "b").items() > before.items()
    assert len(convviz.merge(runs, tmp_path / "run", model).items) == 8


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_a_part_is_a_number_among_parts(model, tmp_path, part):
    with pytest.raises(ParameterError, match=part):
        sweep(model, tmp_path / "run", [STATISTICS], part=part)
    with pytest.raises(ParameterError, match="10 items are 3 shards of 4, fewer than 4 parts"):
        sweep(model, tmp_path / "run", [STATISTICS], part="1/4")


def test_folders_are_joined_from_the_command_line_with_their_photos(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(8):
        folder = Path("photos", f"{'ab'[i // 4]}")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PHOTOS[i if i < 7 else 0]).save(folder / f"{i}.png")
    options = ["-m", "demo-digits", "-e", "patches", "-p", "patches.layers=stage1.conv"]
    for name in ("a", "b"):
        arguments = ["analyze", f"photos/{name}", *options, "-o", name]
        assert convviz_cli([*arguments, *("--threads", "1")]) == 0
    monkeypatch.chdir("/")
    folders = [str(tmp_path / name) for name in ("a", "b", "run")]
    assert convviz_cli(["merge", *folders[:2], "-o", folders[2]]) == 0
    printed = capsys.readouterr().out
    assert "8 items of 2 runs" in printed
    assert f"overview: {Path(folders[2], 'index.html')}" in printed
    run = convviz.open_run(folders[2])
    assert run.plan["dataset"]["name"] == "a + b"
    assert run.notes == ("photos with equal contents in several joined runs: 1 ('7.png is 0.png')",)
    [unit] = [u for u in range(8) if u not in run["patches"].result.order][:1] or [0]
    drawn = run.draw("patches", units=unit)
    assert drawn.result.order == (unit,)
    assert np.asarray(drawn["photo patches"]).std() > 0


def test_classes_and_history_of_the_joined_run(model, tmp_path):
    sweep(model, tmp_path / "a", [STATISTICS], range(4))
    sweep(model, tmp_path / "b", [STATISTICS], range(4, 8))
    run = convviz.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "run", model)
    assert run.classes == CLASSES
    _, history = without_history(content(tmp_path / "run"))
    assert history == [{"items": 4, "explainers": {"statistics": ["stage1.conv"]}}] * 2
