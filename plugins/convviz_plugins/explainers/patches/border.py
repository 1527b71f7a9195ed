"""Which positions of a map do not lie at its border, where units read padding.

Zeros beside the image are an edge and a corner that every photo has, and units answer to them
(Alsallakh et al. 2021, "Mind the pad"). In the deeper layers of a network they would win nearly all
lists of the best positions, with patches that show next to nothing.
"""

from __future__ import annotations

from convviz import Model, Preprocess


def inner_positions(model: Model, layer: str, size: tuple[int, int]) -> tuple[range, range]:
    """Return the rows and columns of a map without those at its border.

    On each side the outermost row or column is left out if its receptive field reaches past the
    image there; in an axis of which no more than half would be left, all stay.

    Args:
        model: the model.
        layer: a layer's name.
        size: rows and columns of its map.
    """
    (top, left), (bottom, right) = _overhanging(model, layer, size)
    return _without(size[0], top, bottom), _without(size[1], left, right)


def _overhanging(
    model: Model, layer: str, size: tuple[int, int]
) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Say of each side whether it overhangs: (top, left), (bottom, right).

    Without a crop every size of photo would need a graph of its own, which takes seconds; then,
    and where a field is the whole image, padding is taken to be on all sides.
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


def _without(count: int, first: bool, last: bool) -> range:
    """Leave out the first and the last position where asked, unless half of them would go."""
    left = range(int(first), count - int(last))
    return left if 2 * len(left) > count else range(count)
