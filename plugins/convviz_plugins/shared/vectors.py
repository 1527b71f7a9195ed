"""Nearest neighbours among vectors: FAISS finds them, exact distances order them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Metric = Literal["l2", "cosine"]
Kind = Literal["flat", "ivf", "hnsw"]

FILE = "vectors.npy"
"""The features of all items, as they were collected, beside the results made from them."""

SPARE = 4
"""Candidates looked at beyond k, so that FAISS's rounding cannot leave out a neighbour."""

HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 128, 128
IVF_TRAIN = 39
"""FAISS wants at least this many vectors a cell, and warns below it."""

BLOCK = 1024
WIDE_BLOCK = 16384
"""Vectors that are compared with a few queries at a time."""


def usable(vectors: np.ndarray, metric: Metric = "l2") -> np.ndarray:
    """Return which vectors `[n, d]` can be compared: finite ones, and for cosine not zero."""
    good = np.empty(len(vectors), dtype=bool)
    for part in blocks(len(vectors)):
        sizes = np.abs(np.asarray(vectors[part])).max(axis=1, initial=0)
        # Squares are summed in float32, which ends at 3e38; NaN is not below anything.
        good[part] = sizes < 1e15
        if metric == "cosine":
            good[part] &= sizes > 0
    return good


def prepared(vectors: np.ndarray, metric: Metric, rows: np.ndarray | None = None) -> np.ndarray:
    """Return vectors as the index gets them: float32 and, for cosine, of length one.

    Args:
        vectors: `[n, d]`, in memory or mapped; read block by block.
        metric: what is measured.
        rows: take these alone, in this order.

    Returns:
        `[n, d]`, the given array itself where nothing is to be changed.
    """
    every = rows is None or np.array_equal(rows, np.arange(len(vectors)))
    if every and metric == "l2" and vectors.dtype == np.float32:
        return vectors
    count = len(vectors) if rows is None else len(rows)
    made = np.empty((count, vectors.shape[1]), dtype=np.float32)
    for part in blocks(count):
        block = np.asarray(vectors[part if rows is None else rows[part]])
        if metric == "cosine":
            wide = block.astype(np.float64)
            block = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        made[part] = block
    return made


def blocks(count: int, size: int = 4096) -> Iterator[slice]:
    """Cut a number of rows into pieces that fit into memory."""
    return (slice(i, i + size) for i in range(0, count, size))


def _measure(metric: Metric) -> int:
    import faiss

    return int(faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2)


