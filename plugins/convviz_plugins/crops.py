"""Small pictures for the patches of a data set: crops of photos and of gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convviz import Batch, Items, Model, ModelError, Preprocess, Target, Unit, make_batch, track

Box = tuple[float, float, float, float]

SIDE = 64
"""The longer side of a drawn patch, in pixels."""

PAD, BLANK, NEUTRAL = 232, 255, 128
"""Grey of what overhangs a photo, of a missing patch, and of a gradient of zero."""

BATCH = 16
CRISP = 4
"""From this enlargement on, pixels are drawn as squares."""


@dataclass(frozen=True)
class Spot:
    """One patch to draw.

    Attributes:
        row, rank: where it goes in the pictures.
        item: index of its photo.
        unit: the unit that fires there, with its position.
        value: what the unit answers.
        inner: its box in model-input pixels (x0, y0, x1, y1).
        outer: its box in the photo's pixels.
    """

    row: int
    rank: int
    item: int
    unit: Unit
    value: float
    inner: Box
    outer: Box


@dataclass(eq=False)
class Pictures:
    """Photo crops and guided gradients, uint8 `[rows, k, h, w, 3]`.

    Attributes:
        gradients: None where there is no guided gradient; `why` says why.
    """

    photos: np.ndarray
    gradients: np.ndarray | None
    why: str = ""


def draw(
    model: Model, items: Items, spots: Sequence[Spot], shape: tuple[int, int], guided: bool
) -> Pictures:
    """Draw patches.

    Args:
        model: the model that was swept.
        items: the photos.
        spots: the patches.
        shape: rows and patches a row.
        guided: also draw the guided gradient of each unit.
    """
    height, width = size_of(spots)
    blank = np.full((*shape, height, width, 3), BLANK, np.uint8)
    made = Pictures(blank, blank.copy() if guided else None)
    ordered = sorted(spots, key=lambda s: (s.item, s.row, s.rank))
    chunks = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]
    for chunk in track(chunks, "drawing patches", total=len(chunks)):
        loaded = list(load(model, items, chunk))
        for spot, photo, _ in loaded:
            made.photos[spot.row, spot.rank] = crop(photo, spot.outer, height, width, PAD)
        if made.gradients is not None:
            try:
                _draw_gradients(model, loaded, made.gradients)
            except ModelError as error:
                made.gradients, made.why = None, str(error)
    return made


def size_of(spots: Sequence[Spot]) -> tuple[int, int]:
    """Return height and width of the pictures, in the shape of the model-input boxes."""
    if not spots:
        return SIDE, SIDE
    wide = max(s.inner[2] - s.inner[0] for s in spots)
    high = max(s.inner[3] - s.inner[1] for s in spots)
    scale = SIDE / max(wide, high)
    return max(1, round(high * scale)), max(1, round(wide * scale))


def load(
    model: Model, items: Items, spots: Sequence[Spot]
) -> Iterator[tuple[Spot, np.ndarray, Tensor]]:
    """Yield each spot, the photo that its outer box is in, and the model's input `[C, H, W]`."""
    item, photo, image = -1, np.empty(0), torch.empty(0)
    for spot in spots:
        if spot.item != item:
            item, photo = spot.item, items.load(spot.item)
            batch: Batch = make_batch([photo], model)
            image = batch.images[0]
            if not in_photo_pixels(model):
                photo = batch.pixels[0].numpy()
        yield spot, photo, image


def in_photo_pixels(model: Model) -> bool:
    """Say whether boxes can be brought back to the photo; else they stay in the model's input."""
    return isinstance(model.preprocess, Preprocess)


def _draw_gradients(
    model: Model, loaded: Sequence[tuple[Spot, np.ndarray, Tensor]], pictures: np.ndarray
) -> None:
    height, width = pictures.shape[2:4]
    for same in by_shape(loaded):
        images = torch.stack([image for _, _, image in same])
        targets = [Target(None, s.unit, str(s.unit), s.value) for s, _, _ in same]
        gradients = model.gradient(images, targets, rule="guided").cpu()
        for (spot, _, _), gradient in zip(same, gradients, strict=True):
            colours = as_colours(gradient, spot.inner)
            pictures[spot.row, spot.rank] = crop(colours, spot.inner, height, width, NEUTRAL)


def by_shape(
    loaded: Sequence[tuple[Spot, np.ndarray, Tensor]],
) -> list[list[tuple[Spot, np.ndarray, Tensor]]]:
    """Group inputs of equal size; without a crop, photos of other sizes differ."""
    groups: dict[tuple[int, ...], list[tuple[Spot, np.ndarray, Tensor]]] = {}
    for one in loaded:
        groups.setdefault(tuple(one[2].shape), []).append(one)
    return list(groups.values())


def as_colours(gradient: Tensor, box: Box) -> np.ndarray:
    """Draw a gradient `[C, H, W]` about mid-grey, uint8 `[H, W, 3]`, scaled by its own size.

    The scale is the 99.5 % quantile inside the box, since single pixels stick out far.
    """
    values = gradient.double().numpy()
    if values.shape[0] != 3:
        values = values.mean(0, keepdims=True)
    x0, y0, x1, y1 = (max(0, int(v)) for v in box)
    inside = np.abs(values[:, y0:y1, x0:x1])
    limit = float(np.quantile(inside, 0.995)) if inside.size else 0.0
    limit = limit or float(inside.max(initial=0.0)) or 1.0
    scaled = np.clip(NEUTRAL + values / limit * 127, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(scaled, (3, *scaled.shape[1:])).transpose(1, 2, 0))


def crop(photo: np.ndarray, box: Box, height: int, width: int, pad: int) -> np.ndarray:
    """Cut a box out of a photo and bring it to a size, uint8 `[height, width, 3]`.

    What overhangs the photo is filled with a grey.
    """
    from PIL import Image

    image = Image.fromarray(photo)
    # A box much larger than its picture is halved first, so that no huge canvas is made.
    shrink = int(max(1, min((box[2] - box[0]) // (2 * width), (box[3] - box[1]) // (2 * height))))
    if shrink > 1:
        image = image.reduce(shrink)
        box = (box[0] / shrink, box[1] / shrink, box[2] / shrink, box[3] / shrink)
    left, top = math.floor(box[0]), math.floor(box[1])
    canvas = Image.new("RGB", (math.ceil(box[2]) - left, math.ceil(box[3]) - top), (pad,) * 3)
    canvas.paste(image, (-left, -top))
    enlarged = min(width / (box[2] - box[0]), height / (box[3] - box[1]))
    how = Image.Resampling.NEAREST if enlarged >= CRISP else Image.Resampling.BICUBIC
    inside = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return np.asarray(canvas.resize((width, height), how, box=inside))
