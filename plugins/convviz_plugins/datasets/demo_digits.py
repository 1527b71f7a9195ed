"""The 1797 handwritten digits of scikit-learn, 8 x 8 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convviz import ParameterError, array_dataset
from convviz.authoring import Dataset, hookimpl

SHADES = 16
"""Largest pixel value: a pixel is the number of inked sub-pixels, 0 to 16."""


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True: the data are part of scikit-learn."""
    return True


@hookimpl
def convviz_open_dataset(source: str, options: Mapping[str, Any]) -> Dataset | None:
    """Open the digits; the option `limit` is the number of digits to use."""
    if source:
        return None
    from sklearn.datasets import load_digits

    unknown = set(options) - {"limit"}
    if unknown:
        raise ParameterError(f"demo-digits takes the option limit, not {', '.join(unknown)}")
    digits = load_digits()
    limit = int(options.get("limit", len(digits.target)))
    photos = np.rint(digits.images[:limit] * (255 / SHADES)).astype(np.uint8)
    labels = digits.target[:limit].astype(int)
    # The name is that of the source, so that `convviz show` can open the digits of a run again.
    name = f"demo-digits:?limit={limit}" if "limit" in options else "demo-digits"
    return array_dataset(photos, labels, [str(i) for i in range(10)], name)
