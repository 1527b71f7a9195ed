"""Measures as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measures_in_words(measures: Mapping[str, Any]) -> str:
    """Return measures as one line: "KL divergence 1.2 · trustworthiness 0.997"."""
    return " · ".join(f"{name} {_word(value)}" for name, value in measures.items())


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
