"""Runs in object stores: the bytes of a local run, also after kills, damage and a second owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
from helpers.folders import content, same

import convviz
from convviz import ConvvizError, ConvvizWarning, ParameterError
from convviz.sweep.store import lease
from convviz.sweep.store.object_store import Remote, place_of
from convviz.sweep.store.shard_manifest import ShardManifest
from convviz.sweep.worker import Worker

memory = fsspec.filesystem("memory")
LOCK = ".convviz-lock"


@pytest.fixture
def out():
    yield "memory://bucket/run"
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory) -> dict[str, bytes]:
    """The files of a run on the disk."""
    folder = tmp_path_factory.mktemp("local") / "run"
    swept(model, folder)
    return content(folder)


def swept(model: convviz.Model, out: str | Path, count: int = 12, **given) -> convviz.Run:
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    what = [
        convviz.explainer("neighbors", k=2),
        convviz.explainer("statistics", layers=("stage1.conv",)),
    ]
    return convviz.analyze(model, images, what, out, batch_size=2, shard_size=4, **given)


def stored(prefix: str = "/bucket/run/") -> dict[str, bytes]:
    return {p[len(prefix) :]: memory.cat_file(p) for p in memory.find(prefix.rstrip("/"))}


def stopped_after(monkeypatch: pytest.MonkeyPatch, shards: int) -> list[int]:
    """Raise an error in sweeps after some shards; returns the list of shards computed."""
    seen: list[int] = []
    work = Worker.__call__

    def limited(self, task):
        if len(seen) == shards:
            raise RuntimeError("power cut")
        seen.append(task.shard)
        return work(self, task)

    monkeypatch.setattr(Worker, "__call__", limited)
    return seen


def cut_off(monkeypatch: pytest.MonkeyPatch, model: convviz.Model, out: str, shards: int) -> None:
    """Leave a sweep with so many of its shards done."""
    with monkeypatch.context() as patch:
        stopped_after(patch, shards)
        with pytest.raises(RuntimeError, match="power cut"):
            swept(model, out)


def test_a_run_in_a_store_has_the_bytes_of_one_on_a_disk(model, out, expected) -> None:
    run = swept(model, out)
    same(stored(), expected)
    assert repr(run).startswith(f"<Run '{out}'")
    again = convviz.open_run(out, model)
    assert list(again.folder.rglob("*.safetensors")) == []  # nothing is fetched unasked
    assert len(again.items) == 12
    assert again["neighbors"].only.result.files["index.faiss"]
    photo = np.zeros((8, 8, 3), np.uint8)
    assert convviz.query(again, photo, k=2)["indices"].shape == (1, 2)
    swept(model, out)  # finished: opened
    with pytest.raises(ParameterError, match=r"dataset\.count: 12 → 13"):
        swept(model, out, 13)
    same(stored(), expected)


def test_a_sweep_goes_on_and_a_damaged_shard_is_computed_again(
    model, out, expected, monkeypatch
) -> None:
    cut_off(monkeypatch, model, out, 2)
    assert LOCK not in stored()
    with pytest.raises(ConvvizError, match=r"'memory://bucket/run' is not finished"):
        convviz.open_run(out)
    shard = "/bucket/run/.convviz-sweep/shards/000001.safetensors"
    memory.pipe_file(shard, memory.cat_file(shard)[:-1] + b"x")
    seen = stopped_after(monkeypatch, 9)
    with pytest.warns(ConvvizWarning, match=r"000001.safetensors .* shard 1 is computed again"):
        swept(model, out)
    assert seen == [1, 2]
    same(stored(), expected)


def test_a_resume_that_fails_at_its_beginning_costs_no_shard(
    model, out, expected, monkeypatch
) -> None:
    cut_off(monkeypatch, model, out, 2)

    def away(*args: object) -> None:
        raise ConvvizError("the network is away")

    with monkeypatch.context() as patch:
        patch.setattr(ShardManifest, "entry", away)
        with pytest.raises(ConvvizError, match="the network is away"):
            swept(model, out)
    seen = stopped_after(monkeypatch, 9)
    swept(model, out)
    assert seen == [2]
    same(stored(), expected)


def test_a_new_run_replaces_a_former_one_at_the_end(model, out, expected, monkeypatch) -> None:
    swept(model, out, 13)
    memory.pipe_file("/bucket/run/results/patches/old.png", b"")
    before = stored()
    with monkeypatch.context() as patch:
        stopped_after(patch, 1)
        with pytest.raises(RuntimeError, match="power cut"):
            swept(model, out, overwrite=True)
    assert before.items() <= stored().items()
    swept(model, out)
    same(stored(), expected)


def test_runs_in_a_store_are_extended_and_joined(model, out, tmp_path, monkeypatch) -> None:
    """With the bytes of runs on a disk, also if the upload of an extension is cut off."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)

    def sweep(place: str, what: str, items: int = 12, **given) -> None:
        sizes = {"batch_size": 2, "shard_size": 4}
        convviz.analyze(model, images[:items], what, place, **sizes, **given)

    def extend(place: str) -> None:
        sweep(place, "statistics", 12, layers=("stage1.conv",), extend=True)

    disk = str(tmp_path / "run")
    for place in (disk, out):
        sweep(place, "neighbors", 11, k=2)
    extend(disk)
    upload = Remote.upload
    monkeypatch.setattr(
        Remote, "upload", lambda *a: broken() if a[2].startswith("results/") else upload(*a)
    )

    def broken() -> None:
        raise ConvvizError("the network is away")

    with pytest.raises(ConvvizError, match="the network is away"):
        extend(out)
    monkeypatch.undo()
    extend(out)
    same(stored(), content(Path(disk)))
    parts = ["memory://bucket/1", str(tmp_path / "2")]
    for number, place in enumerate(parts, 1):
        sweep(place, "neighbors", 12, k=2, part=f"{number}/2")
    convviz.merge(parts, "memory://bucket/joined", model, images)
    convviz.merge(parts, tmp_path / "joined", model, images)
    same(stored("/bucket/joined/"), content(tmp_path / "joined"))


