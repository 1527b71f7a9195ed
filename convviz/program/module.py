"""Whole forward passes of a program: scores and layers of a batch of images, without windows."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, fx, nn

from .operator import OperatorStep
from .program import Program


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
