"""Maps that `explain` saved, shown on the page of the image that they belong to."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..comparison import agreement
from ..comparison.agreement import ImageMap
from ..errors import ConvvizError
from ..explanation.display import in_words
from ..explanation.explanation import Explanation, load
from ..gallery.cards import find_result_folders
from ..images.batch import Item
from ..render.colour import Scale, about_grey, scale_of
from ..results.types import Heatmap
from .binary import packed
from .chunks import write_chunk
from .map_agreement import agreements
from .photo_pass import save_picture
from .unit_effects import is_effect_table

LEVELS = 254
"""Steps of a map in the browser; 255 stands for no value."""

MAX_MAPS_OF_IMAGE = 64
MAX_SIDE = 512
"""Largest side of a map in the browser; larger ones are thinned out."""

WEIGHTS_DIGITS = 8
"""Digits of the hash of weights that are shown."""


@dataclass(frozen=True)
class SavedMap:
    """A map of one image.

    Attributes:
        explanation: the loaded result.
        index: of the image in the result.
        panel: the map among several of the image; None for a single saved.
    """

    explanation: Explanation
    index: int
    panel: int | None

    @property
    def result(self) -> Heatmap:
        """The result as a Heatmap."""
        result = self.explanation.result
        assert isinstance(result, Heatmap)
        return result

    @property
    def values(self) -> np.ndarray:
        """The map, `[h, w]`, or `[C, h, w]` of a map of colours."""
        values = self.result.of_image(self.index).numpy()
        return np.asarray(values if self.panel is None else values[self.panel])

    @property
    def comparable(self) -> ImageMap | None:
        """The map in a form that can be compared with others; None if its values have no order."""
        if self.panel is not None:
            return ImageMap(self.values.astype(float), self.result.signed, False)
        if agreement.refusal(self.result):
            return None
        return agreement.image_map(self.result, self.index)

    @property
    def target(self) -> str:
        """The explained class or unit, with its value."""
        if self.panel is not None:
            panels = self.result.panels
            return panels[self.panel] if self.panel < len(panels) else f"map {self.panel + 1}"
        targets = self.explanation.target
        if self.index >= len(targets):
            return ""
        target = targets[self.index]
        score = f" ({target.quantity} {target.score:.2f})" if math.isfinite(target.score) else ""
        return f"{target.label}{score}"


@dataclass
class SavedMaps:
    """The maps of result folders by row of the run.

    Attributes:
        by_row: row -> its maps.
        problems: folders that could not be read, with the reason.
        unmatched: names of images that are not in the run.
        effects: results about switched-off units.
    """

    by_row: dict[int, list[SavedMap]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)
    unmatched: set[str] = field(default_factory=set)
    effects: list[Explanation] = field(default_factory=list)


def read_maps(items: Sequence[Item], folders: Iterable[Path]) -> SavedMaps:
    """Return the maps below some folders that belong to images of a run.

    An image belongs to the row with the same source, or else to the only row with the same file
    name and size.
    """
    maps = SavedMaps()
    rows = _Rows(items)
    for root in folders:
        for folder in find_result_folders(root):
            try:
                explanation = load(folder)
            except ConvvizError as error:
                maps.problems.append(str(error))
                continue
            if isinstance(explanation.result, Heatmap) and not explanation.result.classes:
                _add(maps, explanation, rows)
            elif is_effect_table(explanation):
                maps.effects.append(explanation)
    return maps


def _add(maps: SavedMaps, explanation: Explanation, rows: _Rows) -> None:
    for index in range(min(len(explanation.values), len(explanation.items))):
        item = explanation.items[index]
        row = rows.find(item)
        if row is None:
            maps.unmatched.add(item.source)
            continue
        room = MAX_MAPS_OF_IMAGE - len(maps.by_row[row])
        maps.by_row[row] += maps_of(explanation, index)[:room]


def maps_of(explanation: Explanation, index: int) -> list[SavedMap]:
    """Return the maps of an image of an explanation whose result is a Heatmap."""
    result = explanation.result
    assert isinstance(result, Heatmap)
    has_panels = result.of_image(index).ndim == 3 and not result.colour
    panels = range(result.values.shape[1]) if has_panels else [None]
    return [SavedMap(explanation, index, panel) for panel in panels]


class _Rows:
    """Finds the row of an image in a run."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._by_source: dict[str, int] = {}
        self._by_name: dict[tuple[str, tuple[int, int]], list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            self._by_source.setdefault(item.source, row)
            self._by_name[_name_and_size(item)].append(row)

    def find(self, item: Item) -> int | None:
        if item.source in self._by_source:
            return self._by_source[item.source]
        rows = self._by_name.get(_name_and_size(item), [])
        return rows[0] if len(rows) == 1 else None


def _name_and_size(item: Item) -> tuple[str, tuple[int, int]]:
    height, width = item.size
    return PurePath(item.source or item.id).name, (height, width)


SavePicture = Callable[[str, np.ndarray], str]
"""Saves pixels, uint8 `[h, w, 3 or 4]`, under a name; returns the address of the picture."""


def write_maps(folder: Path, maps: SavedMaps) -> dict[int, str]:
    """Write a chunk for each row with maps; return row -> name of its chunk."""
    names = {}
    for row, saved in maps.by_row.items():
        names[row] = f"maps/{row:06d}"
        save = partial(_save_into, folder, f"media/maps/{row:06d}")
        write_chunk(folder, names[row], maps_record(saved, save))
    return names


def _save_into(folder: Path, prefix: str, name: str, pixels: np.ndarray) -> str:
    path = f"{prefix}-{name}"
    save_picture(folder / path, pixels)
    return path


def maps_record(maps: Sequence[SavedMap], save: SavePicture) -> dict[str, Any]:
    """Return the maps of one image as the browser draws them, explainers in columns."""
    columns: dict[tuple[str, ...], dict[str, Any]] = {}
    rows: dict[tuple[str, str], int] = {}
    models = _model_names([saved.explanation for saved in maps])
    panels, places = [], []
    for number, saved in enumerate(maps):
        key = _column_key(saved.explanation)
        column = columns.setdefault(key, {"place": len(columns), **_column(saved.explanation)})
        model = models[_model_key(saved.explanation)]
        place = rows.setdefault((saved.target, model), len(rows)), column["place"]
        places.append(place)
        panels.append({"row": place[0], "column": place[1], **_drawn(save, f"{number:02d}", saved)})
    return {
        "columns": list(columns.values()),
        "rows": [{"target": target, "model": model} for target, model in rows],
        "panels": panels,
        "agreements": agreements(places, [saved.comparable for saved in maps]),
        "palettes": {"signed": _palette(True), "plain": _palette(False)},
    }


def _model_key(explanation: Explanation) -> tuple[str, str]:
    return str(explanation.model.get("name", "")), str(explanation.model.get("weights_hash", ""))


def _model_names(explanations: Iterable[Explanation]) -> dict[tuple[str, str], str]:
    """Return how each model is named; models of one name are told apart by their weights."""
    keys = dict.fromkeys(map(_model_key, explanations))
    count = Counter(name for name, _ in keys)
    return {
        (name, weights): name if count[name] == 1 else f"{name}, weights {weights[:WEIGHTS_DIGITS]}"
        for name, weights in keys
    }


def _column_key(explanation: Explanation) -> tuple[str, ...]:
    return (explanation.name, explanation.layer, str(explanation.parameters))


def _column(explanation: Explanation) -> dict[str, Any]:
    result = explanation.result
    return {
        "name": explanation.name,
        "layer": explanation.layer,
        "parameters": {str(name): in_words(v) for name, v in explanation.parameters.items()},
        "unit": result.unit,
        "notes": list(result.notes),
    }


def _drawn(save: SavePicture, name: str, saved: SavedMap) -> dict[str, Any]:
    """Return what the browser needs to draw a map over the view of the model."""
    view = _view(save, name, saved)
    values = saved.values
    if saved.result.colour and len(values) not in (1, 3):  # channels that are not colours
        values = np.abs(values).max(axis=0)
    elif saved.result.colour:
        limit = scale_of(values, signed=True).high
        return {
            "view": view,
            "picture": save(f"{name}-map.png", _pixels(about_grey(values, limit))),
        }
    step = -(-max(values.shape) // MAX_SIDE)
    values = values[::step, ::step]
    is_signed = saved.result.signed and not saved.result.colour
    scale = scale_of(values, is_signed)
    return {
        "view": view,
        "signed": is_signed,
        "width": values.shape[1],
        "height": values.shape[0],
        "low": scale.low,
        "high": scale.high,
        "note": scale.note,
        "values": packed(_levels(values, scale), "u1"),
    }


def _view(save: SavePicture, name: str, saved: SavedMap) -> str | None:
    """Save the image as the model saw it; return its address."""
    pixels = saved.explanation.pixels
    if pixels is None or saved.index >= len(pixels):
        return None
    return save(f"{name}-view.jpg", pixels[saved.index].numpy())


def _levels(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return values as levels of the scale, 255 for those that are not finite."""
    share = (np.clip(np.nan_to_num(values), scale.low, scale.high) - scale.low) / (
        scale.high - scale.low
    )
    return np.asarray(np.where(np.isfinite(values), np.rint(share * LEVELS), 255))


def _palette(is_signed: bool) -> str:
    """Return the colours of all levels, RGB, as base64."""
    scale = Scale(-1.0 if is_signed else 0.0, 1.0, is_signed)
    colours = scale.colours(np.linspace(scale.low, scale.high, LEVELS + 1))
    return packed(_pixels(colours[:, :3]), "u1")


def _pixels(colours: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.clip(colours, 0, 1) * 255), dtype=np.uint8)
