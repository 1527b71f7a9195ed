"""Decoding in other processes: order, equal bytes, deaths, hangs, and no process left behind."""

from __future__ import annotations

import io
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from helpers import folders
from PIL import Image

import convviz
from convviz import ParameterError
from convviz.progress import Lines, measure_sweep, report_progress_to, track
from convviz.sweep.input import decoder_process
from convviz.sweep.input import loader as loading
from convviz.sweep.input.loader import Loader, ReadyItem, SkippedItem

PREPROCESS = convviz.Preprocess(resize=12, crop=12)

HOSTILE = """
    import os, signal, sys, time
    import numpy as np

    class Hostile:
        name, classes = "hostile", ()

        def __init__(self, count, deeds):
            self.ids = tuple(f"item {i}" for i in range(count))
            self.labels = (None,) * count
            self.deeds = deeds

        def load(self, index):
            deed = self.deeds.get(index, "")
            if deed == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if deed == "leave":
                os._exit(3)
            if deed == "hang":
                time.sleep(1000)
            if deed == "memory":
                raise MemoryError("too large")
            if deed.startswith("once "):
                path = deed.removeprefix("once ")
                if not os.path.exists(path):
                    open(path, "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
            rng = np.random.default_rng(index)
            return rng.integers(0, 256, (14 + index % 3, 17, 3), dtype=np.uint8)
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A plugin's module, which other processes can import."""
    (tmp_path / "hostile_photos.py").write_text(dedent(HOSTILE))
    monkeypatch.syspath_prepend(tmp_path)
    import hostile_photos

    yield hostile_photos.Hostile
    del sys.modules["hostile_photos"]


@pytest.fixture
def model():
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip
    return convviz.Model(net, preprocess=PREPROCESS, name="tiny")


def photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (13, 18 + seed % 3, 3), dtype=np.uint8)


def folder_of(path: Path, count: int) -> Path:
    """Write photos of several kinds, and two bad ones."""
    path.mkdir()
    for i in range(count):
        kind = ("png", "jpg", "webp")[i % 3]
        Image.fromarray(photo(i)).save(path / f"{i:03d}-ü.{kind}")
    (path / "005-bad.png").write_bytes(b"no photo")
    (path / "011-cut.jpg").write_bytes((path / "001-ü.jpg").read_bytes()[:200])
    return path


def children() -> set[int]:
    """Return the processes whose parent is this one."""
    return processes_of(os.getpid())


def processes_of(parent: int) -> set[int]:
    """Return the worker processes of a process."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return {
        int(line.split()[0]) for line in listed.splitlines() if decoder_process.__name__ in line
    }


def gone(pids: set[int], seconds: float = 20) -> bool:
    """Wait until none of the processes is alive."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def same(one: ReadyItem | SkippedItem, other: ReadyItem | SkippedItem) -> bool:
    if isinstance(one, SkippedItem) or isinstance(other, SkippedItem):
        return one == other
    a, b = one.prepared, other.prepared
    facts = (one.index, one.content, a.affine, a.size) == (
        other.index, other.content, b.affine, b.size,
    )  # fmt: skip
    return facts and a.image.equal(b.image) and np.array_equal(a.pixels, b.pixels)


def test_a_sweep_has_the_same_bytes_with_and_without_workers(model, tmp_path):
    photos = folder_of(tmp_path / "photos", 23)
    for workers in (0, 2):
        convviz.analyze(
            model, photos, ["neighbors", "statistics"], tmp_path / f"run{workers}",
            batch_size=4, shard_size=7, workers=workers,
        )  # fmt: skip
    local, elsewhere = (folders.content(tmp_path / name) for name in ("run0", "run2"))
    assert local.keys() == elsewhere.keys()
    assert [name for name in local if local[name] != elsewhere[name]] == []
    run = convviz.open_run(tmp_path / "run2")
    assert len(run.items) == 23
    assert [s.id for s in run.skipped] == ["005-bad.png", "011-cut.jpg"]
    assert not children()


