"""Pictures of chosen units: channels of a layer, or images of matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..errors import ConvvizError, ParameterError
from ..images.batch import Item
from ..results.number_ranges import ranges_of
from ..results.types import Matches, Note, Result, Stack, Table, Tiles
from . import Picture, Scene

SIDE = 96
"""The longer side of a patch that is cut out, in pixels."""

BLANK, PAD = 255, 232
MAX_NAME = 60
"""Maximum number of characters of the units in the name of a picture."""

Load = Callable[[Item], np.ndarray]
"""Reads the photo of an item, uint8 `[h, w, 3]`."""


MAX_QUERIES = 40
"""Most images whose neighbours are drawn in one picture."""


def check_units(result: Result, scene: Scene, units: Sequence[int]) -> None:
    """Raise ParameterError if a result has no units, or lacks one of them."""
    if not isinstance(result, Tiles | Table | Matches):
        raise ParameterError(
            f"{scene.explainer} has no units: a map shows all images together; leave out the unit"
        )
    count = len(result.values)
    if missing := [unit for unit in units if not 0 <= unit < count]:
        raise ParameterError(
            f"{scene.explainer} of {scene.layer!r} has units 0 to {count - 1}, not {missing[0]}"
        )
    if isinstance(result, Matches) and len(units) > MAX_QUERIES:
        raise ParameterError(f"{len(units)} images are chosen; at most {MAX_QUERIES} are drawn")


def has_pictures(result: Result, units: Sequence[int] | None = None) -> bool:
    """Return whether some units, or those of `order`, can be drawn without the photos."""
    if not isinstance(result, Tiles) or not (result.stacks or "boxes" in result.arrays):
        return True
    drawn = result.order if result.stacks else ()
    return set(result.order if units is None else units) <= set(drawn)


def choose_units(result: Tiles, units: Sequence[int]) -> Tiles:
    """Return a result without pictures whose `order` is some units.

    Notes that count units are left out.
    """
    notes = tuple(note for note in result.notes if _subject(note) != "units")
    drawn = {stack.pictures for stack in result.stacks}
    arrays = {name: array for name, array in result.arrays.items() if name not in drawn}
    return replace(result, order=tuple(units), notes=notes, stacks=(), arrays=arrays)


def restrict(result: Result, units: Sequence[int], items: Sequence[Item], load: Load) -> Result:
    """Return the part of a data-set result that is drawn for some units.

    Args:
        result: with one row or tile per channel, or matches.
        units: the channels; for matches the indices of images among the items.
        items: of the explanation.
        load: reads a photo, if patches of a unit that was not drawn must be cut out.
    """
    units = tuple(units)
    if isinstance(result, Tiles):
        return _tiles(result, units, items, load)
    if isinstance(result, Matches) or "histogram" in result.arrays:
        return replace(result, show=units)  # type: ignore[call-arg]
    assert isinstance(result, Table)
    rows = tuple(result.rows[unit] if result.rows else str(unit) for unit in units)
    return Table(result.values[list(units)], columns=result.columns, rows=rows)


def name_pictures(pictures: Sequence[Picture], units: Sequence[int]) -> list[Picture]:
    """Return pictures with the units in their names."""
    prefix = f"unit-{units[0]}" if len(units) == 1 else f"units-{ranges_of(units)}"
    if len(prefix) > MAX_NAME:
        prefix = f"{prefix[:MAX_NAME].rpartition(',')[0]}-and-more"
    return [replace(picture, name=f"{prefix}-{picture.name}") for picture in pictures]


def _tiles(result: Tiles, units: tuple[int, ...], items: Sequence[Item], load: Load) -> Tiles:
    if has_pictures(result, units) and not result.stacks:
        return replace(result, order=units)
    if not has_pictures(result, units):
        return _cut_patches(result, units, items, load)
    places = [result.order.index(unit) for unit in units]
    pictures = {s.pictures: result[s.pictures][places] for s in result.stacks}
    chosen = choose_units(result, units)
    return replace(chosen, stacks=result.stacks, arrays={**result.arrays, **pictures})


def _cut_patches(result: Tiles, units: tuple[int, ...], items: Sequence[Item], load: Load) -> Tiles:
    """Cut the patches of units without pictures out of the photos."""
    if "items" not in result.arrays or "boxes" not in result.arrays:
        drawn = ", ".join(map(str, result.order))
        raise ParameterError(f"unit {units[0]} was not drawn; drawn are {drawn}")
    try:
        patches = [_patches_of(result, unit, items, load) for unit in units]
    except (ConvvizError, OSError) as error:
        named = f"unit {units[0]}" if len(units) == 1 else f"all of the units {ranges_of(units)}"
        raise ConvvizError(
            f"the run did not draw {named}, and its photos are not available: {error}"
        ) from error
    return replace(
        result,
        order=units,
        stacks=(Stack(title="photo patches", pictures="photo patches"),),
        arrays={**result.arrays, "photo patches": torch.from_numpy(np.stack(patches))},
        notes=tuple(note for note in result.notes if not _subject(note)),
    )


def _patches_of(result: Tiles, unit: int, items: Sequence[Item], load: Load) -> np.ndarray:
    """Return the patches of a unit, uint8 `[k, SIDE, SIDE, 3]`."""
    blank = np.full((SIDE, SIDE, 3), BLANK, np.uint8)
    places = zip(result["items"][unit].tolist(), result["boxes"][unit], strict=True)
    return np.stack([_patch(load(items[i]), box) if i >= 0 else blank for i, box in places])


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
