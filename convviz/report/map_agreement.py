"""Agreement of the maps of one image, for the table on its page."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..comparison import agreement
from ..comparison.agreement import ImageMap
from ..errors import ParameterError

MAX_PAIRS = 66
"""Maximum number of pairs of maps that are compared for an image: those of twelve maps."""

Place = tuple[int, int]
"""Row and column of a map."""


def agreements(places: Sequence[Place], maps: Sequence[ImageMap | None]) -> list[dict[str, Any]]:
    """Return rank correlation and overlap of the maps of an image.

    Maps in the same row (explainers) and in the same column (targets or models) are compared.

    Args:
        places: row and column of each map.
        maps: the maps; None for those that cannot be compared.
    """
    known = {number: single for number, single in enumerate(maps) if single is not None}
    pairs = itertools.islice(_pairs(places, list(known)), MAX_PAIRS)
    records = ({"panels": [a, b], **_numbers(known[a], known[b])} for a, b in pairs)
    return [record for record in records if "overlap" in record]


def _pairs(places: Sequence[Place], known: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs to compare: explainers, row by row, then targets, column by column."""
    for axis in (0, 1):
        ordered = sorted(known, key=lambda n: (places[n][axis], places[n][1 - axis]))
        for a, b in itertools.combinations(ordered, 2):
            if places[a][axis] == places[b][axis] and places[a] != places[b]:
                yield a, b


def _numbers(first: ImageMap, second: ImageMap) -> dict[str, float | None]:
    """Return the agreement of two maps; nothing for maps of different size or without values."""
    try:
        correlation = agreement.rank_correlation(first, second)
        share, _ = agreement.overlap(first, second)
    except ParameterError:
        return {}
    return {"correlation": _four_digits(correlation), "overlap": _four_digits(share)}


def _four_digits(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
