"""A model's functional ATen graph, with the names of its layers, cached per input shape.

Module and functional spellings, in-place and not, become one: each node is an ATen operator
that writes nothing but its own result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from ..errors import ConvvizError, first_line
from ..layers import capture, naming
from ..state.eager_mode import disable_compile
from ..state.quiet_export import silence_torch
from .functionalize import functionalize

Shape = tuple[int, int, int]
"""Channels, height and width of the images."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A functional ATen graph of a network in eval mode.

    Attributes:
        shape: channels, height, width of the images it was made for.
        nodes: the graph; a node's `meta["val"]` is a fake tensor of its shape and dtype.
        image: the placeholder of the images `[N, C, H, W]`.
        layers: layer name -> node whose value is that layer's output, in call order.
        output: the node of the scores, None where the network returns no single tensor.
        constants: placeholder name -> parameter, buffer or constant, shared with the network.
        batch: the number of images the graph is bound to, None for any.
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
    """Why a network has no graph.

    Attributes:
        shape: channels, height, width of the images.
        reason: what torch.export refused, for a reader.
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
    """Export a network, as it stands, for images of a shape (C, H, W).

    Args:
        module: the network, in eval mode.
        shape: channels, height, width.
        dtype: of the images.
        device: of the images.
        pick: finds the scores in what the network returns.
    """
    keys: list[str] = []
    named = _Named(module, pick, lambda: keys)
    images = torch.zeros(2, *shape, dtype=dtype, device=device)
    try:
        with torch.no_grad(), disable_compile(), silence_torch():
            program = torch.export.export(named, (images,), dynamic_shapes=({0: Dim.AUTO},))
            if not functionalize(program.graph):
                program = program.run_decompositions({})
            return _graph(program, keys, shape)
    except Exception as error:  # torch.export raises what it likes, and the network too
        return NoGraph(shape, _reason(error))


class _Named(nn.Module):
    """Returns the scores and, in call order, a copy of every layer's output.

    The copies are what makes an output before an in-place ReLU a node of its own.
    """

    def __init__(
        self, module: nn.Module, pick: Callable[[Any], Any], keys: Callable[[], list[str]]
    ) -> None:
        super().__init__()
        self.module, self.pick = module, pick
        # behind a function: torch.export puts a module's lists back as they were
        self.keys = keys

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        copies: list[Tensor] = []
        keys = self.keys()
        keys.clear()  # it may be traced more than once

        def visit(key: str, kind: str, out: Tensor, *_: Any) -> None:
            keys.append(key)
            copies.append(out.clone())

        with capture.watch(self.module, visit):
            scores = self.pick(self.module(images))
        return ([scores] if isinstance(scores, Tensor) else []), copies


def _graph(program: ExportedProgram, keys: list[str], shape: Shape) -> Graph:
    """Read the names off an exported program's outputs, and take its copies out."""
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
    _close(nodes, [output, *originals] if output is not None else originals)
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
        # A network that asks for len(x) fixes the number, which the shape alone does not show.
        batch=int(batch) if is_concrete_int(batch) else None,
    )


def _original(node: fx.Node) -> fx.Node:
    """Return what a copy was made of."""
    source = node.args[0] if node.target is torch.ops.aten.clone.default else node
    assert isinstance(source, fx.Node)
    return source


def _close(nodes: fx.Graph, kept: list[fx.Node]) -> None:
    """Set the graph's outputs, and remove nodes that none of them needs."""
    end = next(n for n in nodes.nodes if n.op == "output")
    end.args = (tuple(dict.fromkeys(kept)),)
    nodes.eliminate_dead_code()


def _constants(program: ExportedProgram) -> dict[str, Tensor]:
    """Return the value of every placeholder that is not the images."""
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
    (".numpy() is not supported", "its forward pass leaves PyTorch for NumPy"),
    ("FakeTensor", "its forward pass does what cannot be traced without real numbers"),
)
"""Part of what torch.export says -> what it means."""


def _reason(error: Exception) -> str:
    """Reduce an exporter's long message to one sentence."""
    if isinstance(error, ConvvizError):
        return str(error)
    text = str(error)
    reason = next((meaning for part, meaning in _REASONS if part in text), first_line(error))
    return f"torch.export cannot take the network: {reason}"
