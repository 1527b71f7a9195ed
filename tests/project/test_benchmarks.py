"""The benchmarks run, and what they write hangs together; how fast anything is, nothing asks."""

from __future__ import annotations

import csv
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz.testing import tiny_model, tiny_photos

pytest.importorskip("captum")

FOLDER = Path(__file__).parents[2] / "benchmarks"
README_WITH_TABLE = "before\n<!-- {} -->\nold\n<!-- end of the table -->\nafter\n"
WAYS = ("dense", "incremental", "convviz")


@pytest.fixture
def script(monkeypatch):
    """Load a benchmark by name, as a module."""

    def load(name: str):
        monkeypatch.syspath_prepend(FOLDER)
        spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def occlusion(script, capsys):
    """Run the occlusion benchmark, small and quick; returns what it prints."""

    def run(out: Path, *given: str) -> str:
        threads = str(torch.get_num_threads())
        script("occlusion").main(["--check", "--threads", threads, "--out", str(out), *given])
        return capsys.readouterr().out

    return run


def test_occlusion_compares_three_ways_that_agree(tmp_path, occlusion):
    out = tmp_path / "records" / "occlusion.json"
    printed = occlusion(out, "--nets", "squeezenet1_1", "--repeats", "2")
    (record,) = json.loads(out.read_text()).values()
    assert record["positions"] == 16
    assert set(record["seconds"]) == {"captum", "dense", "incremental", "convviz"}
    for way, seconds in record["seconds"].items():
        assert len(seconds) == 2
        assert record["median_s"][way] == statistics.median(seconds) > 0
    assert 1 <= record["mac_saving"] <= record["mac_bound"]
    others = ("dense", "captum", "convviz")
    assert set(record["deviation"]) == {f"incremental_from_{name}" for name in others}
    assert max(record["deviation"].values()) < 1e-4
    trials, best = record["captum_trials_s"], record["captum"]
    assert len(trials) == 8
    chosen = f"{best['memory_format']} {best['perturbations_per_eval']}"
    assert chosen == min(trials, key=trials.get)
    trials = record["dense_trials_s"]
    assert str(record["dense"]["batch"]) == min(trials, key=trials.get)
    assert record["machine"]["threads"] == torch.get_num_threads()
    assert len(record["machine"]["load_before"]) == len(record["machine"]["load_after"]) == 3
    assert "random" in record["weights"]
    row = printed.splitlines()[-1]
    median = record["median_s"]
    assert f"{median['captum'] / median['convviz']:.2f}x" in row
    assert f"{median['dense'] / median['incremental']:.2f}x" in row


def test_occlusion_goes_on_where_it_stopped(tmp_path, occlusion):
    out = tmp_path / "occlusion.json"
    given = ("--nets", "squeezenet1_1", "--skip-captum")
    occlusion(out, *given)
    first = json.loads(out.read_text())["squeezenet1_1"]
    assert {way: len(s) for way, s in first["seconds"].items()} == dict.fromkeys(WAYS, 1)
    assert "squeezenet1_1: in" in occlusion(out, *given)
    assert json.loads(out.read_text())["squeezenet1_1"] == first
    occlusion(out, *given, "--repeats", "2")
    second = json.loads(out.read_text())["squeezenet1_1"]
    assert second["dense_trials_s"] == first["dense_trials_s"]
    for way, seconds in first["seconds"].items():
        assert second["seconds"][way][:1] == seconds
        assert len(second["seconds"][way]) == 2


def test_occlusion_is_done_in_pieces_where_time_is_short(tmp_path, script, monkeypatch, capsys):
    occlusion = script("occlusion")
    out, calls = tmp_path / "occlusion.json", []

    def check(clock, about=0.0):
        calls.append(about)
        if len(calls) % 4 == 0:
            raise occlusion.Spent

    given = ["--check", "--nets", "squeezenet1_1", "--skip-captum", "--repeats", "2"]
    given += ["--threads", str(torch.get_num_threads()), "--out", str(out)]
    monkeypatch.setattr(occlusion.Clock, "check", check)
    for _ in range(9):
        occlusion.main(given)
        if "squeezenet1_1: in" in capsys.readouterr().out:
            break
    record = json.loads(out.read_text())["squeezenet1_1"]
    assert len(calls) > 4
    assert len(record["dense_trials_s"]) == 4
    assert {way: len(s) for way, s in record["seconds"].items()} == dict.fromkeys(WAYS, 2)
    assert record["deviation"]["incremental_from_dense"] < 1e-4


