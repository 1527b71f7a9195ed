"""A result's figures as one line under a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def figures_in_words(figures: Mapping[str, Any]) -> str:
    """Write figures one after the other: "KL divergence 1.2 · trustworthiness 0.997"."""
    return " · ".join(f"{name} {_word(value)}" for name, value in figures.items())


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
