"""The ways to decode JPEG files."""

from __future__ import annotations

from typing import Final, Literal

DecodeMode = Literal["exact", "scaled", "gpu"]

EXACT: Final = "exact"
"""At full size."""

SCALED: Final = "scaled"
"""At a reduced size that is no smaller than the resize of the preprocess."""

GPU: Final = "gpu"
"""In batches on the model's CUDA device."""
