"""patches: the patches that activate each unit most (Zeiler & Fergus 2013, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Model, ParameterError, Result, Tiles
from convviz.authoring import (
    Batch,
    DatasetExplainer,
    Forward,
    Items,
    LayerKind,
    Partial,
    numbers_of_parts,
)

from ...shared.partials import all_merged, layers_in
from . import prominence, top_k
from .best_positions import candidates, finite_maps, winners
from .border import inner_positions
from .boxes import input_boxes, photo_boxes
from .crops import Photos
from .distribution import PeakTable, join_peaks, keep_peaks
from .pictures import with_pictures
from .summary import (
    LayerCounts,
    captions_of,
    class_tie_notes,
    measures_of,
    notes_of,
    table_of,
)
from .top_k import NOWHERE, Lists, lists_of
from .weights import weight_neighbors


class Patches(DatasetExplainer):
    """Image patches that activate each channel most (Zeiler & Fergus 2013, section 4.1).

    The result of a layer has `values` `[C, k]`, best first; `items` `[C, k]`; `positions`
    `[C, k, 2]`, (y, x) in the map of the layer; and `boxes` `[C, k, 4]`, the receptive field there:
    (x0, y0, x1, y1), half-open, unclipped, in pixels of the original photo, or of the model's input
    if its preprocessing has no affine map. Equal values are ordered by the mean of the unit's map
    on that image, `means` `[C, k]`, then by item, then by position. `prominence` `[C]` is the
    distance of the best values from the unit's distribution over the images.

    With `distribution`, `peak_histogram` `[C, B]` counts the images by the unit's highest value, in
    bins of equal width between the lowest and the highest, `peak_range` `[C, 2]`. `stratum_items`
    `[C, S, E]` are images near the ranks of 0.1 %, 1 %, 10 %, 50 % and 100 % of the images
    (`stratum_shares` `[S]`), with their `stratum_ranks` (1 is the highest), `stratum_values`,
    `stratum_positions` and `stratum_boxes`. Images of equal value are ranked in item order.

    `weight_units` `[C, 6]` are the units with the most similar incoming weights, -1 for none, with
    their cosines, `weight_cosines`; left out where a layer contains no convolution or linear layer
    of its units, or a grouped one.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "max activating": "the images that activate a unit most are shown by 'patches'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "patches"

    k: int = Field(9, ge=1, description="Patches per channel.")
    statistic: Literal["max"] = Field("max", description="Statistic of the map that ranks images.")
    per_image: int = Field(1, ge=1, description="Maximum number of patches per channel and image.")
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
    distribution: bool = Field(
        True,
        description="Keep the histogram of each channel's highest values over all images, with "
        "examples at several ranks. The shards of the run take 8 bytes more per image and channel.",
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
        the summary of `prominence`, the peaks of `distribution`, the number of `nonfinite` values,
        and the number of positions `cut` off as the border of the map. Items count from 0 in the
        batch. The layer "" has the number of images, `count`. With `per_class` it also has the
        `labels` `[L]` in the batch, and each layer has `class values` and so on, the lists of each
        label, `[L, C, k']`.
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
        is_vector = forward.activations[layer].ndim == 2
        if is_vector:  # units of a linear layer have no position
            lists["positions"].fill_(NOWHERE)
        best = {name: t.cpu() for name, t in top_k.best_entries(lists, self._list_length).items()}
        counts = {"nonfinite": torch.tensor([bad]), "cut": torch.tensor([cut])}
        reduced = {**best, **prominence.measure_peaks(peaks), **counts}
        if self.distribution:
            positions = torch.stack([places // len(columns), places % len(columns)], 2)
            positions += torch.tensor([rows.start, columns.start]).to(maps.device)
            if is_vector:
                positions.fill_(NOWHERE)
            reduced |= keep_peaks(peaks, positions)
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
                **join_peaks(left, right),
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
        """Return the patches of each layer, with boxes in their photos."""
        peaks = PeakTable(items)
        whole = all_merged(self, peaks.take(partials), "patches")
        return {
            layer: self._result(model, items, layer, whole, peaks) for layer in layers_in(whole)
        }

    def _result(
        self, model: Model, items: Items, layer: str, merged: Partial, peaks: PeakTable
    ) -> Tiles:
        lists = top_k.fill_missing(lists_of(merged[layer]), self.k)
        values = lists["values"]
        scores = prominence.prominence(values, merged[layer])
        field = model.receptive_field(layer)
        inner = input_boxes(field, lists["items"], lists["positions"])
        drawn = list(self.units) or prominence.most_prominent(scores, self.draw)
        arrays = {name: lists[name] for name in ("items", "positions", "means")}
        arrays |= {"boxes": photo_boxes(model, items, lists["items"], inner), "prominence": scores}
        further, module = self._distribution_and_weights(model, items, layer, peaks, len(values))
        arrays |= further
        class_notes: list[str] = []
        if self.per_class:
            class_arrays, class_notes = self._lists_of_classes(model, items, layer, merged)
            arrays |= class_arrays
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
            measures={
                **measures_of(layer, values, counts, field),
                **({"incoming weights": module} if module else {}),
            },
            notes=(*notes_of(self, values, counts, field, drawn), *class_notes),
            captions=captions_of(values, scores),
            order=tuple(drawn),
            table=table_of(values, lists["items"], scores),
        )

    def _distribution_and_weights(
        self, model: Model, items: Items, layer: str, peaks: PeakTable, channels: int
    ) -> tuple[dict[str, Tensor], str]:
        """Return arrays of `distribution` and `weights`, and the module with the weights."""
        arrays: dict[str, Tensor] = {}
        if strata := peaks.strata(layer):
            field = model.receptive_field(layer)
            seen = input_boxes(field, strata.items, strata.positions)
            arrays |= strata.arrays(photo_boxes(model, items, strata.items, seen))
        neighbors = weight_neighbors(model, layer, channels)
        if neighbors is None:
            return arrays, ""
        arrays |= {"weight_units": neighbors.units, "weight_cosines": neighbors.cosines}
        return arrays, neighbors.module

    def _lists_of_classes(
        self, model: Model, items: Items, layer: str, merged: Partial
    ) -> tuple[dict[str, Tensor], list[str]]:
        """Return the patches of every class with a leading axis for classes, and notes."""
        if not items.classes:
            raise ParameterError("per_class=True needs a data set with labels")
        known_lists = lists_of(merged[layer], "class ")
        arrays: dict[str, Tensor] = {}
        for name, t in top_k.fill_missing(known_lists, self.k).items():
            missing = torch.nan if t.is_floating_point() else NOWHERE
            arrays[f"class_{name}"] = t.new_full((len(items.classes), *t.shape[1:]), missing)
            arrays[f"class_{name}"][merged[""]["labels"]] = t
        field = model.receptive_field(layer)
        which, positions = arrays["class_items"], arrays["class_positions"]
        boxes = [input_boxes(field, i, p) for i, p in zip(which, positions, strict=True)]
        arrays["class_boxes"] = photo_boxes(model, items, which, torch.stack(boxes))
        total = known_lists["values"].shape[0] * known_lists["values"].shape[1]
        return arrays, class_tie_notes(top_k.count_ties(known_lists, self.k), total)

    def add_pictures(
        self, model: Model, results: Mapping[str, Result], items: Items
    ) -> Mapping[str, Result]:
        """Return the results with crops of the photos and guided gradients of their channels."""
        photos = Photos(model, items)
        return {
            layer: with_pictures(self, photos, layer, result)
            if isinstance(result, Tiles)
            else result
            for layer, result in results.items()
        }


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


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[DatasetExplainer]]:
    """Return the explainer of this plugin."""
    return [Patches]
