"""Whole forward passes of a program: scores and layers of a batch of images, without windows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..graph.export import Graph, NoGraph
from ..network.model import Model
from ..scores.outputs import Forward
from .operator import OperatorStep
from .program import Program


def usable_graph(model: Model, shape: tuple[int, int, int], layers: Sequence[str]) -> Graph | str:
    """Return the model's graph for images of a shape (C, H, W), or why it cannot be used.

    Args:
        model: the model.
        shape: channels, height and width.
        layers: layers that will be read besides the scores.
    """
    graph = model.graph(shape)
    if isinstance(graph, NoGraph):
        return graph.reason
    if graph.output is None or graph.batch is not None:
        return "the graph holds for one batch size only"
    if missing := [name for name in layers if name not in graph.layers]:
        return f"the graph has no layer {missing[0]!r}"
    return graph


def to_module(program: Program) -> fx.GraphModule:
    """Return a program as a module: images -> scores and the kept layers, in their order.

    The module runs generated Python code that drops each value behind its last reader. It
    expects images in the dtype of the program's weights, preferably in channels_last.
    """
    root, graph = nn.Module(), fx.Graph()
    nodes: dict[fx.Node, Any] = {program.image: graph.placeholder("images")}

    def new_node(node: fx.Node) -> Any:
        if node not in nodes:
            nodes[node] = _add_constant(root, graph, program.constants[node])
        return nodes[node]

    for step in program.steps:
        args, kwargs = fx.map_arg((step.args, step.kwargs), new_node)
        nodes[step.node] = _add_call(root, graph, step, args, kwargs)
    graph.output(tuple(new_node(node) for node in (program.output, *program.layers.values())))
    return fx.GraphModule(root, graph)


def _add_constant(root: nn.Module, graph: fx.Graph, constant: Any) -> Any:
    if not isinstance(constant, Tensor):
        return constant
    name = f"constant_{len(graph.nodes)}"
    root.register_buffer(name, constant)
    return graph.get_attr(name)


def _add_call(root: nn.Module, graph: fx.Graph, step: OperatorStep, args: Any, kwargs: Any) -> Any:
    call = step.whole_map_call()
    if hasattr(call, "__name__") and not inspect.ismethod(call):
        return graph.call_function(call, args, kwargs)
    # Generated code refers to functions by name: others are called through a module.
    name = f"call_{len(graph.nodes)}"
    root.add_module(name, _CallableModule(call))
    return graph.call_module(name, args, kwargs)


class _CallableModule(nn.Module):
    """A callable as a module."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


def all_close(actual: Forward, expected: Forward, tolerance: float | None = None) -> bool:
    """Return whether two forward passes of the same layers are equal up to rounding.

    Args:
        actual, expected: the forward passes.
        tolerance: as of `close`.
    """
    pairs = [(actual.output, expected.output)]
    pairs += [(actual.activations[name], value) for name, value in expected.activations.items()]
    return all(close(a, b, tolerance) for a, b in pairs)


def tolerance_of(dtype: torch.dtype) -> float:
    """Return the rounding error that is accepted in a dtype, as a share of the largest value."""
    return {torch.float64: 1e-10, torch.float32: 1e-4}.get(dtype, 2e-2)


def close(actual: Tensor, expected: Tensor, tolerance: float | None = None) -> bool:
    """Return whether two tensors are equal up to rounding.

    Args:
        actual, expected: the tensors.
        tolerance: share of the largest expected value; None for that of the dtype of `actual`.
    """
    if actual.shape != expected.shape:
        return False
    share = tolerance_of(actual.dtype) if tolerance is None else tolerance
    actual, expected = actual.double(), expected.double()
    largest = float(expected.nan_to_num(0, 0, 0).abs().max()) if expected.numel() else 0.0
    return torch.allclose(actual, expected, rtol=0, atol=share * largest, equal_nan=True)
