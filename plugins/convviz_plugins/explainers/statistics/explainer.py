"""How every channel of a layer behaves over a data set, and which channels are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Model, Result, Table
from convviz.authoring import Batch, DatasetExplainer, Forward, Items, Partial

from ...shared.partials import all_merged, layers_in
from . import moments
from .moments import EDGES

UNLABELLED = -1
SUMS = ("count", "fired images", "fired", "nonfinite", "histogram", "images", "bad images")
COLUMNS = ("mean", "variance", "min", "max", "fires", "active", "nonfinite")


class Statistics(DatasetExplainer):
    """Mean, variance, range, firing and histogram of every channel, and the dead ones.

    A channel fires at a position where it is above zero. It is dead where it fires at no
    position of any image. Values that are NaN or infinite are counted and enter nothing else.
    """

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return the output of each stage."""
        return model.default_layers("patches")

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Measure the channels of a batch by `moments.py`."""
        labels = [UNLABELLED if item.label is None else item.label for item in batch.items]
        present, rows = torch.tensor(labels).unique(return_inverse=True)
        partial: Partial = {"labels": present}
        for layer in self.resolve_layers(model):
            measured = moments.measure(forward.activations[layer].detach(), rows, len(present))
            partial |= {f"{layer}/{name}": t.cpu() for name, t in measured.items()}
        return partial

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Join the moments of two sets of images."""
        labels = torch.cat([a["labels"], b["labels"]]).unique()
        places = [torch.searchsorted(labels, p["labels"]) for p in (a, b)]
        merged: Partial = {"labels": labels}
        for layer in layers_in(a, "count"):
            left, right = of_layer(a, layer), of_layer(b, layer)
            joined = {name: left[name] + right[name] for name in SUMS}
            joined |= moments.merged(left, right)
            joined |= moments.by_class((left, right), places, len(labels))
            merged |= {f"{layer}/{name}": t for name, t in joined.items()}
        return merged

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return one table per layer, with a row per channel."""
        whole = all_merged(self, partials, "statistics")
        return {
            layer: table(of_layer(whole, layer), whole["labels"], items.classes, layer)
            for layer in layers_in(whole, "count")
        }


def of_layer(partial: Partial, layer: str) -> Partial:
    """Return what a partial holds of one layer, without the layer's name."""
    head = f"{layer}/"
    return {
        key.removeprefix(head): value
        for key, value in partial.items()
        if key.startswith(head) and "/" not in key.removeprefix(head)
    }


def table(kept: Partial, labels: Tensor, classes: tuple[str, ...], layer: str) -> Table:
    """Turn sums into shares and moments, a row a channel."""
    count, images = kept["count"], int(kept["images"])
    seen = count > 0
    per_channel = {
        "mean": kept["mean"].masked_fill(~seen, torch.nan),
        "variance": (kept["squares"] / count.clamp(min=1)).masked_fill(~seen, torch.nan),
        "min": kept["min"].masked_fill(~seen, torch.nan),
        "max": kept["max"].masked_fill(~seen, torch.nan),
        "fires": kept["fired images"].double() / images,
        "active": kept["fired"].double() / count.clamp(min=1),
        "nonfinite": kept["nonfinite"],
    }
    dead = (kept["fired images"] == 0) & seen
    constant = (kept["min"] == kept["max"]) & seen
    arrays = {
        **per_channel,
        "dead": dead,
        "constant": constant,
        "histogram": kept["histogram"],
        "edges": torch.tensor(EDGES, dtype=torch.float64),
        **class_arrays(kept, labels, classes),
    }
    return Table(
        torch.stack([per_channel[name].double() for name in COLUMNS], 1),
        arrays=arrays,
        unit="activation",
        measures=measures(kept, dead, constant, layer),
        notes=notes(kept, dead, constant),
        columns=COLUMNS,
        rows=tuple(f"channel {c}" for c in range(len(count))),
        classes=classes if "class_mean" in arrays else (),
    )


def class_arrays(kept: Partial, labels: Tensor, classes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return mean, firing share and number of images by class, `[K, C]` and `[K]`."""
    known = labels >= 0
    if not known.any() or not classes:
        return {}
    rows, (channels,) = labels[known], kept["count"].shape
    count = kept["class count"][known]
    mean = torch.full((len(classes), channels), torch.nan, dtype=torch.float64)
    fires = mean.clone()
    images = torch.zeros(len(classes), dtype=torch.int64)
    images[rows] = kept["class images"][known]
    mean[rows] = torch.where(count > 0, kept["class sum"][known] / count.clamp(min=1), torch.nan)
    fires[rows] = kept["class fired"][known].double() / images[rows, None]
    return {"class_mean": mean, "class_fires": fires, "class_images": images}


def measures(kept: Partial, dead: Tensor, constant: Tensor, layer: str) -> dict[str, Any]:
    """Return the plain facts about a layer."""
    return {
        "layer": layer,
        "channels": len(dead),
        "images": int(kept["images"]),
        "dead channels": int(dead.sum()),
        "constant channels": int(constant.sum()),
        "non-finite values": int(kept["nonfinite"].sum()),
        "images with non-finite values": int(kept["bad images"]),
    }


def notes(kept: Partial, dead: Tensor, constant: Tensor) -> tuple[str, ...]:
    """Return notes on what dead means and what was left out."""
    said = []
    silenced = int((dead & ~constant).sum())
    if below := int((kept["min"] < 0).sum()):
        said.append(
            f"{below} of {len(dead)} channels go below zero, so that no ReLU ends this layer. A "
            "channel fires where it is above zero. After a smooth activation (GELU, SiLU) this is "
            "where values pass; after a norm, a convolution or a residual sum it is no more than "
            "the sign, and mean, variance and histogram tell more."
        )
    if dead.any():
        said.append(
            f"{int(dead.sum())} of {len(dead)} channels are dead: above zero at no position of "
            "any image."
        )
    if silenced:
        said.append(
            f"{silenced} of these vary below zero; they are lost where a ReLU follows, and only "
            "there."
        )
    if bad := int(kept["nonfinite"].sum()):
        said.append(
            f"NaN or infinite values, counted and left out: {bad}, in "
            f"{int(kept['bad images'])} image(s)."
        )
    return tuple(said)


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Offer statistics."""
    return [Statistics]
