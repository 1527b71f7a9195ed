"""activations: the feature maps of an image at a layer."""

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
    """Feature maps of each image at a layer: one grey tile per channel, all on one scale."""

    aliases: ClassVar[Mapping[str, str]] = {
        "feature maps": "feature maps are drawn by 'activations'",
    }
    uses_target: ClassVar[bool] = False
    default_layer_kind: ClassVar[LayerKind | None] = "activations"

    layer: str | None = Field(
        None, description="Layer to look at; default: the output of the last stage."
    )
    sort: Literal["index", "max", "mean"] = Field(
        "index",
        description="Order of the tiles: by channel index, or by max or mean, highest first.",
    )
    top: int = Field(
        9,
        ge=0,
        description="Number of strongest channels drawn over the photo: by max (by mean with "
        "sort='mean'). With statistics, ranked by the distance of the max from the channel's mean "
        "over the data set, in standard deviations.",
    )
    statistics: str | None = Field(
        None,
        description="A run folder with statistics of the layer. They distinguish channels that are "
        "silent on this image from channels that are dead on the whole data set, and give each "
        "channel its own scale.",
    )

    @field_validator("statistics", mode="before")
    @classmethod
    def _as_text(cls, folder: Any) -> Any:
        return os.fspath(folder) if isinstance(folder, os.PathLike) else folder

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer whose maps are drawn."""
        name = self.layer or model.default_layers("activations")[0]
        return (model.check_layer(name),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Tiles:
        """Return copies of the maps `[N, C, h, w]`; in-place operations do not change them."""
        (layer,) = self.layers(model)
        values = maps_of(forward, layer).cpu()
        facts = measure(values)
        statistics = self._load_statistics(model, layer)
        by, then = ("mean", "max") if self.sort == "mean" else ("max", "mean")
        keys = facts[by], facts[then]
        ranked = strongest(*keys)
        top_keys = (
            keys
            if statistics is None
            else (peak_deviations(facts["max"], statistics), facts["mean"])
        )
        overlays = strongest(*top_keys)
        channels = values.shape[1]
        measures = {"layer": layer, "channels": channels, **count_silent(facts)}
        arrays = facts
        if statistics is not None:
            measures["dead channels"] = int(statistics["dead"].sum())
            arrays = {**facts, "dead": statistics["dead"]}
        return Tiles(
            values,
            arrays=arrays,
            unit="activation",
            measures=measures,
            notes=(
                *notes(values, facts, statistics),
                *(tie_notes(top_keys, overlays, self.top, then) if self.top else ()),
            ),
            layout="images",
            order=tuple(map(tuple, ranked)) if self.sort != "index" else (),
            overlays=tuple(tuple(row[: self.top]) for row in overlays) if self.top else (),
            captions=tuple(str(c) for c in range(channels)),
            table=table_of(facts),
        )

    def _load_statistics(self, model: Model, layer: str) -> Explanation | None:
        """Return the statistics of the layer; raises if they belong to other weights."""
        if self.statistics is None:
            return None
        run = convviz.open_run(self.statistics)
        explanation = run["statistics"][layer]
        if explanation.model["weights_hash"] != model.weights_hash:
            raise ParameterError(
                f"statistics={self.statistics!r} were computed with other weights "
                f"({explanation.model['name']}); give a run of this model"
            )
        return explanation


def maps_of(forward: Forward, layer: str) -> Tensor:
    """Return a copy of a layer's maps, `[N, C, h, w]`."""
    values = forward.activations[layer].detach().clone()
    if values.ndim == 2:
        values = values[:, :, None, None]
    if values.ndim != 4:
        raise ParameterError(
            f"activations draws maps [N, C, h, w]; layer {layer!r} has output {list(values.shape)}"
        )
    return values if values.dtype == torch.float64 else values.float()


