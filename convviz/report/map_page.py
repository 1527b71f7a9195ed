"""The maps of a run: one page per embedded layer."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..errors import ConvvizError
from ..render.colour import OKABE_ITO
from ..results.types import Matches, Points
from ..storage.path_names import folder_name
from ..storage.untrusted_files import copy_regular
from .binary import packed
from .items import BLOCK, THUMB
from .photo_pass import COLUMNS, Atlas, thumbnail
from .site import Link, Site, SiteLayer

MAX_POINTS = 50_000
"""Points of a map; of more images, a sample with the shares of all classes is shown."""

SMALL_RUN = 4096
"""Runs up to this number of images use the thumbnails of the list of images."""

ATLAS_SIZE, SMALL_THUMB = 4096, 32
"""Tiles of an atlas of a larger run, and their side in pixels."""

PICTURE = "scatter.png"
STEPS = 65535
"""Steps of a coordinate: positions are stored as 16-bit integers."""


def links(site: Site) -> list[Link]:
    """Return an entry of the navigation for the maps."""
    layers = _map_layers(site)
    return [Link("map", "Map", f"map/{layers[-1].slug}.html")] if layers else []


def request_pictures(site: Site) -> None:
    """Request atlases of small thumbnails if the run is large."""
    if site.items.count <= SMALL_RUN or not _map_layers(site):
        return
    for start in range(0, site.items.count, ATLAS_SIZE):
        size = min(ATLAS_SIZE, site.items.count - start)
        path = f"media/map/thumbs-{start // ATLAS_SIZE:03d}.jpg"
        atlas = site.pictures.atlas(path, size, SMALL_THUMB)
        for index in range(size):
            site.pictures.draw(start + index, partial(_draw_thumbnail, atlas, index))


def write(site: Site) -> None:
    """Write the page and the points of every map."""
    layers = _map_layers(site)
    for layer in layers:
        try:
            points = read_points(site, layer)
        except ConvvizError as error:
            points, problem = None, str(error)
        else:
            problem = ""
            site.write_chunk(f"map/{layer.slug}", points)
        site.write_page(
            "map.html",
            f"map/{layer.slug}.html",
            "map",
            layer=layer,
            layers=layers,
            problem=problem,
            points=points,
            picture=_copy_picture(site, layer),
        )


def _map_layers(site: Site) -> list[SiteLayer]:
    return [layer for layer in site.layers if layer.has_map]


def _draw_thumbnail(atlas: Atlas, index: int, photo: np.ndarray) -> None:
    atlas.put(index, thumbnail(photo, atlas.tile))


def _copy_picture(site: Site, layer: SiteLayer) -> str:
    """Copy the picture of a map, which is shown without scripts; return "" if there is none."""
    target = f"media/map/{layer.slug}.png"
    (site.folder / "media" / "map").mkdir(parents=True, exist_ok=True)
    try:
        results = site.run["embedding"]
        _ = results[layer.name]  # fetches the folder of a run in an object store
        copy_regular(results.folder, f"{folder_name(layer.name)}/{PICTURE}", site.folder / target)
    except ConvvizError:
        return ""
    return target


def read_points(site: Site, layer: SiteLayer) -> dict[str, Any]:
    """Return the chunk of a map.

    `x` and `y` are 16-bit steps of a square with the aspect ratio of the map, `rows` the images,
    `priority` the order in which thumbnails are drawn, all as base64 of little-endian integers.

    Raises:
        ConvvizError: the result is damaged, or no map.
    """
    result = site.run["embedding"][layer.name].result
    if not isinstance(result, Points) or result.values.shape != (site.items.count, 2):
        raise ConvvizError(f"the embedding of {layer.name} is not a map of the images of the run")
    places = result.values.double().numpy()
    rows = np.flatnonzero(np.isfinite(places).all(axis=1))
    labels = np.array([-1 if label is None else label for label in site.items.labels], np.int64)
    total = len(rows)
    if total > MAX_POINTS:
        rows = sample_by_class(rows, labels[rows], MAX_POINTS)
    scaled, (width, height) = _scaled(places[rows])
    return {
        "axes": list(result.axes),
        "count": len(rows),
        "total": total,
        "missing": site.items.count - total,
        "notes": list(result.notes),
        "size": [width, height],
        "x": packed(scaled[:, 0], "<u2"),
        "y": packed(scaled[:, 1], "<u2"),
        "rows": packed(rows, "<u4"),
        "labels": packed(labels[rows], "<i4"),
        "priority": packed(_centrality(site, layer)[rows], "<u4"),
        "palette": list(OKABE_ITO),
        "thumbs": _thumbs(site),
        **_verdicts(site, rows),
    }


def _thumbs(site: Site) -> dict[str, Any]:
    """Return where the thumbnails of all images are, and which atlases have none of them."""
    count = site.items.count
    if count <= SMALL_RUN:
        path, size, tile = "media/thumbs/", BLOCK, THUMB
    else:
        path, size, tile = "media/map/thumbs-", ATLAS_SIZE, SMALL_THUMB
    empty = [
        start // size
        for start in range(0, count, size)
        if all(row in site.pictures.missing for row in range(start, min(start + size, count)))
    ]
    columns = min(COLUMNS, count)
    return {"path": path, "size": size, "tile": tile, "columns": columns, "empty": empty}


def _verdicts(site: Site, rows: np.ndarray) -> dict[str, Any]:
    """Return predicted classes, and 1 where they are wrong.

    Empty without predictions. `wrong` is omitted without labels.
    """
    predicted = site.items.predictions
    if not predicted:
        return {}
    outputs = np.array(predicted["predicted"], np.int64)
    record = {"predicted": packed(outputs[rows], "<i4")}
    if any(correct is not None for correct in predicted["correct"]):
        wrong = np.array([correct is False for correct in predicted["correct"]], np.uint8)
        record["wrong"] = packed(wrong[rows], "u1")
    return record


def _centrality(site: Site, layer: SiteLayer) -> np.ndarray:
    """Return how often each image is a neighbour of others; 0 without neighbours."""
    zeros = np.zeros(site.items.count, np.int64)
    if "neighbors" not in site.run or layer.name not in site.run["neighbors"]:
        return zeros
    try:
        result = site.run["neighbors"][layer.name].result
    except ConvvizError:
        return zeros
    if not isinstance(result, Matches) or "indices" not in result.arrays:
        return zeros
    near = result["indices"].flatten().numpy()
    known = near[(near >= 0) & (near < len(zeros))]
    return np.bincount(known, minlength=len(zeros))


def sample_by_class(rows: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    """Return about `size` rows in which every class has its share, at least one each.

    Args:
        rows: ascending, `[n]`.
        labels: their classes, `[n]`.
        size: of the sample.
    """
    order = np.random.default_rng(0).permutation(len(rows))
    kinds, places = np.unique(labels, return_inverse=True)
    chosen = []
    for kind in range(len(kinds)):
        members = order[places[order] == kind]
        share = max(1, round(size * len(members) / len(rows)))
        chosen.append(members[:share])
    return np.sort(rows[np.concatenate(chosen)])


def _scaled(places: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return places as steps of a square, and the width and height that they take, at most 1."""
    if not len(places):
        return places, (1.0, 1.0)
    low = places.min(axis=0)
    extent = places.max(axis=0) - low
    scale = float(extent.max()) or 1.0
    steps = np.rint((places - low) / scale * STEPS)
    return steps, (float(extent[0] / scale), float(extent[1] / scale))
