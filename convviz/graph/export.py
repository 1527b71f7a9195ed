"""A network's functional ATen graph, with the nodes of its layers.

Modules and functions, in-place and not, look the same in it: each node is an ATen operator that
writes only its own result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from ..errors import ConvvizError, first_line
from ..layers import capture, naming
from ..state.eager_mode import disable_compile
from ..state.quiet_export import silence_torch
from .functionalize import functionalize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Shape = tuple[int, int, int]
"""Channels, height and width of the images."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A functional ATen graph of a network in eval mode.

    Attributes:
        shape: channels, height, width of the images that it was exported for.
        nodes: the graph; a node's `meta["val"]` is a fake tensor of its shape and dtype.
        image: the placeholder of the images `[N, C, H, W]`.
        layers: layer name -> node whose value is that layer's output, in call order.
        output: the node of the scores; None if the network does not return a single tensor.
        constants: placeholder name -> parameter, buffer or constant, shared with the network.
        batch: the only number of images that the graph accepts; None for any.
        memo: results that are derived from the graph, such as its locality.
    """

    shape: Shape
    nodes: fx.Graph
    image: fx.Node
    layers: dict[str, fx.Node]
    output: fx.Node | None
    constants: dict[str, Tensor]
    batch: int | None
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class NoGraph:
    """The reason why a network has no graph.

    Attributes:
        shape: channels, height, width of the images.
        reason: what torch.export refused.
    """

    shape: Shape
    reason: str


def export(
    module: nn.Module,
    shape: Shape,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    pick: Callable[[Any], Any] = lambda out: out,
) -> Graph | NoGraph:
    """Export a network in its present state, for images of a shape (C, H, W).

    Args:
        module: the network, in eval mode.
        shape: channels, height, width.
        dtype: dtype of the images.
        device: device of the images.
        pick: returns the scores, given the network's output.
    """
    from torch.export import Dim  # the first export imports SymPy, which takes seconds

    keys: list[str] = []
    wrapped = _LayerOutputs(module, pick, lambda: keys)
    images = torch.zeros(2, *shape, dtype=dtype, device=device)
    _start_autograd()
    try:
        with torch.no_grad(), disable_compile(), silence_torch():
            program = torch.export.export(wrapped, (images,), dynamic_shapes=({0: Dim.AUTO},))
            if not functionalize(program.graph):
                program = program.run_decompositions({})
            return _graph(program, keys, shape)
    except Exception as error:  # torch.export and the network may raise anything
        return NoGraph(shape, _reason(error))


def _start_autograd() -> None:
    """Run a backward pass, so that the first one of the process precedes an export.

    Tracing registers a stand-in for CUDA devices where there are none. If the first backward pass
    comes later, autograd starts a thread for such a device, and from then on forked processes,
    such as the workers of a DataLoader, cannot compute gradients.
    """
    with torch.inference_mode(False), torch.enable_grad():
        torch.autograd.backward(torch.ones((), requires_grad=True))


class _LayerOutputs(nn.Module):
    """Returns the scores and, in call order, a copy of every layer's output.

    Without the copies, the output of a layer before an in-place ReLU would not be a node: it would
    be replaced by the result of the ReLU. `_graph` removes the copies again.
    """

    def __init__(
        self, module: nn.Module, pick: Callable[[Any], Any], keys: Callable[[], list[str]]
    ) -> None:
        super().__init__()
        self.module, self.pick = module, pick
        # A function, not a list: torch.export restores the lists of a module.
        self.keys = keys

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        copies: list[Tensor] = []
        keys = self.keys()
        keys.clear()  # the module may be traced more than once

        def visit(key: str, kind: str, out: Tensor, *_: Any) -> None:
            keys.append(key)
            copies.append(out.clone())

        with capture.watch(self.module, visit):
            scores = self.pick(self.module(images))
        return ([scores] if isinstance(scores, Tensor) else []), copies


def _graph(program: ExportedProgram, keys: list[str], shape: Shape) -> Graph:
    """Return the graph of an exported program: layers by name, and without copies."""
    from torch.fx.experimental.symbolic_shapes import is_concrete_int

    nodes, signature = program.graph, program.graph_signature
    outputs = next(n for n in nodes.nodes if n.op == "output").args[0]
    assert isinstance(outputs, tuple | list)
    values = [
        node
        for node, spec in zip(outputs, signature.output_specs, strict=True)
        if spec.kind.name == "USER_OUTPUT"
    ]
    assert all(isinstance(v, fx.Node) for v in values)
    copies = values[len(values) - len(keys) :]
    originals = [_original(node) for node in copies]
    output = values[0] if len(values) > len(keys) else None
    _set_outputs(nodes, [output, *originals] if output is not None else originals)
    (name,) = signature.user_inputs
    image = next(n for n in nodes.nodes if n.name == name)
    batch = image.meta["val"].shape[0]
    return Graph(
        shape=shape,
        nodes=nodes,
        image=image,
        layers=dict(zip(naming.number_names(keys), originals, strict=True)),
        output=output,
        constants=_constants(program),
        # In a network that calls len(x), the symbol of the batch size has a single value.
        batch=int(batch) if is_concrete_int(batch) else None,
    )


def _original(node: fx.Node) -> fx.Node:
    """Return the node that a copy was made of."""
    source = node.args[0] if node.target is torch.ops.aten.clone.default else node
    assert isinstance(source, fx.Node)
    return source


def _set_outputs(nodes: fx.Graph, outputs: list[fx.Node]) -> None:
    """Set the graph's outputs, and remove the nodes that none of them needs."""
    end = next(n for n in nodes.nodes if n.op == "output")
    end.args = (tuple(dict.fromkeys(outputs)),)
    nodes.eliminate_dead_code()


def _constants(program: ExportedProgram) -> dict[str, Tensor]:
    """Return the values of all placeholders except the images."""
    held: dict[str, Any] = {**program.constants, **program.state_dict}
    return {
        spec.arg.name: held[spec.target]
        for spec in program.graph_signature.input_specs
        if spec.target is not None and isinstance(held.get(spec.target), Tensor)
    }


_REASONS = (
    (
        "data-dependent",
        "its forward pass branches on the values of the images",
    ),
    (".numpy() is not supported", "its forward pass uses NumPy"),
    ("FakeTensor", "its forward pass cannot be traced without real numbers"),
)
"""Part of an error message of torch.export -> the reason in plain words."""


def _reason(error: Exception) -> str:
    """Return the reason of an exporter's error in one sentence."""
    if isinstance(error, ConvvizError):
        return str(error)
    text = str(error)
    reason = next((meaning for part, meaning in _REASONS if part in text), first_line(error))
    return f"torch.export cannot take the network: {reason}"
