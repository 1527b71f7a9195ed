"""Nearest neighbours among vectors: FAISS finds candidates, float64 distances order them."""

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
"""File with the features of all items, next to the results computed from them."""

SPARE = 4
"""Candidates beyond k, so that float32 rounding in FAISS does not exclude a neighbour."""

HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 128, 128
IVF_TRAIN = 39
"""Vectors per cell below which FAISS warns that the training set is too small."""

BLOCK = 1024
"""Number of queries at a time."""

WIDE_BLOCK = 16384
"""Number of vectors that are compared with the queries at a time in `search_among`."""


def comparable(vectors: np.ndarray, metric: Metric = "l2") -> np.ndarray:
    """Return a mask of the vectors `[n, d]` that are finite and, for cosine, not zero."""
    good = np.empty(len(vectors), dtype=bool)
    for part in blocks(len(vectors)):
        sizes = np.abs(np.asarray(vectors[part])).max(axis=1, initial=0)
        # Sums of squares up to (1e15)² · 1e8 fit float32. The comparison is False for NaN.
        good[part] = sizes < 1e15
        if metric == "cosine":
            good[part] &= sizes > 0
    return good


def prepare(vectors: np.ndarray, metric: Metric, rows: np.ndarray | None = None) -> np.ndarray:
    """Return vectors in the form that FAISS compares: float32 and, for cosine, of unit length.

    Args:
        vectors: `[n, d]`, in memory or mapped; read block by block.
        metric: the distance.
        rows: use only these rows, in this order.

    Returns:
        `[n, d]`; the given array itself if no change is needed.
    """
    every = rows is None or np.array_equal(rows, np.arange(len(vectors)))
    if every and metric == "l2" and vectors.dtype == np.float32:
        return vectors
    count = len(vectors) if rows is None else len(rows)
    result = np.empty((count, vectors.shape[1]), dtype=np.float32)
    for part in blocks(count):
        block = np.asarray(vectors[part if rows is None else rows[part]])
        if metric == "cosine":
            wide = block.astype(np.float64)
            block = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        result[part] = block
    return result


def blocks(count: int, size: int = 4096) -> Iterator[slice]:
    """Return slices of at most `size` rows that cover `count` rows."""
    return (slice(i, i + size) for i in range(0, count, size))


def _faiss_metric(metric: Metric) -> int:
    import faiss

    return int(faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2)


def build_index(vectors: np.ndarray, metric: Metric, kind: Kind) -> Any:
    """Return a FAISS index of prepared vectors `[n, d]`; equal data give equal indexes."""
    import faiss

    n, d = vectors.shape
    measure = _faiss_metric(metric)
    # With several threads, the order of insertions into HNSW and of sums in k-means varies.
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
    """Return the k nearest vectors of each query, nearest first; ties by lower row.

    Args:
        index: of `vectors`; None searches the vectors themselves, with the result of a flat index
            but without the copy that it makes.
        queries: prepared, `[q, d]`.
        vectors: prepared, `[n, d]`.
        k: number of neighbours; with `leave_out`, at most n - 1.
        metric: the distance.
        leave_out: the row of each query itself, which is no neighbour.

    Returns:
        Distances `[q, k]`, float64 (Euclidean, or 1 - cosine), and rows `[q, k]`; NaN and -1
        if an approximate index finds fewer.
    """
    import faiss

    candidates = min(len(vectors), k + (leave_out is not None) + SPARE)
    distances = np.full((len(queries), k), np.nan)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    # Blocks are small enough that the float64 differences stay in the processor's caches.
    for part in blocks(len(queries), BLOCK):
        if index is None:
            _, rows_found = faiss.knn(queries[part], vectors, candidates, _faiss_metric(metric))
        else:
            _, rows_found = index.search(queries[part], candidates)
        if leave_out is not None:
            rows_found = np.where(rows_found == leave_out[part, None], -1, rows_found)
        exact = _exact_distances(queries[part], vectors, rows_found, metric)
        # Sorted by distance, then by row; missing candidates have distance inf and sort last.
        order = np.lexsort((rows_found, exact), axis=1)[:, :k]
        rows[part] = np.take_along_axis(rows_found, order, axis=1)
        distances[part] = np.take_along_axis(exact, order, axis=1)
    distances[rows < 0] = np.nan
    return distances, rows


