"""Pictures of patches: crops of photos and of guided gradients."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from convviz import Model, ModelError, Preprocess, Unit
from convviz.authoring import Items, Target, make_batch, track

PatchBox = tuple[float, float, float, float]

SIDE = 64
"""The longer side of a drawn patch, in pixels."""

PAD, BLANK, NEUTRAL = 232, 255, 128
"""Grey levels of pixels outside the visible image, of missing patches, and of zero gradients."""

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
BATCH = 128
"""Patches whose gradients are computed by one call."""

KEPT_BYTES = 1 << 28
"""Memory for photos that several layers draw."""

CRISP = 4
"""Enlargement from which on pixels are drawn as squares instead of being interpolated."""


@dataclass(frozen=True)
class Spot:
    """One patch to draw.

    Attributes:
        row, rank: its place in the pictures.
        item: index of its photo.
        unit: the unit, with its position.
        value: the activation of the unit.
        box: the receptive field in model-input pixels, (x0, y0, x1, y1), unclipped.
    """

    row: int
    rank: int
    item: int
    unit: Unit
    value: float
    box: PatchBox


PatchImage = tuple[Spot, PatchBox, Tensor]
"""A patch, the region to draw in model-input pixels, and the model's input `[C, H, W]`."""


@dataclass(eq=False)
class Pictures:
    """Photo crops and guided gradients, uint8 `[rows, k, h, w, 3]`.

    Attributes:
        gradients: None if guided gradients cannot be computed; `why` is the reason.
        notes: notes on the gradients.
        before_limit: number of guided gradients of units at the upper limit of their activation,
            which are those of the values before it.
        zeros: number of guided gradients that are zero everywhere.
    """

    photos: np.ndarray
    gradients: np.ndarray | None
    why: str = ""
    notes: list[str] = field(default_factory=list)
    before_limit: int = 0
    zeros: int = 0


@dataclass(frozen=True, eq=False)
class LoadedPhoto:
    """A photo from which patches are cropped.

    Attributes:
        pixels: uint8 `[h, w, 3]`.
        image: the model's input, `[C, H, W]`.
        affine: maps pixels of the model's input to those of the photo.
    """

    pixels: np.ndarray
    image: Tensor
    affine: tuple[float, ...]

    @property
    def nbytes(self) -> int:
        """Memory of the photo and the model's input."""
        return self.pixels.nbytes + self.image.nbytes

    def window(self, box: PatchBox) -> PatchBox:
        """Return the region to draw: the box, but at most the size of the image."""
        height, width = self.image.shape[1:]
        x0, y0, x1, y1 = box
        left, right = (0, width) if x1 - x0 > width else (x0, x1)
        top, bottom = (0, height) if y1 - y0 > height else (y0, y1)
        return left, top, right, bottom

    def visible_box(self, box: PatchBox) -> PatchBox:
        """Return the part of a box inside the image, in model-input pixels."""
        height, width = self.image.shape[1:]
        x0, y0, x1, y1 = box
        return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)

    def in_photo(self, box: PatchBox) -> PatchBox:
        """Return a box of model-input pixels in pixels of the photo."""
        a, b, c, d, e, f = self.affine
        x0, y0, x1, y1 = box
        return a * x0 + b * y0 + c, d * x0 + e * y0 + f, a * x1 + b * y1 + c, d * x1 + e * y1 + f


class Photos:
    """The photos of a run with their model inputs; those read last stay in memory."""

    def __init__(self, model: Model, items: Items) -> None:
        self.model, self.items = model, items
        self._kept: OrderedDict[int, LoadedPhoto] = OrderedDict()

    def __getitem__(self, item: int) -> LoadedPhoto:
        if item in self._kept:
            self._kept.move_to_end(item)
            return self._kept[item]
        pixels = self.items.load(item)
        batch = make_batch([pixels], self.model)
        affine = batch.items[0].affine
        # If the photo was enlarged for the model, the model's input is drawn instead.
        if not in_photo_pixels(self.model) or min(affine[0], affine[4]) < 1:
            pixels, affine = batch.pixels[0].numpy(), IDENTITY
        photo = self._kept[item] = LoadedPhoto(pixels, batch.images[0], affine)
        while len(self._kept) > 1 and sum(p.nbytes for p in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return photo


def draw(
    photos: Photos,
    spots: Sequence[Spot],
    shape: tuple[int, int],
    guided: bool,
    size: tuple[int, int] | None = None,
) -> Pictures:
    """Return pictures of the patches.

    Args:
        photos: the photos of the run, and the model that was swept.
        spots: the patches.
        shape: number of rows and of patches per row.
        guided: also draw the guided gradient of each patch.
        size: height and width of a picture; by default derived from the patches.
    """
    height, width = size or size_of(spots, photos.model.input_size)
    blank = np.full((*shape, height, width, 3), BLANK, np.uint8)
    pictures = Pictures(blank, blank.copy() if guided else None)
    ordered = sorted(spots, key=lambda s: (s.item, s.row, s.rank))
    chunks = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]
    what = f"drawing patches of {spots[0].unit.layer}" if spots else ""
    for chunk in track(chunks, what, total=len(chunks)):
        images = []
        for spot in chunk:
            photo = photos[spot.item]
            window = photo.in_photo(photo.window(spot.box))
            visible_box = photo.in_photo(photo.visible_box(spot.box))
            place = spot.row, spot.rank
            pictures.photos[place] = crop(photo.pixels, window, height, width, visible_box)
            images.append((spot, photo.window(spot.box), photo.image))
        if pictures.gradients is not None:
            try:
                _draw_gradients(photos.model, images, pictures.gradients, pictures)
            except ModelError as error:
                pictures.gradients, pictures.why = None, str(error)
    return pictures


