"""statistics: moments, firing rates and dead channels of a layer over a data set."""

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
    """Mean, variance, range, firing rates and histogram of every channel, and dead channels.

    A channel fires at a position if its value there is above zero. It is dead if it fires at no
    position of any image. Values that are NaN or infinite are counted and otherwise ignored.
    """

    default_layer_kind: ClassVar[LayerKind | None] = "patches"

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the sums of `moments` for each layer, and the labels of the batch."""
        labels = [UNLABELLED if item.label is None else item.label for item in batch.items]
        present, rows = torch.tensor(labels).unique(return_inverse=True)
        partial: Partial = {"": {"labels": present}}
        for layer in self.resolve_layers(model):
            measured = moments.measure(forward.activations[layer].detach(), rows, len(present))
            partial[layer] = {name: tensor.cpu() for name, tensor in measured.items()}
        return partial

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the sums over two sets of images."""
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
    """Return the table of a layer, one row per channel, from its sums."""
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
    """Return mean and share of firing images by class, `[K, C]`, and images by class, `[K]`."""
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
    """Return the measures of a layer."""
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
    """Return notes on dead channels and on values that were ignored."""
    sentences = []
    silenced = int((dead & ~constant).sum())
    if below := int((sums["min"] < 0).sum()):
        sentences.append(
            f"{below} of {len(dead)} channels go below zero, so the layer does not end with a "
            "ReLU. A channel fires where it is above zero. After a smooth activation (GELU, SiLU) "
            "these are the values that pass; after a norm, a convolution or a residual sum it is "
            "only the sign, and mean, variance and histogram are more informative."
        )
    if dead.any():
        sentences.append(
            f"{int(dead.sum())} of {len(dead)} channels are dead: above zero at no position of "
            "any image."
        )
    if silenced:
        sentences.append(
            f"{silenced} of these vary below zero; they carry no information if a ReLU follows."
        )
    if bad := int(sums["nonfinite"].sum()):
        sentences.append(
            f"NaN or infinite values, which are ignored: {bad}, in "
            f"{int(sums['bad images'])} image(s)."
        )
    return tuple(sentences)


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Statistics]
