"""The confusion matrix of some classes as an SVG drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

LABEL_PX = 7
"""Assumed width of a letter of a label, in pixels."""

LONGEST_LABEL = 24
"""Letters of a label; the rest is in the tooltip."""

CELL_PX, SMALL_CELL_PX, FEW = 38, 26, 12
"""Side of a cell for few and for more classes."""

Address = Callable[[str, str], str]
"""Returns the address of the images with a label and a predicted class."""


def confusion_chart(
    names: Sequence[str], counts: Sequence[Sequence[int]], address: Address
) -> Markup:
    """Return a matrix with one row per label and one column per predicted class.

    The colour of a cell is the share of the images of its row. Cells with images are links.

    Args:
        names: of the classes.
        counts: images by label and predicted class, `[r, r]`.
        address: of the images of a cell.
    """
    cell = SMALL_CELL_PX if len(names) > FEW else CELL_PX
    shown = [_short_name(name) for name in names]
    margin = 12 + LABEL_PX * max(map(len, shown), default=0)
    top = margin * 0.75 + 24
    width, height = margin + cell * len(names) + margin * 0.7, top + cell * len(names) + 8
    parts = [
        Markup(
            '<svg class="chart confusion" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" '
            'height="{1:.0f}" role="group" aria-label="Confusion matrix of {2} classes: rows are '
            'labels, columns are predictions">'
        ).format(width, height, len(names)),
        Markup(
            '<text class="axis-title" x="{:.0f}" y="{:.0f}" text-anchor="end">label ↓</text>'
        ).format(margin - 8, top - 8),
        Markup('<text class="axis-title" x="{:.0f}" y="12">predicted as ↓</text>').format(margin),
    ]
    for i, (name, text) in enumerate(zip(names, shown, strict=True)):
        middle = i * cell + cell / 2
        parts.append(_label(text, name, margin - 8, top + middle + 4, 'text-anchor="end"'))
        x, y = margin + middle + 4, top - 8
        parts.append(_label(text, name, x, y, f'transform="rotate(-45 {x:.1f} {y:.1f})"'))
    for i, row in enumerate(counts):
        total = sum(row)
        for j, count in enumerate(row):
            place = (margin + j * cell, top + i * cell)
            parts.append(_cell(names[i], names[j], count, total, place, cell, address))
    return Markup("").join([*parts, Markup("</svg>")])


def _label(text: str, name: str, x: float, y: float, attributes: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" {}>{}<title>{}</title></text>').format(
        x, y, Markup(attributes), text, name
    )


def _cell(
    label: str,
    predicted: str,
    count: int,
    total: int,
    place: tuple[float, float],
    size: int,
    address: Address,
) -> Markup:
    """Return a cell; a link if it has images."""
    x, y = place
    share = count / total if total else 0.0
    kind = "right" if label == predicted else "wrong"
    box = Markup('<rect class="empty" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>').format(
        x, y, size - 2, size - 2
    )
    if not count:
        return box
    fill = Markup(
        '<rect class="{}" fill-opacity="{:.3f}" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>'
    ).format(kind, 0.15 + 0.85 * share**0.5, x, y, size - 2, size - 2)
    tone = "strong" if share > 0.3 else "weak"
    number = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
        tone, x + size / 2 - 1, y + size / 2 + 3, count
    )
    title = f"{count} of the {total} shown with label {label}: predicted {predicted}"
    return Markup('<a href="{}" aria-label="{}"><title>{}</title>{}{}{}</a>').format(
        address(label, predicted), title, title, box, fill, number
    )


def _short_name(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
