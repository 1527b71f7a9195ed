"""Rankings of photos, such as confident errors, near-duplicates and fragile photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from convviz import ConvvizError, Tiles
from convviz.authoring import Items, Stack, fit_into_square

from .listing import Columns, to_parquet

MAX_RANKED = 1000
"""Tiles of a ranking; the tables of all images hold the others."""

SIDE = 224
"""Side of a photo on a tile, in pixels."""

GREY = 200
PHOTOS = "photos"
OUTLINE, LINE = (217, 72, 15), 3
"""Colour and width of an outline, in pixels of a tile."""

Boxes = Mapping[int, Sequence[Sequence[float]]]
"""Item -> boxes in pixels of the model's input, x0, y0, x1, y1."""


def ranking(
    name: str,
    values: Tensor,
    places: Tensor,
    items: Items,
    captions: Sequence[str],
    columns: Columns,
    drawn: int,
    unit: str,
    notes: Sequence[str],
    boxes: Boxes | None = None,
) -> Tiles:
    """Return a ranking of photos, with pictures of the first ones.

    Args:
        name: of the ranking, for its file.
        values: the numbers of each tile, `[T, M]`.
        places: the items of each tile, `[T]` or `[T, P]`.
        items: all items.
        captions: one per tile, with line breaks.
        columns: one value per tile.
        drawn: tiles with pictures.
        unit: of the values.
        notes: on the result.
        boxes: outlined on the photos; leave them out if the items have no affine maps.
    """
    order = range(min(drawn, len(places)))
    rows = places if places.ndim == 2 else places[:, None]
    drawn_items = rows[: len(order)].flatten().tolist()
    pictures = [_picture(items, i, (boxes or {}).get(i, ())) for i in drawn_items]
    if missing := sum(picture is None for picture in pictures):
        notes = (*notes, f"{missing} photos can no longer be read; they are grey.")
    grey = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    pictures = [grey if picture is None else picture for picture in pictures]
    stack = np.array(pictures, np.uint8).reshape(len(order), rows.shape[1], SIDE, SIDE, 3)
    return Tiles(
        values,
        arrays={"items": places, PHOTOS: torch.from_numpy(stack)},
        unit=unit,
        notes=tuple(notes),
        layout="photos",
        captions=tuple(captions),
        order=tuple(order),
        stacks=(Stack(title=name, pictures=PHOTOS),),
        table={key: tuple(column) for key, column in columns.items()},
        files={f"{name.replace(' ', '_')}.parquet": to_parquet(columns)},
    )


def _picture(items: Items, index: int, boxes: Sequence[Sequence[float]]) -> np.ndarray | None:
    """Return the photo of an item with boxes outlined; None if it can no longer be read."""
    try:
        photo = items.load(index)
    except (ConvvizError, OSError):
        return None
    square = fit_into_square(photo, SIDE)
    for box in boxes:
        _outline(square, _on_square(_on_photo(items.affine(index), box), photo.shape))
    return square


def _on_photo(affine: Sequence[float], box: Sequence[float]) -> tuple[float, ...]:
    """Return a box in pixels of the photo."""
    a, b, c, d, e, f = affine
    corners = [(a * x + b * y + c, d * x + e * y + f) for x in box[::2] for y in box[1::2]]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _on_square(box: Sequence[float], shape: Sequence[int]) -> list[int]:
    """Return a box in pixels of the square into which a photo of this shape is fitted."""
    height, width = shape[:2]
    scale = SIDE / max(height, width)
    left, top = (SIDE - width * scale) / 2, (SIDE - height * scale) / 2
    shifts = (left, top, left, top)
    corners = (v * scale + s for v, s in zip(box, shifts, strict=True))
    return [min(max(round(v), 0), SIDE) for v in corners]


def _outline(picture: np.ndarray, box: Sequence[int]) -> None:
    """Draw the outline of a box, inside it, into a picture."""
    x0, y0, x1, y1 = box
    for rows, columns in (
        (slice(y0, y0 + LINE), slice(x0, x1)),
        (slice(max(y1 - LINE, y0), y1), slice(x0, x1)),
        (slice(y0, y1), slice(x0, x0 + LINE)),
        (slice(y0, y1), slice(max(x1 - LINE, x0), x1)),
    ):
        picture[rows, columns] = OUTLINE
