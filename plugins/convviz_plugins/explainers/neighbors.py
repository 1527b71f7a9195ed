"""Which images look alike to the network, and which ones only to the pixels."""

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
    pixel_vectors,
)

from ..shared import vectors as space

INDEX_FILE = "index.faiss"
KINDS = ("flat", "ivf", "hnsw")
SAMPLE = 1000
"""Queries on which the recall of an approximate index is measured."""

NAMED = 5
"""Left-out items that a note names."""


class Neighbors(DatasetExplainer):
    """Nearest images in feature space, beside the nearest in pixel space.

    Krizhevsky et al. 2012, section 6.1. In `analyze`, every image is a query among all others;
    in `explain` with `index=RUN`, the given images are queries among the items of that run.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "knn": "the nearest images are listed by 'neighbors'",
        "nearest": "the nearest images are listed by 'neighbors'",
        "similar": "the nearest images are listed by 'neighbors'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "features"

    k: int = Field(8, gt=0, description="Neighbours of each image.")
    metric: Literal["l2", "cosine"] = Field(
        "l2", description="Euclidean distance, or 1 - cosine of the angle."
    )
    index: str = Field(
        "flat",
        description="FAISS index: flat (exact), ivf or hnsw (approximate, for large data sets; "
        "recall is reported). In `explain`: a run folder that holds neighbors.",
    )
    pool: Literal["avg", "max", "flatten"] = Field(
        "avg", description="How the positions of a spatial layer become one vector."
    )
    thumbnail: int = Field(64, ge=8, le=512, description="Side of the pictures drawn, in pixels.")

    @field_validator("index", mode="before")
    @classmethod
    def _as_text(cls, index: Any) -> Any:
        return os.fspath(index) if isinstance(index, os.PathLike) else index

    @classmethod
    def for_query(cls, run: str, k: int) -> Neighbors:
        """Return the explainer that looks images up among the items of a run."""
        return cls(index=run, k=k)

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return the input of the last linear layer, or with a run the run's layer."""
        if self.index in KINDS:
            return super().default_layers(model)
        known = _of_run(self.index)
        self._check_weights(known[next(iter(known))], model)  # or its layers mean nothing
        return tuple(known)

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
        """Look up every item among all others, in each layer."""
        if self.index not in KINDS:
            raise ParameterError(
                f"index={self.index!r}: in analyze it is one of {', '.join(KINDS)}; "
                "a run folder goes with convviz.explain()"
            )
        features, pixels = needs
        pictures = pixels[""]["thumbnails"]
        by_pixels = Found(pixels[""].values.numpy(), self.k, "l2", "flat")
        return {
            layer: self._matches(table.values.numpy(), pictures, by_pixels, items)
            for layer, table in features.items()
        }

    def _matches(
        self, vectors: np.ndarray, pictures: Tensor, by_pixels: Found, items: Items
    ) -> Matches:
        found = Found(vectors, self.k, self.metric, _kind(self.index))
        labels = as_tensor(items.labels)
        measures: dict[str, Any] = {"images": len(items), "vector length": vectors.shape[1]}
        if self.index != "flat":
            measures |= found.recall()
        k = found.indices.shape[1]
        if (labels >= 0).any():
            measures[f"precision@{k}"] = precision(found.indices, labels)
            measures[f"precision@{k} of pixels"] = precision(by_pixels.indices, labels)
            measures["precision of chance"] = chance(labels)
        return Matches(
            found.distances,
            arrays={
                "indices": found.indices,
                "pixel_distances": by_pixels.distances,
                "pixel_indices": by_pixels.indices,
                "thumbnails": pictures,
                "labels": labels,
                "rows": found.rows,
            },
            unit="L2 distance" if self.metric == "l2" else "1 - cosine",
            measures=measures,
            notes=tuple(_notes(found, self.k, items.ids, self.metric)),
            files={INDEX_FILE: found.serialized(), space.FILE: vectors},
            classes=items.classes,
            names=items.ids,
        )

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Matches:
        """Look up images among the items of a finished run."""
        if self.index in KINDS:
            raise ParameterError(
                "neighbors of single images needs index=RUN, the folder of a run that holds "
                "neighbors; all neighbours within a data set are found by convviz.analyze()"
            )
        layer = self._layer(model)
        kept = _of_run(self.index)[layer]
        how = self._settled(kept, model)
        vectors = Features(layers=(layer,), pool=how["pool"]).reduce(model, batch, forward)
        queries = vectors[layer]["vectors"].double().numpy()
        if not space.usable(queries, how["metric"]).all():
            raise ParameterError(f"the features of an image at {layer} are not finite, or all zero")
        size = kept["thumbnails"].shape[1]
        pictures = Pixels(size=size).reduce(model, batch, forward)[""]["thumbnails"]
        return self._answer(kept, layer, queries, pictures, how["metric"])

    def _layer(self, model: Model) -> str:
        layers = self.resolve_layers(model)
        known = _of_run(self.index)
        missing = [layer for layer in layers if layer not in known]
        if missing or len(layers) != 1:
            raise ParameterError(
                f"give one of the layers that run {self.index!r} has neighbors of: "
                f"{', '.join(known)}"
            )
        return layers[0]

    def _settled(self, kept: Explanation, model: Model) -> dict[str, Any]:
        """Return metric and pooling of the run; refuse another model or a contradiction."""
        self._check_weights(kept, model)
        how = {name: kept.parameters[name] for name in ("metric", "pool")}
        for name, value in how.items():
            if name in self.model_fields_set and getattr(self, name) != value:
                raise ParameterError(f"{name}={getattr(self, name)!r}, but the run has {value!r}")
        return how

    def _check_weights(self, kept: Explanation, model: Model) -> None:
        if kept.model["weights_hash"] != model.weights_hash:
            raise ParameterError(
                f"run {self.index!r} was made with other weights "
                f"({kept.model['name']}); query it with the same model"
            )

    def _answer(
        self,
        kept: Explanation,
        layer: str,
        queries: np.ndarray,
        pictures: Tensor,
        metric: space.Metric,
    ) -> Matches:
        # The index file is not read: FAISS trusts its content, and the folder may be anybody's.
        vectors = _vectors_of(kept, queries.shape[1])
        rows = np.flatnonzero(space.usable(vectors, metric))
        k = min(self.k, len(rows))
        distances, places = space.search_among(queries, vectors, rows, k, metric)
        shown = pixel_vectors(kept["thumbnails"]).numpy()
        asked = pixel_vectors(pictures).numpy()
        by_pixels = space.search(None, asked, shown, min(k, len(shown)), "l2")
        indices = np.where(places < 0, -1, rows[places])
        return Matches(
            _narrow(distances),
            arrays={
                "indices": torch.from_numpy(indices),
                "pixel_distances": _narrow(by_pixels[0]),
                "pixel_indices": torch.from_numpy(by_pixels[1]),
                "thumbnails": kept["thumbnails"],
                "queries": pictures,
                "labels": kept["labels"],
                "query_labels": torch.full((len(queries),), -1),
            },
            unit=kept.result.unit,
            measures={"layer": layer, "images in the run": len(kept["labels"])},
            classes=kept.result.classes,
            names=kept.result.names,
            found=tuple(_named(kept, *row) for row in zip(indices, distances, strict=True)),
        )


