"""Pictures of one unit: a channel of a layer, or one image of matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..errors import ConvvizError, ParameterError
from ..images.batch import Item
from ..results.types import Matches, Note, Result, Stack, Table, Tiles
from . import PNG, FileType, Picture, Scene, render

SIDE = 96
"""The longer side of a patch that is cut out, in pixels."""

BLANK, PAD = 255, 232

Load = Callable[[Item], np.ndarray]
"""Reads the photo of an item, uint8 `[h, w, 3]`."""


def draw_unit(
    result: Result,
    scene: Scene,
    items: Sequence[Item],
    unit: int,
    load: Load,
    kind: FileType = PNG,
) -> list[Picture]:
    """Draw the part of a data-set result that belongs to one unit.

    Args:
        result: with one row or tile per channel, or matches.
        scene: of the explanation.
        items: of the explanation.
        unit: the channel; for matches the index of the image among the items.
        load: reads a photo, if patches of a unit that was not drawn must be cut out.
        kind: format and resolution of the pictures.

    Raises:
        ParameterError: there is no such unit, or the result has none.
    """
    if not isinstance(result, Tiles | Table | Matches):
        raise ParameterError(
            f"{scene.explainer} has no units: a map shows all images together; leave out the unit"
        )
    count = len(result.values)
    if not 0 <= unit < count:
        raise ParameterError(f"{scene.explainer} of {scene.layer!r} has units 0 to {count - 1}")
    drawn = render(_alone(result, unit, items, load), scene, kind)
    return [replace(picture, name=f"unit-{unit}-{picture.name}") for picture in drawn]


def _alone(result: Result, unit: int, items: Sequence[Item], load: Load) -> Result:
    if isinstance(result, Matches):
        return replace(result, show=(unit,))
    if isinstance(result, Tiles):
        return _tile(result, unit, items, load)
    if isinstance(result, Table) and "histogram" in result.arrays:
        return replace(result, show=(unit,))
    assert isinstance(result, Table)
    rows = result.rows[unit : unit + 1] or (str(unit),)
    return Table(result.values[unit : unit + 1], columns=result.columns, rows=rows)


def _tile(result: Tiles, unit: int, items: Sequence[Item], load: Load) -> Tiles:
    if not result.stacks:
        return replace(result, order=(unit,))
    if unit not in result.order:
        return _cut_patches(result, unit, items, load)
    place = result.order.index(unit)
    pictures = {s.pictures: result[s.pictures][place : place + 1] for s in result.stacks}
    arrays = {**result.arrays, **pictures}
    notes = tuple(note for note in result.notes if _subject(note) != "units")
    return replace(result, order=(unit,), arrays=arrays, notes=notes)


def _cut_patches(result: Tiles, unit: int, items: Sequence[Item], load: Load) -> Tiles:
    """Cut the patches of a unit without pictures out of the photos."""
    if "items" not in result.arrays or "boxes" not in result.arrays:
        drawn = ", ".join(map(str, result.order))
        raise ParameterError(f"unit {unit} was not drawn; drawn are {drawn}")
    blank = np.full((SIDE, SIDE, 3), BLANK, np.uint8)
    places = zip(result["items"][unit].tolist(), result["boxes"][unit], strict=True)
    try:
        patches = [_patch(load(items[i]), box) if i >= 0 else blank for i, box in places]
    except (ConvvizError, OSError) as error:
        raise ConvvizError(
            f"the run did not draw unit {unit}, and its photos are not available: {error}"
        ) from error
    return replace(
        result,
        order=(unit,),
        stacks=(Stack(title="photo patches", pictures="photo patches"),),
        arrays={**result.arrays, "photo patches": torch.from_numpy(np.stack(patches))[None]},
        notes=tuple(note for note in result.notes if not _subject(note)),
    )


def _subject(note: str) -> str:
    return note.about if isinstance(note, Note) else ""


def _patch(photo: np.ndarray, box: Tensor) -> np.ndarray:
    """Cut a box out of a photo, uint8 `[SIDE, SIDE, 3]`; grey where it overhangs."""
    from PIL import Image

    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(x1 - x0, y1 - y0)
    out = (max(1, round((x1 - x0) / side * SIDE)), max(1, round((y1 - y0) / side * SIDE)))
    scale = ((x1 - x0) / out[0], 0.0, x0, 0.0, (y1 - y0) / out[1], y0)
    cut = Image.fromarray(photo).transform(
        out, Image.Transform.AFFINE, scale, Image.Resampling.BICUBIC, fillcolor=(PAD,) * 3
    )
    canvas = Image.new("RGB", (SIDE, SIDE), (PAD,) * 3)
    canvas.paste(cut, ((SIDE - out[0]) // 2, (SIDE - out[1]) // 2))
    return np.asarray(canvas)