def test_the_time_given_is_kept(script):
    occlusion = script("occlusion")
    occlusion.Clock(0).check(1e9)
    occlusion.Clock(10).check(5)
    with pytest.raises(occlusion.Spent):
        occlusion.Clock(10).check(11)


@pytest.mark.parametrize("fast", [True, False])
def test_occlusion_in_bf16_runs_where_it_is_fast(tmp_path, script, monkeypatch, capsys, fast):
    occlusion = script("occlusion")
    monkeypatch.setattr(occlusion, "fast_bf16", lambda device: fast)
    out = tmp_path / "occlusion.json"
    given = ["--check", "--nets", "squeezenet1_1", "--skip-captum", "--precision", "bf16"]
    occlusion.main([*given, "--threads", str(torch.get_num_threads()), "--out", str(out)])
    record = json.loads(out.read_text())["squeezenet1_1"]
    assert ("bf16" in record["seconds"]) == fast
    printed = capsys.readouterr().out
    if fast:
        assert 1e-6 < record["deviation"]["bf16_from_dense"] < 0.1
        assert f"{record['median_s']['bf16']:.2f}" in printed
    else:
        assert "does not multiply in bfloat16" in printed


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "alexnet"])
def test_scores_follow_the_image_and_are_of_a_sensible_size(monkeypatch, name):
    monkeypatch.syspath_prepend(FOLDER)
    nets = importlib.import_module("_nets")
    module, weights = nets.network(name, 64)
    assert weights.startswith(("random", "trained"))
    assert not any(part.training for part in module.modules())
    with torch.no_grad():
        scores, flat = module(nets.photo(64)), module(torch.zeros(1, 3, 64, 64))
    assert 1e-2 < float(scores.abs().max()) < 1e3
    assert float((scores - flat).abs().max()) > 0.1 * float(scores.abs().max())


@pytest.mark.parametrize(
    ("given", "words"),
    [(("--nets", "resnet19"), "no network 'resnet19'"), (("--stride", "17"), "--stride 17")],
)
def test_occlusion_refuses_what_it_cannot_compare(tmp_path, script, capsys, given, words):
    with pytest.raises(SystemExit):
        script("occlusion").main(["--out", str(tmp_path / "x.json"), *given])
    assert words in capsys.readouterr().err


SMALL = ("--size", "32", "--batch", "2", "--repeats", "3")


def test_guided_counts_what_is_kept_and_moved(tmp_path, script, monkeypatch, capsys):
    guided, out = script("guided"), tmp_path / "guided.json"

    def here(args, way):
        args.peak = way
        return guided._peak_resident(args)

    monkeypatch.setattr(guided, "_in_a_process", here)
    threads = ("--threads", str(torch.get_num_threads()))
    guided.main(["--out", str(out), "--shape", "2,3,8,8", *SMALL, *threads])
    printed = capsys.readouterr().out
    cpu = json.loads(out.read_text())["cpu"]
    one, net = cpu["operator"], cpu["network"]
    assert one["kept_bytes_an_element"] == {"guided_relu": 1 / 8, "relu": 4}
    numel = 2 * 3 * 8 * 8
    for name, bytes_an_element in (("copy", 8), ("guided_relu_backward", 8 + 1 / 8)):
        seconds = statistics.median(one["seconds"][name])
        assert one["gb_a_second"][name] == pytest.approx(numel * bytes_an_element / seconds / 1e9)
    assert set(net["seconds"]) == {"plain", "captum", "convviz", "Model.gradient"}
    assert net["deviation"] < 1e-4
    assert min(net["kept_mb"].values()) > 0
    assert set(net["peak_mb"]) == set(net["seconds"])
    assert "guided_relu_backward" in printed


