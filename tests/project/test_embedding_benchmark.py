"""The benchmark of embeddings judges both ways alike, and keeps every number at once."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("embedding_benchmark", FOLDER / "embedding.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_affinities_have_the_perplexity_and_the_divergence_is_that_of_all_pairs(benchmark):
    x = benchmark.features(200, 6)
    rows, columns, values = benchmark.affinities(x)
    p = np.zeros((200, 200))
    p[rows, columns] = values
    np.testing.assert_allclose(p, p.T)
    assert p.sum() == pytest.approx(1)
    points = np.random.default_rng(0).normal(size=(200, 2))
    q = 1 / (1 + ((points[:, None] - points[None]) ** 2).sum(axis=2))
    np.fill_diagonal(q, 0)
    q /= q.sum()
    expected = sum(p[i, j] * np.log(p[i, j] / q[i, j]) for i, j in zip(*p.nonzero(), strict=True))
    assert benchmark.divergence((rows, columns, values), points) == pytest.approx(expected)


def test_ways_are_added_to_a_case_and_other_vectors_refused(tmp_path, benchmark, monkeypatch):
    monkeypatch.setattr(
        benchmark,
        "run_way",
        lambda kind, way, x, threads: ({"seconds": 1.5, "peak_mib": 9.0}, x[:, :2]),
    )
    np.save(tmp_path / "x.npy", benchmark.features(200, 6))
    out = tmp_path / "embedding.json"
    given = ["--case", "tsne-small", "--data", str(tmp_path / "x.npy"), "--out", str(out)]
    benchmark.main([*given, "--ways", "convviz"])
    benchmark.main([*given, "--repeats", "2"])
    (record,) = json.loads(out.read_text()).values()
    assert {way: len(runs) for way, runs in record["runs"].items()} == {
        "convviz": 2,
        "scikit-learn": 2,
    }
    assert record["median_s"] == {"convviz": 1.5, "scikit-learn": 1.5}
    assert {"kl", "trustworthiness", "when"} <= set(record["runs"]["convviz"][0])
    with pytest.raises(SystemExit, match="other vectors"):
        benchmark.main(["--case", "tsne-small", "--out", str(out)])


@pytest.mark.slow
def test_each_way_runs_in_a_process_of_its_own(tmp_path, benchmark):
    out = tmp_path / "embedding.json"
    benchmark.main(["--case", "neighbors-small", "--threads", "1", "--out", str(out)])
    (record,) = json.loads(out.read_text()).values()
    assert record["runs"]["convviz"][0]["equal_to_faiss"] > 0.99
    for runs in record["runs"].values():
        assert runs[0]["seconds"] > 0
        assert runs[0]["peak_mib"] >= runs[0]["before_mib"] > 0


def test_a_damaged_record_is_named(tmp_path, benchmark):
    path = tmp_path / "records.json"
    path.write_text('{"tsne-small": {"vec')
    with pytest.raises(SystemExit, match=r"records.json holds no records .* begin anew"):
        benchmark.main(["--case", "tsne-small", "--out", str(path)])
