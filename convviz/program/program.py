"""A model's graph made ready to run: batch norm folded, activations in place, channels last.

A Program is the functional ATen graph as a list of steps. Every step can run on whole maps;
a step that is local can also run on windows of its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.export import Graph
from ..layouts import Layout, arrange
from ..locality import Axes, Local, locality
from ..locality.axis_maps import Window
from ..scores.outputs import Forward, at_least_float32
from .fusion import chain_concatenations, fold_batch_norms, fold_rectifiers, transform_weights
from .operator import CONVOLUTIONS, CUTTING, Step, Values, operator_name
from .size_free import respell

aten = torch.ops.aten

_WEIGHTED = (*CONVOLUTIONS, aten.linear.default, aten.layer_norm.default, aten.batch_norm.default)
"""Operators whose constants are weights, not maps."""

_FRESH = (
    *_WEIGHTED,
    aten.conv1d.default,
    aten.conv_transpose2d.input,
    aten.add.Tensor,
    aten.sub.Tensor,
    aten.mul.Tensor,
    aten.cat.default,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
)
"""Operators known never to return their input or a view of it, as dropout and others may."""

_OF_ANY_LAYOUT: dict[Any, Any] = {aten.view.default: aten.reshape.default}
"""A network that runs in contiguous maps may ask for views that channels_last does not have."""

_SIZED = ("expand", "repeat", "view_as")
_RESIZING = ("adaptive_", "_adaptive_", "upsample_", "_upsample_")
"""Operators that spell sizes out, and so do not run on a window as they stand: by their names, and
by how these begin. Adaptive pooling of a map to the size it has leaves every place as it is, but
stretches a window."""

_SLIDING = ("conv2d", "max_pool2d", "avg_pool2d", *CUTTING)


@dataclass(eq=False)
class Program:
    """The steps of a model for images of one shape.

    Attributes:
        image: the node of the images.
        steps: in the order of the graph; those that depend on no image are already done.
        constants: the values of everything that depends on no image.
        axes: the image axes of every local value.
        output: the node of the scores.
        layers: layer name -> node, for those that were asked to be kept.
        last_use: node -> index of the last step that reads it.
        layouts: layer name -> how its value becomes maps.
    """

    image: fx.Node
    steps: list[Step]
    constants: Values
    axes: dict[fx.Node, Axes]
    output: fx.Node
    layers: dict[str, fx.Node]
    last_use: dict[fx.Node, int] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)

    def forward(self, values: Values) -> Forward:
        """Return the scores and the kept layers as a forward pass of the model gives them."""
        scores = values[self.output]
        outputs = {name: values[node] for name, node in self.layers.items()}
        return Forward(at_least_float32(scores), arrange(outputs, self.layouts, len(scores)))


def compile_graph(graph: Graph, layers: Iterable[str] = ()) -> Program:
    """Prepare a graph to run; the network's weights are read as they are now.

    Args:
        graph: with a free batch size and a single output.
        layers: layers whose values will be asked for.
    """
    assert graph.output is not None
    assert graph.batch is None
    kept = {name: graph.layers[name] for name in layers}
    keep = {graph.output, *kept.values()}
    steps, constants = _constant_part(graph)
    names: dict[fx.Node, str] = {}
    for name, node in graph.layers.items():
        names.setdefault(node, name)
    rules = locality(graph)
    for step in steps:
        rule = rules.get(step.node)
        step.layer = names.get(step.node, "")
        step.rule = rule if isinstance(rule, Local) else None

    def axes(node: fx.Node) -> Axes | None:
        if node is graph.image:
            return Axes(2, 3)
        rule = rules.get(node)
        return rule.axes if isinstance(rule, Local) else None

    respell(steps, axes)
    fold_batch_norms(steps, constants, keep)
    fold_rectifiers(steps, constants, keep)
    chain_concatenations(steps)
    for step in steps:
        if step.rule is not None and not _windows(step, step.rule, constants):
            step.rule = None
        step.slides = step.rule is not None and not step.rule.pointwise
        step.macs = _macs(step, constants)
    program = Program(
        image=graph.image,
        steps=_needed(steps, keep),
        constants=constants,
        axes={s.node: s.rule.axes for s in steps if s.rule is not None},
        output=graph.output,
        layers=kept,
    )
    program.axes[graph.image] = Axes(2, 3)
    _lay_out(program)
    transform_weights(program.steps, constants)
    return program


def _constant_part(graph: Graph) -> tuple[list[Step], Values]:
    """Split the graph into what depends on the images and what can be computed at once."""
    constants: Values = {}
    steps = []
    depends = {graph.image}
    for node in graph.nodes.nodes:
        if node.op == "placeholder" and node is not graph.image:
            constants[node] = graph.constants.get(node.name)
        elif node.op == "call_function":
            call = _OF_ANY_LAYOUT.get(node.target, node.target)
            step = Step(node, call, tuple(node.args), dict(node.kwargs))
            if any(n in depends for n in node.all_input_nodes):
                depends.add(node)
                steps.append(step)
            else:
                constants[node] = step.run(constants.__getitem__)
    return steps, constants


def _needed(steps: list[Step], keep: set[fx.Node]) -> list[Step]:
    """Drop the steps that nothing kept depends on."""
    wanted, found = set(keep), []
    for step in reversed(steps):
        if step.node in wanted:
            wanted.update(step.inputs())
            found.append(step)
    return found[::-1]


def _lay_out(program: Program) -> None:
    """Bring the weights to channels_last, and find whose input may be overwritten."""
    for step in program.steps:
        for node in step.inputs():
            value = program.constants.get(node)
            if isinstance(value, Tensor) and value.dim() == 4:
                program.constants[node] = value.contiguous(memory_format=torch.channels_last)
    uses: dict[fx.Node, int] = {}
    for index, step in enumerate(program.steps):
        for node in step.inputs():
            uses[node] = uses.get(node, 0) + 1
            program.last_use[node] = index
    keep = {program.output, *program.layers.values(), program.image}
    fresh = {s.node for s in program.steps if s.call in _FRESH}
    for step in program.steps:
        first = step.args[0] if step.args else None
        step.free = (
            first in fresh and uses[first] == 1 and first not in keep and _fills(first, step.node)
        )


def _fills(first: fx.Node, result: fx.Node) -> bool:
    """Return whether a result fits into its first input: no broadcasting, no other dtype."""
    into, made = first.meta.get("val"), result.meta.get("val")
    if not isinstance(into, Tensor) or not isinstance(made, Tensor):
        return False
    return into.dtype == made.dtype and into.shape == made.shape


def _windows(step: Step, rule: Local, constants: Values) -> bool:
    """Return whether a step with a rule can be run on windows by this engine."""
    values = [step.node, *(edge.source for edge in rule.edges)]
    if not all(map(_gathers, values)):
        return False
    if any(n not in constants and n not in values for n in step.inputs()):
        return False  # the size of the batch, say, which windows do not have
    if rule.pointwise:
        name = operator_name(step.call)
        return not (name in _SIZED or name.startswith(_RESIZING)) and all(
            step.call in _WEIGHTED or _spaceless(constants[n], rule.axes, step.shape)
            for n in step.inputs()
            if n in constants
        )
    plain = all(isinstance(m, Window) for e in rule.edges for m in (e.y, e.x))
    sliding = operator_name(step.call) in _SLIDING and len(rule.edges) == 1
    flat = all(node.meta["val"].dim() == 4 for node in values)
    if not (plain and sliding and flat) or rule.padding is None:
        return False
    return operator_name(step.call) not in CUTTING or _same_channels(step, rule)


def _gathers(node: fx.Node) -> bool:
    """Return whether windows of a value can be gathered: of maps of real numbers."""
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()


def _same_channels(step: Step, rule: Local) -> bool:
    """Return whether a step leaves the channels as they are (padding may go over them too)."""
    (channel,) = {1, 2, 3} - set(rule.axes)
    return bool(step.shape[channel] == rule.edges[0].source.meta["val"].shape[channel])


def _spaceless(value: Any, axes: Axes, shape: tuple[int, ...]) -> bool:
    """Return whether a constant, broadcast to a shape, is the same along the image's axes."""
    if not isinstance(value, Tensor):
        return True
    sizes = (1,) * (len(shape) - value.dim()) + tuple(value.shape)
    return len(sizes) == len(shape) and sizes[axes.y] == 1 and sizes[axes.x] == 1


def _macs(step: Step, constants: Values) -> int:
    """Count the multiply-accumulates behind one pixel of a step's output."""
    if step.call in (*CONVOLUTIONS, aten.linear.default):
        weight = step.args[1]
        return int((constants[weight] if weight in constants else weight.meta["val"]).numel())
    return 0
