"""The pages of single images: predictions, neighbours and the units that respond to them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConvvizError
from ..results.types import Matches, Result, Table, Tiles
from ..sweep.run import Run
from .image_maps import read_maps, write_maps
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
    for name, value in image_chunks(site.run, slugs, site.outputs):
        rows = range(value["start"], min(value["start"] + BLOCK, site.items.count))
        files = [shlex.quote(photo_file(site.run, site.items.ids[row])) for row in rows]
        maps = [names.get(row) for row in rows]
        site.write_chunk(name, value | {"maps": maps, "files": files})
    commands = map_commands(site.run)
    site.write_page("image.html", "image.html", "image", block=BLOCK, commands=commands)


def image_chunks(
    run: Run, slugs: Slugs, outputs: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and value of the chunks of all images.

    Args:
        run: the run.
        slugs: layers that have a page.
        outputs: names of the outputs of the model, as far as they are known.

    A chunk has the number of its first image (`start`) and, as far as the run has them:
    `predictions` (the best classes and the label), `neighbors` (by layer) and `units` (by layer).
    All lists have one entry per image of the chunk.
    """
    predictions = _predictions(run, outputs)
    neighbors = list(_by_layer(run, "neighbors", slugs, _neighbors))
    units = list(_by_layer(run, "patches", slugs, _units))
    for number, start in enumerate(range(0, len(run.items), BLOCK)):
        stop = min(start + BLOCK, len(run.items))
        yield (
            f"images/{number:04d}",
            {
                "start": start,
                "predictions": predictions(start, stop) if predictions else None,
                "neighbors": {slug: part(start, stop) for slug, part in neighbors},
                "units": {slug: part(start, stop) for slug, part in units},
            },
        )


Part = Callable[[int, int], Any]
"""Returns the entries of the images from start to stop."""


def _by_layer(
    run: Run, explainer: str, slugs: Slugs, read: Callable[[Result, int], Part | None]
) -> Iterator[tuple[str, Part]]:
    """Yield slug and entries of the layers for which an explainer has readable results."""
    if explainer not in run:
        return
    for layer in run[explainer]:
        try:
            part = read(run[explainer][layer].result, len(run.items))
        except ConvvizError:  # the overview lists damaged results
            continue
        if part is not None and layer in slugs:
            yield slugs[layer], part


def _predictions(run: Run, outputs: Sequence[str]) -> Part | None:
    """Return the predictions of images; None if the run has none."""
    if "predictions" not in run or "images" not in run["predictions"]:
        return None
    try:
        result = run["predictions"]["images"].result
    except ConvvizError:
        return None
    if not isinstance(result, Table) or not {"top", "probabilities"} <= set(result.arrays):
        return None
    top, probabilities = result["top"].numpy(), result["probabilities"].numpy()
    if len(top) != len(run.items) or top.shape != probabilities.shape:
        return None
    names = dict(enumerate(outputs))

    def part(start: int, stop: int) -> dict[str, Any]:
        best = top[start:stop].tolist()
        return {
            "names": [[names.get(i, str(i)) for i in row if i >= 0] for row in best],
            "probabilities": np.round(probabilities[start:stop], 6).tolist(),
            **{
                name.replace(" ", "_"): result[name][start:stop].tolist()
                for name in ("rank", "label_probability", "entropy", "loss")
                if name in result.arrays
            },
        }

    return part


def _neighbors(result: Result, count: int) -> Part | None:
    """Return the nearest images of images, in feature space and by pixels."""
    if not isinstance(result, Matches) or "indices" not in result.arrays:
        return None
    lists = {"items": result["indices"], "distances": result.values}
    if {"pixel_indices", "pixel_distances"} <= set(result.arrays):
        lists |= {
            "pixel_items": result["pixel_indices"],
            "pixel_distances": result["pixel_distances"],
        }
    if any(len(values) != count for values in lists.values()):
        return None
    arrays = {name: values.numpy() for name, values in lists.items()}

    def part(start: int, stop: int) -> dict[str, Any]:
        return {
            "unit": result.unit,
            **{name: _as_lists(values[start:stop]) for name, values in arrays.items()},
        }

    return part


def _as_lists(values: np.ndarray) -> list[Any]:
    """Return numbers as lists, floats with five significant digits."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [[float(f"{v:.5g}") for v in row] for row in values.tolist()]


def _units(result: Result, count: int) -> Part | None:
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
    units, ranks = np.nonzero((items >= 0) & (items < count))
    rows = items[units, ranks]
    # By image, then by rank, then by value: the first of each image are listed.
    order = np.lexsort((-values[units, ranks], ranks, rows))
    units, ranks, rows = units[order], ranks[order], rows[order]
    starts = np.searchsorted(rows, np.arange(count + 1))

    def patch(unit: int, rank: int) -> list[float] | None:
        return None if boxes is None else [round(float(v), 1) for v in boxes[unit, rank]]

    def entry(unit: int, rank: int, row: int) -> list[Any]:
        value = float(f"{values[unit, rank]:.4g}")
        others = np.flatnonzero((items[unit] >= 0) & (items[unit] != row) & (items[unit] < count))
        best = int(others[0]) if len(others) else None
        other = [None, None] if best is None else [int(items[unit, best]), patch(unit, best)]
        return [int(unit), int(rank), value, patch(unit, rank), *other]

    def part(start: int, stop: int) -> list[list[list[Any]]]:
        return [
            [entry(units[i], ranks[i], row) for i in range(*_span(starts, row))]
            for row in range(start, stop)
        ]

    return part


def _span(starts: np.ndarray, row: int) -> tuple[int, int]:
    """Return the first and the last place of the listed units of an image."""
    return int(starts[row]), int(min(starts[row + 1], starts[row] + MAX_UNITS))
