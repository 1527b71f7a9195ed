"""Affine maps between the pixels of a model's input and those of the original photo."""

from __future__ import annotations

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a*x + b*y + c, y' = d*x + e*y + f, pixel corners at integers."""

IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def apply(affine: Affine, x: float, y: float) -> tuple[float, float]:
    """Map a point."""
    a, b, c, d, e, f = affine
    return a * x + b * y + c, d * x + e * y + f


def invert(affine: Affine) -> Affine:
    """Return the inverse map; raise ZeroDivisionError if it is singular."""
    a, b, c, d, e, f = affine
    det = a * e - b * d
    return (
        e / det,
        -b / det,
        (b * f - c * e) / det,
        -d / det,
        a / det,
        (c * d - a * f) / det,
    )


def apply_box(
    affine: Affine, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Return the bounding box of a mapped box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    corners = [apply(affine, x, y) for x in (x0, x1) for y in (y0, y1)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