def test_public_calls_are_compared_row_by_row(tmp_path, script, capsys):
    public_calls, out = script("public_calls"), tmp_path / "calls.json"
    given = ["--out", str(out), "--size", "64", "--repeats", "1", "--threads", "1", "--rows"]
    public_calls.main([*given, "saliency-mobilenet_v2-1"])
    public_calls.main([*given, "guided_backprop-resnet18-8"])
    records = json.loads(out.read_text())
    assert set(records) == {"saliency-mobilenet_v2-1", "guided_backprop-resnet18-8"}
    for record in records.values():
        median = record["median_s"]
        assert set(median) == {"convviz", "captum, contiguous", "captum, channels_last"}
        fastest = min(s for name, s in median.items() if name != "convviz")
        assert record["ratio"] == pytest.approx(median["convviz"] / fastest)
        assert record["first_call_s"] > 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[-2:]] == ["| guided_backprop", "| saliency"]
    with pytest.raises(SystemExit):
        public_calls.main([*given, "saliency-resnet19-1"])


def test_a_row_that_fails_does_not_end_the_table_of_public_calls(
    tmp_path, script, capsys, monkeypatch
):
    public_calls, out, readme = script("public_calls"), tmp_path / "calls.json", tmp_path / "r.md"
    readme.write_text(README_WITH_TABLE.format("public_calls.py --table"))
    monkeypatch.setattr(sys.modules["_common"], "README", readme)
    monkeypatch.setattr(public_calls, "RESULTS", out)

    def fail(args):
        raise RuntimeError("no photo")

    def measured(args):
        seconds = {"convviz": [3.0, 1.0, 2.0], "by hand": [4.0, 4.0, 4.0]}
        return public_calls._record("a call", seconds, goal=0.4)

    monkeypatch.setattr(public_calls, "ROWS", {"first": fail, "second": measured})
    with pytest.raises(SystemExit, match="failed: first"):
        public_calls.main(["--out", str(out), "--repeats", "3"])
    assert list(json.loads(out.read_text())) == ["second"]
    assert "no photo" in capsys.readouterr().err
    public_calls.main(["--out", str(out), "--table"])
    lines = readme.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    cells = [cell.strip() for cell in lines[-3].split("|")[1:-1]]
    assert cells == ["a call", "2.000", "4.000 (by hand)", "0.50x", "0.40x", "missed", ""]


def table_in(readme: Path, name: str) -> list[list[str]]:
    """Return the cells of the table that was written into a README with `README_WITH_TABLE`."""
    lines = readme.read_text().splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("before", f"<!-- {name} -->", "after")
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")
    ]


def test_the_table_of_a_quality_benchmark_is_written_into_the_readme(tmp_path, script, monkeypatch):
    folder, readme = tmp_path / "q", tmp_path / "r.md"
    photos = convviz.array_dataset(tiny_photos(2))
    record = convviz.benchmark(tiny_model(), photos, ["saliency"], ["srg", "gini"], folder)
    quality_table = script("quality_table")
    monkeypatch.setattr(quality_table, "RESULTS", tmp_path)
    monkeypatch.setattr(sys.modules["_common"], "README", readme)
    readme.write_text(README_WITH_TABLE.format("quality_table.py tiny"))
    quality_table.main([str(folder), "--write", "tiny"])
    head, _, first, *_ = table_in(readme, "quality_table.py tiny")
    (gini,) = (r for r in record.summary.rows if (r.metric, r.explainer) == ("gini", "saliency"))
    assert first[0] == "saliency"
    assert first[head.index("Gini")].startswith(f"{gini.mean.value:.2f} ± ")
    assert (tmp_path / "quality-tiny.csv").read_bytes() == (folder / "table.csv").read_bytes()
    assert "2 images." in readme.read_text()
    with pytest.raises(SystemExit, match="no table"):
        quality_table.main([str(folder), "--write", "other"])


