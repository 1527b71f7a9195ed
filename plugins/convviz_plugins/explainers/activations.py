"""The feature maps of an image at a layer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Explanation, Model, ParameterError, Tiles
from convviz.authoring import Batch, Explainer, Forward, LayerKind, Target


class Activations(Explainer):
    """The feature maps of each image at a layer, one grey tile a channel, on one scale."""

    aliases: ClassVar[Mapping[str, str]] = {
        "feature maps": "feature maps are drawn by 'activations'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "activations"

    layer: str | None = Field(
        None, description="Layer to look at; default: the output of the last stage."
    )
    sort: Literal["index", "max", "mean"] = Field(
        "index", description="Order of the tiles: by channel, or strongest first by max or mean."
    )
    top: int = Field(
        9,
        ge=0,
        description="Strongest channels laid over the photo: by max (by mean with sort='mean'), or "
        "with statistics by how far the max stands out from the channel's own distribution.",
    )
    statistics: str | None = Field(
        None,
        description="A run folder that holds statistics of the layer: tells channels that are "
        "silent on this image from those that are dead on the whole data set, and gives each "
        "channel its own scale.",
    )

    @field_validator("statistics", mode="before")
    @classmethod
    def _as_text(cls, folder: Any) -> Any:
        return os.fspath(folder) if isinstance(folder, os.PathLike) else folder

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the one layer whose maps are drawn."""
        name = self.layer or model.default_layers("activations")[0]
        return (model.check_layer(name),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Tiles:
        """Return the maps `[N, C, h, w]`; they are copies, whatever runs in place behind them."""
        (layer,) = self.layers(model)
        values = maps_of(forward, layer).cpu()
        facts = measure(values)
        swept = self._swept(model, layer)
        by, then = ("mean", "max") if self.sort == "mean" else ("max", "mean")
        keys = facts[by], facts[then]
        ranked = strongest(*keys)
        top_keys = keys if swept is None else (standing_out(facts["max"], swept), facts["mean"])
        overlays = strongest(*top_keys)
        channels = values.shape[1]
        measures = {"layer": layer, "channels": channels, **count_silent(facts)}
        arrays = facts
        if swept is not None:
            measures["dead channels"] = int(swept["dead"].sum())
            arrays = {**facts, "dead": swept["dead"]}
        return Tiles(
            values,
            arrays=arrays,
            unit="activation",
            measures=measures,
            notes=(
                *notes(values, facts, swept),
                *(ties_in_words(top_keys, overlays, self.top, then) if self.top else ()),
            ),
            layout="images",
            order=tuple(map(tuple, ranked)) if self.sort != "index" else (),
            overlays=tuple(tuple(row[: self.top]) for row in overlays) if self.top else (),
            captions=tuple(str(c) for c in range(channels)),
            table=table_of(facts),
        )

    def _swept(self, model: Model, layer: str) -> Explanation | None:
        """Return the statistics of the layer; raises where they are missing or of another model."""
        if self.statistics is None:
            return None
        run = convviz.open_run(self.statistics)
        kept = run["statistics"][layer]
        if kept.model["weights_hash"] != model.weights_hash:
            raise ParameterError(
                f"statistics={self.statistics!r} are those of other weights "
                f"({kept.model['name']}); give a run of this model"
            )
        return kept


def maps_of(forward: Forward, layer: str) -> Tensor:
    """Return a copy of a layer's maps, `[N, C, h, w]`."""
    values = forward.activations[layer].detach().clone()
    if values.ndim == 2:
        values = values[:, :, None, None]
    if values.ndim != 4:
        raise ParameterError(
            f"activations draws maps [N, C, h, w]; layer {layer!r} gives {list(values.shape)}"
        )
    return values if values.dtype == torch.float64 else values.float()


def measure(values: Tensor) -> dict[str, Tensor]:
    """Return max, mean and share of positive positions of each map, `[N, C]`."""
    flat = values.flatten(2)
    return {
        "max": flat.amax(2),
        "mean": convviz.authoring.channel_means(values).to(values.dtype),
        "active": (flat > 0).to(flat.dtype).mean(2),
    }


def strongest(by: Tensor, then: Tensor) -> list[list[int]]:
    """Return the channels of each image, strongest first; equal ones by `then`, NaN last.

    What is equal in both goes by index.
    """
    order = _sortable(then).sort(dim=1, descending=True, stable=True).indices
    keys = _sortable(by).gather(1, order)
    places = keys.sort(dim=1, descending=True, stable=True).indices
    ranked: list[list[int]] = order.gather(1, places).tolist()
    return ranked


def _sortable(values: Tensor) -> Tensor:
    return values.nan_to_num(-torch.inf, torch.inf, -torch.inf)


def standing_out(peaks: Tensor, swept: Explanation) -> Tensor:
    """Return how far peaks lie above each channel's mean over a data set, `[N, C]`.

    Counted in the channel's standard deviations over all positions; 0 for a constant channel.
    """
    deviation = swept["variance"].to(peaks.dtype).sqrt()
    apart = (peaks - swept["mean"].to(peaks.dtype)) / deviation
    return torch.where(deviation > 0, apart, torch.zeros_like(apart))


def ties_in_words(
    keys: tuple[Tensor, Tensor], ranked: list[list[int]], top: int, then: str
) -> Iterator[str]:
    """Yield a note for each image on which undrawn channels tie with the last one drawn."""
    for image, row in enumerate(ranked):
        if top >= len(row):
            return
        by, second = (key[image] for key in keys)
        last, following = row[top - 1], row[top]
        if by[last] != by[following] or (by[last], second[last]) == (0, 0):
            continue
        count = int((by == by[last]).sum())
        where = f" on image {image + 1}" if len(ranked) > 1 else ""
        sentence = f"{count} channels tie for the last of the {top} strongest{where}"
        if second[last] == second[following]:
            yield f"{sentence}, in their {then} too: the lowest indices are drawn."
        else:
            yield f"{sentence}: those with the larger {then} are drawn."


def count_silent(facts: dict[str, Tensor]) -> dict[str, int]:
    """Count the channels that are nowhere above zero, an image."""
    silent = (facts["active"] == 0).sum(1).tolist()
    if len(silent) == 1:
        return {"silent channels": silent[0]}
    return {f"silent channels · image {i + 1}": n for i, n in enumerate(silent)}


def notes(
    values: Tensor, facts: dict[str, Tensor], swept: Explanation | None = None
) -> tuple[str, ...]:
    """Return notes on what black means and what is not drawn."""
    sentences = []
    silent = (facts["active"] == 0).sum(1).tolist()
    if any(silent) or swept is not None:
        sentences.append(silent_in_words(silent, values.shape[1], swept))
    if swept is not None:
        sentences.append(
            "On the photo are the channels whose max stands out most from their own values over "
            f"{swept.result.measures['images']} images, in standard deviations."
        )
    if below := float((values < 0).double().mean()):
        sentences.append(
            f"{below:.0%} of the values are below zero; they are drawn black, like zero."
        )
    if bad := int((~torch.isfinite(values)).sum()):
        sentences.append(f"Values that are NaN or infinite: {bad}.")
    return tuple(sentences)


def silent_in_words(silent: list[int], channels: int, swept: Explanation | None = None) -> str:
    """Return a note on how many channels are silent, and how many are dead where that is known."""
    if len(silent) == 1:
        counts = f"{silent[0]} of {channels} channels are silent on this input: nowhere above zero"
    else:
        each = ", ".join(f"{n} on image {i + 1}" for i, n in enumerate(silent))
        counts = f"Silent channels, nowhere above zero, of {channels}: {each}"
    if swept is None:
        return f"{counts}. Whether they are dead, only a whole data set can tell."
    images = swept.result.measures["images"]
    return f"{counts}. {int(swept['dead'].sum())} are dead: they fired on none of {images} images."


def table_of(facts: dict[str, Tensor]) -> dict[str, tuple[float, ...]]:
    """Return the table's columns, one value a channel; for several images, a set an image."""
    images = len(facts["max"])
    return {
        name if images == 1 else f"{name} · image {i + 1}": tuple(facts[name][i].tolist())
        for i in range(images)
        for name in ("max", "mean", "active")
    }


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Activations]
