"""The patches of a data set that fire each unit most (Zeiler & Fergus 2013, section 4.1)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

import convviz
from convviz import (
    Batch,
    ConvvizError,
    DatasetExplainer,
    Forward,
    Items,
    Model,
    ParameterError,
    Partial,
    ReceptiveField,
    Result,
    Stack,
    Tiles,
    Unit,
)

from . import crops
from .crops import Box, Spot

NOWHERE = -1


class Patches(DatasetExplainer):
    """The image patches that fire each channel most (Zeiler & Fergus 2013, section 4.1)."""

    k: int = Field(9, ge=1, description="Patches a channel.")
    statistic: Literal["max"] = Field("max", description="What ranks an image: its maximum.")
    per_image: int = Field(1, ge=1, description="Patches that one image may give a channel.")
    guided: bool = Field(True, description="Draw the guided gradient of each patch beside it.")
    units: int = Field(
        16, ge=0, description="Channels drawn a layer, those of highest value; arrays hold all."
    )

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return the last conv of each stage."""
        return model.default_layers("patches")

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the best positions of every channel in a batch.

        Of each layer `values`, `items` `[C, k']` and `positions` `[C, k', 2]`, best first, and
        the number of `nonfinite` values; items count from 0 in the batch. `count` is the
        number of images.
        """
        partial: Partial = {"count": torch.tensor([len(batch)])}
        for layer in self.resolve_layers(model):
            best = self._best(maps_of(forward, layer))
            if forward.activations[layer].ndim == 2:  # units of a linear layer are nowhere
                best["positions"].fill_(NOWHERE)
            partial |= {f"{layer}/{name}": t for name, t in best.items()}
        return partial

    def _best(self, maps: Tensor) -> Partial:
        images, channels, height, width = maps.shape
        finite = torch.isfinite(maps)
        flat = maps.masked_fill(~finite, -torch.inf).flatten(2)
        found, places = [], []
        for _ in range(min(self.per_image, height * width)):
            at = flat.argmax(2, keepdim=True)  # the first of equal ones
            found.append(flat.gather(2, at))
            places.append(at)
            flat = flat.scatter(2, at, -torch.inf)
        # [N, C, m] -> [C, N * m]: candidates in the order of items.
        values = torch.cat(found, 2).transpose(0, 1).flatten(1)
        places_ = torch.cat(places, 2).transpose(0, 1).flatten(1)
        items = torch.arange(images, device=maps.device).repeat_interleave(len(found))
        lists = {
            "values": values,
            "items": items.expand(channels, -1),
            "positions": torch.stack([places_ // width, places_ % width], 2),
        }
        best = {name: t.cpu() for name, t in first(lists, self.k).items()}
        return best | {"nonfinite": (~finite).sum().reshape(1).cpu()}

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Join two lists of patches; the items of `b` come after those of `a`."""
        merged: Partial = {"count": a["count"] + b["count"]}
        for layer in layers_in(a):
            both = {}
            for name in ("values", "items", "positions"):
                left, right = a[f"{layer}/{name}"], b[f"{layer}/{name}"]
                if name == "items":
                    right = torch.where(right == NOWHERE, NOWHERE, right + a["count"])
                both[name] = torch.cat([left, right], 1)
            merged |= {f"{layer}/{name}": t for name, t in first(both, self.k).items()}
            merged[f"{layer}/nonfinite"] = a[f"{layer}/nonfinite"] + b[f"{layer}/nonfinite"]
        return merged

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Bring the winners back to their photos and draw them, layer -> Tiles."""
        start = next(partials, None)
        if start is None:
            raise ConvvizError("patches: the data set has no image that could be read")
        merged = functools.reduce(self.merge, partials, start)
        return {layer: self._result(model, layer, merged, items) for layer in layers_in(merged)}

    def _result(self, model: Model, layer: str, merged: Partial, items: Items) -> Tiles:
        lists = padded(
            {n: merged[f"{layer}/{n}"] for n in ("values", "items", "positions")}, self.k
        )
        values = lists["values"]
        field = model.receptive_field(layer)
        inner = input_boxes(field, lists["items"], lists["positions"])
        outer = photo_boxes(model, items, lists["items"], inner)
        drawn = strongest(values[:, 0], self.units)
        spots = spots_of(layer, drawn, lists, inner)
        made = crops.draw(model, items, spots, (len(drawn), self.k), self.guided)
        arrays = {"items": lists["items"], "positions": lists["positions"], "boxes": outer}
        stacks = []
        if drawn:
            arrays["photo patches"] = torch.from_numpy(made.photos)
            stacks.append(Stack(title="photo patches", pictures="photo patches"))
        if drawn and made.gradients is not None:
            arrays["guided gradients"] = torch.from_numpy(made.gradients)
            stacks.append(Stack(title="guided gradients", pictures="guided gradients"))
        count, bad = int(merged["count"]), int(merged[f"{layer}/nonfinite"])
        return Tiles(
            values,
            arrays=arrays,
            unit="activation",
            figures=figures_of(layer, values, count, bad, field),
            notes=notes_of(self, values, count, bad, field, drawn, made),
            captions=tuple(f"unit {c} · max {v:#.3g}" for c, v in enumerate(values[:, 0].tolist())),
            order=tuple(drawn),
            stacks=tuple(stacks),
            table=table_of(values, lists["items"]),
        )


def maps_of(forward: Forward, layer: str) -> Tensor:
    """Return a layer's output as maps `[N, C, h, w]`; those of a vector have one position."""
    maps = forward.activations[layer].detach()
    if maps.ndim == 2:
        maps = maps[:, :, None, None]
    if maps.ndim != 4:
        raise ParameterError(
            f"patches needs maps [N, C, h, w]; layer {layer!r} gives {list(maps.shape)}"
        )
    return maps if maps.dtype == torch.float64 else maps.float()


