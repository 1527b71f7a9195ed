"""Traversal of autograd's graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def nodes_behind(tensor: Tensor) -> Iterator[Any]:
    """Yield the nodes of autograd's graph that a tensor depends on, each once."""
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        todo.extend(parent for parent, _ in node.next_functions)