def build_index(vectors: np.ndarray, metric: Metric, kind: Kind) -> Any:
    """Build a FAISS index of prepared vectors `[n, d]`; the same data give the same index."""
    import faiss

    n, d = vectors.shape
    measure = _measure(metric)
    # Several threads add to HNSW, and sum in k-means, in an order that changes.
    with one_thread():
        if kind == "flat":
            index = faiss.IndexFlat(d, measure)
        elif kind == "ivf":
            cells = max(1, min(round(4 * n**0.5), n // IVF_TRAIN))
            index = faiss.IndexIVFFlat(faiss.IndexFlat(d, measure), d, cells, measure)
            index.nprobe = max(min(cells, 4), round(cells / 8))
            index.train(vectors)
        else:
            index = faiss.IndexHNSWFlat(d, HNSW_LINKS, measure)
            index.hnsw.efConstruction, index.hnsw.efSearch = HNSW_BUILD, HNSW_SEARCH
        index.add(vectors)
    return index


def search(
    index: Any,
    queries: np.ndarray,
    vectors: np.ndarray,
    k: int,
    metric: Metric,
    leave_out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest vectors of each query, nearest first, ties by lower row.

    Args:
        index: of `vectors`; None looks among the vectors where they lie, and finds the same as a
            flat index, which would be a copy of them.
        queries: prepared, `[q, d]`.
        vectors: prepared, `[n, d]`.
        k: how many; with `leave_out`, at most n - 1.
        metric: what the index measures.
        leave_out: for each query the row that is the query itself.

    Returns:
        Distances `[q, k]`, float64 (Euclidean, or 1 - cosine), and rows `[q, k]`; NaN and -1
        where an approximate index found fewer.
    """
    import faiss

    wanted = min(len(vectors), k + (leave_out is not None) + SPARE)
    distances = np.full((len(queries), k), np.nan)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    # Differences in float64 of many more queries at once would not stay in the caches.
    for part in blocks(len(queries), BLOCK):
        if index is None:
            _, found = faiss.knn(queries[part], vectors, wanted, _measure(metric))
        else:
            _, found = index.search(queries[part], wanted)
        if leave_out is not None:
            found = np.where(found == leave_out[part, None], -1, found)
        exact = _distances(queries[part], vectors, found, metric)
        # By distance, then row; what is missing sorts last.
        order = np.lexsort((found, exact), axis=1)[:, :k]
        rows[part] = np.take_along_axis(found, order, axis=1)
        distances[part] = np.take_along_axis(exact, order, axis=1)
    distances[rows < 0] = np.nan
    return distances, rows


def search_among(
    queries: np.ndarray, vectors: np.ndarray, rows: np.ndarray, k: int, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest of some vectors, exactly, without a copy of them all.

    Args:
        queries: `[q, d]`, as collected.
        vectors: `[n, d]`, as collected, in memory or mapped.
        rows: the vectors to look among, `[m]`.
        k: how many, at most m.
        metric: what is measured.

    Returns:
        Distances `[q, k]` as `search` returns them, and positions in `rows`, `[q, k]`.
    """
    import faiss

    asked, wanted = prepared(queries, metric), min(len(rows), k + SPARE)
    best = np.full((len(queries), 0), np.inf, np.float32)
    places = np.zeros((len(queries), 0), np.int64)
    for part in blocks(len(rows), WIDE_BLOCK):
        known = np.ascontiguousarray(prepared(vectors, metric, rows[part]))
        distances, rows_found = faiss.knn(asked, known, min(wanted, len(known)), _measure(metric))
        nearness = distances if metric == "l2" else -distances
        best = np.concatenate([best, nearness], axis=1)
        places = np.concatenate([places, rows_found + part.start], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :wanted]
        best = np.take_along_axis(best, order, axis=1)
        places = np.take_along_axis(places, order, axis=1)
    candidates = np.unique(places)
    among = prepared(vectors, metric, rows[candidates])
    local = np.searchsorted(candidates, places)
    exact = _distances(asked, among, local, metric)
    order = np.lexsort((places, exact), axis=1)[:, :k]
    return np.take_along_axis(exact, order, axis=1), np.take_along_axis(places, order, axis=1)


def neighbours(
    vectors: np.ndarray, k: int, metric: Metric = "l2", index: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest other vectors of each vector `[n, d]`; exact without an index."""
    return search(index, vectors, vectors, k, metric, leave_out=np.arange(len(vectors)))


def rough_neighbours(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest other vectors of each, with distances as exact as FAISS's float32.

    For weights of neighbours rather than for lists that a reader sees: nothing is measured anew,
    and the unit of the distances is the largest value about the mean, so that no square overflows.
    Beside the vectors `[n, d]` there is one copy of them.
    """
    import faiss

    n = len(vectors)
    middle = vectors.mean(axis=0, dtype=np.float64)
    scaled = np.empty(vectors.shape, np.float32)
    for part in blocks(n, BLOCK):
        scaled[part] = vectors[part] - middle
    scaled /= max(float(np.abs(scaled[part]).max()) for part in blocks(n, BLOCK)) or 1.0
    distances = np.empty((n, k))
    rows = np.empty((n, k), dtype=np.int64)
    for part in blocks(n):
        squared, found = faiss.knn(scaled[part], scaled, k + 1)
        own = found == np.arange(n)[part, None]
        own[:, -1] |= ~own.any(axis=1)  # among many duplicates it may not have found itself
        distances[part] = np.sqrt(np.maximum(squared[~own].reshape(-1, k), 0))
        rows[part] = found[~own].reshape(-1, k)
    return distances, rows


def _distances(
    queries: np.ndarray, vectors: np.ndarray, found: np.ndarray, metric: Metric
) -> np.ndarray:
    """Measure in float64, candidate by candidate; infinite where there is no candidate."""
    exact = np.full(found.shape, np.inf)
    # By PyTorch, which uses all threads as FAISS does.
    wide, known = as_tensor(queries).double(), as_tensor(vectors)
    # A column at a time, so that the differences stay in the caches.
    for column, rows in enumerate(torch.from_numpy(np.maximum(found, 0).T.copy())):
        # Differences in float64: where vectors lie close together they are all that counts.
        squared = (wide - known.index_select(0, rows)).square_().sum(1).numpy()
        # For unit vectors 1 - cosine is half the squared distance, and this way precise near 0.
        exact[:, column] = squared / 2 if metric == "cosine" else np.sqrt(squared)
    exact[found < 0] = np.inf
    return exact


def as_tensor(array: np.ndarray) -> Tensor:
    """Return an array that is only read as a tensor of the same memory."""
    with warnings.catch_warnings():
        # PyTorch knows no memory that is read only, such as a mapped file's.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run FAISS in one thread."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
