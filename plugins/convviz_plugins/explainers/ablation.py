"""ablation: the drop of the scores when one channel of a layer is switched off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor

import convviz
from convviz import Model, ParameterError, Table
from convviz.authoring import (
    Batch,
    Explainer,
    Forward,
    LayerKind,
    Target,
    ablated_scores,
    hookimpl,
)

CLASSES, CHANNELS = 5, 15
"""Classes and channels that are drawn."""


class Ablation(Explainer):
    """Drop of each class's score when a channel of a layer is switched off.

    Each channel in turn is set to 0 at all positions, or to its mean over a data set
    (`statistics`), and the network runs from that layer on. `values` `[C, classes]` is the score
    of the unchanged image minus the score without the channel: above 0 where the channel
    supports the class. `scores` `[classes]` are those of the unchanged image. One image per call.
    """

    uses_target: ClassVar[bool] = False
    aliases: ClassVar[Mapping[str, str]] = {
        "channel importance": "the effect of each channel on the scores is found by 'ablation'",
        "knockout": "switching channels off is 'ablation'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "class_maps"

    layer: str | None = Field(
        None,
        description="Layer whose channels are switched off; default: the output of the last stage, "
        "or the first norm of the last block of a transformer with a class token.",
    )
    statistics: str | None = Field(
        None,
        description="Folder of a run with the statistics of the layer: channels are set to their "
        "mean over its data set instead of 0.",
    )
    batch_size: PositiveInt | None = Field(
        None, description="Channels at a time; by default chosen by the size of the maps."
    )

    @field_validator("statistics", mode="before")
    @classmethod
    def _as_text(cls, run: Any) -> Any:
        return os.fspath(run) if isinstance(run, os.PathLike) else run

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer whose channels are switched off."""
        return (model.check_layer(self.layer or model.default_layers("class_maps")[0]),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Table:
        """Return the drops of one image.

        Raises:
            ParameterError: several images, or statistics that do not fit.
            ModelError: the network cannot be exported, or does not depend on the layer.
        """
        if len(batch.images) != 1:
            raise ParameterError(
                f"ablation explains one image per call; got {len(batch.images)}. Call it for each"
            )
        (layer,) = self.layers(model)
        means = None if self.statistics is None else _means(self.statistics, layer, model)
        result = ablated_scores(model, batch.images, layer, means, self.batch_size)
        drops = result.clean - result.scores
        classes = result.clean.argsort(descending=True, stable=True)[:CLASSES]
        strength = drops[:, classes].abs().amax(1).nan_to_num(0.0)
        channels = strength.argsort(descending=True, stable=True)[:CHANNELS]
        value = "0" if means is None else "their mean over the data set"
        return Table(
            drops,
            arrays={"scores": result.clean},
            unit="score drop",
            columns=tuple(model.label(i) for i in range(drops.shape[1])),
            rows=tuple(f"channel {i}" for i in range(len(drops))),
            chart="effects",
            show=tuple(channels.tolist()),
            show_columns=tuple(classes.tolist()),
            measures={"layer": layer, "channels": len(drops), "channels set to": value},
            notes=(
                "Above 0: switching the channel off lowers the score of the class; below 0: it "
                f"raises it. The picture has the {len(classes)} classes with the highest scores "
                f"and the {len(channels)} channels with the largest effect on them.",
            ),
        )


def _means(run: str, layer: str, model: Model) -> Tensor:
    """Return the mean of each channel of a layer over the data set of a run, `[C]`."""
    results = convviz.open_run(run)
    if "statistics" not in results:
        raise ParameterError(f"run {run!r} has no statistics")
    statistics = results["statistics"]
    if layer not in statistics:
        known = ", ".join(statistics)
        raise ParameterError(f"run {run!r} has no statistics of layer {layer!r}; it has {known}")
    reference = statistics[layer]
    if reference.model["weights_hash"] != model.weights_hash:
        raise ParameterError(
            f"run {run!r} was computed with other weights ({reference.model['name']})"
        )
    means = reference.values[:, reference.result.columns.index("mean")]
    if not torch.isfinite(means).all():
        raise ParameterError(f"the means of layer {layer!r} in run {run!r} are not all finite")
    return means


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Ablation]
