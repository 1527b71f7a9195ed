"""t-SNE of convviz against scikit-learn's, and exact neighbours against FAISS alone.

Every way runs in a process of its own, so that its peak memory is its own. Both maps are judged by
the same code: the KL divergence from exact affinities of the given vectors, and trustworthiness on
the same sample. The vectors are Gaussian mixtures of low inner dimension, as features are, or those
of a file: `--data FILE.npy`. Each way's numbers are written as soon as they are there, and a case
that has some of them goes on; `--again` starts it over.

    python benchmarks/embedding.py --case tsne-10k --out benchmarks/results/embedding.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _common import Record, load, machine, medians, read, resident, table, today, versions, write

CASES = {
    "tsne-small": (1_200, 64),
    "tsne-10k": (10_000, 1_280),
    "tsne-60k": (60_000, 64),
    "neighbors-small": (2_000, 32),
    "neighbors-50k": (50_000, 512),
}
FEW = 300
"""Vectors of the call that comes before the clock starts."""

PERPLEXITY, K = 30.0, 8
CLASSES, INNER = 20, 12
BLOCK = 2_000
OWN = ("faiss-cpu", "openTSNE", "scikit-learn")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES, help="may be repeated")
    parser.add_argument("--ways", default="", help="only these, by commas")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--data", type=Path, help="vectors [n, d] of a tsne case, .npy")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def features(count: int, length: int) -> np.ndarray:
    """Return vectors that lie in classes, each a cloud of few directions, float32."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(CLASSES, length)) * 1.5
    spreads = rng.normal(size=(CLASSES, INNER, length)) / INNER**0.5
    of = rng.integers(0, CLASSES, count)
    inner = rng.normal(size=(count, INNER))
    x = np.empty((count, length), np.float32)
    for c in range(CLASSES):
        mine = of == c
        x[mine] = middles[c] + inner[mine] @ spreads[c]
    return x + rng.normal(size=x.shape).astype(np.float32) * 0.2


def ours_tsne(x: np.ndarray) -> np.ndarray:
    from convviz_plugins.explainers.embedding.explainer import lay_out
    from convviz_plugins.explainers.embedding.tsne_forces import Forces

    if len(x) == FEW:  # too few for the interpolation of larger maps, which is to be loaded too
        Forces().repulsion(x[:, :2].astype(np.float64))
    return lay_out(x, "tsne", PERPLEXITY, 0).points


def sklearn_tsne(x: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    jobs = torch.get_num_threads()
    return TSNE(perplexity=PERPLEXITY, init="pca", n_jobs=jobs, random_state=0).fit_transform(x)


def ours_neighbors(x: np.ndarray) -> np.ndarray:
    from convviz_plugins.shared import vectors

    return vectors.neighbours(vectors.prepared(x, "l2"), K)[1]


def faiss_neighbors(x: np.ndarray) -> np.ndarray:
    import faiss

    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    return index.search(x, K + 1)[1][:, 1:]


WAYS: dict[str, dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "tsne": {"convviz": ours_tsne, "scikit-learn": sklearn_tsne},
    "neighbors": {"convviz": ours_neighbors, "faiss": faiss_neighbors},
}


def child(kind: str, way: str, folder: str, threads: int) -> None:
    """Run one way over the vectors in a folder, and print seconds and memory."""
    import faiss

    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    x = np.load(Path(folder, "vectors.npy"))
    WAYS[kind][way](features(FEW, x.shape[1]))  # imports and compiles what it needs
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    began = time.perf_counter()
    found = WAYS[kind][way](x)
    seconds = time.perf_counter() - began
    peak = resident("VmHWM")
    np.save(Path(folder, "found.npy"), found)
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "before_mib": before}))


def run_way(kind: str, way: str, x: np.ndarray, threads: int) -> tuple[Record, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "vectors.npy"), x)
        command = [sys.executable, __file__, "--out", folder, "--threads", str(threads)]
        done = subprocess.run(
            [*command, "--child", kind, way, folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{way} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1]), np.load(Path(folder, "found.npy"))


