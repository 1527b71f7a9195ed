"""Sweeps that are resumed, changed, locked or damaged: their results and their errors."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.folders import content, same

import convviz
from convviz import ConvvizError, ConvvizWarning, ParameterError
from convviz.storage import durable_file
from convviz.sweep.signals import Interrupts
from convviz.sweep.store.file_lock import lock_folder
from convviz.sweep.store.file_names import LOCK, PLAN, SWEEP
from convviz.sweep.store.local import LocalRunStore
from convviz.sweep.store.shard_manifest import ShardManifest
from convviz.sweep.worker import Worker


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


def photos(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def run_into(out: Path, model: convviz.Model, count: int = 12, **given) -> convviz.Run:
    what = given.pop("what", [convviz.explainer("neighbors", k=2)])
    how = {"batch_size": 2, "shard_size": 4, **given}
    return convviz.analyze(model, photos(count), what, out, **how)


def stop_after(monkeypatch: pytest.MonkeyPatch, shards: int, error: BaseException) -> list[int]:
    """Raise `error` in every sweep after some shards; returns the list of shards computed."""
    seen: list[int] = []
    work = Worker.__call__

    def limited(self, task):
        if len(seen) == shards:
            raise error
        seen.append(task.shard)
        return work(self, task)

    monkeypatch.setattr(Worker, "__call__", limited)
    return seen


def cut_off(monkeypatch: pytest.MonkeyPatch, out: Path, model: convviz.Model, **given: int) -> None:
    """Leave a sweep with two of its shards done."""
    with monkeypatch.context() as patch:
        stop_after(patch, 2, RuntimeError("power cut"))
        with pytest.raises(RuntimeError, match="power cut"):
            run_into(out, model, **given)


def test_a_finished_run_is_opened(model, tmp_path, monkeypatch) -> None:
    first = run_into(tmp_path / "run", model)
    before = content(tmp_path / "run")
    seen = stop_after(monkeypatch, 0, AssertionError("computed again"))
    again = run_into(tmp_path / "run", model, batch_size=None, shard_size=None)
    assert again["neighbors"].only.equals(first["neighbors"].only)
    assert seen == []
    same(content(tmp_path / "run"), before)


def test_only_what_is_missing_is_computed(model, tmp_path, monkeypatch, capsys) -> None:
    expected = content(run_into(tmp_path / "whole", model).folder)
    cut_off(monkeypatch, tmp_path / "run", model)
    with pytest.raises(ConvvizError, match="not finished"):
        convviz.open_run(tmp_path / "run")
    seen = stop_after(monkeypatch, 9, AssertionError())
    with convviz.show_progress():
        run_into(tmp_path / "run", model, batch_size=None, shard_size=None)
    assert seen == [2]
    message = f"resuming the sweep in {str(tmp_path / 'run')!r}: 2 of 3 shards are done\n"
    assert capsys.readouterr().err == message
    same(content(tmp_path / "run"), expected)


@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "entry"])
def test_a_damaged_shard_is_computed_again(model, tmp_path, monkeypatch, damage) -> None:
    out = tmp_path / "run"
    expected = content(run_into(tmp_path / "whole", model).folder)
    cut_off(monkeypatch, out, model)
    path = out / SWEEP / "shards" / "000001.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    if damage == "gone":
        path.unlink()
    elif damage == "entry":
        path.with_name("000001.json").write_text("{")
    else:
        path.write_bytes(data if damage == "bit" else data[:-5])
    seen = stop_after(monkeypatch, 9, AssertionError())
    if damage == "entry":
        run_into(out, model)
    else:
        with pytest.warns(ConvvizWarning, match="000001.safetensors .* shard 1 is computed again"):
            run_into(out, model)
    assert seen == [1, 2]
    same(content(out), expected)


def other_weights() -> convviz.Model:
    other = convviz.load_model("demo-digits")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    return other


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": other_weights}, r"model.weights_hash: \w+… → \w+…"),
        ({"what": "neighbors", "k": 3}, "neighbors.parameters.k: 2 → 3"),
        ({"what": ["neighbors", "statistics"]}, "explainers.statistics.distribution: none → conv"),
        ({"count": 13}, "dataset.count: 12 → 13"),
        ({"count": 13}, r"dataset, the ids or labels of its items \(by their hash\): \w+… → "),
        ({"batch_size": 3}, "batch_size: 2 → 3"),
        ({"threads": 7}, r"threads: \d+ → 7"),
    ],
)
def test_another_run_is_refused_with_what_differs(
    model, tmp_path, monkeypatch, finished, given, says
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, 9 if finished else 2, RuntimeError("power cut"))
        try:
            run_into(out, model)
        except RuntimeError:
            assert not finished
    before = content(out)
    given = dict(given)
    used = given.pop("model", lambda: model)()
    with pytest.raises(ParameterError, match=says) as caught:
        run_into(out, used, **given)
    assert "overwrite=True" in str(caught.value)
    assert "another folder" in str(caught.value)
    same(content(out), before)
    run_into(out, model)
    assert len(convviz.open_run(out).items) == 12


def test_a_refusal_names_the_first_differences_and_counts_the_others(model, tmp_path) -> None:
    run_into(tmp_path / "run", model)
    with pytest.raises(ParameterError) as caught:
        run_into(tmp_path / "run", other_weights(), count=13, batch_size=3, shard_size=7, threads=7)
    # In the plan's order: weights, the items' number and hash, batch_size, shard_size, threads.
    assert "batch_size: 2 → 3; and 2 more. Nothing" in str(caught.value)
    assert "threads" not in str(caught.value)


def test_another_version_of_a_plugin_is_refused(model, tmp_path, rewrite) -> None:
    out = tmp_path / "run"
    run_into(out, model)

    def older(record):
        record["versions"]["convviz"] = "0.0.1"
        record["explainers"]["neighbors"]["version"] = "0.0.1"

    rewrite(out / "run.json", older)
    with pytest.raises(ParameterError, match=r"neighbors\.version: 0\.0\.1 → .*convviz: 0\.0\.1"):
        run_into(out, model)


def test_a_full_disk_is_named_and_costs_no_shard(model, tmp_path, monkeypatch) -> None:
    out = tmp_path / "run"
    expected = content(run_into(tmp_path / "whole", model).folder)
    write = durable_file.write

    def full(path: Path, data: bytes) -> None:
        if path.name.startswith("000002"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(durable_file, "write", full)
    with pytest.raises(ConvvizError, match=r"run.* is full .*2 of 3 shards are safe.*same"):
        run_into(out, model)
    monkeypatch.undo()
    seen = stop_after(monkeypatch, 9, AssertionError())
    run_into(out, model)
    assert seen == [2]
    same(content(out), expected)


def test_a_disk_that_fills_up_at_the_end_is_no_fault_of_an_explainer(
    model, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "run"
    expected = content(run_into(tmp_path / "whole", model).folder)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ConvvizError, match=r"run.* is full .*3 of 3 shards are safe"):
        run_into(out, model)
    monkeypatch.undo()
    seen = stop_after(monkeypatch, 9, AssertionError())
    run_into(out, model)
    assert seen == []
    same(content(out), expected)


@pytest.mark.parametrize("where", ["begin", "damage"])
def test_a_resume_that_fails_at_its_beginning_costs_no_shard(
    model, tmp_path, monkeypatch, where
) -> None:
    out = tmp_path / "run"
    expected = content(run_into(tmp_path / "whole", model).folder)
    cut_off(monkeypatch, out, model)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ShardManifest, where, full)
        with pytest.raises(ConvvizError, match="all finished shards are safe"):
            run_into(out, model)
    seen = stop_after(monkeypatch, 9, AssertionError())
    run_into(out, model)
    assert seen == [2]
    same(content(out), expected)


def test_shards_without_a_plan_belong_to_nobody(model, tmp_path, monkeypatch) -> None:
    """A kill while a sweep is given up may leave them; another sweep must not take them."""
    out = tmp_path / "run"
    cut_off(monkeypatch, out, model)
    (out / SWEEP / PLAN).unlink()
    other = convviz.load_model("demo-digits")
    with torch.no_grad():
        for weight in other.module.parameters():
            weight.mul_(1.5)
    expected = content(run_into(tmp_path / "whole", other).folder)
    run_into(out, other)
    same(content(out), expected)


def test_a_finish_without_memory_costs_only_itself(model, tmp_path, monkeypatch) -> None:
    def starved(*args: object) -> None:
        raise MemoryError("Unable to allocate 80 GiB")

    what = [convviz.explainer("neighbors", k=2), convviz.explainer("statistics")]
    monkeypatch.setattr(type(what[0]), "finish", starved)
    with pytest.raises(ConvvizError, match=r"neighbors.* ran out of memory at the end: Unable"):
        run_into(tmp_path / "run", model, what=what)
    assert convviz.open_run(tmp_path / "run").explainers == ("predictions", "statistics")


def test_a_shard_that_cannot_be_read_at_the_end_is_no_fault_of_an_explainer(
    model, tmp_path, monkeypatch
) -> None:
    what = [convviz.explainer("neighbors", k=2), convviz.explainer("statistics")]
    expected = content(run_into(tmp_path / "whole", model, what=what).folder)
    partials = LocalRunStore.partials

    def broken(store: LocalRunStore, entries: list, step: int):
        yield next(partials(store, entries, step))
        if step == 0:
            raise OSError(errno.EIO, "Input/output error")
        yield from partials(store, entries[1:], step)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(LocalRunStore, "partials", broken)
        with pytest.raises(ConvvizError, match=r"cannot be read \(OSError.*same command resumes"):
            run_into(out, model, what=what)
    seen = stop_after(monkeypatch, 9, AssertionError())
    run_into(out, model, what=what)
    assert seen == []
    same(content(out), expected)


def test_a_changed_preprocess_of_ones_own_is_refused(model, tmp_path) -> None:
    def scaled(by: float):
        return lambda photo: torch.from_numpy(np.array(photo)[None, :8, :8, 0] * np.float32(by))

    for by, fits in ((1.0, True), (1.0, True), (0.5, False)):
        custom = convviz.Model(model.module, preprocess=scaled(by))
        if fits:
            run_into(tmp_path / "run", custom)
        else:
            with pytest.raises(ParameterError, match=r"model\.preprocess: .* → "):
                run_into(tmp_path / "run", custom)


def test_a_preprocess_of_any_kind_is_described(tmp_path, model) -> None:
    from convviz.sweep.plan import describe_preprocess

    def described(preprocess) -> str:
        return describe_preprocess(convviz.Model(model.module, preprocess=preprocess))

    def numbers(photo):
        return torch.from_numpy(np.array(photo)[None, :8, :8, 0] / 255)

    state = np.random.get_state()[1].copy()
    drawn = described(lambda photo: numbers(photo) + np.random.rand())
    assert "different at every call" in drawn
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    names = [described(lambda photo, d=d: numbers(photo).to(d)) for d in (torch.bfloat16, None)]
    assert names[0] != names[1]
    assert not any("call" in name or "fails" in name for name in names)
    assert "call" not in described(lambda photo: numbers(photo) * np.nan)
    assert "fails on a test photo" in described(lambda photo: 1 / 0)
    drawing = convviz.Model(model.module, preprocess=lambda p: numbers(p).float() + torch.rand(1))
    with pytest.warns(ConvvizWarning, match="another image of a photo at every call"):
        run_into(tmp_path / "run", drawing)


@pytest.mark.parametrize("text", ["{}", "[]", "[[1, 2]]", "{"])
def test_a_damaged_plan_is_refused_and_may_be_overwritten(
    model, tmp_path, monkeypatch, text
) -> None:
    out = tmp_path / "run"
    expected = content(run_into(tmp_path / "whole", model).folder)
    cut_off(monkeypatch, out, model)
    (out / SWEEP / PLAN).write_text(text)
    with pytest.raises(ParameterError, match=r"plan\.json .*overwrite=True"):
        run_into(out, model)
    run_into(out, model, overwrite=True)
    same(content(out), expected)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
    RuntimeError("data. DefaultCPUAllocator: not enough memory: 12 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "windows", "python"])
def test_lack_of_memory_halves_the_batch_and_is_kept(model, tmp_path, monkeypatch, error) -> None:
    out = tmp_path / "run"
    sizes: list[int] = []
    forward = convviz.Model.forward

    def small(self, images, layers=()):
        sizes.append(len(images))
        if len(images) > 2 and len(sizes) > 1:
            raise error
        return forward(self, images, layers)

    monkeypatch.setattr(convviz.Model, "forward", small)
    cut_off(monkeypatch, out, model, batch_size=4)
    assert sizes == [4, 4, 2, 2]
    run = run_into(out, model, batch_size=4)
    assert sizes == [4, 4, 2, 2, 2, 2]
    assert run.plan["amended"] == [{"from_shard": 1, "batch_size": 2}]
    assert run.plan["batch_size"] == 4


def test_values_that_are_not_finite_are_counted(tmp_path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.Flatten(), torch.nn.Linear(128, 3))
    with torch.no_grad():
        net[0].bias[1] = float("nan")
    broken = convviz.Model(net, preprocess=convviz.Preprocess(resize=8, crop=8))
    run = convviz.analyze(broken, photos(5), "statistics", tmp_path / "run", layers=("0",))
    assert run.nonfinite == {"0": 5 * 64}


def test_one_run_at_a_time(model, tmp_path) -> None:
    out = tmp_path / "run"
    program = (
        "import sys, time; from pathlib import Path\n"
        "from convviz.sweep.store.file_lock import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-P", "-c", program, str(out)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(ConvvizError, match=rf"process {holder.pid}\b"):
            run_into(out, model)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert (out / LOCK).exists()  # left by the killed process, and no obstacle
    run_into(out, model)
    assert not (out / LOCK).exists()


def test_a_lock_leaves_no_folder_behind(tmp_path) -> None:
    with lock_folder(tmp_path / "new"):
        assert (tmp_path / "new" / LOCK).read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("signals", "finished"), [(1, True), (2, False)])
def test_a_signal_waits_for_the_write_in_hand_and_a_second_one_does_not(signals, finished) -> None:
    written = []

    def write() -> None:
        interrupts = Interrupts()
        with interrupts.handle_signals(), interrupts.complete_write():
            for _ in range(signals):
                os.kill(os.getpid(), signal.SIGINT)
            written.append(True)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert bool(written) is finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_leaf_holds_its_items_and_opens_wherever_it_is_copied(model, tmp_path, rewrite) -> None:
    run = run_into(tmp_path / "run", model)
    [leaf] = run["neighbors"].folder.iterdir()
    text = (leaf / "explanation.json").read_text("utf-8")
    document = json.loads(text)
    assert document["items"] == {"table": "items.parquet", "count": 12}
    assert run.items[11].id not in json.dumps(document["result"]["names"])
    shutil.copytree(leaf, tmp_path / "alone")
    shutil.rmtree(run.folder)
    again = convviz.load(tmp_path / "alone")
    assert [item.id for item in again.items] == [f"{i:02d}" for i in range(12)]
    assert again.result.names == tuple(f"{i:02d}" for i in range(12))
    assert again.items[3].size == (8, 8)
    secret = {"table": "../secret/items.parquet", "count": 12}
    rewrite(tmp_path / "alone" / "explanation.json", lambda d: d.update(items=secret))
    with pytest.raises(ConvvizError, match=r"items are in no items\.parquet"):
        convviz.load(tmp_path / "alone")


def test_the_leaves_of_a_run_share_one_table(model, tmp_path) -> None:
    run = run_into(tmp_path / "run", model, what=["neighbors", "embedding"])
    tables = list(run.folder.glob("results/*/*/items.parquet"))
    assert len(tables) == 4  # with images and duplicates of predictions
    assert len({(path.stat().st_dev, path.stat().st_ino) for path in tables}) == 1
    assert len(convviz.load(tables[0].parent).items) == 12
