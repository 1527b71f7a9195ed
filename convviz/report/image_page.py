"""The pages of single images: predictions, neighbours and the units that respond to them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConvvizError
from ..results.types import Matches, Result, Tiles
from ..sweep.run import Run
from .class_lifts import Array
from .image_maps import read_maps, write_maps
from .predictions import prediction_table
from .reproduce import map_commands, photo_file
from .site import Link, Site

BLOCK = 128
"""Images of a chunk."""

MAX_UNITS = 48
"""Units of a layer that are listed for an image, the highest ranks first."""

Slugs = Mapping[str, str]
"""Layer -> its part of file names."""


def links(site: Site) -> list[Link]:
    """Return no entry of the navigation: the list of images links to the page."""
    return []


def request_pictures(site: Site) -> None:
    """Request the photos of images with saved maps."""
    site.maps = read_maps(site.run.items, site.explained)
    for row in site.maps.by_row:
        site.items.request_preview(row)


def write(site: Site) -> None:
    """Write `image.html`, which shows all images, and the data of the images."""
    names = write_maps(site.folder, site.maps)
    slugs = {layer.name: layer.slug for layer in site.layers}
    second = _details_of_second(site, slugs)
    for name, value in image_chunks(site.run, slugs, site.outputs):
        rows = range(value["start"], min(value["start"] + BLOCK, site.items.count))
        files = [shlex.quote(photo_file(site.run, site.items.ids[row])) for row in rows]
        maps = [names.get(row) for row in rows]
        site.write_chunk(name, value | {"maps": maps, "files": files, "second": second(rows)})
    commands = map_commands(site.run, site.second.run if site.second else None)
    site.write_page("image.html", "image.html", "image", block=BLOCK, commands=commands)


def _details_of_second(site: Site, slugs: Slugs) -> Callable[[range], Any]:
    """Return a function that returns what the second run has about images; None without one."""
    other = site.second
    if other is None:
        return lambda rows: None
    details = details_of(other.run, slugs, other.outputs, other.rows_in_first)

    def part(rows: range) -> dict[str, Any]:
        own = other.rows_in_second[rows.start : rows.stop]
        return {"has": (own >= 0).tolist(), **details(own)}

    return part


def image_chunks(
    run: Run, slugs: Slugs, outputs: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and value of the chunks of all images.

    Args:
        run: the run.
        slugs: layers that have a page.
        outputs: names of the outputs of the model, as far as they are known.

    A chunk has the number of its first image (`start`) and what `details_of` returns.
    """
    details = details_of(run, slugs, outputs)
    for number, start in enumerate(range(0, len(run.items), BLOCK)):
        rows = np.arange(start, min(start + BLOCK, len(run.items)))
        yield f"images/{number:04d}", {"start": start, **details(rows)}


Part = Callable[[Array], Any]
"""Returns the entries of images by their rows in the run; -1 stands for an image that it lacks."""


def details_of(
    run: Run, slugs: Slugs, outputs: Sequence[str], shown_rows: Array | None = None
) -> Part:
    """Return a function that returns what pages show of images.

    Args:
        run: the run.
        slugs: layers that have a page.
        outputs: names of the outputs of the model, as far as they are known.
        shown_rows: int `[N]`, row in the report of each image of the run, -1 for none. Defaults to
            the rows of the run.

    The function returns, as far as the run has them, `predictions` (the best classes and the
    label), `neighbors` (by layer) and `units` (by layer). All lists have one entry per image.
    """
    shown = np.arange(len(run.items)) if shown_rows is None else shown_rows
    predictions = _predictions(run, outputs)
    neighbors = list(_by_layer(run, "neighbors", slugs, _neighbors, shown))
    units = list(_by_layer(run, "patches", slugs, _units, shown))

    def part(rows: Array) -> dict[str, Any]:
        return {
            "predictions": predictions(rows) if predictions else None,
            "neighbors": {slug: of_layer(rows) for slug, of_layer in neighbors},
            "units": {slug: of_layer(rows) for slug, of_layer in units},
        }

    return part


def _by_layer(
    run: Run,
    explainer: str,
    slugs: Slugs,
    read: Callable[[Result, Array], Part | None],
    shown: Array,
) -> Iterator[tuple[str, Part]]:
    """Yield slug and entries of the layers for which an explainer has readable results."""
    if explainer not in run:
        return
    for layer in run[explainer]:
        try:
            part = read(run[explainer][layer].result, shown)
        except ConvvizError:  # the overview lists damaged results
            continue
        if part is not None and layer in slugs:
            yield slugs[layer], part


