"""Mergeable lists of the best positions of channels, overall and by class.

A list has `values` `[C, n]`, best first, the `means` `[C, n]` of their maps, their `items` `[C, n]`
and their `positions` `[C, n, 2]` in the map. Missing entries at the end have values and means of
-inf, items and positions of -1.

Entries are in a total order: by value, descending; then by the mean of the map, descending; then by
item; then by position. The best k of a union are therefore the same however a data set is cut into
batches and shards, which makes merging associative. A list of k patches has k + 1 entries, so that
`count_ties` can tell whether the last patch was chosen over an equal one.
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
"""Sort keys, the least important one first."""


class Ties(NamedTuple):
    """Numbers of lists whose last patch has the same value as the next candidate.

    Attributes:
        by_mean: the means differ and decided.
        remaining: the means are equal too, so the order of the items decided.
        silent: the remaining ones in which both maps are zero everywhere.
    """

    by_mean: int
    remaining: int
    silent: int


def lists_of(tensors: Mapping[str, Tensor], prefix: str = "") -> Lists:
    """Select the lists among tensors: overall, or with a prefix those by class."""
    return {name: tensors[f"{prefix}{name}"] for name in NAMES}


def best_entries(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Return the k best entries of each channel.

    Entries of equal value and mean must be in the order of item and position: the sorts are stable
    and preserve it.
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
    """Return the order `[C, n]` by descending keys, the least important key first; stable."""
    order = torch.arange(keys[0].shape[1], device=keys[0].device).expand(keys[0].shape)
    for key in keys:
        places = key.gather(1, order).sort(dim=1, descending=True, stable=True).indices
        order = order.gather(1, places)
    return order


def join_lists(a: Mapping[str, Tensor], b: Mapping[str, Tensor], k: int) -> Lists:
    """Return the k best entries of two lists; the items of `a` come before those of `b`."""
    return best_entries({name: torch.cat([a[name], b[name]], 1) for name in NAMES}, k)


def shift_items(lists: Mapping[str, Tensor], by: Tensor) -> Lists:
    """Add an offset to the item numbers of lists."""
    items = lists["items"]
    return {**lists, "items": torch.where(items == NOWHERE, NOWHERE, items + by)}


def pad_lists(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Return lists of exactly k entries: padded with missing ones, or truncated."""
    missing = k - lists["values"].shape[-1]
    return {
        "values": pad(lists["values"], (0, missing), value=-torch.inf),
        "means": pad(lists["means"], (0, missing), value=-torch.inf),
        "items": pad(lists["items"], (0, missing), value=NOWHERE),
        "positions": pad(lists["positions"], (0, 0, 0, missing), value=NOWHERE),
    }


def fill_missing(lists: Mapping[str, Tensor], k: int) -> Lists:
    """Return lists of exactly k entries for users: missing ones have value and mean NaN."""
    padded = pad_lists(lists, k)
    empty = padded["values"] == -torch.inf
    readable = {name: padded[name].masked_fill(empty, torch.nan) for name in ("values", "means")}
    return {**padded, **readable}


def count_ties(lists: Mapping[str, Tensor], k: int) -> Ties:
    """Return the numbers of lists `[..., C, n]` whose k-th and next entry have equal values."""
    padded = pad_lists(lists, k + 1)
    values, means = padded["values"], padded["means"]
    tied = (values[..., k - 1] == values[..., k]) & (values[..., k] > -torch.inf)
    equal = tied & (means[..., k - 1] == means[..., k])
    silent = equal & (values[..., k] == 0) & (means[..., k] == 0)
    return Ties(*(int(mask.sum()) for mask in (tied & ~equal, equal, silent)))


def lists_by_label(
    lists: Mapping[str, Tensor], item_labels: Tensor, labels: Tensor, k: int
) -> Lists:
    """Return the k best entries of each channel among the items of each label.

    Args:
        lists: candidates, `[C, n]`.
        item_labels: the label of each candidate's item, `[n]`.
        labels: the labels, `[L]`.
        k: entries of a list.

    Returns:
        Lists with a leading axis for the labels, `[L, C, k]`.
    """
    parts = []
    for label in labels.tolist():
        mask = item_labels == label
        parts.append(pad_lists(best_entries({name: t[:, mask] for name, t in lists.items()}, k), k))
    if not parts:
        empty = pad_lists({name: t[:, :0].cpu() for name, t in lists.items()}, k)
        return {name: t[None][:0] for name, t in empty.items()}
    return {name: torch.stack([p[name] for p in parts]).cpu() for name in NAMES}


def join_labelled_lists(parts: Sequence[Lists], labels: Sequence[Tensor], k: int) -> Lists:
    """Return the k best entries of two sets of lists by label, `[L, C, k]`, over all labels."""
    every = torch.cat(list(labels)).unique()
    a, b = (_with_all_labels(p, present, every) for p, present in zip(parts, labels, strict=True))
    shape = a["values"].shape
    flat = join_lists(_flat(a), _flat(b), k)
    return {name: t.unflatten(0, shape[:2]) for name, t in flat.items()}


def _with_all_labels(lists: Lists, present: Tensor, every: Tensor) -> Lists:
    """Return lists by label, `[L, C, k]`, for all of `every` label; new ones are empty."""
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
