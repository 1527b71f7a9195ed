"""patches: the patches that activate each unit most (Zeiler & Fergus 2013, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Model, ParameterError, Result, Tiles, Unit
from convviz.authoring import (
    Batch,
    DatasetExplainer,
    Forward,
    Items,
    LayerKind,
    Partial,
    ReceptiveField,
    Stack,
    numbers_of_parts,
)

from ...shared.partials import all_merged, layers_in
from . import crops, prominence, top_k
from .best_positions import candidates, finite_maps, winners
from .border import inner_positions
from .crops import PatchBox, Photos, Spot
from .summary import (
    LayerCounts,
    captions_of,
    class_tie_notes,
    measures_of,
    notes_of,
    notes_of_other_units,
    stacks_of,
    table_of,
)
from .top_k import NAMES, NOWHERE, Lists

CLASSES_DRAWN = 10
"""Most classes in the picture: those that activate the drawn units most."""


class Patches(DatasetExplainer):
    """Image patches that activate each channel most (Zeiler & Fergus 2013, section 4.1).

    The result of a layer has `values` `[C, k]`, best first; `items` `[C, k]`; `positions`
    `[C, k, 2]`, (y, x) in the map of the layer; and `boxes` `[C, k, 4]`, the receptive field there:
    (x0, y0, x1, y1), half-open, unclipped, in pixels of the original photo, or of the model's input
    if its preprocessing has no affine map. Equal values are ordered by the mean of the unit's map
    on that image, `means` `[C, k]`, then by item, then by position. `prominence` `[C]` is the
    distance of the best values from the unit's distribution over the images.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "max activating": "the images that activate a unit most are shown by 'patches'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "patches"

    k: int = Field(9, ge=1, description="Patches per channel.")
    statistic: Literal["max"] = Field("max", description="Statistic of the map that ranks images.")
    per_image: int = Field(1, ge=1, description="Most patches of a channel from one image.")
    per_class: bool = Field(
        False,
        description="Also find the patches of each class among its images; needs labels. Takes "
        "about classes × channels × k × 70 bytes per layer.",
    )
    border: Literal["exclude", "include"] = Field(
        "exclude",
        description="Whether to include the outermost rows and columns of the map, where a unit "
        "reads padding, which activates many units whatever the image shows.",
    )
    guided: bool = Field(True, description="Draw the guided gradient of each patch beside it.")
    units: tuple[int, ...] = Field(
        (),
        description='Channels to draw: numbers and ranges, "100-120,130". The arrays contain all '
        "channels.",
    )
    draw: int = Field(
        16,
        ge=0,
        description="Channels drawn per layer if `units` names none: those with the highest "
        "prominence.",
    )

    @field_validator("units", mode="before")
    @classmethod
    def _parse_ranges(cls, units: Any) -> Any:
        texts = isinstance(units, int | str) or (
            isinstance(units, tuple | list) and any(isinstance(unit, str) for unit in units)
        )
        return numbers_of_parts(units) if texts and units != "" else units

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the best positions of every channel in a batch.

        Each layer has the lists of `ranking` (`values` and so on, `[C, k']` with k' up to k + 1),
        the summary of `prominence`, the number of `nonfinite` values, and the number of positions
        `cut` off as the border of the map. Items count from 0 in the batch. The layer "" has the
        number of images, `count`. With `per_class` it also has the `labels` `[L]` in the batch,
        and each layer has `class values` and so on, the lists of each label, `[L, C, k']`.
        """
        partial: Partial = {"": {"count": torch.tensor([len(batch)])}}
        labels = torch.tensor([NOWHERE if i.label is None else i.label for i in batch.items])
        if self.per_class:
            partial[""]["labels"] = labels[labels >= 0].unique()
        for layer in self.resolve_layers(model):
            partial[layer] = self._reduce_layer(model, layer, forward, labels)
        return partial

    def _reduce_layer(
        self, model: Model, layer: str, forward: Forward, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the partial of a layer; `labels` `[N]` are -1 where an image has none."""
        maps, bad = finite_maps(maps_of(forward, layer))
        self._check_units(layer, maps.shape[1])
        rows, columns = self._inner(model, layer, maps)
        cut = maps.shape[2] * maps.shape[3] - len(rows) * len(columns)
        maps = maps[:, :, rows.start : rows.stop, columns.start : columns.stop]
        peaks, places = convviz.authoring.channel_peaks(maps)
        lists = (
            candidates(maps, self.per_image) if self.per_image > 1 else winners(maps, peaks, places)
        )
        lists["positions"] += torch.tensor([rows.start, columns.start]).to(maps.device)
        if forward.activations[layer].ndim == 2:  # units of a linear layer have no position
            lists["positions"].fill_(NOWHERE)
        best = {name: t.cpu() for name, t in top_k.best_entries(lists, self._list_length).items()}
        counts = {"nonfinite": torch.tensor([bad]), "cut": torch.tensor([cut])}
        reduced = {**best, **prominence.measure_peaks(peaks), **counts}
        if self.per_class:
            owners = labels.to(lists["items"].device)[lists["items"][0]]
            present = labels[labels >= 0].unique()
            of_classes = top_k.lists_by_label(lists, owners, present, self._list_length)
            reduced |= {f"class {name}": t for name, t in of_classes.items()}
        return reduced

    def _check_units(self, layer: str, channels: int) -> None:
        """Raise ParameterError if a unit to draw does not exist."""
        if missing := [unit for unit in self.units if not 0 <= unit < channels]:
            raise ParameterError(
                f"patches.units: layer {layer!r} has the units 0 to {channels - 1}, not "
                f"{missing[0]}"
            )

    def _inner(self, model: Model, layer: str, maps: Tensor) -> tuple[range, range]:
        """Return the rows and columns of the map that take part."""
        size = maps.shape[2], maps.shape[3]
        if self.border == "include":
            return range(size[0]), range(size[1])
        return inner_positions(model, layer, size)

    @property
    def _list_length(self) -> int:
        """Entries of a list: one more than drawn, to detect ties of the last one."""
        return self.k + 1

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Keep the best of two lists of patches; the items of `b` come after those of `a`."""
        merged: Partial = {"": {"count": a[""]["count"] + b[""]["count"]}}
        if self.per_class:
            merged[""]["labels"] = torch.cat([a[""]["labels"], b[""]["labels"]]).unique()
        for layer in layers_in(a):
            left, right = a[layer], b[layer]
            merged[layer] = {
                **self._merge_lists(left, right, a[""]["count"]),
                **prominence.merge_peaks(left, right),
                "nonfinite": left["nonfinite"] + right["nonfinite"],
                "cut": torch.maximum(left["cut"], right["cut"]),
            }
            if self.per_class:
                labelled = self._merge_labelled_lists(a, b, layer)
                merged[layer] |= {f"class {name}": t for name, t in labelled.items()}
        return merged

    def _merge_lists(
        self, a: Mapping[str, Tensor], b: Mapping[str, Tensor], count: Tensor
    ) -> Lists:
        """Return the best of the lists `a` and `b`, with `count` images before those of `b`."""
        right = top_k.shift_items(lists_of(b), count)
        return top_k.join_lists(lists_of(a), right, self._list_length)

    def _merge_labelled_lists(self, a: Partial, b: Partial, layer: str) -> Lists:
        left = lists_of(a[layer], "class ")
        right = top_k.shift_items(lists_of(b[layer], "class "), a[""]["count"])
        labels = (a[""]["labels"], b[""]["labels"])
        return top_k.join_labelled_lists((left, right), labels, self._list_length)

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return the patches of each layer, with boxes in their photos and pictures."""
        whole = all_merged(self, partials, "patches")
        photos = crops.Photos(model, items)
        return {layer: self._result(photos, layer, whole) for layer in layers_in(whole)}

    def _result(self, photos: Photos, layer: str, merged: Partial) -> Tiles:
        model, items = photos.model, photos.items
        lists = top_k.fill_missing(lists_of(merged[layer]), self.k)
        values = lists["values"]
        scores = prominence.prominence(values, merged[layer])
        field = model.receptive_field(layer)
        inner = input_boxes(field, lists["items"], lists["positions"])
        drawn = list(self.units) or prominence.most_prominent(scores, self.draw)
        spots = spots_of(layer, drawn, lists, inner)
        pictures = crops.draw(photos, spots, (len(drawn), self.k), self.guided)
        arrays = {name: lists[name] for name in ("items", "positions", "means")}
        arrays |= {"boxes": photo_boxes(model, items, lists["items"], inner), "prominence": scores}
        drawn_arrays, stacks = stacks_of(pictures) if drawn else ({}, [])
        arrays |= drawn_arrays
        class_notes: tuple[str, ...] = ()
        if self.per_class:
            of_classes = ByClass(self.k, photos, layer, field)
            class_arrays, class_stacks, class_notes = of_classes.result(
                merged, drawn, pictures.photos.shape[2:4]
            )
            arrays, stacks = {**arrays, **class_arrays}, [*stacks, *class_stacks]
        counts = LayerCounts(
            count=int(merged[""]["count"]),
            bad=int(merged[layer]["nonfinite"]),
            cut=int(merged[layer]["cut"]),
            ties=top_k.count_ties(lists_of(merged[layer]), self.k),
        )
        return Tiles(
            values,
            arrays=arrays,
            unit="activation",
            measures=measures_of(layer, values, counts, field),
            notes=(*notes_of(self, values, counts, field, drawn, pictures), *class_notes),
            captions=captions_of(values, scores),
            order=tuple(drawn),
            stacks=tuple(stacks),
            table=table_of(values, lists["items"], scores),
        )

    def draw_units(
        self, model: Model, layer: str, result: Result, units: tuple[int, ...], items: Items
    ) -> Result | None:
        """Return the patches of a layer with the pictures of other channels."""
        if not isinstance(result, Tiles):
            return None
        lists = {**{name: result[name] for name in NAMES[1:]}, "values": result.values}
        # Only the channels to draw need boxes.
        known = torch.full_like(lists["items"], NOWHERE)
        known[list(units)] = lists["items"][list(units)]
        boxes = input_boxes(model.receptive_field(layer), known, lists["positions"])
        spots = spots_of(layer, list(units), lists, boxes)
        photos = crops.Photos(model, items)
        pictures = crops.draw(photos, spots, (len(units), self.k), self.guided)
        arrays, stacks = stacks_of(pictures)
        return replace(
            result,
            arrays={**result.arrays, **arrays},
            stacks=tuple(stacks),
            order=units,
            notes=notes_of_other_units(result.notes, self.guided, pictures),
        )


@dataclass(frozen=True, eq=False)
class ByClass:
    """The patches of every class at a layer."""

    k: int
    photos: Photos
    layer: str
    field: ReceptiveField

    def result(
        self, merged: Partial, drawn: list[int], size: tuple[int, int]
    ) -> tuple[dict[str, Tensor], list[Stack], tuple[str, ...]]:
        """Return arrays with a leading axis for classes, the stacks to draw, and notes."""
        model, items = self.photos.model, self.photos.items
        names = items.classes
        if not names:
            raise ParameterError("per_class=True needs a data set with labels")
        known = top_k.fill_missing(lists_of(merged[self.layer], "class "), self.k)
        lists = {
            name: t.new_full(
                (len(names), *t.shape[1:]), torch.nan if t.is_floating_point() else NOWHERE
            )
            for name, t in known.items()
        }
        for name, t in known.items():
            lists[name][merged[""]["labels"]] = t
        boxes = torch.stack(
            [
                input_boxes(self.field, i, p)
                for i, p in zip(lists["items"], lists["positions"], strict=True)
            ]
        )
        arrays = {f"class_{name}": t for name, t in lists.items()}
        arrays["class_boxes"] = photo_boxes(model, items, lists["items"], boxes)
        drawn_classes = self._classes_to_draw(lists, drawn) if drawn else []
        stacks = []
        for c in drawn_classes:
            of_class = {name: t[c] for name, t in lists.items()}
            spots = spots_of(self.layer, drawn, of_class, boxes[c])
            pictures = crops.draw(self.photos, spots, (len(drawn), self.k), False, size)
            arrays[f"patches of {names[c]}"] = torch.from_numpy(pictures.photos)
            stacks.append(Stack(title=f"class {names[c]}", pictures=f"patches of {names[c]}"))
        known_lists = lists_of(merged[self.layer], "class ")
        total = known_lists["values"].shape[0] * known_lists["values"].shape[1]
        notes = class_tie_notes(top_k.count_ties(known_lists, self.k), total)
        if hidden := len(merged[""]["labels"]) - len(drawn_classes):
            notes.append(f"{hidden} other classes are in the arrays but not in the picture.")
        return arrays, stacks, tuple(notes)

    def _classes_to_draw(self, lists: Lists, drawn: list[int]) -> list[int]:
        """Return the classes that activate one of the drawn units most, in ascending order.

        As for patches, classes with equal values are ranked by the mean of the map.
        """
        keys = [lists[name][:, drawn, 0].nan_to_num(-torch.inf).T for name in top_k.SORTED_BY]
        order = top_k.sorted_by(keys).T  # [K, units]
        rank = order.argsort(dim=0).amin(1)  # best rank of each class over the drawn units
        present = ~lists["values"][..., 0].isnan().all(1)
        ranked = [c for c in rank.argsort(stable=True).tolist() if present[c]]
        return sorted(ranked[:CLASSES_DRAWN])


def lists_of(tensors: Mapping[str, Tensor], prefix: str = "") -> Lists:
    """Select the lists among the tensors of a layer: overall, or with "class " those by label."""
    return {name: tensors[f"{prefix}{name}"] for name in NAMES}


def maps_of(forward: Forward, layer: str) -> Tensor:
    """Return the output of a layer as maps `[N, C, h, w]`; vectors become maps of size 1 x 1."""
    maps = forward.activations[layer].detach()
    if maps.ndim == 2:
        maps = maps[:, :, None, None]
    if maps.ndim != 4:
        raise ParameterError(
            f"patches needs maps [N, C, h, w]; layer {layer!r} has output {list(maps.shape)}"
        )
    return maps if maps.dtype == torch.float64 else maps.float()


def input_boxes(field: ReceptiveField, items: Tensor, positions: Tensor) -> Tensor:
    """Return the receptive fields in model-input pixels, `[C, k, 4]`; NaN for missing patches."""
    seen: dict[tuple[int, int], PatchBox] = {}
    boxes = torch.full((*items.shape, 4), torch.nan, dtype=torch.float64)
    for c, r in (items != NOWHERE).nonzero().tolist():
        y, x = positions[c, r].tolist()
        if (y, x) not in seen:
            seen[y, x] = field.box(max(y, 0), max(x, 0))
        boxes[c, r] = torch.tensor(seen[y, x], dtype=torch.float64)
    return boxes


def photo_boxes(model: Model, items: Items, which: Tensor, boxes: Tensor) -> Tensor:
    """Return boxes in pixels of their photos, unclipped, `[C, k, 4]`."""
    if not crops.in_photo_pixels(model):
        return boxes
    # One affine map per item that occurs; the last row, NaN, is for missing patches.
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


def spots_of(layer: str, drawn: list[int], lists: Lists, boxes: Tensor) -> list[Spot]:
    """Return the patches to draw."""
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


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Patches]
