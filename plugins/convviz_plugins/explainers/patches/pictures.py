"""Pictures of the patches of a layer: crops of the photos, guided gradients, patches by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from convviz import Tiles, Unit
from convviz.authoring import Note, ReceptiveField, Stack

from . import crops, top_k
from .boxes import input_boxes
from .crops import Photos, Spot
from .summary import CLASS_PATCHES, GRADIENTS, PatchParameters, gradient_notes, stacks_of
from .top_k import NAMES, NOWHERE, Lists

CLASSES_DRAWN = 10
"""Maximum number of classes in the picture: those that activate the drawn units most."""


def with_pictures(parameters: PatchParameters, photos: Photos, layer: str, result: Tiles) -> Tiles:
    """Return the patches of a layer with pictures of the channels in `order`."""
    drawn = list(result.order)
    if not drawn:
        return result
    field = photos.model.receptive_field(layer)
    lists = {**{name: result[name] for name in NAMES[1:]}, "values": result.values}
    spots = _spots_of(layer, drawn, lists, field)
    pictures = crops.draw(photos, spots, (len(drawn), result.values.shape[1]), parameters.guided)
    arrays, stacks = stacks_of(pictures)
    notes = gradient_notes(parameters.guided, pictures)
    if "class_values" in result.arrays:
        size = pictures.photos.shape[2:4]
        class_arrays, class_stacks, class_notes = _class_pictures(photos, layer, result, size)
        arrays, stacks = {**arrays, **class_arrays}, [*stacks, *class_stacks]
        notes += class_notes
    former = (note for note in result.notes if not _is_about_pictures(note))
    return replace(
        result,
        arrays={**result.arrays, **arrays},
        stacks=tuple(stacks),
        notes=(*former, *notes),
    )


def _is_about_pictures(note: str) -> bool:
    return isinstance(note, Note) and note.about in (GRADIENTS, CLASS_PATCHES)


def _spots_of(
    layer: str, drawn: Sequence[int], lists: Mapping[str, Tensor], field: ReceptiveField
) -> list[Spot]:
    """Return the patches to draw."""
    chosen = list(drawn)
    items, positions = lists["items"][chosen], lists["positions"][chosen]
    boxes = input_boxes(field, items, positions)
    spots = []
    for row, rank in (items != NOWHERE).nonzero().tolist():
        y, x = positions[row, rank].tolist()
        channel = chosen[row]
        spots.append(
            Spot(
                row,
                rank,
                int(items[row, rank]),
                Unit(layer, channel, None if y == NOWHERE else (y, x)),
                float(lists["values"][channel, rank]),
                tuple(boxes[row, rank].tolist()),  # type: ignore[arg-type]
            )
        )
    return spots


def _class_pictures(
    photos: Photos, layer: str, result: Tiles, size: tuple[int, int]
) -> tuple[dict[str, Tensor], list[Stack], list[Note]]:
    """Return the crops of the patches of each drawn class, their stacks, and a note."""
    lists = top_k.lists_of(result.arrays, "class_")
    present = ~lists["values"][..., 0].isnan().all(1)
    drawn = _classes_to_draw(lists, list(result.order), present)
    arrays: dict[str, Tensor] = {}
    stacks: list[Stack] = []
    field = photos.model.receptive_field(layer)
    for c in drawn:
        title = photos.items.classes[c]
        spots = _spots_of(layer, result.order, {name: t[c] for name, t in lists.items()}, field)
        # A class with few images would leave most of a grid of k patches empty.
        shape = len(result.order), max((spot.rank + 1 for spot in spots), default=1)
        crops_of_class = crops.draw(photos, spots, shape, False, size).photos
        arrays[f"patches of {title}"] = torch.from_numpy(crops_of_class)
        stacks.append(Stack(title=f"class {title}", pictures=f"patches of {title}"))
    hidden = int(present.sum()) - len(drawn)
    text = f"{hidden} other classes are in the arrays but not in the picture."
    return arrays, stacks, [Note(text, CLASS_PATCHES)] if hidden else []


def _classes_to_draw(lists: Lists, units: list[int], present: Tensor) -> list[int]:
    """Return the classes that activate one of the units most, in ascending order.

    As for patches, classes with equal values are ranked by the mean of the map.
    """
    keys = [lists[name][:, units, 0].nan_to_num(-torch.inf).T for name in top_k.SORTED_BY]
    order = top_k.sorted_by(keys).T  # [K, units]
    rank = order.argsort(dim=0).amin(1)  # best rank of each class over the drawn units
    ranked = [c for c in rank.argsort(stable=True).tolist() if present[c]]
    return sorted(ranked[:CLASSES_DRAWN])
