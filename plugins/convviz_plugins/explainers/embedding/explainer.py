"""A map of a data set: images that the network takes for alike lie close together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

import convviz
import convviz.authoring
from convviz import Model, ParameterError, Points, Result
from convviz.authoring import DatasetExplainer, Features, Items, LayerKind, Partial, Pixels

from ...shared import vectors as space
from ..neighbors import as_tensor, left_out
from .grid import to_cells
from .quality import knn_accuracy, trusted
from .tsne_forces import Forces

COMPONENTS = 2
"""What the map of PCA and the start of t-SNE use; t-SNE's neighbours are those of all features."""

FEWEST = 5
"""t-SNE of fewer images says nothing; they are laid out by PCA."""

WIDEST = 4096
"""Of vectors longer than this the covariance is not made: it would outweigh the vectors."""

PART = 256
"""Vectors that are held in float64 at a time."""

INTERPOLATED = 10_000
"""From this many images on, the forces between all of them are interpolated on a grid."""

EXAGGERATED, ITERATIONS, EVERY = 250, 550, 25


class Embedding(DatasetExplainer):
    """The data set in the plane: t-SNE (van der Maaten & Hinton 2008) or PCA of the features."""

    aliases: ClassVar[Mapping[str, str]] = {
        "t-SNE": "t-SNE is 'embedding'",
        "PCA": "PCA is 'embedding' with method='pca'",
        "UMAP": "UMAP is not included; 'embedding' offers t-SNE and PCA",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "features"

    method: Literal["tsne", "pca"] = Field(
        "tsne", description="t-SNE keeps neighbours together; PCA keeps directions and distances."
    )
    perplexity: float = Field(
        30.0, gt=1, description="t-SNE: about how many neighbours each image attends to."
    )
    seed: int = Field(0, ge=0, description="Of the random numbers; the same seed, the same map.")
    pool: Literal["avg", "max", "flatten"] = Field(
        "avg", description="How the positions of a spatial layer become one vector."
    )
    thumbnail: int = Field(64, ge=8, le=512, description="Side of the pictures drawn, in pixels.")

    def needs(self) -> tuple[DatasetExplainer, ...]:
        """Build on the vectors and small pictures of all items."""
        return (Features(layers=self.layers, pool=self.pool), Pixels(size=self.thumbnail))

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Keep nothing: what is needed is collected by `needs`."""
        return {}

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Lay out the items, layer by layer."""
        features, pixels = needs
        pictures = pixels[""]["thumbnails"]
        return {
            layer: self._points(table.values.numpy(), pictures, items)
            for layer, table in features.items()
        }

    def _points(self, vectors: np.ndarray, pictures: torch.Tensor, items: Items) -> Points:
        rows = np.flatnonzero(space.usable(vectors))
        if not len(rows):
            raise ParameterError(f"none of the {len(vectors)} images has finite features")
        good = space.prepared(vectors, "l2", rows)
        laid = lay_out(good, self.method, self.perplexity, self.seed)
        labels = as_tensor(items.labels)
        cells = to_cells(laid.points)
        measures: dict[str, Any] = {"images": len(items), "vector length": vectors.shape[1]}
        measures |= laid.measures | trusted(good, laid.points, self.seed)
        measures |= knn_accuracy(good, laid.points, labels.numpy()[rows])
        notes = [left_out(rows, items.ids, "because their features are not finite"), *laid.notes]
        shown = int((cells[:, 0] >= 0).sum())
        if shown < len(rows):
            notes.append(f"The grid shows {shown} of {len(rows)} images, the nearest to each cell.")
        return Points(
            torch.from_numpy(_spread(laid.points.astype(np.float32), rows, len(vectors), np.nan)),
            arrays={
                "cells": torch.from_numpy(_spread(cells, rows, len(vectors), -1)),
                "labels": labels,
                "thumbnails": pictures,
            },
            unit="",
            files={space.FILE: vectors},
            measures=measures,
            notes=tuple(note for note in notes if note),
            classes=items.classes,
            axes=laid.axes,
        )


class Layout:
    """Points in the plane, `[n, 2]`, and what is to be said about them."""

    def __init__(
        self,
        points: np.ndarray,
        axes: tuple[str, str],
        measures: dict[str, Any],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.points, self.axes, self.measures, self.notes = points, axes, measures, notes


def lay_out(vectors: np.ndarray, method: str, perplexity: float, seed: int) -> Layout:
    """Lay out finite vectors `[n, d]` in the plane."""
    if (vectors == vectors[0]).all():
        zeros = np.zeros((len(vectors), 2))
        note = "All features are equal: there is nothing to lay out."
        return Layout(zeros, ("PCA 1", "PCA 2"), {}, (note,) if len(vectors) > 1 else ())
    scores, shares = principal(vectors, seed)
    if method == "pca":
        return by_pca(scores, shares)
    if len(vectors) < FEWEST:
        note = f"t-SNE needs at least {FEWEST} images, these {len(vectors)} are laid out by PCA."
        few = by_pca(scores, shares)
        return Layout(few.points, few.axes, few.measures, (note,))
    return by_tsne(vectors, scores, perplexity, seed)


def principal(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two principal components `[n, 2]` and their shares of the variance `[2]`.

    There are fewer where there are fewer vectors or dimensions.

    Where there are more vectors than dimensions, the components come from the covariance, which
    is summed block by block in float64, so that memory does not grow with n.
    """
    n, d = vectors.shape
    mean = sum(vectors[part].sum(axis=0, dtype=np.float64) for part in space.blocks(n, PART)) / n
    # Only ratios matter for the map, and extreme scales would overflow when squared.
    scale = max(float(np.abs(vectors[part] - mean).max()) for part in space.blocks(n, PART))
    count = min(COMPONENTS, n, d)
    if n <= d or d > WIDEST:
        from sklearn.decomposition import PCA

        # Exact for these two, whatever the shape; it cannot give all components there are.
        solver = "arpack" if count < min(n, d) else "full"
        pca = PCA(n_components=count, random_state=seed, svd_solver=solver)
        return pca.fit_transform((vectors - mean) / scale), pca.explained_variance_ratio_
    from scipy.linalg import eigh

    covariance = np.zeros((d, d))
    for part in space.blocks(n, PART):
        centred = vectors[part] - mean
        centred /= scale
        covariance += centred.T @ centred
    sizes, axes = eigh(covariance, subset_by_index=(d - count, d - 1))
    axes = axes[:, ::-1]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(count)] < 0, -1.0, 1.0)
    scores = np.concatenate([(vectors[p] - mean) / scale @ axes for p in space.blocks(n, PART)])
    return scores, np.maximum(sizes[::-1], 0) / np.trace(covariance)


def by_pca(scores: np.ndarray, shares: np.ndarray) -> Layout:
    """Take the first two principal components."""
    points = np.zeros((len(scores), 2))
    points[:, : min(2, scores.shape[1])] = scores[:, :2]
    parts = [float(share) for share in shares[:2]] + [0.0] * (2 - len(shares[:2]))
    axes = (f"PCA 1 ({parts[0]:.0%} of variance)", f"PCA 2 ({parts[1]:.0%} of variance)")
    return Layout(points, axes, {"explained variance": sum(parts)})


def by_tsne(vectors: np.ndarray, scores: np.ndarray, perplexity: float, seed: int) -> Layout:
    """Run t-SNE: affinities from FAISS's exact neighbours, started from principal components."""
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    n = len(scores)
    used = min(perplexity, (n - 1) / 3)
    count = min(n - 1, int(3 * used))
    distances, rows = space.rough_neighbours(vectors, count)
    order = _near_each_other(rows)
    places = np.argsort(order)
    distances, rows = distances[order], places[rows[order]]
    affinities = PerplexityBasedNN(
        perplexity=used,
        knn_index=PrecomputedNeighbors(rows, distances),
        method="precomputed",
        n_jobs=1,
        random_state=seed,
    )
    total = (EXAGGERATED + ITERATIONS) // EVERY
    steps = iter(convviz.authoring.track(range(total), "t-SNE", total=total))
    # By interpolation, threads change no bit of the result; in Barnes-Hut trees they may.
    many, threads = n >= INTERPOLATED, torch.get_num_threads()
    tsne = TSNE(
        early_exaggeration_iter=EXAGGERATED,
        n_iter=ITERATIONS,
        negative_gradient_method=Forces() if many else "bh",
        n_jobs=threads if many else 1,
        random_state=seed,
        callbacks=lambda *_: next(steps, None) is None and False,
        callbacks_every_iters=EVERY,
    )
    points = tsne.fit(affinities=affinities, initialization=_start(scores, seed)[order])
    for _ in steps:
        pass
    measures = {"KL divergence": float(points.kl_divergence), "perplexity": used}
    note = f"Perplexity {perplexity:g} is too large for {n} images: {used:.3g} was taken."
    notes = (note,) if used < perplexity else ()
    return Layout(np.asarray(points)[places], ("t-SNE 1", "t-SNE 2"), measures, notes)


def _near_each_other(rows: np.ndarray) -> np.ndarray:
    """Return an order of points that has neighbours `[n, k]` close together.

    Where a pass over neighbours finds them in the processor's cache it is faster.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n, k = rows.shape
    parts = (np.ones(rows.size, np.int8), rows.ravel(), np.arange(n + 1) * k)
    return np.asarray(reverse_cuthill_mckee(csr_matrix(parts, shape=(n, n))))


def _start(scores: np.ndarray, seed: int) -> np.ndarray:
    """Start t-SNE from the first two components, small, with a trace of noise.

    The noise parts images that are equal in these two.
    """
    start = np.zeros((len(scores), 2))
    start[:, : min(2, scores.shape[1])] = scores[:, :2]
    start *= 1e-4 / (start[:, 0].std() or 1.0)
    return np.asarray(start + np.random.default_rng(seed).normal(0, 1e-6, start.shape))


def _spread(part: np.ndarray, rows: np.ndarray, count: int, filler: float) -> np.ndarray:
    """Put the rows of `part` at their places among all items."""
    whole = np.full((count, *part.shape[1:]), filler, dtype=part.dtype)
    whole[rows] = part
    return whole


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Offer embedding."""
    return [Embedding]
