"""Numbers as text, in templates."""

from __future__ import annotations

import math


def percent(share: float | None) -> str:
    """Return a share as a percentage: "97 %", "0.4 %", "99.9 %"; a dash if there is none."""
    if share is None or not math.isfinite(share):
        return "–"
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    if value < 1:
        return f"{value:.1g} %" if value >= 0.01 else "< 0.01 %"
    return f"{min(value, 99.9):.1f} %".replace(".0 %", " %")