def _predictions(run: Run, outputs: Sequence[str]) -> Part | None:
    """Return the predictions of images; None if the run has none."""
    result = prediction_table(run)
    if result is None:
        return None
    top, probabilities = result["top"].numpy(), result["probabilities"].numpy()
    names = dict(enumerate(outputs))

    def part(rows: Array) -> dict[str, Any]:
        return {
            "names": [
                [names.get(i, str(i)) for i in best if i >= 0] if row >= 0 else []
                for row, best in zip(rows.tolist(), top[rows].tolist(), strict=True)
            ],
            "probabilities": np.round(probabilities[rows], 6).tolist(),
            **{
                name.replace(" ", "_"): result[name].numpy()[rows].tolist()
                for name in ("rank", "label_probability", "entropy", "loss")
                if name in result.arrays
            },
        }

    return part


def _neighbors(result: Result, shown: Array) -> Part | None:
    """Return the nearest images of images, in feature space and by pixels."""
    if not isinstance(result, Matches) or "indices" not in result.arrays:
        return None
    indices, distances = {"items": result["indices"]}, {"distances": result.values}
    if {"pixel_indices", "pixel_distances"} <= set(result.arrays):
        indices["pixel_items"] = result["pixel_indices"]
        distances["pixel_distances"] = result["pixel_distances"]
    if any(len(values) != len(shown) for values in (*indices.values(), *distances.values())):
        return None
    near = {name: _shown(values.numpy(), shown) for name, values in indices.items()}
    far = {name: values.numpy() for name, values in distances.items()}

    def part(rows: Array) -> dict[str, Any]:
        known = rows[:, None] >= 0
        return {
            "unit": result.unit,
            **{name: np.where(known, values[rows], -1).tolist() for name, values in near.items()},
            **{name: _as_lists(values[rows]) for name, values in far.items()},
        }

    return part


def _shown(items: Array, shown: Array) -> Array:
    """Return the rows in the report of images of the run; -1 for those without one."""
    known = (items >= 0) & (items < len(shown))
    return np.where(known, shown[np.where(known, items, 0)], -1)


def _as_lists(values: Array) -> list[Any]:
    """Return numbers as lists, floats with five significant digits."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [[float(f"{v:.5g}") for v in row] for row in values.tolist()]


def _units(result: Result, shown: Array) -> Part | None:
    """Return the units of which images are among the top images.

    Each is a list of unit, rank, value, patch, the row of the unit's best other image or None, and
    the patch of that one. Patches are (x0, y0, x1, y1) in pixels of the photo, None if unknown.
    """
    if not isinstance(result, Tiles) or "items" not in result.arrays:
        return None
    items, values = result["items"].numpy(), result.values.double().numpy()
    boxes = result["boxes"].numpy() if "boxes" in result.arrays else None
    if items.shape != values.shape or items.ndim != 2:
        return None
    if boxes is not None and boxes.shape != (*items.shape, 4):
        boxes = None
    count, in_report = len(shown), _shown(items, shown)
    units, ranks = np.nonzero((items >= 0) & (items < count))
    of_units = items[units, ranks]
    # By image, then by rank, then by value: the first of each image are listed.
    order = np.lexsort((-values[units, ranks], ranks, of_units))
    units, ranks, of_units = units[order], ranks[order], of_units[order]
    starts = np.searchsorted(of_units, np.arange(count + 1))

    def patch(unit: int, rank: int) -> list[float] | None:
        return None if boxes is None else [round(float(v), 1) for v in boxes[unit, rank]]

    def entry(unit: int, rank: int, row: int) -> list[Any]:
        value = float(f"{values[unit, rank]:.4g}")
        others = np.flatnonzero((in_report[unit] >= 0) & (items[unit] != row))
        best = int(others[0]) if len(others) else None
        other = [None, None] if best is None else [int(in_report[unit, best]), patch(unit, best)]
        return [int(unit), int(rank), value, patch(unit, rank), *other]

    def part(rows: Array) -> list[list[list[Any]]]:
        return [
            [entry(units[i], ranks[i], row) for i in range(*_span(starts, row))] if row >= 0 else []
            for row in rows.tolist()
        ]

    return part


def _span(starts: np.ndarray, row: int) -> tuple[int, int]:
    """Return the first and the last place of the listed units of an image."""
    return int(starts[row]), int(min(starts[row + 1], starts[row] + MAX_UNITS))