def test_order_is_kept_over_borders_jumps_and_abandoned_pieces(tmp_path):
    data = convviz.open_dataset(folder_of(tmp_path / "photos", 20))
    plain = list(Loader(data, PREPROCESS, 0).load(range(22)))
    with Loader(data, PREPROCESS, 2, lookahead=6) as loader:
        first = [*loader.load(range(8), range(8, 16)), *loader.load(range(8, 16), range(16, 22))]
        assert len(first) == 16
        assert all(same(item, plain[i]) for i, item in enumerate(first))
        abandoned = loader.load(range(16, 22), range(0))
        assert same(next(abandoned), plain[16])
        abandoned.close()
        again = list(loader.load(range(16, 22)))
        assert all(same(item, plain[i]) for i, item in enumerate(again, 16))
        jumped = list(loader.load([3, 21, 0]))
        assert all(same(item, plain[i]) for item, i in zip(jumped, [3, 21, 0], strict=True))
        running = children()
        assert len(running) == 2
    assert not children()


def test_a_preprocess_of_the_users_own_runs_here(tmp_path):
    import torch

    data = convviz.open_dataset(folder_of(tmp_path / "photos", 3))
    seen = []

    def own(image):  # a closure, which no other process could be sent
        seen.append(image.size)
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float()

    plain = list(Loader(data, own, 0).load(range(5)))
    with Loader(data, own, 1) as loader:
        assert all(map(same, plain, loader.load(range(5))))
    assert len(seen) == 6
    assert {type(item) for item in plain} == {ReadyItem, SkippedItem}


def test_items_that_kill_or_hang_their_process_are_left_out(hostile, tmp_path, caplog):
    deeds = {1: "crash", 5: "leave", 6: "hang", 9: "memory", 10: f"once {tmp_path / 'died'}"}
    data, harmless = hostile(14, deeds), hostile(14, {})
    plain = list(Loader(harmless, PREPROCESS, 0).load(range(14)))
    with Loader(data, PREPROCESS, 2, timeout=1.5) as loader:
        actual = list(loader.load(range(14)))
    reasons = {item.index: item.reason for item in actual if isinstance(item, SkippedItem)}
    assert reasons == {
        1: "decoder process died (signal 11, SIGSEGV)",
        5: "decoder process died (exit code 3)",
        6: "took longer than 1.5 s",
        9: "MemoryError: too large",
    }
    assert [item.index for item in actual] == list(range(14))
    assert all(same(actual[i], plain[i]) for i in range(14) if i not in reasons)
    assert (tmp_path / "died").exists()
    assert not children()


def test_a_data_set_that_cannot_travel_is_loaded_here_or_refused(tmp_path, caplog, monkeypatch):
    class Local:
        name, ids, labels, classes = "local", ("a", "b"), (None, None), ()

        def load(self, index):
            return photo(index)

        def read(self, index):
            out = io.BytesIO()
            Image.fromarray(photo(index)).save(out, "PNG")
            return out.getvalue()

    with pytest.raises(ParameterError, match=r"workers=1: the data set 'local' cannot be"):
        list(Loader(Local(), PREPROCESS, 1).load(range(2)))
    monkeypatch.setattr(loading, "MIN_FILES_FOR_WORKERS", 1)
    monkeypatch.setattr(loading, "cores", lambda: 2)
    with caplog.at_level(logging.INFO, "convviz"), Loader(Local(), PREPROCESS) as loader:
        assert loader.workers == 1
        actual = list(loader.load(range(2)))
    assert [item.prepared.image.shape for item in actual] == [(3, 12, 12)] * 2
    assert "decoding in this process" in caplog.text


