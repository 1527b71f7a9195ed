"""Finished runs that are extended: the bytes of one run with everything, and errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.extended_runs import (
    EMBEDDING,
    NEIGHBORS,
    PATCHES,
    PHOTOS,
    STATISTICS,
    data,
    other_weights,
    same_but_for_history,
    sweep,
)
from helpers.folders import content, same

import convviz
from convviz import ConvvizError, ConvvizWarning, ParameterError
from convviz.data.dataset import ArrayDataset
from convviz.sweep.worker import Worker


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


def extend(model, out: Path, what, items=range(10), **settings) -> convviz.Run:
    return sweep(model, out, what, items, extend=True, **settings)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    """The shards that are swept, each with the explainers that reduce its first batch."""
    done: list[tuple[int, list[str]]] = []
    call = Worker.__call__

    def recorded(self, task):
        steps = self._outstanding_steps(task)
        done.append((task.shard, [self.plan.steps[i].named.name for i in steps]))
        return call(self, task)

    monkeypatch.setattr(Worker, "__call__", recorded)
    return done


def test_an_added_explainer_gives_the_bytes_of_one_run(model, tmp_path, work) -> None:
    sweep(model, tmp_path / "whole", [PATCHES, STATISTICS], pictures=True)
    sweep(model, tmp_path / "run", [PATCHES], pictures=True)
    picture = next((tmp_path / "run").rglob("patches/*/*.png"))
    before = picture.stat().st_ino
    work.clear()
    run = extend(model, tmp_path / "run", [STATISTICS], pictures=True)
    assert work == [(0, ["statistics"]), (1, ["statistics"]), (2, ["statistics"])]
    assert run.explainers == ("patches", "statistics")
    assert picture.stat().st_ino == before  # taken over, not drawn again
    layers = ["stage1.conv", "stage2.conv"]
    assert same_but_for_history(tmp_path / "run", tmp_path / "whole") == [
        {"items": 10, "explainers": {"patches": layers}},
        {"items": 10, "explainers": {"patches": layers, "statistics": ["stage1.conv"]}},
    ]
    work.clear()
    extend(model, tmp_path / "run", [STATISTICS])
    sweep(model, tmp_path / "run", [PATCHES, STATISTICS])
    assert work == []


def test_an_explainer_that_needs_only_what_is_known_sweeps_nothing(model, tmp_path, work) -> None:
    sweep(model, tmp_path / "whole", [NEIGHBORS, EMBEDDING])
    sweep(model, tmp_path / "run", [NEIGHBORS])
    work.clear()
    extend(model, tmp_path / "run", [EMBEDDING])
    assert work == [(shard, ["embedding"]) for shard in range(3)]
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


def test_an_added_layer_gives_the_bytes_of_one_run(model, tmp_path, work) -> None:
    first, second = (convviz.explainer("patches", layers=(f"stage{i}.conv",), k=2) for i in (1, 2))
    both = convviz.explainer("patches", layers=("stage1.conv", "stage2.conv"), k=2)
    sweep(model, tmp_path / "whole", [both, STATISTICS])
    sweep(model, tmp_path / "run", [first, STATISTICS])
    work.clear()
    run = extend(model, tmp_path / "run", [second])
    assert work == [(shard, ["patches"]) for shard in range(3)]
    assert list(run["patches"]) == ["stage1.conv", "stage2.conv"]
    same_but_for_history(tmp_path / "run", tmp_path / "whole")
    work.clear()
    extend(model, tmp_path / "run", [first])  # nothing is missing
    assert work == []


@pytest.mark.parametrize(
    ("before", "swept"),
    [
        (range(8), [2]),  # photos at the end
        ([*range(5), *range(7, 10)], [1, 2]),  # in the middle
        (range(1, 10), [0, 1, 2]),  # at the beginning
    ],
)
def test_added_photos_are_swept_in_the_shards_that_change(
    model, tmp_path, work, before, swept
) -> None:
    what = [PATCHES, STATISTICS, NEIGHBORS, EMBEDDING]
    sweep(model, tmp_path / "whole", what)
    sweep(model, tmp_path / "run", what, before)
    work.clear()
    run = extend(model, tmp_path / "run", [PATCHES])
    assert [shard for shard, _ in work] == swept
    assert [item.id for item in run.items] == [f"{i:03d}" for i in range(10)]
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


def test_a_class_that_moves_the_others_sweeps_their_shards_again(model, tmp_path, work) -> None:
    whole, part = data(range(9)), data([1, 2, 4, 5, 7, 8], ("cat", "dog"))
    sweep(model, tmp_path / "whole", [STATISTICS], dataset=whole, shard_size=20)
    sweep(model, tmp_path / "run", [STATISTICS], dataset=part, shard_size=20)
    extend(model, tmp_path / "run", [STATISTICS], dataset=whole, shard_size=20)
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


def test_all_is_swept_again_if_the_network_is_run_in_another_way(
    model, tmp_path, work, capsys
) -> None:
    """From 64 items on a sweep runs the graph, and a layer may keep a batch norm from folding."""
    sizes = {"batch_size": 32, "shard_size": 30}
    folded = convviz.explainer("statistics", layers=("stage1.relu",))
    sweep(model, tmp_path / "whole", [folded], range(90), **sizes)
    sweep(model, tmp_path / "run", [folded], range(60), **sizes)
    work.clear()
    with convviz.show_progress():
        extend(model, tmp_path / "run", [folded], range(90), **sizes)
    assert [shard for shard, _ in work] == [0, 1, 2]
    assert "all photos are swept again" in capsys.readouterr().err
    same_but_for_history(tmp_path / "run", tmp_path / "whole")
    later = convviz.explainer("patches", layers=("stage2.relu",), k=1, draw=2)
    between = convviz.explainer("patches", layers=("stage2.conv",), k=1, draw=2)
    for what, steps in ((later, ["patches"]), (between, ["statistics", "patches"])):
        whole, out = tmp_path / f"{what.layers[0]}-whole", tmp_path / what.layers[0]
        sweep(model, whole, [folded, what], range(90), **sizes)
        sweep(model, out, [folded], range(90), **sizes)
        work.clear()
        extend(model, out, [what], range(90), **sizes)
        assert work == [(shard, steps) for shard in range(3)]
        same_but_for_history(out, whole)


def test_an_interrupted_extension_leaves_the_run_readable_and_goes_on(
    model, tmp_path, monkeypatch
) -> None:
    sweep(model, tmp_path / "whole", [PATCHES, STATISTICS], range(12))
    sweep(model, tmp_path / "run", [PATCHES], range(8))
    call = Worker.__call__

    def stopping(self, task):
        if task.shard == 1:
            raise RuntimeError("power cut")
        return call(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "__call__", stopping)
        with pytest.raises(RuntimeError, match="power cut"):
            extend(model, tmp_path / "run", [STATISTICS], range(12))
    run = convviz.open_run(tmp_path / "run")
    assert (run.explainers, len(run.items)) == (("patches",), 8)
    assert run["patches"]["stage1.conv"].values.shape[1] == 2
    with pytest.raises(ParameterError, match=r"unfinished extension.*neighbors.*deleting"):
        extend(model, tmp_path / "run", [NEIGHBORS], range(12))
    extend(model, tmp_path / "run", [STATISTICS], range(12))
    same_but_for_history(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("move", range(1, 7))
def test_a_failed_move_of_an_extension_is_made_up_for(model, tmp_path, monkeypatch, move) -> None:
    sweep(model, tmp_path / "whole", [PATCHES, STATISTICS])
    out = tmp_path / "run"
    sweep(model, out, [PATCHES])
    rename, moves = Path.rename, []

    def stubborn(self, target):
        if self.parent in (out / ".convviz-sweep", out / ".convviz-sweep" / "done"):
            moves.append(self)
            if len(moves) == move:
                raise OSError("moved away")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stubborn)
        with pytest.raises(OSError, match="moved away"):
            extend(model, out, [STATISTICS])
    if move == 1:
        assert convviz.open_run(out).explainers == ("patches",)
    extend(model, out, [STATISTICS])
    same_but_for_history(out, tmp_path / "whole")


def test_deleted_and_damaged_shards_are_swept_again(model, tmp_path, work) -> None:
    sweep(model, tmp_path / "whole", [STATISTICS, NEIGHBORS])
    out = tmp_path / "run"
    sweep(model, out, [STATISTICS])
    shards = out / "shards"
    (shards / "000000.json").unlink()
    damaged = shards / "000001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    work.clear()
    with pytest.warns(ConvvizWarning, match="000001.safetensors .* shard 1 is computed again"):
        extend(model, out, [NEIGHBORS])
    assert [len(steps) for _, steps in work] == [4, 4, 3]
    same_but_for_history(out, tmp_path / "whole")


def test_shards_of_a_stranger_stay_in_their_folder(model, tmp_path) -> None:
    out = tmp_path / "run"
    sweep(model, out, [STATISTICS])
    entry = out / "shards" / "000000.json"
    record = json.loads(entry.read_text())
    record["files"]["../../stolen"] = record["files"]["items.parquet"]
    entry.write_text(json.dumps(record))
    with pytest.warns(ConvvizWarning, match="shard 0 .*computed again"):
        extend(model, out, [NEIGHBORS])
    secret = tmp_path / "secret"
    table = out / "shards" / "000001.items.parquet"
    table.rename(secret)
    table.symlink_to(secret)
    with pytest.raises(ConvvizError, match="link that leaves"):
        extend(model, out, [EMBEDDING])


def test_a_failed_explainer_is_computed_from_the_shards(model, tmp_path, monkeypatch, work) -> None:
    sweep(model, tmp_path / "whole", [NEIGHBORS, STATISTICS])

    def starved(*args: object) -> None:
        raise MemoryError("Unable to allocate 80 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(type(NEIGHBORS), "finish", starved)
        with pytest.raises(ConvvizError, match="ran out of memory"):
            sweep(model, tmp_path / "run", [NEIGHBORS, STATISTICS])
    work.clear()
    extend(model, tmp_path / "run", [NEIGHBORS])
    assert work == []
    same(content(tmp_path / "run"), content(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": other_weights}, r"model.weights_hash: \w+… → \w+…"),
        ({"what": convviz.explainer("patches", k=3)}, "patches.parameters.k: 2 → 3"),
        ({"batch_size": 3}, "batch_size: 2 → 3"),
        ({"precision": "bf16"}, "precision: model → bf16"),
        ({"items": range(9)}, "1 of 10 items .* are not in 'digits': '009'.*convviz merge"),
        ({"items": [1, 0, *range(2, 10)]}, "another order"),
        (
            {"dataset": data(range(10), names=("bee", "dog", "cat"))},
            "class of '001' differs from the run: 'cat' → 'dog'",
        ),
    ],
)
def test_changes_are_refused_with_both_values(model, tmp_path, given, says) -> None:
    out = tmp_path / "run"
    sweep(model, out, [PATCHES])
    before = content(out)
    given = {"what": STATISTICS, **given}
    used = given.pop("model", lambda: model)()
    with pytest.raises(ParameterError, match=says):
        extend(used, out, given.pop("what"), **given)
    same(content(out), before)


def test_a_changed_photo_is_refused(model, tmp_path) -> None:
    out = tmp_path / "run"
    sweep(model, out, [PATCHES])
    changed = data(range(10))
    changed.images[5] += 1
    with pytest.raises(ParameterError, match="1 items have changed since they were swept: '005'"):
        extend(model, out, [STATISTICS], dataset=changed)
    assert convviz.open_run(out).explainers == ("patches",)
    with pytest.raises(ParameterError, match="1 items have changed since they were swept: '005'"):
        extend(model, out, [PATCHES], dataset=data_with_more(changed), verify=True)


def data_with_more(dataset: ArrayDataset) -> ArrayDataset:
    """Return a data set with one photo before all others."""
    images = np.concatenate([PHOTOS[:1], dataset.images])
    ids, labels = ("-", *dataset.ids), (0, *dataset.labels)
    return ArrayDataset("digits", images, ids, labels, dataset.classes)


def test_the_error_of_another_call_names_the_option(model, tmp_path) -> None:
    sweep(model, tmp_path / "run", [PATCHES])
    with pytest.raises(ParameterError, match=r"extend=True \(--extend\) to add to it"):
        sweep(model, tmp_path / "run", [STATISTICS])
    with pytest.raises(ParameterError, match=r"batch_size: 2 → 3.* Use overwrite=True"):
        sweep(model, tmp_path / "run", [PATCHES], batch_size=3)
    with pytest.raises(ParameterError, match="extend=True adds to a run"):
        extend(model, tmp_path / "run", [PATCHES], overwrite=True)


def test_without_a_run_an_extension_is_a_run(model, tmp_path) -> None:
    sweep(model, tmp_path / "whole", [STATISTICS])
    extend(model, tmp_path / "run", [STATISTICS])
    same(content(tmp_path / "run"), content(tmp_path / "whole"))
