"""The benchmarks run, and what they write hangs together; how fast anything is, nothing asks."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("captum")

FOLDER = Path(__file__).parents[1] / "benchmarks"


def run(script: str, *given: str) -> str:
    done = subprocess.run(
        [sys.executable, FOLDER / script, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def occlusion(out: Path, *given: str) -> str:
    small = ("--size", "64", "--window", "16", "--stride", "16", "--repeats", "2", "--threads", "1")
    return run("occlusion.py", "--out", str(out), *small, *given)


def test_occlusion_compares_three_ways_that_agree(tmp_path):
    out = tmp_path / "records" / "occlusion.json"
    printed = occlusion(out, "--nets", "squeezenet1_1")
    (record,) = json.loads(out.read_text()).values()
    assert record["positions"] == 16
    assert set(record["seconds"]) == {"captum", "dense", "incremental"}
    for way, seconds in record["seconds"].items():
        assert len(seconds) == 2
        assert record["median_s"][way] == statistics.median(seconds) > 0
    assert 1 <= record["mac_saving"] <= record["mac_bound"]
    assert max(record["deviation"].values()) < 1e-4
    trials = record["captum_trials_s"]
    best = record["captum"]
    assert f"{best['memory_format']} {best['perturbations_per_eval']}" == min(
        trials, key=trials.get
    )
    assert record["machine"]["threads"] == 1
    assert len(record["machine"]["load_before"]) == len(record["machine"]["load_after"]) == 3
    row = printed.splitlines()[-1]
    median = record["median_s"]
    assert f"{median['captum'] / median['incremental']:.2f}x" in row
    assert f"{median['dense'] / median['incremental']:.2f}x" in row


def test_occlusion_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "occlusion.json"
    occlusion(out, "--nets", "squeezenet1_1", "--skip-captum")
    first = json.loads(out.read_text())
    assert set(first["squeezenet1_1"]["seconds"]) == {"dense", "incremental"}
    printed = occlusion(out, "--nets", "squeezenet1_1,alexnet", "--skip-captum")
    both = json.loads(out.read_text())
    assert "squeezenet1_1: in" in printed
    assert both["squeezenet1_1"] == first["squeezenet1_1"]
    assert set(both) == {"squeezenet1_1", "alexnet"}


@pytest.mark.parametrize(
    ("given", "words"),
    [(("--nets", "resnet19"), "no network 'resnet19'"), (("--stride", "17"), "--stride 17")],
)
def test_occlusion_refuses_what_it_cannot_compare(tmp_path, given, words):
    command = [sys.executable, FOLDER / "occlusion.py", "--out", tmp_path / "x.json", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr


def test_guided_counts_what_is_kept_and_moved(tmp_path):
    out = tmp_path / "guided.json"
    small = ("--shape", "2,3,8,8", "--size", "32", "--batch", "2", "--repeats", "3")
    printed = run("guided.py", "--out", str(out), *small)
    cpu = json.loads(out.read_text())["cpu"]
    one, net = cpu["operator"], cpu["network"]
    assert one["kept_bytes_an_element"] == {"guided_relu": 1 / 8, "relu": 4}
    numel = 2 * 3 * 8 * 8
    for name, bytes_an_element in (("copy", 8), ("guided_relu_backward", 8 + 1 / 8)):
        seconds = statistics.median(one["seconds"][name])
        assert one["gb_a_second"][name] == pytest.approx(numel * bytes_an_element / seconds / 1e9)
    assert set(net["seconds"]) == {"plain", "captum", "convviz"}
    assert net["deviation"] < 1e-4
    assert min(net["kept_mb"].values()) > 0
    assert "guided_relu_backward" in printed


def test_what_autograd_keeps_is_counted_once(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("guided_benchmark", FOLDER / "guided.py")
    guided = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guided)
    net = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.ReLU())

    class Model:
        module = net

    x = torch.randn(3, 4, requires_grad=True)
    # The linear layer keeps its input, the rectifier its output; the weight is no extra.
    assert guided.kept_bytes(net, Model, lambda: net(x).sum()) == 2 * 3 * 4 * 4
