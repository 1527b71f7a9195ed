"""Arrays of numbers in chunks."""

from __future__ import annotations

import base64

import numpy as np


def packed(values: np.ndarray, kind: str) -> str:
    """Return numbers as base64 of an array of a NumPy type such as "<u2"."""
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()
