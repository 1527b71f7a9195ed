"""Small pictures for the patches of a data set: crops of photos and of gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from convviz import Model, ModelError, Preprocess, Unit
from convviz.authoring import Items, Target, make_batch, track

Box = tuple[float, float, float, float]

SIDE = 64
"""The longer side of a drawn patch, in pixels."""

PAD, BLANK, NEUTRAL = 232, 255, 128
"""Grey of what the model did not see, of a missing patch, and of a gradient of zero."""

SAME = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
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
        box: what the unit sees, in model-input pixels (x0, y0, x1, y1), unclipped.
    """

    row: int
    rank: int
    item: int
    unit: Unit
    value: float
    box: Box


@dataclass(eq=False)
class Pictures:
    """Photo crops and guided gradients, uint8 `[rows, k, h, w, 3]`.

    Attributes:
        gradients: None where there is no guided gradient; `why` says why.
        notes: what a reader of the gradients must know.
    """

    photos: np.ndarray
    gradients: np.ndarray | None
    why: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A patch with what it is cut from.

    Attributes:
        spot: the patch.
        photo: uint8 `[h, w, 3]`.
        image: the model's input, `[C, H, W]`.
        affine: maps pixels of the model's input to those of the photo.
    """

    spot: Spot
    photo: np.ndarray
    image: Tensor
    affine: tuple[float, ...]

    @property
    def window(self) -> Box:
        """What is drawn, in model-input pixels: the box, or all where it is larger than that."""
        height, width = self.image.shape[1:]
        x0, y0, x1, y1 = self.spot.box
        left, right = (0, width) if x1 - x0 > width else (x0, x1)
        top, bottom = (0, height) if y1 - y0 > height else (y0, y1)
        return left, top, right, bottom

    @property
    def seen(self) -> Box:
        """The part of the image that the unit sees, in model-input pixels."""
        height, width = self.image.shape[1:]
        x0, y0, x1, y1 = self.spot.box
        return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)

    def in_photo(self, box: Box) -> Box:
        """Bring a box from model-input pixels to the photo's."""
        a, b, c, d, e, f = self.affine
        x0, y0, x1, y1 = box
        return a * x0 + b * y0 + c, d * x0 + e * y0 + f, a * x1 + b * y1 + c, d * x1 + e * y1 + f


def draw(
    model: Model,
    items: Items,
    spots: Sequence[Spot],
    shape: tuple[int, int],
    guided: bool,
    size: tuple[int, int] | None = None,
) -> Pictures:
    """Draw patches.

    Args:
        model: the model that was swept.
        items: the photos.
        spots: the patches.
        shape: rows and patches a row.
        guided: also draw the guided gradient of each unit.
        size: height and width of a picture; None fits them to the patches.
    """
    height, width = size or size_of(spots, model.input_size)
    blank = np.full((*shape, height, width, 3), BLANK, np.uint8)
    made = Pictures(blank, blank.copy() if guided else None)
    ordered = sorted(spots, key=lambda s: (s.item, s.row, s.rank))
    chunks = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]
    what = f"drawing patches of {spots[0].unit.layer}" if spots else ""
    for chunk in track(chunks, what, total=len(chunks)):
        loaded = list(load(model, items, chunk))
        for one in loaded:
            place = one.spot.row, one.spot.rank
            window, seen = one.in_photo(one.window), one.in_photo(one.seen)
            made.photos[place] = crop(one.photo, window, height, width, seen)
        if made.gradients is not None:
            try:
                _draw_gradients(model, loaded, made.gradients, made.notes)
            except ModelError as error:
                made.gradients, made.why = None, str(error)
    return made


