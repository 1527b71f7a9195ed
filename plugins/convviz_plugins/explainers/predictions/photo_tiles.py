"""Rankings of photos: confident errors, label suspects and near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence

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
    """
    order = range(min(drawn, len(places)))
    rows = places if places.ndim == 2 else places[:, None]
    pictures = [_picture(items, i) for i in rows[: len(order)].flatten().tolist()]
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


def _picture(items: Items, index: int) -> np.ndarray | None:
    """Return the photo of an item; None if it can no longer be read."""
    try:
        photo = items.load(index)
    except (ConvvizError, OSError):
        return None
    return fit_into_square(photo, SIDE)
