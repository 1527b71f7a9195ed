"""The engine "ray": a cluster of two workers on this machine gives what one process gives."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.folders import content, same
from PIL import Image
from torch import nn

import convviz
from convviz.errors import ConvvizError, ParameterError, UnknownNameError
from convviz.sweep import forward_pass
from convviz.sweep.engines import engine_of, ray_pool
from convviz.sweep.engines import ray as cluster
from convviz.sweep.plan import make_plan
from convviz.sweep.store.shard_files import LocalShardFiles
from convviz.sweep.store.shard_manifest import ShardManifest
from convviz.sweep.worker import Task, Worker
from convviz.testing import tiny_model, tiny_photos

ray = pytest.importorskip("ray")


class Net(nn.Module):
    """Writes a dot to a file named by its process, and kills the first ones if asked to."""

    def __init__(self, folder: Path, deaths: int = 0, fails: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        self.folder, self.deaths, self.fails, self.home = folder, deaths, fails, os.getpid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if os.getpid() != self.home:
            if self.fails:
                raise ConvvizError("said in another process")
            with (self.folder / str(os.getpid())).open("a") as file:
                file.write(".")
            self.die()
        return self.body(x)

    def die(self) -> None:
        """Die if it is this process's turn; else let the one in place of a dead one come first."""
        for place in range(self.deaths):
            with contextlib.suppress(FileExistsError):  # two may come at once
                (self.folder / f"died-{place}").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        until = time.monotonic() + 60
        while self.deaths and time.monotonic() < until:
            if len([name for name in os.listdir(self.folder) if name.isdigit()]) > self.deaths + 1:
                break
            time.sleep(0.02)


def model_of(folder: Path, **given) -> convviz.Model:
    folder.mkdir()
    torch.manual_seed(0)
    return convviz.Model(Net(folder, **given), preprocess=convviz.Preprocess(resize=8, crop=8))


ONE_PROCESS = {"threads": 2}
"""With these settings, a cluster of two CPUs has room for one process: each starts for seconds."""


def swept(model: convviz.Model, out: Path, engine: str, **given) -> dict[str, bytes]:
    """Sweep 20 images in 5 shards; returns the files of the run."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    what = [
        convviz.explainer("patches", layers=("body.0",), k=2),
        convviz.explainer("neighbors", layers=("body.2",), k=2),
    ]
    settings = {"engine": engine, "shard_size": 4, "batch_size": 2, "threads": 1, **given}
    convviz.analyze(model, images, what, out, **settings)
    return content(out)


@pytest.fixture(scope="module", autouse=True)
def _classes_travel():
    """The processes cannot import this file."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(tmp_path_factory):
    """Ray puts the current folder before the installed packages, which may be the sources."""
    with contextlib.chdir(tmp_path_factory.mktemp("elsewhere")):
        yield


@pytest.fixture(scope="module")
def two_workers(_elsewhere):
    handler = signal.getsignal(signal.SIGTERM)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    signal.signal(signal.SIGTERM, handler)