def size_of(spots: Sequence[Spot], image: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the pictures, in the shape of what is drawn."""
    if not spots:
        return SIDE, SIDE
    wide = min(image[1], max(s.box[2] - s.box[0] for s in spots))
    high = min(image[0], max(s.box[3] - s.box[1] for s in spots))
    scale = SIDE / max(wide, high)
    return max(1, round(high * scale)), max(1, round(wide * scale))


def load(model: Model, items: Items, spots: Sequence[Spot]) -> Iterator[Loaded]:
    """Load what the patches are cut from, each photo once for all neighbouring patches of it."""
    last: Loaded | None = None
    for spot in spots:
        if last is None or last.spot.item != spot.item:
            photo = items.load(spot.item)
            batch = make_batch([photo], model)
            affine = batch.items[0].affine
            # A photo that was enlarged for the model is drawn as the model saw it.
            if not in_photo_pixels(model) or min(affine[0], affine[4]) < 1:
                photo, affine = batch.pixels[0].numpy(), SAME
            last = Loaded(spot, photo, batch.images[0], affine)
        else:
            last = replace(last, spot=spot)
        yield last


def in_photo_pixels(model: Model) -> bool:
    """Return whether boxes can be mapped to the photo; else they are in the model's input."""
    return isinstance(model.preprocess, Preprocess)


def _draw_gradients(
    model: Model, loaded: Sequence[Loaded], pictures: np.ndarray, notes: list[str]
) -> None:
    height, width = pictures.shape[2:4]
    for same in by_shape(loaded):
        images = torch.stack([one.image for one in same])
        targets = [Target(None, one.spot.unit, str(one.spot.unit), one.spot.value) for one in same]
        gradients = model.gradient(images, targets, rule="guided", notes=notes).cpu().double()
        for one, gradient in zip(same, gradients, strict=True):
            cut = resized(boxed(gradient, one.window), height, width)
            pictures[one.spot.row, one.spot.rank] = as_colours(cut)


def by_shape(loaded: Sequence[Loaded]) -> list[list[Loaded]]:
    """Group inputs of equal size; without a crop, photos of other sizes differ."""
    groups: dict[tuple[int, ...], list[Loaded]] = {}
    for one in loaded:
        groups.setdefault(tuple(one.image.shape), []).append(one)
    return list(groups.values())


def boxed(gradient: Tensor, box: Box) -> Tensor:
    """Cut a box out of a gradient `[C, H, W]`; zero where it overhangs."""
    x0, y0, x1, y1 = (int(v) for v in box)
    height, width = gradient.shape[1:]
    return torch.nn.functional.pad(gradient, (-x0, x1 - width, -y0, y1 - height))


def resized(gradient: Tensor, height: int, width: int) -> Tensor:
    """Bring a gradient `[C, h, w]` to a size.

    Where it shrinks, each pixel takes the strongest value that falls into it, since the mean of
    values of both signs would be about nothing.
    """
    if min(height / gradient.shape[1], width / gradient.shape[2]) < 1:
        size = (min(height, gradient.shape[1]), min(width, gradient.shape[2]))
        at = torch.nn.functional.adaptive_max_pool2d(gradient.abs(), size, return_indices=True)[1]
        gradient = gradient.flatten(1).gather(1, at.flatten(1)).unflatten(1, size)
    smooth = min(height / gradient.shape[1], width / gradient.shape[2]) < CRISP
    how = {"mode": "bilinear", "align_corners": False} if smooth else {"mode": "nearest-exact"}
    made: Tensor = torch.nn.functional.interpolate(gradient[None], (height, width), **how)[0]
    return made


def as_colours(gradient: Tensor) -> np.ndarray:
    """Draw a gradient `[C, h, w]` about mid-grey, uint8 `[h, w, 3]`, scaled by its own size.

    The scale is the 99.5 % quantile, since single pixels stick out far.
    """
    values = gradient.numpy()
    if values.shape[0] != 3:
        values = values.mean(0, keepdims=True)
    sizes = np.abs(values)
    limit = float(np.quantile(sizes, 0.995)) or float(sizes.max()) or 1.0
    scaled = np.clip(NEUTRAL + values / limit * 127, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(scaled, (3, *scaled.shape[1:])).transpose(1, 2, 0))


def crop(photo: np.ndarray, box: Box, height: int, width: int, seen: Box) -> np.ndarray:
    """Cut a box out of a photo and bring it to a size, uint8 `[height, width, 3]`.

    What lies outside of the part that was seen is filled with grey.
    """
    from PIL import Image

    x0, y0, x1, y1 = (round(v) for v in seen)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, photo.shape[1]), min(y1, photo.shape[0])
    image = Image.fromarray(photo[y0:y1, x0:x1])
    box = (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0)
    # A box much larger than its picture is shrunk first, so that no huge canvas is made.
    shrink = int(max(1, min((box[2] - box[0]) // (2 * width), (box[3] - box[1]) // (2 * height))))
    if shrink > 1:
        image = image.reduce(shrink)
        box = (box[0] / shrink, box[1] / shrink, box[2] / shrink, box[3] / shrink)
    left, top = math.floor(box[0]), math.floor(box[1])
    canvas = Image.new("RGB", (math.ceil(box[2]) - left, math.ceil(box[3]) - top), (PAD,) * 3)
    canvas.paste(image, (-left, -top))
    enlarged = min(width / (box[2] - box[0]), height / (box[3] - box[1]))
    how = Image.Resampling.NEAREST if enlarged >= CRISP else Image.Resampling.BICUBIC
    inside = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return np.asarray(canvas.resize((width, height), how, box=inside))
