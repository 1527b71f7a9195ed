"""The map of a data set as a Parquet file for viewers of embeddings such as Embedding Atlas."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConvvizError
from ..explanation.columns import class_label
from ..explanation.explanation import Explanation
from ..results.types import Matches, Points
from ..storage import durable_file
from ..storage.table_formats import arrow_table, write_table


def write_map(
    path: Path, points: Explanation, matches: Explanation | None, classes: Sequence[str]
) -> None:
    """Write one row per image that has a place on the map.

    The columns are `x`, `y`, `id`, `label` (the name of the class) and `path`; `neighbors`, a
    struct of `ids` (zero-based row numbers of this file, nearest first) and `distances`; and
    `image`, a struct with the PNG `bytes` of the thumbnail.

    Args:
        path: the file to write.
        points: the map.
        matches: the nearest images of each image, of the same items; None for no column.
        classes: names of the labels.
    """
    result = points.result
    if not isinstance(result, Points):
        raise ConvvizError(f"{points.name} is not a map of points")
    places = result.values.double().numpy()
    rows = np.flatnonzero(np.isfinite(places).all(axis=1))
    items = [points.items[int(i)] for i in rows]
    columns: dict[str, Any] = {
        "x": places[rows, 0],
        "y": places[rows, 1],
        "id": [item.id for item in items],
        "label": [class_label(classes, item.label) for item in items],
        "path": [item.source for item in items],
    }
    if matches is not None:
        columns["neighbors"] = _neighbours(matches, rows)
    if "thumbnails" in result.arrays:
        thumbnails = result["thumbnails"]
        columns["image"] = [{"bytes": _png(thumbnails[int(i)].numpy())} for i in rows]
    buffer = io.BytesIO()
    write_table(arrow_table(columns), buffer, "parquet")
    durable_file.write(path, buffer.getvalue())


def _neighbours(matches: Explanation, rows: np.ndarray) -> list[dict[str, Any]]:
    """Return the neighbours of the items of `rows`, numbered by their places in `rows`."""
    result = matches.result
    if not isinstance(result, Matches) or len(result.values) <= rows.max(initial=-1):
        raise ConvvizError(f"{matches.name} does not hold the neighbours of the images of the map")
    indices, distances = result["indices"].numpy(), result.values.double().numpy()
    row_of = {int(item): row for row, item in enumerate(rows)}
    entries: list[dict[str, Any]] = []
    for item in rows:
        pairs = [
            (row_of[int(i)], float(d))
            for i, d in zip(indices[item], distances[item], strict=True)
            if int(i) in row_of
        ]
        entries.append({"ids": [i for i, _ in pairs], "distances": [d for _, d in pairs]})
    return entries


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
