"""Agreements as tables of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..render.style import readable, shortened_path
from .agreement import MASKS, TOP, TOP_IN_MASK, Agreement

HEADER = ("image", "target", "explainers", "rank correlation", "overlap")


def as_rows(agreements: Sequence[Agreement]) -> list[list[str]]:
    """Return the agreements as rows of text: image, targets, explainers, numbers."""
    return [
        [
            agreement.image,
            " | ".join(dict.fromkeys(agreement.targets)),
            " | ".join(dict.fromkeys(agreement.explainers)),
            f"{agreement.rank_correlation:.2f}",
            f"{agreement.overlap:.0%} of {agreement.overlap_of}",
        ]
        for agreement in agreements
    ]


def as_matrices(
    agreements: Sequence[Agreement], with_image: bool
) -> list[tuple[list[str], list[list[str]]]]:
    """Return compact tables for a picture: the explainers of each row, the targets of each column.

    A cell has the rank correlation and the overlap. The longer side of a table runs down.
    """
    tables = []
    for what, is_same in (("explainers", False), ("targets", True)):
        chosen = [a for a in agreements if (a.explainers[0] == a.explainers[1]) == is_same]
        cells = {_place(a, with_image): _cell(a) for a in chosen}
        if cells:
            tables.append(_matrix(what, cells))
    return tables


def _place(agreement: Agreement, with_image: bool) -> tuple[str, str]:
    """Return the row of the picture, or pair of rows, and the explainer, or pair of them."""
    row = " | ".join(dict.fromkeys(agreement.targets))
    if with_image or not row:
        row = " · ".join(part for part in (shortened_path(agreement.image), row) if part)
    return readable(row, 44), " | ".join(dict.fromkeys(agreement.explainers))


def _cell(agreement: Agreement) -> str:
    correlation, share = agreement.rank_correlation, agreement.overlap
    numbers = (correlation, f"{correlation:.2f}"), (share, f"{share:.0%}")
    return " · ".join("–" if math.isnan(number) else text for number, text in numbers)


def _matrix(what: str, cells: Mapping[tuple[str, str], str]) -> tuple[list[str], list[list[str]]]:
    down, across = (list(dict.fromkeys(place[i] for place in cells)) for i in range(2))
    if len(across) > len(down):
        cells = {(b, a): cell for (a, b), cell in cells.items()}
        down, across = across, down
    return [what, *across], [[a, *(cells.get((a, b), "") for b in across)] for a in down]


_READING = {
    TOP: "the share of the strongest tenth of the pixels that both maps have (10 % by chance)",
    TOP_IN_MASK: "of a map and a mask, the share of the map's strongest tenth inside the mask",
    MASKS: "of two masks, their intersection over union",
}


def reading(agreements: Sequence[Agreement]) -> str:
    """Return how the numbers of the tables are to be read."""
    kinds = {agreement.overlap_of for agreement in agreements}
    overlaps = "; ".join(words for kind, words in _READING.items() if kind in kinds)
    return f"Tables: Spearman's rank correlation of the pixels · {overlaps}." if kinds else ""