def affinities(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return t-SNE's symmetric affinities P of vectors as rows, columns and values.

    Computed here from FAISS's distances, for the same perplexity, with neither library's code.
    """
    import faiss
    from scipy.sparse import coo_matrix

    n, count = len(x), int(3 * PERPLEXITY)
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    far, near = index.search(x, count + 1)
    far, near = np.maximum(far[:, 1:].astype(np.float64), 0), near[:, 1:]
    far -= far[:, :1]
    low, high = np.full((n, 1), -30.0), np.full((n, 1), 30.0)
    for _ in range(60):  # the width of each point's kernel, by halving, in logarithms
        middle = (low + high) / 2
        weight = np.exp(-far * np.exp(middle))
        p = weight / weight.sum(1, keepdims=True)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1, keepdims=True)
        wide = entropy > np.log(PERPLEXITY)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    rows = np.repeat(np.arange(n), count)
    half = coo_matrix((p.ravel(), (rows, near.ravel())), shape=(n, n)).tocsr()
    both = ((half + half.T) / (2 * n)).tocoo()
    return both.row, both.col, both.data


def divergence(p: tuple[np.ndarray, np.ndarray, np.ndarray], points: np.ndarray) -> float:
    """Return KL(P || Q) of a map, the sum over all pairs exact."""
    y = torch.from_numpy(points.astype(np.float64))
    total = 0.0
    for start in range(0, len(y), BLOCK):
        total += float((1 / (1 + torch.cdist(y[start : start + BLOCK], y).square())).sum())
    total -= len(y)
    rows, columns, values = p
    q = 1 / (1 + ((points[rows].astype(np.float64) - points[columns]) ** 2).sum(1)) / total
    return float((values * np.log(values / q)).sum())


def judge(x: np.ndarray, points: np.ndarray, p: tuple[np.ndarray, ...]) -> Record:
    from sklearn.manifold import trustworthiness

    chosen = np.random.default_rng(1).permutation(len(x))[:2000]
    trust = trustworthiness(x[chosen], points[chosen], n_neighbors=5)
    return {"kl": divergence(p, points), "trustworthiness": float(trust)}  # type: ignore[arg-type]


def run_case(case: str, x: np.ndarray, given: argparse.Namespace, records: Record) -> None:
    """Measure what a case still lacks; keep every number in the file at once."""
    kind = case.split("-")[0]
    chosen = [way for way in given.ways.split(",") if way] or list(WAYS[kind])
    if case not in records or given.again:
        records[case] = {"vectors": list(x.shape), "of": source(given), "runs": {}}
    record = records[case]
    if any("peak_mib" not in run for runs in record["runs"].values() for run in runs):
        raise SystemExit(f"{given.out} has {case} without its memory; start over with --again")
    if record["vectors"] != list(x.shape) or record["of"] != source(given):
        raise SystemExit(f"{given.out} has {case} of other vectors; start over with --again")
    p = None
    for way in sorted(chosen, key=list(WAYS[kind]).index):
        for _ in range(len(record["runs"].get(way, [])), given.repeats):
            before = load()
            one, found = run_way(kind, way, x, given.threads)
            if kind == "tsne":
                p = p or affinities(x)
                one |= judge(x, found, p)
            elif way != "faiss":
                one["equal_to_faiss"] = agreement(x, found)
            one |= {"load_before": before, "threads": given.threads, "when": today()}
            one |= {"machine": machine(), "versions": versions(*OWN)}
            record["runs"].setdefault(way, []).append(one)
            seconds = {way: [r["seconds"] for r in runs] for way, runs in record["runs"].items()}
            record["median_s"] = medians(seconds)
            write(given.out, records)


def source(given: argparse.Namespace) -> str:
    return given.data.name if given.data else "mixture"


def agreement(x: np.ndarray, found: np.ndarray) -> float:
    """Return the share of the neighbours found that FAISS finds too, on a sample."""
    chosen = np.random.default_rng(2).permutation(len(x))[:1000]
    import faiss

    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    theirs = index.search(x[chosen], K + 1)[1][:, 1:]
    return float((np.sort(theirs, 1) == np.sort(found[chosen], 1)).mean())


def rows_of(records: Record) -> list[list[str]]:
    rows = []
    for case, record in records.items():
        for way, runs in record["runs"].items():
            last = runs[-1]
            rows.append(
                [
                    case,
                    way,
                    f"{record['median_s'][way]:.1f}",
                    f"{max(run['peak_mib'] for run in runs):.0f}",
                    f"{last['kl']:.3f}" if "kl" in last else "",
                    f"{last['trustworthiness']:.4f}" if "kl" in last else "",
                ]
            )
    return rows


def main(arguments_: list[str] | None = None) -> None:
    given = arguments(arguments_)
    if given.child:
        child(*given.child, given.threads)
        return
    torch.set_num_threads(given.threads)
    records = read(given.out)
    for case in given.case or ["tsne-10k", "neighbors-50k"]:
        x = np.load(given.data).astype(np.float32) if given.data else features(*CASES[case])
        run_case(case, x, given, records)
    print(table(["case", "way", "s", "peak MiB", "KL", "trustworthiness"], rows_of(records)))


if __name__ == "__main__":
    main()