def test_a_cluster_is_started_and_ended_and_gives_the_same_bytes(tmp_path, capfd) -> None:
    model = model_of(tmp_path / "net")
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert not ray.is_initialized()
    actual = swept(model, tmp_path / "ray", "ray", address="local")
    assert not ray.is_initialized()
    message = "".join(capfd.readouterr())
    assert "died" not in message  # what ends as it should is no accident
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    for pid in os.listdir(tmp_path / "net"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    same(actual, swept(model, tmp_path / "local", "local"))
    assert len(actual) > 8


@pytest.mark.usefixtures("two_workers")
def test_an_extension_on_a_cluster_gives_the_bytes_of_one_process(tmp_path) -> None:
    model = model_of(tmp_path / "net")
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    what = convviz.explainer("statistics", layers=("body.0",))
    runs = []
    for engine in ("local", "ray"):
        swept(model, tmp_path / engine, engine, **ONE_PROCESS)
        settings = {"engine": engine, "shard_size": 4, "batch_size": 2, **ONE_PROCESS}
        convviz.analyze(model, images, what, tmp_path / engine, extend=True, **settings)
        runs.append(content(tmp_path / engine))
    same(runs[1], runs[0])


@pytest.mark.usefixtures("two_workers")
def test_processes_with_other_code_are_refused(tmp_path, monkeypatch) -> None:
    """As in a clone without compiled kernels, which shadows the installed package."""
    here = ray_pool.Software.here()
    paths = {**here.code_paths, "channel_moments": {"cpu": "Python reference: not built"}}
    other = replace(here, code_paths=paths, versions={**here.versions, "torch": "1.0"})
    monkeypatch.setattr(ray_pool.Software, "here", classmethod(lambda cls: other))
    with pytest.raises(ConvvizError) as caught:
        swept(model_of(tmp_path / "net"), tmp_path / "ray", "ray", **ONE_PROCESS)
    message = str(caught.value)
    assert "instead of 1.0, and 1 more differences" in message
    assert here.folder in message
    assert "start the sweep in another folder" in message


@pytest.mark.usefixtures("two_workers")
def test_processes_run_the_network_as_the_plan_says(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(forward_pass, "MIN_ITEMS_FOR_GRAPH", 4)
    model = model_of(tmp_path / "net")
    actual = swept(model, tmp_path / "ray", "ray", **ONE_PROCESS)
    assert json.loads(actual["run.json"])["forward"]["graph"]
    same(actual, swept(model, tmp_path / "local", "local", **ONE_PROCESS))
    ran = sum(file.stat().st_size for file in (tmp_path / "net").iterdir())
    assert 0 < ran < 10  # only for the export, not for the 10 batches


@pytest.mark.usefixtures("two_workers")
def test_the_shard_of_a_killed_process_is_swept_again(tmp_path, caplog) -> None:
    model = model_of(tmp_path / "net", deaths=1)
    with caplog.at_level(logging.WARNING):
        actual = swept(model, tmp_path / "ray", "ray")
    same(actual, swept(model, tmp_path / "local", "local"))
    assert len(list((tmp_path / "net").glob("died-*"))) == 1
    assert "a process died, shard" in caplog.text
    at_work = [name for name in os.listdir(tmp_path / "net") if name.isdigit()]
    assert len(at_work) == 3  # two, and the one in place of the dead one
    assert ray.is_initialized()  # it belongs to the caller


@pytest.mark.usefixtures("two_workers")
def test_a_shard_that_kills_every_process_ends_the_sweep(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ray_pool, "MAX_DEATHS", 1)
    model = model_of(tmp_path / "net", deaths=9)
    with pytest.raises(ConvvizError, match=r"1 processes died on shard 0: "):
        swept(model, tmp_path / "ray", "ray", **ONE_PROCESS)


@pytest.mark.usefixtures("two_workers")
def test_an_error_comes_back_as_it_was(tmp_path) -> None:
    model = model_of(tmp_path / "net", fails=True)
    with pytest.raises(ConvvizError, match=r"^said in another process$") as caught:
        swept(model, tmp_path / "ray", "ray", **ONE_PROCESS)
    assert type(caught.value) is ConvvizError


@pytest.mark.usefixtures("two_workers")
def test_a_cluster_without_room_is_refused(tmp_path) -> None:
    model = model_of(tmp_path / "net")
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(ConvvizError, match="no node of the Ray cluster has 3 CPUs"):
        convviz.analyze(
            model,
            images,
            "statistics",
            tmp_path / "run",
            engine="ray",
            threads=3,
            layers=("body.0",),
        )


@pytest.mark.usefixtures("two_workers")
def test_a_benchmark_on_a_cluster_has_the_scores_of_one_process(tmp_path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, photo in enumerate(tiny_photos(4)):
        Image.fromarray(photo).save(folder / f"{index}.png")
    (folder / "2.png").write_bytes(b"no picture")
    records = [
        convviz.benchmark(
            tiny_model(),
            str(folder),
            ["saliency", "input_x_gradient"],
            ["gini", "max_sensitivity", "grid_pointing"],
            tmp_path / engine,
            repeat_images=2,
            batch_size=4,
            engine=engine,
            threads=1,
        )
        for engine in ("local", "ray")
    ]
    first, second = (record.scores for record in records)
    assert len(second.images) == 3
    assert (second.images, second.explainers) == (first.images, first.explainers)
    np.testing.assert_array_equal(second.values, first.values)
    assert any("2.png" in note for note in second.notes)
    assert sorted(p.name for p in (tmp_path / "ray" / "shards").iterdir()) == sorted(
        p.name for p in (tmp_path / "local" / "shards").iterdir()
    )


@pytest.mark.usefixtures("two_workers")
def test_an_image_that_kills_every_process_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ray_pool, "MAX_DEATHS", 1)
    model = model_of(tmp_path / "net", deaths=9)
    photos = tiny_photos(1, 8, 8)
    with pytest.raises(ConvvizError, match=r"1 processes died on image '0'"):
        convviz.benchmark(model, photos, "saliency", "gini", engine="ray", batch_size=1, threads=2)


def test_a_folder_that_is_not_shared_is_named(tmp_path) -> None:
    model = model_of(tmp_path / "net")
    dataset = convviz.plugin.sources.as_dataset(np.zeros((2, 8, 8, 3), np.uint8))
    plan = make_plan(model, dataset, ())
    manifest = ShardManifest(LocalShardFiles(tmp_path / "elsewhere"))
    job = cluster.SweepJob.of(Worker(model, dataset, plan, manifest))
    with pytest.raises(ConvvizError, match=r"elsewhere does not exist on .* nodes .* share"):
        job.run(Task(0, range(2), 2))


def test_what_travels_holds_no_model_of_another_device(tmp_path, monkeypatch) -> None:
    model = model_of(tmp_path / "net")
    runner = forward_pass.ForwardRunner(model, ("body.0",), forward_pass.ForwardMode())
    manifest = ShardManifest(LocalShardFiles(tmp_path))
    monkeypatch.setattr(convviz.Model, "device", torch.device("meta"))
    sent = cluster._for_other_process(Worker(model, None, None, manifest, forward=runner))
    assert sent.model is not model
    assert sent.forward.model is sent.model
    assert (sent.forward.layers, sent.forward.mode) == (runner.layers, runner.mode)


def test_ray_is_asked_for_where_it_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConvvizError, match=r'pip install "convviz\[ray\]"'):
        swept(model_of(tmp_path / "net"), tmp_path / "run", "ray")


def test_engines_are_named() -> None:
    with pytest.raises(UnknownNameError, match="ray"):
        engine_of("rai")
    with pytest.raises(ParameterError, match=r"address='here' .*engine='ray'"):
        engine_of("local", "here")