def search_among(
    queries: np.ndarray, vectors: np.ndarray, rows: np.ndarray, k: int, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact k nearest of some vectors, without a copy of all of them.

    Args:
        queries: `[q, d]`, not prepared.
        vectors: `[n, d]`, not prepared, in memory or mapped.
        rows: the rows of the vectors to search, `[m]`.
        k: number of neighbours, at most m.
        metric: the distance.

    Returns:
        Distances `[q, k]` as `search` returns them, and positions in `rows`, `[q, k]`.
    """
    import faiss

    prepared, candidates_per_query = prepare(queries, metric), min(len(rows), k + SPARE)
    best = np.full((len(queries), 0), np.inf, np.float32)
    places = np.zeros((len(queries), 0), np.int64)
    for part in blocks(len(rows), WIDE_BLOCK):
        known = np.ascontiguousarray(prepare(vectors, metric, rows[part]))
        distances, rows_found = faiss.knn(
            prepared, known, min(candidates_per_query, len(known)), _faiss_metric(metric)
        )
        nearness = distances if metric == "l2" else -distances
        best = np.concatenate([best, nearness], axis=1)
        places = np.concatenate([places, rows_found + part.start], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :candidates_per_query]
        best = np.take_along_axis(best, order, axis=1)
        places = np.take_along_axis(places, order, axis=1)
    candidates = np.unique(places)
    among = prepare(vectors, metric, rows[candidates])
    local = np.searchsorted(candidates, places)
    exact = _exact_distances(prepared, among, local, metric)
    order = np.lexsort((places, exact), axis=1)[:, :k]
    return np.take_along_axis(exact, order, axis=1), np.take_along_axis(places, order, axis=1)


def neighbours(
    vectors: np.ndarray, k: int, metric: Metric = "l2", index: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest other vectors of each vector `[n, d]`; exact without an index."""
    return search(index, vectors, vectors, k, metric, leave_out=np.arange(len(vectors)))


def rough_neighbours(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest other vectors of each, with distances in FAISS's float32 precision.

    They are for the weights of neighbours, not for lists that users see. The vectors are centred
    and divided by their largest absolute value, so that no square overflows; distances are in that
    unit. Memory holds one copy of the vectors `[n, d]`.
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
        squared, rows_found = faiss.knn(scaled[part], scaled, k + 1)
        is_self = rows_found == np.arange(n)[part, None]
        is_self[:, -1] |= ~is_self.any(
            axis=1
        )  # a vector with many duplicates may not be in its own list
        distances[part] = np.sqrt(np.maximum(squared[~is_self].reshape(-1, k), 0))
        rows[part] = rows_found[~is_self].reshape(-1, k)
    return distances, rows


def _exact_distances(
    queries: np.ndarray, vectors: np.ndarray, candidates: np.ndarray, metric: Metric
) -> np.ndarray:
    """Return the float64 distances of candidates `[q, k]`; inf for missing candidates (-1)."""
    exact = np.full(candidates.shape, np.inf)
    # In PyTorch, which uses all threads.
    wide, known = as_tensor(queries).double(), as_tensor(vectors)
    # One column at a time, so that the differences stay in the caches.
    for column, rows in enumerate(torch.from_numpy(np.maximum(candidates, 0).T.copy())):
        # Differences, not scalar products: they are accurate for vectors that are close together.
        squared = (wide - known.index_select(0, rows)).square_().sum(1).numpy()
        # For unit vectors, 1 - cosine is half the squared distance, which is accurate near 0.
        exact[:, column] = squared / 2 if metric == "cosine" else np.sqrt(squared)
    exact[candidates < 0] = np.inf
    return exact


def as_tensor(array: np.ndarray) -> Tensor:
    """Return a tensor that shares the memory of an array; for reading only."""
    with warnings.catch_warnings():
        # PyTorch has no read-only tensors and warns about arrays of mapped files.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


@contextmanager
def one_thread() -> Iterator[None]:
    """Context in which FAISS uses one thread."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
