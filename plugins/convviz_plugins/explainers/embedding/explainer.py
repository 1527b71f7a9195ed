"""embedding: a map of a data set in which images with similar features lie close together."""

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
from ..neighbors import as_tensor, left_out_note
from .grid import grid_cells
from .quality import knn_accuracy, trustworthiness_measures
from .tsne_forces import Forces

COMPONENTS = 2
"""Components of the PCA map and of the start of t-SNE, whose affinities use all features."""

FEWEST = 5
"""Fewer images than this are laid out by PCA: t-SNE of them is meaningless."""

WIDEST = 4096
"""Longest vectors whose covariance matrix is computed; beyond, it takes more memory than they."""

PART = 256
"""Number of vectors that are converted to float64 at a time."""

INTERPOLATED = 10_000
"""Number of images from which on the repulsive forces are interpolated on a grid."""

EXAGGERATED, ITERATIONS, EVERY = 250, 550, 25
"""Iterations with early exaggeration, iterations after them, and iterations per progress step."""


class Embedding(DatasetExplainer):
    """The data set in the plane: t-SNE (van der Maaten & Hinton 2008) or PCA of the features."""

    aliases: ClassVar[Mapping[str, str]] = {
        "t-SNE": "t-SNE is 'embedding'",
        "PCA": "PCA is 'embedding' with method='pca'",
        "UMAP": "UMAP is not included; 'embedding' offers t-SNE and PCA",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "features"

    method: Literal["tsne", "pca"] = Field(
        "tsne",
        description="t-SNE preserves neighbourhoods; PCA preserves directions and large distances.",
    )
    perplexity: float = Field(
        30.0, gt=1, description="t-SNE: effective number of neighbours of each image."
    )
    seed: int = Field(
        0, ge=0, description="Seed of the random numbers; the same seed gives the same map."
    )
    pool: Literal["avg", "max", "flatten"] = Field(
        "avg", description="Pooling of the positions of a spatial layer into one vector."
    )
    thumbnail: int = Field(64, ge=8, le=512, description="Side of the thumbnails, in pixels.")

    def needs(self) -> tuple[DatasetExplainer, ...]:
        """Return the explainers that collect the vectors and thumbnails of all items."""
        return (Features(layers=self.layers, pool=self.pool), Pixels(size=self.thumbnail))

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return an empty partial: `needs` collects all data."""
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
        rows = np.flatnonzero(space.comparable(vectors))
        if not len(rows):
            raise ParameterError(f"none of the {len(vectors)} images has finite features")
        good = space.prepare(vectors, "l2", rows)
        layout = lay_out(good, self.method, self.perplexity, self.seed)
        labels = as_tensor(items.labels)
        cells = grid_cells(layout.points)
        measures: dict[str, Any] = {"images": len(items), "vector length": vectors.shape[1]}
        measures |= layout.measures | trustworthiness_measures(good, layout.points, self.seed)
        measures |= knn_accuracy(good, layout.points, labels.numpy()[rows])
        notes = [
            left_out_note(rows, items.ids, "because their features are not finite"),
            *layout.notes,
        ]
        visible = int((cells[:, 0] >= 0).sum())
        if visible < len(rows):
            notes.append(f"The grid shows {visible} of {len(rows)} images, one per cell.")
        return Points(
            torch.from_numpy(
                _scatter(layout.points.astype(np.float32), rows, len(vectors), np.nan)
            ),
            arrays={
                "cells": torch.from_numpy(_scatter(cells, rows, len(vectors), -1)),
                "labels": labels,
                "thumbnails": pictures,
            },
            unit="",
            files={space.FILE: vectors},
            measures=measures,
            notes=tuple(note for note in notes if note),
            classes=items.classes,
            axes=layout.axes,
        )


class PlaneLayout:
    """Points in the plane, `[n, 2]`, with axis titles, measures and notes."""

    def __init__(
        self,
        points: np.ndarray,
        axes: tuple[str, str],
        measures: dict[str, Any],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.points, self.axes, self.measures, self.notes = points, axes, measures, notes


def lay_out(vectors: np.ndarray, method: str, perplexity: float, seed: int) -> PlaneLayout:
    """Lay out finite vectors `[n, d]` in the plane."""
    if (vectors == vectors[0]).all():
        zeros = np.zeros((len(vectors), 2))
        note = "All features are equal, so all points coincide."
        return PlaneLayout(zeros, ("PCA 1", "PCA 2"), {}, (note,) if len(vectors) > 1 else ())
    scores, shares = principal(vectors, seed)
    if method == "pca":
        return by_pca(scores, shares)
    if len(vectors) < FEWEST:
        note = f"t-SNE needs at least {FEWEST} images; these {len(vectors)} are laid out by PCA."
        pca = by_pca(scores, shares)
        return PlaneLayout(pca.points, pca.axes, pca.measures, (note,))
    return by_tsne(vectors, scores, perplexity, seed)


def principal(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two principal components `[n, 2]` and their shares of the variance `[2]`.

    With fewer than two vectors or dimensions there are fewer components.

    With more vectors than dimensions, the components are eigenvectors of the covariance matrix,
    which is summed block by block in float64, so that memory does not grow with n.
    """
    n, d = vectors.shape
    mean = sum(vectors[part].sum(axis=0, dtype=np.float64) for part in space.blocks(n, PART)) / n
    # The map depends on ratios only; dividing by the scale avoids overflow in the squares.
    scale = max(float(np.abs(vectors[part] - mean).max()) for part in space.blocks(n, PART))
    count = min(COMPONENTS, n, d)
    if n <= d or d > WIDEST:
        from sklearn.decomposition import PCA

        # ARPACK is exact for the first two components, but cannot return all min(n, d) of them.
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
    # eigh sorts in ascending order and leaves the signs undefined: the largest loading of each
    # component becomes positive.
    axes = axes[:, ::-1]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(count)] < 0, -1.0, 1.0)
    scores = np.concatenate([(vectors[p] - mean) / scale @ axes for p in space.blocks(n, PART)])
    return scores, np.maximum(sizes[::-1], 0) / np.trace(covariance)