def _vectors_of(kept: Explanation, length: int) -> np.ndarray:
    """Return the vectors of a run's items, `[n, length]`, all counts of the result agreeing."""
    vectors = kept.result.files[space.FILE]
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.shape[1] != length:
        raise ParameterError(f"the run holds no vectors of length {length} in {space.FILE}")
    labels, names, pictures = kept["labels"], kept.result.names, kept["thumbnails"]
    counts = {len(vectors), len(labels), len(names), len(pictures)}
    if len(counts) > 1:
        raise ParameterError(f"the run counts its items differently: {sorted(counts)}")
    return vectors


def _named(
    kept: Explanation, indices: np.ndarray, distances: np.ndarray
) -> tuple[dict[str, Any], ...]:
    """Name the neighbours of one image by what the run knows of them."""
    result, made = kept.result, []
    for index, distance in zip(indices.tolist(), distances.tolist(), strict=True):
        if index < 0:
            continue
        one = {"id": result.names[index], "distance": distance}
        label = int(kept["labels"][index])
        if label >= 0:
            one["class"] = result.classes[label] if label < len(result.classes) else str(label)
        made.append(one)
    return tuple(made)


class Found:
    """The neighbours of every vector among all others.

    Attributes:
        rows: the items whose vectors can be compared, `[m]`.
        distances: `[n, k]`; NaN for the items left out.
        indices: `[n, k]` items; -1 for those left out.
    """

    def __init__(self, vectors: np.ndarray, k: int, metric: space.Metric, kind: space.Kind) -> None:
        self.good = np.flatnonzero(space.usable(vectors, metric))
        if len(self.good) < 2:
            raise ParameterError(
                f"neighbors needs two images with features to compare; there are {len(vectors)} "
                f"images, {len(self.good)} of them with finite features"
            )
        self.metric = metric
        self.vectors = space.prepared(vectors, metric, self.good)
        self.index = None if kind == "flat" else space.build_index(self.vectors, metric, kind)
        self.k = min(k, len(self.good) - 1)
        distances, places = space.neighbours(self.vectors, self.k, metric, self.index)
        self.places = places
        n = len(vectors)
        self.distances = torch.full((n, self.k), float("nan"))
        self.indices = torch.full((n, self.k), -1)
        self.rows = torch.from_numpy(self.good)
        self.distances[self.rows] = _narrow(distances)
        self.indices[self.rows] = torch.from_numpy(np.where(places < 0, -1, self.good[places]))

    def recall(self) -> dict[str, Any]:
        """Return the share of the true neighbours that the index finds, on a fixed sample."""
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

    def serialized(self) -> bytes:
        """Return the FAISS index as the bytes of its file."""
        import faiss

        index = self.index
        if index is None:
            index = space.build_index(self.vectors, self.metric, "flat")
        return bytes(faiss.serialize_index(index).tobytes())


