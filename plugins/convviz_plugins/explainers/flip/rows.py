"""The results of many images as a partial: one row per image, and one per rectangle."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from convviz.authoring import Partial

from .search import Flips


def to_rows(flips: Sequence[Flips]) -> Partial:
    """Return the results of a batch as the entries of a partial.

    `area`, `old`, `old_probability`, `flips` (number of rectangles), `undecided` and `nonfinite`
    are `[n]`; `rectangles` `[F, 4]`, `new`, `new_probability` and `margin` `[F]` follow the order
    of the images.
    """
    names = ("area", "old", "undecided", "nonfinite")
    rows = {name: torch.tensor([getattr(flip, name) for flip in flips]) for name in names}
    rows["old_probability"] = torch.tensor(
        [flip.old_probability for flip in flips], dtype=torch.float64
    )
    rows["flips"] = torch.tensor([len(flip.new) for flip in flips])
    for name in ("rectangles", "new", "new_probability", "margin"):
        rows[name] = torch.cat([getattr(flip, name) for flip in flips])
    return {"": rows}


def merge_rows(a: Partial, b: Partial) -> Partial:
    """Return the rows of `a` and then those of `b`."""
    return {"": {name: torch.cat([rows, b[""][name]]) for name, rows in a[""].items()}}
