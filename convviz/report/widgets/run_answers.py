"""What the widget of a run shows, computed when it asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError, ParameterError
from ...sweep.photos import PhotosOfRun
from ...sweep.run import Run
from ..layer_page import SORTS
from ..layer_units import LayerUnits
from ..map_page import read_points
from ..photo_pass import BLANK, cut, reduce_photo
from ..site import Site, SiteLayer
from ..unit_records import column_record, lift_record, unit_record, visible_box
from .pictures import embed

TILE, TILE_COLUMNS, MAX_TILES = 64, 8, 64
"""Side of a patch in pixels, patches per row of the picture, and largest number of patches."""

PHOTO_SIDE = 320
"""Shorter side of a photo beside its patch, in pixels."""

THUMB_SIDE = 128


class RunAnswers:
    """Answers the questions of the widget of a run.

    Args:
        run: the run.
        photos: the data set or its source, if it has moved.
    """

    def __init__(self, run: Run, photos: Any = None) -> None:
        self._run = run
        self._photos = PhotosOfRun(run, photos)
        self._units: dict[str, LayerUnits] = {}
        self.answers: Mapping[str, Callable[..., Any]] = {
            "site": self.site,
            "layer": self.layer,
            "classes": self.classes,
            "tiles": self.tiles,
            "unit": self.unit,
            "points": self.points,
            "photo": self.photo,
        }

    @cached_property
    def _site(self) -> Site:
        return Site(self._run, Path())  # nothing is written

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers with results about units."""
        return tuple(layer.name for layer in self._site.layers if layer.units)

    def site(self) -> dict[str, Any]:
        """Return the layers, the classes and the number of images."""
        return self._site.record()

    def layer(self, layer: str) -> dict[str, Any]:
        """Return the numbers of all units of a layer."""
        units = self._units_of(layer)
        return {
            **column_record(units),
            "name": layer,
            "field": units.field,
            "has_patches": units.tiles is not None,
            "sorts": {name: words for name, words in SORTS.items() if name in units.columns},
        }

    def classes(self, layer: str) -> dict[str, Any]:
        """Return the lifts of all classes for the units of a layer."""
        table = self._units_of(layer).lift_table
        if table is None:
            raise ParameterError(f"the images of the run have no labels for layer {layer!r}")
        return {**lift_record(table), "name": layer}

    def tiles(self, layer: str, units: list[int]) -> dict[str, Any]:
        """Return the top patches of some units as the tiles of one picture."""
        known = self._units_of(layer)
        if len(units) > MAX_TILES:
            raise ParameterError(f"{len(units)} units: at most {MAX_TILES} at a time")
        rows = max(1, -(-len(units) // TILE_COLUMNS))
        sheet = np.full((rows, TILE, TILE_COLUMNS, TILE, 3), BLANK, np.uint8)
        missing = []
        for index, unit in enumerate(units):
            patch = self._top_patch(known, _checked(unit, known.count, "unit"))
            if patch is None:
                missing.append(index)
            else:
                sheet[index // TILE_COLUMNS, :, index % TILE_COLUMNS] = patch
        picture = embed("tiles.jpg", sheet.reshape(rows * TILE, TILE_COLUMNS * TILE, 3))
        return {"atlas": picture, "tile": TILE, "columns": TILE_COLUMNS, "missing": missing}

    def unit(self, layer: str, unit: int) -> dict[str, Any]:
        """Return one unit with its top patches and their photos."""
        units = self._units_of(layer)
        record = unit_record(units, _checked(unit, units.count, "unit"), lambda item: item)
        patches = [
            {**patch, "image": self.photo(patch["row"], PHOTO_SIDE)} for patch in record["patches"]
        ]
        return {**record, "patches": patches}

    def points(self, layer: str) -> dict[str, Any]:
        """Return the map of a layer."""
        return {**read_points(self._site, self._layer(layer)), "name": layer, "thumbs": None}

    def photo(self, row: int, side: int = THUMB_SIDE) -> dict[str, Any]:
        """Return what is known of an image, with a picture if its photo is available."""
        items = self._site.items
        _checked(row, items.count, "row")
        try:
            photo = reduce_photo(self._photos.load(row), side)
        except ImageError:
            preview = None
        else:
            preview = embed("photo.png" if items.is_small(row) else "photo.jpg", photo)
        known = dict.fromkeys(("predicted", "probability", "correct"))
        return {
            "row": row,
            "name": items.ids[row],
            "label": items.labels[row],
            "size": items.sizes[row],
            "preview": preview,
            **known,
            **{name: values[row] for name, values in items.predictions.items()},
        }

    def _layer(self, name: str) -> SiteLayer:
        for layer in self._site.layers:
            if layer.name == name:
                return layer
        raise ParameterError(f"the run has no results about layer {name!r}")

    def _units_of(self, name: str) -> LayerUnits:
        if name not in self._units:
            layer = self._layer(name)
            self._units[name] = LayerUnits(self._run, layer.name, self._site.items.records)
        return self._units[name]

    def _top_patch(self, units: LayerUnits, unit: int) -> np.ndarray | None:
        """Return the top patch of a unit, uint8 `[64, 64, 3]`, or None if there is no photo."""
        if units.tiles is None:
            return None
        row = int(units.tiles["items"][unit, 0])
        if row < 0:
            return None
        x0, y0, x1, y1 = units.tiles["boxes"][unit, 0].tolist()
        box = visible_box(units, row, (x0, y0, x1, y1))
        if box is None:
            return None
        x0, y0, x1, y1 = box
        try:
            return cut(self._photos.load(row), (x0, y0, x1, y1), TILE)
        except ImageError:
            return None


def _checked(number: Any, count: int, name: str) -> int:
    if type(number) is not int or not 0 <= number < count:
        raise ParameterError(f"{name} {number!r:.40}: there are {count}")
    return int(number)