def size_of(spots: Sequence[Spot], image: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the pictures, with the aspect ratio of the patches."""
    if not spots:
        return SIDE, SIDE
    wide = min(image[1], max(s.box[2] - s.box[0] for s in spots))
    high = min(image[0], max(s.box[3] - s.box[1] for s in spots))
    scale = SIDE / max(wide, high)
    return max(1, round(high * scale)), max(1, round(wide * scale))


def in_photo_pixels(model: Model) -> bool:
    """Return whether boxes can be mapped to photos; otherwise they stay in model-input pixels."""
    return isinstance(model.preprocess, Preprocess)


def _draw_gradients(
    model: Model, patches: Sequence[PatchImage], drawn: np.ndarray, pictures: Pictures
) -> None:
    """Draw guided gradients, and count those before a limit and those that are zero everywhere."""
    height, width = drawn.shape[2:4]
    for same in by_shape(patches):
        spots, windows, images = zip(*same, strict=True)
        batch = torch.stack(images)
        targets = [Target(None, spot.unit, str(spot.unit), spot.value) for spot in spots]
        gradients = model.gradient(batch, targets, rule="guided", notes=pictures.notes, crop=True)
        limited = [
            i
            for i, (spot, gradient) in enumerate(zip(spots, gradients, strict=True))
            if spot.value > 0 and not gradient.any()
        ]
        if limited:
            opened = model.gradient(
                batch[limited],
                [targets[i] for i in limited],
                rule="guided",
                notes=pictures.notes,
                crop=True,
                opens_gates=True,
            )
            gradients[limited] = opened
            pictures.before_limit += int(opened.flatten(1).any(1).sum())
        for spot, window, gradient in zip(spots, windows, gradients, strict=True):
            part = crop_gradient(gradient.cpu().double(), window)
            drawn[spot.row, spot.rank] = as_colours(resize_gradient(part, height, width))
            pictures.zeros += not part.any()


def by_shape(patches: Sequence[PatchImage]) -> list[list[PatchImage]]:
    """Return the patches grouped by input size, which varies if the preprocessing has no crop."""
    groups: dict[tuple[int, ...], list[PatchImage]] = {}
    for patch in patches:
        groups.setdefault(tuple(patch[2].shape), []).append(patch)
    return list(groups.values())


def crop_gradient(gradient: Tensor, box: PatchBox) -> Tensor:
    """Return a box of a gradient `[C, H, W]`; zero outside the image."""
    x0, y0, x1, y1 = (int(v) for v in box)
    height, width = gradient.shape[1:]
    return torch.nn.functional.pad(gradient, (-x0, x1 - width, -y0, y1 - height))


def resize_gradient(gradient: Tensor, height: int, width: int) -> Tensor:
    """Return a gradient `[C, h, w]` resized.

    When shrinking, each pixel gets the value of largest magnitude in its area: the mean of values
    of both signs would be close to zero.
    """
    if min(height / gradient.shape[1], width / gradient.shape[2]) < 1:
        size = (min(height, gradient.shape[1]), min(width, gradient.shape[2]))
        at = torch.nn.functional.adaptive_max_pool2d(gradient.abs(), size, return_indices=True)[1]
        gradient = gradient.flatten(1).gather(1, at.flatten(1)).unflatten(1, size)
    smooth = min(height / gradient.shape[1], width / gradient.shape[2]) < CRISP
    how = {"mode": "bilinear", "align_corners": False} if smooth else {"mode": "nearest-exact"}
    resized: Tensor = torch.nn.functional.interpolate(gradient[None], (height, width), **how)[0]
    return resized


def as_colours(gradient: Tensor) -> np.ndarray:
    """Return a gradient `[C, h, w]` as colours around mid-grey, uint8 `[h, w, 3]`.

    It is scaled by its 99.5 % quantile, because single pixels may be much larger.
    """
    values = gradient.numpy()
    if values.shape[0] != 3:
        values = values.mean(0, keepdims=True)
    sizes = np.abs(values)
    limit = float(np.quantile(sizes, 0.995)) or float(sizes.max()) or 1.0
    scaled = np.clip(NEUTRAL + values / limit * 127, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(scaled, (3, *scaled.shape[1:])).transpose(1, 2, 0))


def crop(
    photo: np.ndarray, box: PatchBox, height: int, width: int, visible_box: PatchBox
) -> np.ndarray:
    """Return a box of a photo, resized to uint8 `[height, width, 3]`.

    Pixels outside of the visible box are grey.
    """
    from PIL import Image

    x0, y0, x1, y1 = (round(v) for v in visible_box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, photo.shape[1]), min(y1, photo.shape[0])
    image = Image.fromarray(photo[y0:y1, x0:x1])
    box = (box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0)
    # A box much larger than its picture is reduced first, to avoid a huge canvas.
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
