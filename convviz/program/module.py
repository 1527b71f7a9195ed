"""Whole forward passes of a program: the scores and layers of a batch of images, no windows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..graph.export import Graph, NoGraph
from ..network.model import Model
from ..scores.outputs import Forward
from .operator import Step
from .program import Program


def usable_graph(model: Model, shape: tuple[int, int, int], layers: Sequence[str]) -> Graph | str:
    """Return the model's graph for images of a shape (C, H, W), or why it is of no use.

    Args:
        model: the model.
        shape: channels, height and width.
        layers: layers that will be asked for beside the scores.
    """
    graph = model.graph(shape)
    if isinstance(graph, NoGraph):
        return graph.reason
    if graph.output is None or graph.batch is not None:
        return "the graph holds for one batch size only"
    if missing := [name for name in layers if name not in graph.layers]:
        return f"the graph has no layer {missing[0]!r}"
    return graph


def whole(program: Program) -> fx.GraphModule:
    """Return a program as a module: images -> scores and the kept layers, in their order.

    What it runs is straight Python code, in which a value is dropped behind its last reader.
    It takes images in the dtype of the program's weights, best in channels_last.
    """
    root, graph = nn.Module(), fx.Graph()
    made: dict[fx.Node, Any] = {program.image: graph.placeholder("images")}

    def value(node: fx.Node) -> Any:
        if node not in made:
            made[node] = _constant(root, graph, program.constants[node])
        return made[node]

    for step in program.steps:
        args, kwargs = fx.map_arg((step.args, step.kwargs), value)
        made[step.node] = _called(root, graph, step, args, kwargs)
    graph.output(tuple(value(node) for node in (program.output, *program.layers.values())))
    return fx.GraphModule(root, graph)


def _constant(root: nn.Module, graph: fx.Graph, constant: Any) -> Any:
    if not isinstance(constant, Tensor):
        return constant
    name = f"constant_{len(graph.nodes)}"
    root.register_buffer(name, constant)
    return graph.get_attr(name)


def _called(root: nn.Module, graph: fx.Graph, step: Step, args: Any, kwargs: Any) -> fx.Node:
    call = step.taken()
    if hasattr(call, "__name__") and not inspect.ismethod(call):
        return graph.call_function(call, args, kwargs)
    # Code can only be written for what has a name.
    name = f"call_{len(graph.nodes)}"
    root.add_module(name, _Calling(call))
    return graph.call_module(name, args, kwargs)


class _Calling(nn.Module):
    """Calls something."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


def agree(found: Forward, want: Forward, tolerance: float | None = None) -> bool:
    """Return whether two forward passes of the same layers are equal up to rounding."""
    pairs = [(found.output, want.output)]
    pairs += [(found.activations[name], value) for name, value in want.activations.items()]
    return all(close(a, b, tolerance) for a, b in pairs)


def tolerance_of(dtype: torch.dtype) -> float:
    """Return the share of the largest value that rounding may change in a dtype."""
    return {torch.float64: 1e-10, torch.float32: 1e-4}.get(dtype, 2e-2)


def close(a: Tensor, b: Tensor, tolerance: float | None = None) -> bool:
    """Return whether two results are equal up to rounding, by the scale of the second.

    Args:
        a: one.
        b: the other.
        tolerance: share of the largest value; what fits the first's dtype where None.
    """
    if a.shape != b.shape:
        return False
    within = tolerance_of(a.dtype) if tolerance is None else tolerance
    a, b = a.double(), b.double()
    within *= float(b.nan_to_num(0, 0, 0).abs().max()) if b.numel() else 0.0
    return torch.allclose(a, b, rtol=0, atol=within, equal_nan=True)
