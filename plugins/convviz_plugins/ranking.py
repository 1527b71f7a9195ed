"""Lists of the best positions of channels, overall and by class; they can be merged.

A list has `values` `[C, k]`, best first, the `items` `[C, k]` they come from and the `positions`
`[C, k, 2]` in the map. -inf, -1 and -1 stand where there are fewer than k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from convviz import Partial

NOWHERE = -1
NAMES = ("values", "items", "positions")


def first(lists: Mapping[str, Tensor], k: int) -> Partial:
    """Keep the k best of each channel: by value, then in the order they come in.

    The order they come in is that of item and position, so sorting stably gives the total
    order, however a data set was cut into batches.
    """
    values, order = lists["values"].sort(dim=1, descending=True, stable=True)
    values, order = values[:, :k], order[:, :k]
    empty = values == -torch.inf
    items = lists["items"].gather(1, order).masked_fill(empty, NOWHERE)
    positions = lists["positions"].gather(1, order[..., None].expand(-1, -1, 2))
    positions = positions.masked_fill(empty[..., None], NOWHERE)
    return {"values": values.contiguous(), "items": items, "positions": positions}


def joined(a: Mapping[str, Tensor], b: Mapping[str, Tensor], k: int) -> Partial:
    """Keep the k best of two lists, the items of `a` before those of `b`."""
    return first({name: torch.cat([a[name], b[name]], 1) for name in NAMES}, k)


def moved(lists: Mapping[str, Tensor], by: Tensor) -> Partial:
    """Count items from another start."""
    items = lists["items"]
    return {**lists, "items": torch.where(items == NOWHERE, NOWHERE, items + by)}


def filled(lists: Mapping[str, Tensor], k: int) -> Partial:
    """Bring lists to k entries."""
    missing = k - lists["values"].shape[-1]
    return {
        "values": pad(lists["values"], (0, missing), value=-torch.inf),
        "items": pad(lists["items"], (0, missing), value=NOWHERE),
        "positions": pad(lists["positions"], (0, 0, 0, missing), value=NOWHERE),
    }


def shown(lists: Mapping[str, Tensor], k: int) -> Partial:
    """Bring lists to k entries for a reader: a missing one has value NaN."""
    done = filled(lists, k)
    values = done["values"]
    return {**done, "values": values.masked_fill(values == -torch.inf, torch.nan)}


def by_label(lists: Mapping[str, Tensor], owners: Tensor, labels: Tensor, k: int) -> Partial:
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


def joined_labels(parts: Sequence[Partial], labels: Sequence[Tensor], k: int) -> Partial:
    """Join two sets of lists by label, `[L, C, k]`, with labels of their own."""
    every = torch.cat(list(labels)).unique()
    a, b = (_placed(p, own, every) for p, own in zip(parts, labels, strict=True))
    shape = a["values"].shape
    flat = joined(_flat(a), _flat(b), k)
    return {name: t.unflatten(0, shape[:2]) for name, t in flat.items()}


def _placed(lists: Partial, own: Tensor, every: Tensor) -> Partial:
    """Give lists a place for every label."""
    places = torch.searchsorted(every, own)
    made: Partial = {}
    for name in NAMES:
        array = lists[name]
        filler = -torch.inf if name == "values" else NOWHERE
        made[name] = array.new_full((len(every), *array.shape[1:]), filler)
        made[name][places] = array
    return made


def _flat(lists: Partial) -> Partial:
    return {name: t.flatten(0, 1) for name, t in lists.items()}