def measure(values: Tensor) -> dict[str, Tensor]:
    """Return the max, the mean and the share of positive positions of each map, `[N, C]`."""
    flat = values.flatten(2)
    return {
        "max": flat.amax(2),
        "mean": convviz.authoring.channel_means(values).to(values.dtype),
        "active": (flat > 0).to(flat.dtype).mean(2),
    }


def strongest(by: Tensor, then: Tensor) -> list[list[int]]:
    """Return the channels of each image, strongest first, NaN last.

    Channels with equal `by` are ordered by `then`; if that is equal too, by index.
    """
    # Two stable sorts, the less important key first.
    order = _sortable(then).sort(dim=1, descending=True, stable=True).indices
    keys = _sortable(by).gather(1, order)
    places = keys.sort(dim=1, descending=True, stable=True).indices
    ranked: list[list[int]] = order.gather(1, places).tolist()
    return ranked


def _sortable(values: Tensor) -> Tensor:
    return values.nan_to_num(-torch.inf, torch.inf, -torch.inf)


def peak_deviations(peaks: Tensor, statistics: Explanation) -> Tensor:
    """Return the distance of the peaks from each channel's mean over a data set, `[N, C]`.

    In standard deviations of the channel over all positions; 0 for a constant channel.
    """
    deviation = statistics["variance"].to(peaks.dtype).sqrt()
    apart = (peaks - statistics["mean"].to(peaks.dtype)) / deviation
    return torch.where(deviation > 0, apart, torch.zeros_like(apart))


def tie_notes(
    keys: tuple[Tensor, Tensor], ranked: list[list[int]], top: int, then: str
) -> Iterator[str]:
    """Yield a note for each image where channels that are not drawn tie with the last drawn one."""
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
            yield f"{sentence}, also in their {then}: those with the lowest indices are drawn."
        else:
            yield f"{sentence}: those with the larger {then} are drawn."


def count_silent(facts: dict[str, Tensor]) -> dict[str, int]:
    """Return the number of channels that are nowhere above zero, per image."""
    silent = (facts["active"] == 0).sum(1).tolist()
    if len(silent) == 1:
        return {"silent channels": silent[0]}
    return {f"silent channels · image {i + 1}": n for i, n in enumerate(silent)}


def notes(
    values: Tensor, facts: dict[str, Tensor], statistics: Explanation | None = None
) -> tuple[str, ...]:
    """Return notes on silent channels, on values below zero and on values that are not finite."""
    sentences = []
    silent = (facts["active"] == 0).sum(1).tolist()
    if any(silent) or statistics is not None:
        sentences.append(silence_note(silent, values.shape[1], statistics))
    if statistics is not None:
        sentences.append(
            "The channels on the photo are those whose max is farthest above their mean over "
            f"{statistics.result.measures['images']} images, in standard deviations."
        )
    if below := float((values < 0).double().mean()):
        sentences.append(f"{below:.0%} of the values are below zero and drawn black, like zero.")
    if bad := int((~torch.isfinite(values)).sum()):
        sentences.append(f"Values that are NaN or infinite: {bad}.")
    return tuple(sentences)


def silence_note(silent: list[int], channels: int, statistics: Explanation | None = None) -> str:
    """Return a note on the number of silent channels and, with statistics, of dead ones."""
    if len(silent) == 1:
        counts = f"{silent[0]} of {channels} channels are silent on this input: nowhere above zero"
    else:
        each = ", ".join(f"{n} on image {i + 1}" for i, n in enumerate(silent))
        counts = f"Silent channels, nowhere above zero, of {channels}: {each}"
    if statistics is None:
        return f"{counts}. Only statistics of a data set show whether they are dead."
    images = statistics.result.measures["images"]
    dead = int(statistics["dead"].sum())
    return f"{counts}. {dead} are dead: they fired on none of {images} images."


def table_of(facts: dict[str, Tensor]) -> dict[str, tuple[float, ...]]:
    """Return the columns of the table, one value per channel; several images have a set each."""
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