def layers_in(partial: Partial) -> list[str]:
    """Return the layers of a partial, in their order."""
    return [key.removesuffix("/values") for key in partial if key.endswith("/values")]


def first(lists: Mapping[str, Tensor], k: int) -> Partial:
    """Keep the k best of each channel: by value, then in the order they come in.

    The order they come in is that of item and position, so sorting stably gives the total
    order, however a data set was cut into batches.
    """
    values, order = lists["values"].sort(dim=1, descending=True, stable=True)
    values, order = values[:, :k], order[:, :k]
    empty = values == -torch.inf
    items = lists["items"].gather(1, order).masked_fill(empty, NOWHERE)
    positions = lists["positions"].gather(1, order[..., None].expand(-1, -1, 2))
    positions = positions.masked_fill(empty[..., None], NOWHERE)
    return {"values": values.contiguous(), "items": items, "positions": positions}


def padded(lists: Partial, k: int) -> Partial:
    """Bring lists to k entries; a missing one has value NaN, item -1 and position -1."""
    values, items, positions = lists["values"], lists["items"], lists["positions"]
    missing = k - values.shape[1]
    values = torch.nn.functional.pad(values, (0, missing), value=torch.nan)
    return {
        "values": values.masked_fill(values == -torch.inf, torch.nan),
        "items": torch.nn.functional.pad(items, (0, missing), value=NOWHERE),
        "positions": torch.nn.functional.pad(positions, (0, 0, 0, missing), value=NOWHERE),
    }


def input_boxes(field: ReceptiveField, items: Tensor, positions: Tensor) -> Tensor:
    """Return the receptive fields in model-input pixels, `[C, k, 4]`; NaN where no patch is."""
    seen: dict[tuple[int, int], Box] = {}
    boxes = torch.full((*items.shape, 4), torch.nan, dtype=torch.float64)
    for c, r in (items != NOWHERE).nonzero().tolist():
        y, x = positions[c, r].tolist()
        if (y, x) not in seen:
            seen[y, x] = field.box(max(y, 0), max(x, 0))
        boxes[c, r] = torch.tensor(seen[y, x], dtype=torch.float64)
    return boxes


