"""Pictures inside the messages to a widget."""

from __future__ import annotations

import base64
import io
from pathlib import PurePath

import numpy as np

QUALITY = 88


def data_uri(data: bytes, kind: str) -> str:
    """Return a picture file as text; `kind` is "png" or "jpeg"."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def embed(name: str, pixels: np.ndarray) -> str:
    """Return pixels, uint8 `[h, w, 3 or 4]`, as text: PNG if the name ends so, otherwise JPEG."""
    from PIL import Image

    kind = "png" if PurePath(name).suffix == ".png" else "jpeg"
    buffer = io.BytesIO()
    options = {"quality": QUALITY} if kind == "jpeg" else {}
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return data_uri(buffer.getvalue(), kind)