def test_metrics_of_a_newer_quality_benchmark_replace_those_of_the_first(
    tmp_path, script, monkeypatch
):
    photos, readme = convviz.array_dataset(tiny_photos(3)), tmp_path / "r.md"
    explainers, metrics = {"map": "saliency"}, ["gini", "randomization"]
    first = convviz.benchmark(tiny_model(), photos, explainers, metrics, tmp_path / "first")
    convviz.benchmark(tiny_model(), photos, explainers, "gini", tmp_path / "newer", images=1)
    quality_table = script("quality_table")
    monkeypatch.setattr(quality_table, "RESULTS", tmp_path)
    monkeypatch.setattr(sys.modules["_common"], "README", readme)
    readme.write_text(README_WITH_TABLE.format("quality_table.py tiny"))
    folders = [str(tmp_path / "first"), "--newer", str(tmp_path / "newer")]
    quality_table.main([*folders, "--write", "tiny"])
    assert "3 images (1 for gini)." in readme.read_text()
    rows = {row[0]: row for row in table_in(readme, "quality_table.py tiny")[2:]}
    (sobel,) = (r for r in first.summary.rows if (r.metric, r.explainer) == ("gini", "sobel"))
    assert rows["*sobel* ✗"][1] != f"{sobel.mean.value:.2f}"
    with (tmp_path / "quality-tiny.csv").open() as file:
        scores = {(row["metric"], row["explainer"]): row for row in csv.DictReader(file)}
    assert scores["gini", "sobel"]["measured"] == "1"
    assert scores["gini", "sobel"]["marks"] == "randomization failed"
    assert scores["randomization", "map"]["measured"] == "3"


def test_the_table_of_a_speed_benchmark_is_written_into_the_readme(tmp_path, script, monkeypatch):
    folder, readme = tmp_path / "speed", tmp_path / "r.md"
    options = {"batches": [1], "repeats": 1, "memory": False}
    record = convviz.benchmark_speed(tiny_model(), ["saliency"], **options)
    record.save(folder)
    speed_table = script("speed_table")
    monkeypatch.setattr(speed_table, "RESULTS", tmp_path)
    monkeypatch.setattr(sys.modules["_common"], "README", readme)
    readme.write_text(README_WITH_TABLE.format("speed_table.py"))
    speed_table.main([str(folder), "--write"])
    head, _, *rows = table_in(readme, "speed_table.py")
    assert [row[0] for row in rows] == ["forward pass", "saliency"]
    ratio = record.rows[1].median / record.rows[0].median
    assert rows[1][head.index("×forward")] == f"{ratio:.1f}"
    assert convviz.SpeedRecord.load(tmp_path / "speed.json") == record


def test_channels_compares_what_agrees(tmp_path, script, capsys):
    out = tmp_path / "channels.json"
    script("channels").main(["--check", "--out", str(out)])
    (stage,) = json.loads(out.read_text())["stages"]
    assert stage["deviation"] < 1e-4
    assert all(len(s) == 1 and s[0] > 0 for s in stage["seconds"].values())
    seconds = stage["median_s"]
    best = min(s for name, s in seconds.items() if name.startswith("peaks:"))
    assert stage["peaks_over_torch"] == best / seconds["channel_peaks"]
    assert "2 x 8 x 6 x 6" in capsys.readouterr().out


def test_decoding_takes_the_same_photos_all_ways(tmp_path, script, capsys):
    rng = np.random.default_rng(0)
    for i in range(7):
        small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
        small.resize((90, 70 + i), Image.Resampling.BICUBIC).save(tmp_path / f"{i}.jpg", quality=95)
    out = tmp_path / "record.json"
    sizes = ["--resize", "32", "--crop", "24", "--workers", "1", "--repeats", "1"]
    script("decoding").main([str(tmp_path), "--out", str(out), *sizes, "--images", "6"])
    record = json.loads(out.read_text())
    assert len(record["seconds"]) == 6
    for name, seconds in record["seconds"].items():
        assert record["images_a_second"][name] == 6 / seconds[0]
    apart = {n.split(",")[0]: v for n, v in record["grey_levels_from_exact_mean_most"].items()}
    assert apart["exact"] == [0, 0]
    assert 0 < apart["gpu"][0] < 2
    assert 0 < apart["scaled"][0] < 5
    assert "exact, 1 workers" in capsys.readouterr().out