def photo_boxes(model: Model, items: Items, which: Tensor, boxes: Tensor) -> Tensor:
    """Map boxes to the pixels of their photos, unclipped, `[C, k, 4]`."""
    if not crops.in_photo_pixels(model):
        return boxes
    known = sorted({i for i in which.flatten().tolist() if i != NOWHERE})
    table = torch.full((len(known) + 1, 6), torch.nan, dtype=torch.float64)
    for row, item in enumerate(known):
        table[row] = torch.tensor(items.affine(item), dtype=torch.float64)
    rows = torch.searchsorted(torch.tensor(known), which).masked_fill(which == NOWHERE, len(known))
    a, b, c, d, e, f = table[rows].unbind(-1)
    x0, y0, x1, y1 = boxes.unbind(-1)
    xs = torch.stack([a * x + b * y + c for x in (x0, x1) for y in (y0, y1)])
    ys = torch.stack([d * x + e * y + f for x in (x0, x1) for y in (y0, y1)])
    return torch.stack([xs.amin(0), ys.amin(0), xs.amax(0), ys.amax(0)], -1)


def strongest(best: Tensor, count: int) -> list[int]:
    """Return the channels of highest value; ties by index; channels without a patch are out."""
    order = best.nan_to_num(-torch.inf).sort(descending=True, stable=True).indices.tolist()
    return [c for c in order if not torch.isnan(best[c])][:count]


def spots_of(layer: str, drawn: list[int], lists: Partial, boxes: Tensor) -> list[Spot]:
    """List the patches to draw."""
    spots = []
    for row, channel in enumerate(drawn):
        for rank, item in enumerate(lists["items"][channel].tolist()):
            if item == NOWHERE:
                continue
            y, x = lists["positions"][channel, rank].tolist()
            spots.append(
                Spot(
                    row,
                    rank,
                    item,
                    Unit(layer, channel, None if y == NOWHERE else (y, x)),
                    float(lists["values"][channel, rank]),
                    tuple(boxes[channel, rank].tolist()),  # type: ignore[arg-type]
                )
            )
    return spots


def figures_of(
    layer: str, values: Tensor, count: int, bad: int, field: ReceptiveField
) -> dict[str, Any]:
    """Return the plain facts about a layer's patches."""
    return {
        "layer": layer,
        "channels": len(values),
        "images": count,
        "receptive field": extent(field) + " of the model's input",
        "non-finite values": bad,
    }


def extent(field: ReceptiveField) -> str:
    """Write the size of a receptive field."""
    height, width = field.size
    return "the whole" if field.whole else f"{width} × {height} pixels"


def say_field(field: ReceptiveField) -> str:
    """Say what a patch shows."""
    if field.whole:
        return f"A unit of this layer sees the whole image, so each patch is one: {field.reason}."
    high, wide = field.image
    if field.size[0] > high or field.size[1] > wide:
        return (
            f"Each patch is all that the unit can see there: {extent(field)}, more than the "
            f"{wide} × {high} of the model's input; grey where it sees nothing."
        )
    return (
        f"Each patch is all that the unit can see there, {extent(field)} of the model's input; "
        "grey where that overhangs the image."
    )


def notes_of(
    explainer: Patches,
    values: Tensor,
    count: int,
    bad: int,
    field: ReceptiveField,
    drawn: list[int],
    made: crops.Pictures,
) -> tuple[str, ...]:
    """Say what the pictures show, and what they leave out."""
    said = [say_field(field)]
    if made.gradients is not None:
        said.append(
            "Guided gradients: which pixels of the patch drive the unit; zero is mid-grey, each "
            "picture on its own scale."
        )
    elif explainer.guided and drawn:
        said.append(f"No guided gradients: {made.why}")
    if len(drawn) < len(values):
        said.append(f"{len(drawn)} of {len(values)} units are drawn, those of highest value.")
    best = values[:, 0]
    if silent := int((best <= 0).sum()):
        said.append(f"{silent} of {len(values)} units never rise above zero in these images.")
    if count * explainer.per_image < explainer.k:
        said.append(f"{count} images are too few for {explainer.k} patches a unit.")
    if bad:
        said.append(f"NaN or infinite values, left out: {bad}.")
    return tuple(said)


def table_of(values: Tensor, items: Tensor) -> dict[str, tuple[Any, ...]]:
    """Return the table's columns, one value a channel."""
    found = (items != NOWHERE).sum(1)
    last = values.gather(1, (found - 1).clamp_min(0)[:, None])[:, 0]
    return {
        "max": tuple(values[:, 0].tolist()),
        "last patch": tuple(last.tolist()),
        "best item": tuple(i if i != NOWHERE else None for i in items[:, 0].tolist()),
    }


@convviz.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Patches]
