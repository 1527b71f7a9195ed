"""A small model, random photos, and data-set explainers that record their inputs."""

from __future__ import annotations

import numpy as np
import torch

import convviz
from convviz import Table
from convviz.authoring import DatasetExplainer, Features, Pixels

from .networks import counting_classifier


def tiny_model() -> convviz.Model:
    """Return a model in double precision whose network counts its forward passes."""
    network = counting_classifier()
    preprocess = convviz.Preprocess(resize=12, crop=12)
    model = convviz.Model(network.double(), preprocess=preprocess, name="tiny")
    model.layer_names()  # runs the network once, and is cached
    network.passes = 0
    return model


def photos(count, seed=0):
    """Return random photos, uint8 `[count, 14, 17, 3]`."""
    return np.random.default_rng(seed).integers(0, 256, (count, 14, 17, 3), dtype=np.uint8)


class Spy(DatasetExplainer):
    """Collects pooled activations and labels; its needs are equal to those of `Other`."""

    pool: str = "avg"

    def default_layers(self, model):
        return ("0", "1")

    def needs(self):
        return (Features(layers=("3",)), Pixels(size=8))

    def reduce(self, model, batch, forward):
        labels = [-1 if item.label is None else item.label for item in batch.items]
        layers = self.resolve_layers(model)
        sums = {n: {"sum": forward.activations[n].sum((2, 3))} for n in layers}
        return {"": {"labels": torch.tensor(labels)}, **sums}

    def merge(self, a, b):
        return {n: {k: torch.cat([t, b[n][k]]) for k, t in a[n].items()} for n in a}

    def finish(self, model, partials, items, needs):
        whole = list(partials)
        sizes = torch.tensor([[float(len(p[""]["labels"]))] for p in whole])
        photo = torch.from_numpy(items.load(len(items) - 1).astype(float).mean(axis=2))
        arrays = {
            "labels": torch.cat([p[""]["labels"] for p in whole]),
            "features": needs[0]["3"].values,
            "pictures": needs[1][""]["thumbnails"],
            "sizes": sizes,
            "photo": photo,
        }
        return {
            name: Table(torch.cat([p[name]["sum"] for p in whole]), arrays=arrays)
            for name in self.resolve_layers(model)
        }


class Other(Spy):
    """A second explainer with the same needs."""