def test_grabcut_compares_sources_on_photos_with_boxes(tmp_path, script, monkeypatch, capsys):
    grabcut, out = script("grabcut"), tmp_path / "grabcut.json"
    name = next(iter(json.loads((FOLDER / "photo_boxes.json").read_text())))
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / name, "JPEG")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 40, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    ).append(torch.nn.Flatten())
    model = convviz.Model(net.eval(), preprocess=convviz.Preprocess(resize=32, crop=32))
    monkeypatch.setattr(grabcut.convviz, "load_model", lambda source: model)
    sources = ["saliency, samples=0", "guided_backprop"]
    given = ["--models", "small", "--sources", ";".join(sources), "--count", "1"]
    grabcut.main([str(tmp_path), *given, "--out", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert [row["source"] for row in rows] == sources
    for row in rows:
        for column in ("seeds inside", "mask inside", "box IoU", "gathered"):
            assert 0 <= row[column] <= 1
        assert min(row["source seconds"], row["cut seconds"]) > 0
    printed = capsys.readouterr().out
    assert all(f"{row['cut score']:.3f}" in printed for row in rows)


def test_flip_finds_what_full_passes_find(tmp_path, script, capsys):
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "noise.jpg", "JPEG")
    out = tmp_path / "flip.json"
    threads = str(torch.get_num_threads())
    given = ["--models", "demo-digits", "--count", "1", "--max-area", "0.1", "--threads", threads]
    script("flip").main([str(tmp_path), *given, "--out", str(out)])
    (row,) = json.loads(out.read_text())["rows"]
    assert row["same"] is True
    assert row["rectangles"] >= 49
    assert f"{row['ratio']:.2f}x" in capsys.readouterr().out


def test_the_peak_of_a_way_is_that_of_a_process_of_its_own(tmp_path, script):
    guided = script("guided")
    args = guided.arguments(["--out", str(tmp_path / "x.json"), *SMALL, "--threads", "1"])
    assert 0 <= guided._in_a_process(args, "convviz") < 500
    args.net = "resnet19"
    with pytest.raises(SystemExit, match="resnet19"):
        guided._in_a_process(args, "convviz")


def test_what_autograd_keeps_is_counted_once(script):
    guided = script("guided")
    net = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.ReLU())

    class Model:
        module = net

    x = torch.randn(3, 4, requires_grad=True)
    # The linear layer keeps its input, the rectifier its output; the weight is no extra.
    assert guided.kept_bytes(net, Model, lambda: net(x).sum()) == 2 * 3 * 4 * 4


@pytest.mark.slow  # two sweeps in processes of their own, and their pictures
def test_sweep_compares_five_ways_that_agree_and_runs_that_grow(tmp_path, script, capsys):
    threads, out = torch.get_num_threads(), tmp_path / "sweep.json"
    script("sweep").main(["--check", "--threads", str(threads), "--out", str(out)])
    printed = capsys.readouterr().out
    record = json.loads(out.read_text())
    assert set(record["nets"]) == {"resnet18", "demo-digits"}
    for net in record["nets"].values():
        rate = net["images_a_second"]
        for way, seconds in net["seconds"].items():
            assert rate[way] == pytest.approx(net["images"] / statistics.median(seconds))
            assert f"{rate[way]:.1f}" in printed
        forward = rate["forward, contiguous"]
        assert net["of_forward"] == pytest.approx(rate["all four"] / forward)
        assert net["of_best_forward"] <= net["of_forward"]
        assert net["over_captum"] == pytest.approx(
            rate["all four"] / rate["captum, layer by layer"]
        )
        assert set(net["cost_of_four_over_one"]) < set(rate)
        assert net["deviation_of_patches_from_captum"] < 1e-4
        assert net["decoding_images_a_second"] > 0
    for images, run in zip((30, 60), record["growth"], strict=True):
        assert run["images"] == images
        assert 0 < run["peak_mib_after_sweep"] <= run["peak_mib"]
        assert 0 < run["peak_mib_without_files"] <= run["peak_mib"]
        assert min(run["sweep_s"], run["finish_s"]) > 0