def by_pca(scores: np.ndarray, shares: np.ndarray) -> PlaneLayout:
    """Return the layout by the first two principal components."""
    points = np.zeros((len(scores), 2))
    points[:, : min(2, scores.shape[1])] = scores[:, :2]
    parts = [float(share) for share in shares[:2]] + [0.0] * (2 - len(shares[:2]))
    axes = (f"PCA 1 ({parts[0]:.0%} of variance)", f"PCA 2 ({parts[1]:.0%} of variance)")
    return PlaneLayout(points, axes, {"explained variance": sum(parts)})


def by_tsne(vectors: np.ndarray, scores: np.ndarray, perplexity: float, seed: int) -> PlaneLayout:
    """Return the layout by t-SNE, with affinities of FAISS's exact neighbours.

    It starts from the principal components.
    """
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    n = len(scores)
    effective_perplexity = min(perplexity, (n - 1) / 3)
    count = min(n - 1, int(3 * effective_perplexity))
    distances, rows = space.rough_neighbours(vectors, count)
    order = _locality_order(rows)
    places = np.argsort(order)
    distances, rows = distances[order], places[rows[order]]
    affinities = PerplexityBasedNN(
        perplexity=effective_perplexity,
        knn_index=PrecomputedNeighbors(rows, distances),
        method="precomputed",
        n_jobs=1,
        random_state=seed,
    )
    total = (EXAGGERATED + ITERATIONS) // EVERY
    steps = iter(convviz.authoring.track(range(total), "t-SNE", total=total))
    # The interpolated forces do not depend on the number of threads; those of Barnes-Hut may, so
    # Barnes-Hut runs in one thread.
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
    points = tsne.fit(affinities=affinities, initialization=_initial_points(scores, seed)[order])
    for _ in steps:
        pass
    measures = {"KL divergence": float(points.kl_divergence), "perplexity": effective_perplexity}
    note = (
        f"Perplexity {perplexity:g} is too large for {n} images: {effective_perplexity:.3g} was "
        "used."
    )
    notes = (note,) if effective_perplexity < perplexity else ()
    return PlaneLayout(np.asarray(points)[places], ("t-SNE 1", "t-SNE 2"), measures, notes)


def _locality_order(rows: np.ndarray) -> np.ndarray:
    """Return an order of the points that places the neighbours `[n, k]` near each other.

    Passes over the neighbours are faster if these are in the processor's cache.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n, k = rows.shape
    parts = (np.ones(rows.size, np.int8), rows.ravel(), np.arange(n + 1) * k)
    return np.asarray(reverse_cuthill_mckee(csr_matrix(parts, shape=(n, n))))


def _initial_points(scores: np.ndarray, seed: int) -> np.ndarray:
    """Return the start of t-SNE: the first two components, scaled down, plus a little noise.

    The noise separates images that are equal in these components.
    """
    start = np.zeros((len(scores), 2))
    start[:, : min(2, scores.shape[1])] = scores[:, :2]
    start *= 1e-4 / (start[:, 0].std() or 1.0)
    return np.asarray(start + np.random.default_rng(seed).normal(0, 1e-6, start.shape))


def _scatter(part: np.ndarray, rows: np.ndarray, count: int, filler: float) -> np.ndarray:
    """Return an array of `count` rows with `part` at `rows` and `filler` elsewhere."""
    whole = np.full((count, *part.shape[1:]), filler, dtype=part.dtype)
    whole[rows] = part
    return whole


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Embedding]