def test_a_data_set_that_does_not_open_there_is_refused(tmp_path, monkeypatch):
    only_here = types.ModuleType("only_here")
    exec(dedent(HOSTILE), only_here.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    with (
        Loader(only_here.Hostile(2, {}), PREPROCESS, 1) as loader,
        pytest.raises(ParameterError, match="another process: ModuleNotFoundError: No module"),
    ):
        list(loader.load(range(2)))
    assert not children()


def test_what_a_loader_chooses(tmp_path, monkeypatch):
    data = convviz.open_dataset(folder_of(tmp_path / "photos", 3))
    arrays = convviz.array_dataset(np.zeros((5, 8, 8, 3), np.uint8))
    monkeypatch.setattr(loading, "cores", lambda: 16)
    assert loading.workers_for(data) == 0
    monkeypatch.setattr(loading, "MIN_FILES_FOR_WORKERS", 4)
    assert (loading.workers_for(data), loading.workers_for(arrays)) == (8, 0)
    monkeypatch.setattr(loading, "cores", lambda: 1)
    assert loading.workers_for(data) == 0
    with pytest.raises(ParameterError, match=r"analyze\.workers: -1"):
        convviz.analyze("demo-digits", data, "neighbors", tmp_path / "run", workers=-1)
    with pytest.raises(ParameterError, match=r"analyze\.timeout: 0\.0"):
        convviz.analyze("demo-digits", data, "neighbors", tmp_path / "run", timeout=0.0)


def test_a_pickled_loader_starts_anew(tmp_path):
    data = convviz.open_dataset(folder_of(tmp_path / "photos", 4))
    with Loader(data, PREPROCESS, 1) as loader:
        actual = list(loader.load(range(4)))
        copy = pickle.loads(pickle.dumps(loader))
        with copy:
            assert all(map(same, actual, copy.load(range(4))))
            assert len(children()) == 2
    assert not children()


SCRIPT = """
    import signal, sys, time
    import convviz
    from convviz.sweep.input.loader import Loader

    # Where tests run in the background, a shell has them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    data = convviz.open_dataset(sys.argv[1])
    # No `if __name__ == "__main__"`: a script may be as plain as that.
    with Loader(data, convviz.Preprocess(resize=12, crop=12), 2) as loader:
        found = loader.load(range(8))
        next(found)
        print("at work", flush=True)
        if sys.argv[2] == "error":
            raise ValueError("a fault of the user's")
        time.sleep(1000)
"""


@pytest.mark.parametrize("end", ["error", "SIGINT", "SIGKILL"])
def test_no_process_stays_behind(end, tmp_path):
    photos = folder_of(tmp_path / "photos", 8)
    script = tmp_path / "script.py"
    script.write_text(dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, str(script), str(photos), end],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "at work\n"
        workers = processes_of(process.pid)
        if end != "error":
            assert len(workers) == 2
            process.send_signal(getattr(signal, end))
        _, message = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert gone(workers)
    assert ("ValueError" in message) == (end == "error")


def test_a_hanging_process_ends_with_its_parent(hostile, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        dedent("""
            import sys
            sys.path.insert(0, sys.argv[1])
            import convviz, hostile_photos
            from convviz.sweep.input.loader import Loader

            data = hostile_photos.Hostile(3, {1: "hang"})
            loader = Loader(data, convviz.Preprocess(resize=12, crop=12), 1)
            for found in loader.load(range(3)):
                print("one", flush=True)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    workers = processes_of(process.pid)
    process.kill()
    process.communicate()
    assert len(workers) == 1
    assert gone(workers)


def test_verify_refuses_photos_that_have_changed(model, tmp_path, monkeypatch):
    photos = folder_of(tmp_path / "photos", 9)
    options = {"shard_size": 4, "workers": 0, "layers": ["0"]}
    out = tmp_path / "run"

    def broken(self, *args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("convviz.sweep.driver.SweepExecution.finish", broken)
        with pytest.raises(KeyboardInterrupt):
            convviz.analyze(model, photos, "statistics", out, **options)
    swept = folders.content(out)
    assert len(swept) > 9
    Image.fromarray(photo(77)).save(photos / "003-ü.png")
    message = r"1 items have changed since they were swept: '003-ü\.png'"
    with pytest.raises(ParameterError, match=message):
        convviz.analyze(model, photos, "statistics", out, verify=True, **options)
    folders.same(folders.content(out), swept)
    damaged = out / ".convviz-sweep" / "shards" / "000002.safetensors"
    damaged.write_bytes(b"")
    with pytest.raises(ParameterError, match=message):  # and no word of computing shards again
        convviz.analyze(model, photos, "statistics", out, verify=True, **options)
    damaged.write_bytes(swept[str(damaged.relative_to(out))])
    Image.fromarray(photo(3)).save(photos / "003-ü.png")
    run = convviz.analyze(model, photos, "statistics", out, verify=True, **options)
    assert len(run.items) == 9
    convviz.analyze(model, photos, "statistics", out, verify=True, **options)
    (photos / "000-ü.png").unlink()
    (photos / "000-ü.png").symlink_to(photos / "003-ü.png")
    with pytest.raises(ParameterError, match="1 items have changed"):
        convviz.analyze(model, photos, "statistics", out, verify=True, **options)
    convviz.analyze(model, photos, "statistics", out, **options)


# Progress


class Notes:
    """A reporter that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def add_task(self, description, *, total):
        self.told.append(("add", description, total))
        return 7

    def advance(self, task_id, advance=1):
        self.told.append(("advance", task_id, advance))

    def update(self, task_id, *, description):
        self.told.append(("update", task_id, description))

    def remove_task(self, task_id):
        self.told.append(("remove", task_id))


def test_a_sweep_is_one_task_that_goes_on_where_it_stopped(model, tmp_path):
    notes = Notes()
    data = [photo(i) for i in range(20)]
    with report_progress_to(notes):
        convviz.analyze(model, data, "neighbors", tmp_path / "run", shard_size=8, batch_size=4)
    assert notes.told[0] == ("add", "images of list", 20)
    counted = [event[2] for event in notes.told if event[0] == "advance" and event[1] == 7]
    assert sum(counted[:21]) == 20
    described, *finishing = [event[2] for event in notes.told if event[0] == "update"]
    assert [what.split() for what in finishing][-1] == ["finishing", "predictions"]
    assert described.startswith("images of list, ")
    assert described.endswith("waiting for data")


def test_what_a_meter_says():
    with measure_sweep("images of x", 100, 40) as meter:
        meter.advance(10, waited=0.0)
        meter.reach(60)
        meter.reach(55)
        assert meter.done == 60
        assert meter.summary.startswith("20 images in 0.0 s, ")
        assert meter.summary.endswith("0% of the time waiting for data")


def test_lines_where_there_is_no_terminal():
    quiet, busy = io.StringIO(), io.StringIO()
    for stream, every in ((quiet, 30.0), (busy, 0.0)):
        lines = Lines(stream, every)
        task = lines.add_task("images of x", total=4)
        for _ in range(4):
            lines.advance(task)
        lines.remove_task(task)
    assert quiet.getvalue() == ""
    assert busy.getvalue().splitlines()[-1] == "images of x: 4 of 4, 0 s left"


def test_no_remaining_time_is_stated_before_the_speed_is_known():
    stream = io.StringIO()
    lines = Lines(stream, 0.0)
    task = lines.add_task("images of x", total=4)
    for _ in range(4):
        lines.advance(task)
    first, second, *_ = stream.getvalue().splitlines()
    assert first == "images of x: 1 of 4"
    assert second.startswith("images of x: 2 of 4, ")
    assert second.endswith(" left")


def test_a_bar_fits_into_one_line_of_a_narrow_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with convviz.show_progress():
        list(track(range(3), "images of labels.csv, 7.67/s, 10% waiting for data", 3))
    assert "/3" in terminal.getvalue()
    assert "\n" not in terminal.getvalue().strip()


def test_time_left_counts_from_where_a_sweep_went_on(monkeypatch):
    clock = iter([0.0, 0.0, 0.0, 60.0, 120.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    lines = Lines(stream, 50.0)
    task = lines.add_task("images of x", total=1000)
    lines.advance(task, 800)
    lines.advance(task, 10)
    lines.advance(task, 10)
    assert stream.getvalue().splitlines() == [
        "images of x: 810 of 1,000, 19 min 0 s left",
        "images of x: 820 of 1,000, 18 min 0 s left",
    ]