def test_what_is_not_a_runs_is_left_alone(model, out) -> None:
    memory.pipe_file("/bucket/run/holiday.jpg", b"x")
    with pytest.raises(ParameterError, match=r"other objects \('holiday.jpg'\)"):
        swept(model, out)
    with pytest.raises(ConvvizError, match="is not a run folder"):
        convviz.open_run(out)
    assert stored() == {"holiday.jpg": b"x"}


def owner(out: str, **facts) -> dict[str, object]:
    """Leave the mark of another process."""
    lease_of_this_process = lease.Lease(Remote(out))
    mark = {**json.loads(lease_of_this_process._text()), "token": "another", **facts}
    memory.pipe_file("/bucket/run/" + LOCK, json.dumps(mark).encode())
    return mark


def test_the_owner_of_a_run_is_named(out, monkeypatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.02)
    with lease.lease_place(Remote(out)) as held:
        with pytest.raises(ConvvizError, match=rf"process {os.getpid()} on {socket.gethostname()}"):
            lease.Lease(Remote(out)).acquire()
        held.check()
    assert LOCK not in stored()


def test_a_dead_owner_is_no_obstacle(out, monkeypatch) -> None:
    ended = subprocess.Popen([sys.executable, "-P", "-c", ""])
    ended.wait()
    owner(out, process=ended.pid)
    with lease.lease_place(Remote(out)):  # at once, as its number tells on one machine
        pass
    monkeypatch.setattr(lease, "PATIENCE", 0.05)
    monkeypatch.setattr(lease, "BEAT", 0.02)
    owner(out, machine="elsewhere")
    with lease.lease_place(Remote(out)):
        pass
    memory.pipe_file("/bucket/run/" + LOCK, b"{")
    with lease.lease_place(Remote(out)):
        pass
    assert stored() == {}


def test_who_was_taken_for_dead_stops(out, monkeypatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.02)
    with lease.lease_place(Remote(out)) as held:
        mark = owner(out, process=77, host="elsewhere")
        end = time.monotonic() + 20
        while not held._lost and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(ConvvizError, match=r"taken over .*process 77 on elsewhere"):
            held.check()
    assert json.loads(stored()[LOCK]) == mark  # it is the other's


def test_addresses_are_told_from_paths(tmp_path, monkeypatch) -> None:
    assert place_of("a/b") == Path("a/b")
    assert place_of(f"file://{tmp_path}/run") == tmp_path / "run"
    with pytest.raises(ParameterError, match=r"'s3:/bucket/run' .* as a str"):
        place_of(Path("s3://bucket/run"))
    with pytest.raises(ParameterError, match=r"'zz://bucket/run': Protocol not known: zz"):
        place_of("zz://bucket/run")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    classes = sys.modules["fsspec.registry"]
    monkeypatch.setattr(classes, "_registry", {})
    monkeypatch.setattr(classes, "registry", {})
    with pytest.raises(ParameterError, match=r's3://b/run.*pip install "convviz\[s3\]"'):
        place_of("s3://b/run")


def test_what_a_store_says_is_passed_on_with_the_address(out, monkeypatch) -> None:
    class NoCredentialsError(Exception):
        pass

    def refused(*args, **kwargs):
        raise NoCredentialsError("Unable to locate credentials")

    Remote(out).write("run.json", b"{}")
    monkeypatch.setattr(type(memory), "cat_file", refused)
    with pytest.raises(ConvvizError, match=r"memory://bucket/run/run.json: Unable.*AWS_ACCESS_KEY"):
        Remote(out).read("run.json")


@pytest.mark.slow  # a server, and three commands
def test_s3_after_a_kill(tmp_path) -> None:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    s3 = f"http://127.0.0.1:{free_port()}"
    env = {
        **os.environ, "AWS_ENDPOINT_URL": s3, "AWS_ACCESS_KEY_ID": "x", "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "y", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    port = s3.rpartition(":")[2]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env,
    )  # fmt: skip
    try:
        bucket = fsspec.filesystem(
            "s3", key="x", secret="y", endpoint_url=s3, use_listings_cache=False
        )
        wait_for(lambda: answers(bucket))
        bucket.mkdir("bucket")
        command = [
            *(sys.executable, "-P", "-m", "convviz", "analyze", "demo-digits?limit=1500"),
            *("-m", "demo-digits", "-e", "statistics", "-p", "statistics.layers=stage1.conv"),
            *("--shard-size", "50", "--batch-size", "16", "--threads", "1", "--out"),
        ]
        subprocess.run([*command, str(tmp_path / "run")], env=env, check=True)
        killed = subprocess.Popen([*command, "s3://bucket/run"], env=env)
        wait_for(lambda: len(bucket.glob("bucket/run/.convviz-sweep/shards/*.json")) >= 2)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert not bucket.exists("bucket/run/run.json")
        subprocess.run([*command, "s3://bucket/run"], env=env, check=True)
        actual = {p.removeprefix("bucket/run/"): bucket.cat_file(p) for p in bucket.find("bucket")}
    finally:
        server.kill()
        server.wait()
    same(actual, content(tmp_path / "run"))


def free_port() -> int:
    with socket.socket() as item:
        item.bind(("127.0.0.1", 0))
        return int(item.getsockname()[1])


def answers(system) -> bool:
    try:
        system.ls("", refresh=True)
    except Exception:
        return False
    return True


def wait_for(what, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)
