"""neighbors: the nearest images in feature space, beside the nearest in pixel space."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Explanation, Matches, Model, ParameterError, Result
from convviz.authoring import (
    Batch,
    DatasetExplainer,
    Features,
    Forward,
    Items,
    LayerKind,
    LayerResults,
    Partial,
    Pixels,
    Target,
    index_of_name,
    pixel_vectors,
)

from ..shared import vectors as space

INDEX_FILE = "index.faiss"
KINDS = ("flat", "ivf", "hnsw")
SAMPLE = 1000
"""Number of queries on which the recall of an approximate index is measured."""

NAMED = 5
"""Maximum number of items whose ids a note lists."""


class Neighbors(DatasetExplainer):
    """Nearest images in feature space, beside the nearest in pixel space.

    Krizhevsky et al. 2012, section 6.1. `analyze` finds the neighbours of every image among all
    others. `explain` with `index=RUN` finds those of the given images among the items of the run.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "knn": "the nearest images are listed by 'neighbors'",
        "nearest": "the nearest images are listed by 'neighbors'",
        "similar": "the nearest images are listed by 'neighbors'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "features"

    k: int = Field(8, gt=0, description="Number of neighbours of each image.")
    metric: Literal["l2", "cosine"] = Field(
        "l2", description="Euclidean distance, or 1 - cosine similarity."
    )
    index: str = Field(
        "flat",
        description="FAISS index: flat (exact), ivf or hnsw (approximate, for large data sets; "
        "recall is reported). In `explain`: a run folder with neighbors.",
    )
    pool: Literal["avg", "max", "flatten"] = Field(
        "avg", description="Pooling of the positions of a spatial layer into one vector."
    )
    queries: tuple[str, ...] = Field(
        (),
        description="Images whose neighbours are drawn, by id or file name; some images of each "
        "class if none are given.",
    )
    thumbnail: int = Field(64, ge=8, le=512, description="Side of the thumbnails, in pixels.")

    @field_validator("queries", mode="before")
    @classmethod
    def _as_names(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) and names else names

    @field_validator("index", mode="before")
    @classmethod
    def _as_text(cls, index: Any) -> Any:
        return os.fspath(index) if isinstance(index, os.PathLike) else index

    @classmethod
    def for_query(cls, run: str, k: int) -> Neighbors:
        """Return an explainer that searches the items of a run."""
        return cls(index=run, k=k)

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return the input of the last linear layer, or with a run the layers of the run."""
        if self.index in KINDS:
            return super().default_layers(model)
        known = _neighbors_of_run(self.index)
        # the layers of another model would be wrong
        self._check_weights(known[next(iter(known))], model)
        return tuple(known)

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
        """Return the neighbours of every item among all others, for each layer."""
        if self.index not in KINDS:
            raise ParameterError(
                f"index={self.index!r}: in analyze it is one of {', '.join(KINDS)}; "
                "a run folder is for convviz.explain()"
            )
        features, pixels = needs
        pictures = pixels[""]["thumbnails"]
        by_pixels = ItemNeighbours(pixels[""].values.numpy(), self.k, "l2", "flat")
        return {
            layer: self._matches(table.values.numpy(), pictures, by_pixels, items)
            for layer, table in features.items()
        }

    def _matches(
        self, vectors: np.ndarray, pictures: Tensor, by_pixels: ItemNeighbours, items: Items
    ) -> Matches:
        neighbours = ItemNeighbours(vectors, self.k, self.metric, _kind(self.index))
        labels = as_tensor(items.labels)
        measures: dict[str, Any] = {"images": len(items), "vector length": vectors.shape[1]}
        if self.index != "flat":
            measures |= neighbours.recall()
        k = neighbours.indices.shape[1]
        if chance(labels) > 0:  # otherwise no two images have the same class
            measures[f"precision@{k}"] = precision(neighbours.indices, labels)
            measures[f"precision@{k} of pixels"] = precision(by_pixels.indices, labels)
            measures["precision of chance"] = chance(labels)
        return Matches(
            neighbours.distances,
            arrays={
                "indices": neighbours.indices,
                "pixel_distances": by_pixels.distances,
                "pixel_indices": by_pixels.indices,
                "thumbnails": pictures,
                "labels": labels,
                "rows": neighbours.rows,
            },
            unit="L2 distance" if self.metric == "l2" else "1 - cosine",
            measures=measures,
            notes=tuple(_notes(neighbours, self.k, items.ids, self.metric)),
            show=tuple(index_of_name(name, items.ids) for name in self.queries),
            files={INDEX_FILE: neighbours.serialize(), space.FILE: vectors},
            classes=items.classes,
            names=items.ids,
        )

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Matches:
        """Return the neighbours of images among the items of a finished run."""
        if self.index in KINDS:
            raise ParameterError(
                "neighbors of single images needs index=RUN, the folder of a run with neighbors; "
                "convviz.analyze() finds the neighbours within a data set"
            )
        layer = self._layer(model)
        reference = _neighbors_of_run(self.index)[layer]
        how = self._check_settings(reference, model)
        vectors = Features(layers=(layer,), pool=how["pool"]).reduce(model, batch, forward)
        queries = vectors[layer]["vectors"].double().numpy()
        if not space.comparable(queries, how["metric"]).all():
            raise ParameterError(f"the features of an image at {layer} are not finite, or all zero")
        size = reference["thumbnails"].shape[1]
        pictures = Pixels(size=size).reduce(model, batch, forward)[""]["thumbnails"]
        return self._answer(reference, layer, queries, pictures, how["metric"])

    def _layer(self, model: Model) -> str:
        layers = self.resolve_layers(model)
        known = _neighbors_of_run(self.index)
        missing = [layer for layer in layers if layer not in known]
        if missing or len(layers) != 1:
            raise ParameterError(
                f"give one layer with neighbors in run {self.index!r}: layers={' or '.join(known)}"
            )
        return layers[0]

    def _check_settings(self, reference: Explanation, model: Model) -> dict[str, Any]:
        """Return metric and pooling of the run; raise if the model or a given value differs."""
        self._check_weights(reference, model)
        how = {name: reference.parameters[name] for name in ("metric", "pool")}
        for name, value in how.items():
            if name in self.model_fields_set and getattr(self, name) != value:
                raise ParameterError(f"{name}={getattr(self, name)!r}, but the run used {value!r}")
        return how

    def _check_weights(self, reference: Explanation, model: Model) -> None:
        if reference.model["weights_hash"] != model.weights_hash:
            raise ParameterError(
                f"run {self.index!r} was computed with other weights "
                f"({reference.model['name']}); query it with the same model"
            )

    def _answer(
        self,
        reference: Explanation,
        layer: str,
        queries: np.ndarray,
        pictures: Tensor,
        metric: space.Metric,
    ) -> Matches:
        # The index file is not read: FAISS does not validate it, and the folder may be untrusted.
        vectors = _vectors_of(reference, queries.shape[1])
        rows = np.flatnonzero(space.comparable(vectors, metric))
        k = min(self.k, len(rows))
        distances, places = space.search_among(queries, vectors, rows, k, metric)
        item_vectors = pixel_vectors(reference["thumbnails"]).numpy()
        query_vectors = pixel_vectors(pictures).numpy()
        by_pixels = space.search(None, query_vectors, item_vectors, min(k, len(item_vectors)), "l2")
        indices = np.where(places < 0, -1, rows[places])
        return Matches(
            _to_float32(distances),
            arrays={
                "indices": torch.from_numpy(indices),
                "pixel_distances": _to_float32(by_pixels[0]),
                "pixel_indices": torch.from_numpy(by_pixels[1]),
                "thumbnails": reference["thumbnails"],
                "queries": pictures,
                "labels": reference["labels"],
                "query_labels": torch.full((len(queries),), -1),
            },
            unit=reference.result.unit,
            measures={"layer": layer, "images in the run": len(reference["labels"])},
            classes=reference.result.classes,
            names=reference.result.names,
            found=tuple(
                _describe_matches(reference, *row) for row in zip(indices, distances, strict=True)
            ),
        )


def _vectors_of(reference: Explanation, length: int) -> np.ndarray:
    """Return the vectors of the items of a run, `[n, length]`; raise if the result is damaged."""
    vectors = reference.result.files[space.FILE]
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.shape[1] != length:
        raise ParameterError(f"the run has no vectors of length {length} in {space.FILE}")
    labels, names, pictures = reference["labels"], reference.result.names, reference["thumbnails"]
    counts = {len(vectors), len(labels), len(names), len(pictures)}
    if len(counts) > 1:
        raise ParameterError(
            f"the arrays of the run have different numbers of items: {sorted(counts)}"
        )
    return vectors


def _describe_matches(
    reference: Explanation, indices: np.ndarray, distances: np.ndarray
) -> tuple[dict[str, Any], ...]:
    """Return id, distance and class of the neighbours of an image."""
    result, matches = reference.result, []
    for index, distance in zip(indices.tolist(), distances.tolist(), strict=True):
        if index < 0:
            continue
        match = {"id": result.names[index], "distance": distance}
        label = int(reference["labels"][index])
        if label >= 0:
            match["class"] = result.classes[label] if label < len(result.classes) else str(label)
        matches.append(match)
    return tuple(matches)


class ItemNeighbours:
    """The neighbours of every item among all others.

    Attributes:
        rows: the items whose vectors can be compared, `[m]`.
        distances: `[n, k]`; NaN for items that cannot be compared.
        indices: `[n, k]` items; -1 for items that cannot be compared.
    """

    def __init__(self, vectors: np.ndarray, k: int, metric: space.Metric, kind: space.Kind) -> None:
        self.good = np.flatnonzero(space.comparable(vectors, metric))
        if len(self.good) < 2:
            raise ParameterError(
                f"neighbors needs two images with finite features; {len(self.good)} of "
                f"{len(vectors)} have them"
            )
        self.metric = metric
        self.vectors = space.prepare(vectors, metric, self.good)
        self.index = None if kind == "flat" else space.build_index(self.vectors, metric, kind)
        self.k = min(k, len(self.good) - 1)
        distances, places = space.neighbours(self.vectors, self.k, metric, self.index)
        self.places = places
        n = len(vectors)
        self.distances = torch.full((n, self.k), float("nan"))
        self.indices = torch.full((n, self.k), -1)
        self.rows = torch.from_numpy(self.good)
        self.distances[self.rows] = _to_float32(distances)
        self.indices[self.rows] = torch.from_numpy(np.where(places < 0, -1, self.good[places]))

    def recall(self) -> dict[str, Any]:
        """Return the share of the true neighbours that the index finds, for a fixed sample."""
        n = len(self.vectors)
        sample = np.sort(np.random.default_rng(0).permutation(n)[:SAMPLE])
        _, truth = space.search(
            None, self.vectors[sample], self.vectors, self.k, self.metric, leave_out=sample
        )
        hits = [len(np.intersect1d(a, b)) for a, b in zip(truth, self.places[sample], strict=True)]
        return {
            f"recall@{self.k}": float(np.sum(hits) / max(truth.size, 1)),
            "recall measured on": len(sample),
        }

    def serialize(self) -> bytes:
        """Return the FAISS index as the bytes of its file."""
        import faiss

        index = self.index
        if index is None:
            index = space.build_index(self.vectors, self.metric, "flat")
        return bytes(faiss.serialize_index(index).tobytes())


def precision(indices: Tensor, labels: Tensor) -> float:
    """Return the mean share of neighbours with the label of the query.

    Queries and neighbours without a label are ignored, and so are items without neighbours.
    """
    other = torch.where(indices >= 0, labels[indices.clamp(min=0)], -1)
    known = (other >= 0) & (labels[:, None] >= 0)
    right = ((other == labels[:, None]) & known).sum(1)
    counted = known.sum(1) > 0
    share = right[counted].double() / known.sum(1)[counted]
    return float(share.mean()) if len(share) else float("nan")


def chance(labels: Tensor) -> float:
    """Return the expected precision of random neighbours among the other labelled items."""
    counts = torch.bincount(labels[labels >= 0]).double()
    n = float(counts.sum())
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else float("nan")


def as_tensor(labels: Sequence[int | None]) -> Tensor:
    """Return labels as a tensor; -1 for items without a label."""
    return torch.tensor([-1 if label is None else label for label in labels], dtype=torch.int64)


def left_out_note(rows: np.ndarray, ids: Sequence[str], why: str) -> str:
    """Return a note on the items that are not among `rows`; "" if there are none."""
    used = set(rows.tolist())
    names = [repr(name) for i, name in enumerate(ids) if i not in used]
    if not names:
        return ""
    examples = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" * (len(names) > NAMED))
    return f"Left out, {why}: {len(names)} of {len(ids)} images ({examples})."


def _notes(neighbours: ItemNeighbours, k: int, ids: Sequence[str], metric: str) -> Iterator[str]:
    why = "because their features are not finite"
    why += " or all zero, which have no direction" if metric == "cosine" else ""
    if note := left_out_note(neighbours.good, ids, why):
        yield note
    if neighbours.k < k:
        count = len(neighbours.good)
        yield f"{count} images have {neighbours.k} other image(s) each, fewer than k={k}."


def _kind(index: str) -> space.Kind:
    kinds: dict[str, space.Kind] = {"flat": "flat", "ivf": "ivf", "hnsw": "hnsw"}
    return kinds[index]


def _to_float32(distances: np.ndarray) -> Tensor:
    return torch.from_numpy(distances.astype(np.float32))


def _neighbors_of_run(folder: str) -> LayerResults:
    """Return the neighbors of a run by layer."""
    return convviz.open_run(folder)["neighbors"]


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Neighbors]
