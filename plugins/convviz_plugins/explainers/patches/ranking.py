"""Lists of the best positions of channels, overall and by class; they can be merged.

A list has `values` `[C, n]`, best first, the `means` `[C, n]` of the maps they were found in, the
`items` `[C, n]` they come from and the `positions` `[C, n, 2]` in the map. Where there are fewer
than n, values and means are -inf, items and positions -1.

The order is total: by value, both descending, then by the mean of the map, then by item, then by
position. A list of k patches is kept with k + 1 entries, so that `count_ties` can tell whether the
last patch was chosen over an equal one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

Lists = dict[str, Tensor]
"""Lists by name: values, means, items and positions."""

NOWHERE = -1
NAMES = ("values", "means", "items", "positions")
SORTED_BY = ("means", "values")
"""The keys of the order, the least important one first."""


class Ties(NamedTuple):
    """How many lists end between two equal values.

    Attributes:
        by_mean: the mean of the map decided.
        remaining: the means are equal too, so that the order of the items decided.
        silent: among these, both maps are zero everywhere: there was nothing to choose.
    """

    by_mean: int
    remaining: int
    silent: int


def first(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Keep the k best of each channel.

    Entries of equal value and mean must come in the order of item and position. Both sorts are
    stable and keep it, so that the result does not depend on how a data set was cut into batches.
    """
    order = sorted_by([lists[name] for name in SORTED_BY])[:, :k]
    values, means = (lists[name].gather(1, order) for name in ("values", "means"))
    empty = values == -torch.inf
    items = lists["items"].gather(1, order).masked_fill(empty, NOWHERE)
    positions = lists["positions"].gather(1, order[..., None].expand(-1, -1, 2))
    return {
        "values": values,
        "means": means.masked_fill(empty, -torch.inf),
        "items": items,
        "positions": positions.masked_fill(empty[..., None], NOWHERE),
    }


def sorted_by(keys: Sequence[Tensor]) -> Tensor:
    """Return the order `[C, n]` of descending keys, the least important first; ties by place."""
    order = torch.arange(keys[0].shape[1], device=keys[0].device).expand(keys[0].shape)
    for key in keys:
        places = key.gather(1, order).sort(dim=1, descending=True, stable=True).indices
        order = order.gather(1, places)
    return order


def join_lists(a: Mapping[str, Tensor], b: Mapping[str, Tensor], k: int) -> Lists:
    """Keep the k best of two lists, the items of `a` before those of `b`."""
    return first({name: torch.cat([a[name], b[name]], 1) for name in NAMES}, k)


def shift_items(lists: Mapping[str, Tensor], by: Tensor) -> Lists:
    """Add an offset to the item numbers of lists."""
    items = lists["items"]
    return {**lists, "items": torch.where(items == NOWHERE, NOWHERE, items + by)}


def filled(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Bring lists to k entries, cutting longer ones."""
    missing = k - lists["values"].shape[-1]
    return {
        "values": pad(lists["values"], (0, missing), value=-torch.inf),
        "means": pad(lists["means"], (0, missing), value=-torch.inf),
        "items": pad(lists["items"], (0, missing), value=NOWHERE),
        "positions": pad(lists["positions"], (0, 0, 0, missing), value=NOWHERE),
    }


def shown(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Bring lists to k entries for a reader: a missing one has value and mean NaN."""
    done = filled(lists, k)
    empty = done["values"] == -torch.inf
    readable = {name: done[name].masked_fill(empty, torch.nan) for name in ("values", "means")}
    return {**done, **readable}


def count_ties(lists: Mapping[str, Tensor], k: int) -> Ties:
    """Count the lists `[..., C, n]` whose k-th entry equals the one after it in value."""
    done = filled(lists, k + 1)
    values, means = done["values"], done["means"]
    tied = (values[..., k - 1] == values[..., k]) & (values[..., k] > -torch.inf)
    equal = tied & (means[..., k - 1] == means[..., k])
    silent = equal & (values[..., k] == 0) & (means[..., k] == 0)
    return Ties(*(int(mask.sum()) for mask in (tied & ~equal, equal, silent)))


def by_label(lists: Mapping[str, Tensor], owners: Tensor, labels: Tensor, k: int) -> Lists:
    """Keep the k best of each channel among the items of each label.

    Args:
        lists: candidates, `[C, n]`.
        owners: the label of each candidate's item, `[n]`.
        labels: the labels, `[L]`.
        k: entries of a list.

    Returns:
        Lists with an axis more, `[L, C, k]`.
    """
    parts = []
    for label in labels.tolist():
        mine = owners == label
        parts.append(filled(first({name: t[:, mine] for name, t in lists.items()}, k), k))
    if not parts:
        empty = filled({name: t[:, :0].cpu() for name, t in lists.items()}, k)
        return {name: t[None][:0] for name, t in empty.items()}
    return {name: torch.stack([p[name] for p in parts]).cpu() for name in NAMES}


def join_labelled_lists(parts: Sequence[Lists], labels: Sequence[Tensor], k: int) -> Lists:
    """Join two sets of lists by label, `[L, C, k]`, with labels of their own."""
    every = torch.cat(list(labels)).unique()
    a, b = (_with_all_labels(p, present, every) for p, present in zip(parts, labels, strict=True))
    shape = a["values"].shape
    flat = join_lists(_flat(a), _flat(b), k)
    return {name: t.unflatten(0, shape[:2]) for name, t in flat.items()}


def _with_all_labels(lists: Lists, present: Tensor, every: Tensor) -> Lists:
    """Return lists with an entry for every label."""
    places = torch.searchsorted(every, present)
    lists_of_all: Lists = {}
    for name in NAMES:
        array = lists[name]
        filler = -torch.inf if array.is_floating_point() else NOWHERE
        lists_of_all[name] = array.new_full((len(every), *array.shape[1:]), filler)
        lists_of_all[name][places] = array
    return lists_of_all


def _flat(lists: Lists) -> Lists:
    return {name: t.flatten(0, 1) for name, t in lists.items()}
