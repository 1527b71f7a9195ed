"""Results as pages show them: pictures, maps with their numbers, measures and notes."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..render.colour import about_grey, scale_of
from ..render.style import number
from ..results.types import Heatmap

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation

Files = dict[str, tuple[str, bytes]]
"""Name -> media type and content."""

MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
COLOUR_STEPS = 256


def document_of(explanation: Explanation) -> tuple[dict[str, Any], Files]:
    """Return an explanation of one photo as plain data and files."""
    result = explanation.result
    pictures = explanation.pictures(title=False)
    files: Files = {f"picture-{i}.png": ("image/png", p.data) for i, p in enumerate(pictures)}
    document: dict[str, Any] = {
        "explainer": explanation.name,
        "layer": explanation.layer,
        "kind": result.kind,
        "unit": result.unit,
        "targets": [
            {"label": t.label, "score": _finite(t.score), "quantity": t.quantity}
            for t in explanation.target
        ],
        "pictures": [
            {"name": p.name, "caption": p.caption, "file": f"picture-{i}.png"}
            for i, p in enumerate(pictures)
        ],
        "measures": [
            [name, number(value) if isinstance(value, float) else str(value)]
            for name, value in result.measures.items()
        ],
        "notes": [str(note) for note in result.notes],
        "map": None,
        "parameters": {name: str(value) for name, value in explanation.parameters.items()},
    }
    if isinstance(result, Heatmap) and not result.classes:
        document["map"], map_files = _heatmap(result)
        files |= map_files
    if explanation.pixels is not None and len(explanation.pixels):
        files["photo.png"] = ("image/png", png(explanation.pixels[0].numpy()))
    return document, files


def map_of(values: np.ndarray, unit: str, signed: bool) -> tuple[dict[str, Any], Files]:
    """Return a map `[h, w]` as its numbers with a scale of colours."""
    scale = scale_of(values, signed)
    steps = scale.colours(np.linspace(scale.low, scale.high, COLOUR_STEPS))
    height, width = values.shape
    document = {
        "height": height,
        "width": width,
        "unit": unit,
        "low": scale.low,
        "high": scale.high,
        "signed": scale.signed,
        "extend": scale.extend,
        "note": scale.note,
        "colours": _bytes(steps[:, :3]).tobytes().hex(),
    }
    return document, {"values.bin": ("application/octet-stream", values.astype("<f4").tobytes())}


def _heatmap(result: Heatmap) -> tuple[dict[str, Any] | None, Files]:
    """Return the map of a photo; None for several maps.

    A map of colour channels has a picture as well, and the largest channel as its numbers.
    """
    values = np.asarray(result.of_image(0))
    if result.colour:
        sizes = np.abs(values).max(axis=0)
        document, files = map_of(sizes, f"{result.unit}, largest channel", False)
        colours = about_grey(values, scale_of(values, signed=True).high)
        return document, files | {"map.png": ("image/png", png(_bytes(colours)))}
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    return map_of(values, result.unit, result.signed) if values.ndim == 2 else (None, {})


def classes_of(scores: Tensor, probabilities: Tensor | None, labels: Any, count: int) -> list[Any]:
    """Return the classes with the highest scores `[classes]`, the first of equal ones first."""
    order = scores.argsort(descending=True, stable=True)[:count].tolist()
    return [
        {
            "index": i,
            "label": labels(i),
            "score": _finite(float(scores[i])),
            "probability": None if probabilities is None else _finite(float(probabilities[i])),
        }
        for i in order
    ]


def png(pixels: np.ndarray) -> bytes:
    """Return pixels, uint8 `[h, w, 3 or 4]`, as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _bytes(colours: np.ndarray) -> np.ndarray:
    return np.asarray((colours * 255).round().astype(np.uint8))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
