"""How every channel of a layer behaves over a data set, and which channels are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Model, Result, Table
from convviz.authoring import Batch, DatasetExplainer, Forward, Items, LayerKind, Partial

from ...shared.partials import all_merged, layers_in
from . import moments
from .moments import EDGES, Sums

UNLABELLED = -1
SUMS = ("count", "fired images", "fired", "nonfinite", "histogram", "images", "bad images")
COLUMNS = ("mean", "variance", "min", "max", "fires", "active", "nonfinite")


class Statistics(DatasetExplainer):
    """Mean, variance, range, firing and histogram of every channel, and the dead ones.

    A channel fires at a position where it is above zero. It is dead where it fires at no
    position of any image. Values that are NaN or infinite are counted and enter nothing else.
    """

    default_layer_kind: ClassVar[LayerKind | None] = "patches"

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Measure the channels of a batch by `moments.py`."""
        labels = [UNLABELLED if item.label is None else item.label for item in batch.items]
        present, rows = torch.tensor(labels).unique(return_inverse=True)
        partial: Partial = {"": {"labels": present}}
        for layer in self.resolve_layers(model):
            measured = moments.measure(forward.activations[layer].detach(), rows, len(present))
            partial[layer] = {name: tensor.cpu() for name, tensor in measured.items()}
        return partial

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Join the moments of two sets of images."""
        labels = torch.cat([a[""]["labels"], b[""]["labels"]]).unique()
        places = [torch.searchsorted(labels, p[""]["labels"]) for p in (a, b)]
        merged: Partial = {"": {"labels": labels}}
        for layer in layers_in(a):
            left, right = a[layer], b[layer]
            merged[layer] = {
                **{name: left[name] + right[name] for name in SUMS},
                **moments.merge_moments(left, right),
                **moments.merge_class_sums((left, right), places, len(labels)),
            }
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
            layer: table(whole[layer], whole[""]["labels"], items.classes, layer)
            for layer in layers_in(whole)
        }


def table(sums: Sums, labels: Tensor, classes: tuple[str, ...], layer: str) -> Table:
    """Turn sums into shares and moments, a row a channel."""
    count, images = sums["count"], int(sums["images"])
    seen = count > 0
    per_channel = {
        "mean": sums["mean"].masked_fill(~seen, torch.nan),
        "variance": (sums["squares"] / count.clamp(min=1)).masked_fill(~seen, torch.nan),
        "min": sums["min"].masked_fill(~seen, torch.nan),
        "max": sums["max"].masked_fill(~seen, torch.nan),
        "fires": sums["fired images"].double() / images,
        "active": sums["fired"].double() / count.clamp(min=1),
        "nonfinite": sums["nonfinite"],
    }
    dead = (sums["fired images"] == 0) & seen
    constant = (sums["min"] == sums["max"]) & seen
    arrays = {
        **per_channel,
        "dead": dead,
        "constant": constant,
        "histogram": sums["histogram"],
        "edges": torch.tensor(EDGES, dtype=torch.float64),
        **class_arrays(sums, labels, classes),
    }
    return Table(
        torch.stack([per_channel[name].double() for name in COLUMNS], 1),
        arrays=arrays,
        unit="activation",
        measures=measures(sums, dead, constant, layer),
        notes=notes(sums, dead, constant),
        columns=COLUMNS,
        rows=tuple(f"channel {c}" for c in range(len(count))),
        classes=classes if "class_mean" in arrays else (),
    )


def class_arrays(sums: Sums, labels: Tensor, classes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return mean, firing share and number of images by class, `[K, C]` and `[K]`."""
    known = labels >= 0
    if not known.any() or not classes:
        return {}
    rows, (channels,) = labels[known], sums["count"].shape
    count = sums["class count"][known]
    mean = torch.full((len(classes), channels), torch.nan, dtype=torch.float64)
    fires = mean.clone()
    images = torch.zeros(len(classes), dtype=torch.int64)
    images[rows] = sums["class images"][known]
    mean[rows] = torch.where(count > 0, sums["class sum"][known] / count.clamp(min=1), torch.nan)
    fires[rows] = sums["class fired"][known].double() / images[rows, None]
    return {"class_mean": mean, "class_fires": fires, "class_images": images}


def measures(sums: Sums, dead: Tensor, constant: Tensor, layer: str) -> dict[str, Any]:
    """Return the plain facts about a layer."""
    return {
        "layer": layer,
        "channels": len(dead),
        "images": int(sums["images"]),
        "dead channels": int(dead.sum()),
        "constant channels": int(constant.sum()),
        "non-finite values": int(sums["nonfinite"].sum()),
        "images with non-finite values": int(sums["bad images"]),
    }


def notes(sums: Sums, dead: Tensor, constant: Tensor) -> tuple[str, ...]:
    """Return notes on what dead means and what was left out."""
    said = []
    silenced = int((dead & ~constant).sum())
    if below := int((sums["min"] < 0).sum()):
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
    if bad := int(sums["nonfinite"].sum()):
        said.append(
            f"NaN or infinite values, counted and left out: {bad}, in "
            f"{int(sums['bad images'])} image(s)."
        )
    return tuple(said)


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Offer statistics."""
    return [Statistics]
