"""The points of autograd's graph at which the output of one layer enters it.

The gradient of a layer's output is that of its values at the end of the layer's call, with
respect to all that the network computes from them afterwards. PyTorch calls such a point of the
graph a gradient edge: it stays valid when a later operation overwrites the tensor in place. Two
kinds of output have no edge to themselves and are replaced by a copy that has one: views of
other tensors, and inputs that the layer hands through unchanged, as dropout does in evaluation
mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils._pytree import tree_leaves

Versions = list[tuple[Tensor, int]]
"""Tensors, each with the version that counts the writes into it."""


class _Point(NamedTuple):
    """The output of one call.

    Attributes:
        edge: where it enters the graph; None if it was computed without gradients.
        output: it, or a tensor of the same shape, dtype and device.
        base: the tensor that `edge` belongs to, if the output is only a part of its memory.
    """

    edge: GradientEdge | None
    output: Tensor
    base: Tensor | None = None

    def gradient(self, gradient: Tensor | None) -> Tensor:
        """Return the gradient of the output, given that at the edge."""
        output, base = self.output, self.base
        if gradient is None:
            return torch.zeros_like(output)
        if base is None:
            return gradient
        # The strides of the output address the memory of the base, so the gradient of the base
        # is laid out in the same way first.
        offset = output.storage_offset() - base.storage_offset()
        laid_out = torch.empty_strided(
            base.size(), base.stride(), dtype=gradient.dtype, device=gradient.device
        ).copy_(gradient)
        return laid_out.as_strided(output.size(), output.stride(), offset)


class LayerEdges:
    """Collects the gradient edges of a layer, one for each run of the network.

    Args:
        layer: the layer's name.
        real: returns the tensor that a placeholder stands for, and anything else as it is.
    """

    def __init__(self, layer: str, real: Callable[[Any], Any] | None = None) -> None:
        self.layer = layer
        self._real = real or (lambda value: value)
        self._points: list[_Point] = []
        self._copies: Versions = []

    @staticmethod
    def versions(args: Any, kwargs: Any) -> Versions:
        """Return the tensors among the arguments of a call, with their versions."""
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        # Placeholders would be computed if a function mode saw that they are read.
        with torch._C.DisableTorchFunction():
            return [(t, t._version) for t in tensors if not t.is_inference()]

    def add(self, output: Tensor, inputs: Versions) -> Tensor:
        """Record the output of a call, and return the tensor with which the network goes on.

        Args:
            output: the output.
            inputs: of the call, with their versions when it began.
        """
        real: Tensor = self._real(output)
        with torch._C.DisableTorchFunction():
            before = [version for tensor, version in inputs if tensor is output]
            is_written = bool(before) and output._version != before[0]
        if not torch.is_grad_enabled():
            self._points.append(_Point(None, real.detach()))
        elif is_written and real.requires_grad:
            # The network may go on with any tensor that shares the memory, so a copy would not do.
            base = real._base if real._is_view() else None
            owner = real if base is None else base
            self._points.append(
                _Point(get_gradient_edge(owner), real.detach(), None if base is None else owner)
            )
        elif before or real._is_view() or not real.requires_grad:
            real = self._copy(real)
        else:
            self._points.append(_Point(get_gradient_edge(real), real.detach()))
        return real

    def _copy(self, output: Tensor) -> Tensor:
        """Return a copy with an edge of its own; the graph begins there if there is none yet."""
        start = output if output.requires_grad else output.detach().clone().requires_grad_()
        copy = start.clone()
        self._points.append(_Point(get_gradient_edge(copy), copy.detach()))
        self._copies.extend(self.versions((output, copy), {}))
        return copy

    @property
    def edges(self) -> list[GradientEdge]:
        """The edges, one for each run that has one."""
        return [point.edge for point in self._points if point.edge is not None]

    def gradients(self, at_edges: Sequence[Tensor | None]) -> list[Tensor]:
        """Return the gradient of the output in each run, given those at `edges`."""
        remaining = iter(at_edges)
        return [
            point.gradient(None if point.edge is None else next(remaining))
            for point in self._points
        ]

    def are_copies_exact(self) -> bool:
        """Return whether no tensor was written to after a copy had been made of it, nor a copy."""
        return all(tensor._version == version for tensor, version in self._copies)