def precision(indices: Tensor, labels: Tensor) -> float:
    """Return the mean share of neighbours that have the query's label.

    Queries and neighbours without a label, and items left out, do not count.
    """
    other = torch.where(indices >= 0, labels[indices.clamp(min=0)], -1)
    known = (other >= 0) & (labels[:, None] >= 0)
    right = ((other == labels[:, None]) & known).sum(1)
    counted = known.sum(1) > 0
    share = right[counted].double() / known.sum(1)[counted]
    return float(share.mean()) if len(share) else float("nan")


def chance(labels: Tensor) -> float:
    """Return the precision of neighbours drawn at random among the other labelled items."""
    counts = torch.bincount(labels[labels >= 0]).double()
    n = float(counts.sum())
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else float("nan")


def as_tensor(labels: Sequence[int | None]) -> Tensor:
    """Return labels as a tensor; -1 where there is none."""
    return torch.tensor([-1 if label is None else label for label in labels], dtype=torch.int64)


def left_out(rows: np.ndarray, ids: Sequence[str], why: str) -> str:
    """Name the items that are not among `rows`; empty where all are."""
    kept = set(rows.tolist())
    names = [repr(name) for i, name in enumerate(ids) if i not in kept]
    if not names:
        return ""
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" * (len(names) > NAMED))
    return f"Left out, {why}: {len(names)} of {len(ids)} images ({shown})."


def _notes(found: Found, k: int, ids: Sequence[str], metric: str) -> Iterator[str]:
    why = "because their features are not finite"
    why += " or all zero, which have no direction" if metric == "cosine" else ""
    if note := left_out(found.good, ids, why):
        yield note
    if found.k < k:
        yield f"{len(found.good)} images have {found.k} other image(s) each, fewer than k={k}."


def _kind(index: str) -> space.Kind:
    kinds: dict[str, space.Kind] = {"flat": "flat", "ivf": "ivf", "hnsw": "hnsw"}
    return kinds[index]


def _narrow(distances: np.ndarray) -> Tensor:
    return torch.from_numpy(distances.astype(np.float32))


def _of_run(folder: str) -> LayerResults:
    """Return the neighbors of a run, layer by layer."""
    return convviz.open_run(folder)["neighbors"]


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Offer neighbors."""
    return [Neighbors]
