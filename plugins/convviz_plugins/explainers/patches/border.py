"""Positions of a map that are not at its border, where units read padding.

Padding with zeros creates the same edges and corners around every photo, and units respond to them
(Alsallakh et al. 2021, "Mind the pad"). In deep layers, border positions would lead nearly all
lists of best positions, although their patches show hardly any of the image.
"""

from __future__ import annotations

from convviz import Model, Preprocess


def inner_positions(model: Model, layer: str, size: tuple[int, int]) -> tuple[range, range]:
    """Return the rows and columns of a map without those at its border.

    The outermost row or column of a side is left out if its receptive field extends beyond that
    side of the image. If half of the positions of an axis or fewer would remain, all are kept.

    Args:
        model: the model.
        layer: a layer's name.
        size: rows and columns of its map.
    """
    (top, left), (bottom, right) = _overhangs(model, layer, size)
    return _inner_range(size[0], top, bottom), _inner_range(size[1], left, right)


def _overhangs(
    model: Model, layer: str, size: tuple[int, int]
) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Return whether the fields extend beyond each side: (top, left), (bottom, right).

    All sides are assumed to have padding if the field is the whole image, or if the preprocessing
    has no crop: each size of photo would then need an export of its own, which takes seconds.
    """
    everywhere = (True, True), (True, True)
    if not isinstance(model.preprocess, Preprocess) or model.preprocess.crop is None:
        return everywhere
    field = model.receptive_field(layer)
    if field.whole or field.positions != size:
        return everywhere
    left, top, _, _ = field.box(0, 0)
    _, _, right, bottom = field.box(size[0] - 1, size[1] - 1)
    high, wide = field.image
    return (top < 0, left < 0), (bottom > high, right > wide)


def _inner_range(count: int, skip_first: bool, skip_last: bool) -> range:
    """Return the positions without the first or the last, unless half or fewer would remain."""
    inner = range(int(skip_first), count - int(skip_last))
    return inner if 2 * len(inner) > count else range(count)
