"""Replacement of in-place operators of an exported graph by their functional counterparts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, fx
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves


def functionalize(graph: fx.Graph) -> bool:
    """Replace `relu_`, `add_` and so on in a graph; return whether that was possible.

    Later users of the written tensor read the result of the functional operator instead. This is
    right unless a later user reads a view that only overlaps the written tensor; the graph is then
    left unchanged, and False is returned. `run_decompositions` handles these graphs too, but takes
    about ten times longer.
    """
    writers = _writers(graph)
    if writers is None:
        return False
    place = {node: i for i, node in enumerate(graph.nodes)}
    for writer, (counterpart, same) in writers.items():
        writer.target = counterpart
        for node in same:
            _replace_after(node, writer, place)
    return True


def _replace_after(node: fx.Node, writer: fx.Node, place: dict[fx.Node, int]) -> None:
    """Replace a node by the writer's result in all users that come after the writer."""

    def later(user: fx.Node) -> bool:
        return place[user] > place[writer]

    node.replace_all_uses_with(writer, delete_user_cb=later)


def _writers(graph: fx.Graph) -> dict[fx.Node, tuple[Any, list[fx.Node]]] | None:
    """Return in-place node -> its functional operator and the earlier nodes of the same tensor.

    None if a node has no such operator, or if a tensor that overlaps the written one without being
    the same is used afterwards.
    """
    place = {node: i for i, node in enumerate(graph.nodes)}
    sharing: defaultdict[int, list[fx.Node]] = defaultdict(list)
    writers = {}
    for node in graph.nodes:
        storages = _storages(node)
        others = [a for storage in storages for a in sharing[storage]]
        for storage in storages:
            sharing[storage].append(node)
        if not _writes(node):
            continue
        counterpart = _functional(node)
        same = [a for a in others if _same(a, node)]
        stale = [a for a in others if a not in same]
        used_later = any(place[user] > place[node] for a in stale for user in a.users)
        if counterpart is None or used_later or node.args[0] not in same:
            return None
        writers[node] = (counterpart, same)
    return writers


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _functional(node: fx.Node) -> Any:
    """Return the operator with the same result that does not write it into its first argument."""
    op: Any = node.target
    written = [a.alias_info is not None and a.alias_info.is_write for a in op._schema.arguments]
    base = op._schema.name.removeprefix("aten::")
    if not base.endswith("_") or written != [True] + [False] * (len(written) - 1):
        return None
    counterpart = getattr(getattr(torch.ops.aten, base[:-1], None), op._overloadname, None)
    fits = counterpart is not None and _arguments(counterpart) == _arguments(op)
    return counterpart if fits else None


def _arguments(op: Any) -> list[tuple[str, str]]:
    """Return names and types of the arguments; the name of the first does not matter."""
    return [(a.name if i else "", str(a.type)) for i, a in enumerate(op._schema.arguments)]


def _storages(node: fx.Node) -> set[int]:
    leaves = tree_leaves(node.meta.get("val"))
    storages = [t.untyped_storage() for t in leaves if isinstance(t, Tensor)]
    return {StorageWeakRef(s).cdata for s in storages}  # type: ignore[no-untyped-call]


def _same(a: fx.Node, b: fx.Node) -> bool:
    """Return whether two nodes of one storage are the same view of it."""
    x, y = a.meta["val"], b.meta["val"]
    return (
        isinstance(x, Tensor)
        and isinstance(y, Tensor)
        and x.dtype == y.dtype
        and x.shape == y.shape
        and x.stride() == y.stride()
        and bool(x.storage_offset() == y.storage_offset())
    )
