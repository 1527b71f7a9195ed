"""Programs: a model's graph optimized for inference.

A program is the functional ATen graph as a list of steps. Batch norms are folded, activations run
in place and maps are in channels_last. Every step can run on whole maps; a step that has a rule
can also run on windows of its inputs. Occlusion and sweeps run programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.export import Graph, NoGraph
from ..layouts import AxisLayout, arrange
from ..locality import ImageAxes, Local, locality
from ..locality.axis_maps import WindowMap
from ..network.model import Model
from ..scores.outputs import Forward, at_least_float32
from .fusion import chain_concatenations, fold_batch_norms, merge_rectifiers, transform_weights
from .operator import CONVOLUTIONS, CROPPING, OperatorStep, Values, operator_name
from .size_free import make_size_free

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
"""Operators that never return their input or a view of it, as dropout and others may.

Only results of these may be overwritten in place by the step that reads them.
"""

_OF_ANY_LAYOUT: dict[Any, Any] = {aten.view.default: aten.reshape.default}
"""Replacements for operators that fail on channels_last maps: some views exist in contiguous maps
only."""

_SIZED = ("expand", "repeat", "view_as")
_RESIZING = ("adaptive_", "_adaptive_", "upsample_", "_upsample_")
"""Names, and beginnings of names, of operators that have output sizes as arguments.

They cannot run on a window: adaptive pooling of a map to the size that it has already changes
nothing, but it would stretch a window to the size of the map.
"""

_SLIDING = ("conv2d", "max_pool2d", "avg_pool2d", *CROPPING)


@dataclass(eq=False)
class Program:
    """The steps of a model for images of one shape.

    Attributes:
        image: the node of the images.
        steps: the steps that depend on the images, in the order of the graph.
        constants: node -> value, for everything that depends on no image.
        axes: the image axes of every local value.
        output: the node of the scores.
        layers: layer name -> node, for the layers that are read besides the scores.
        last_use: node -> index of the last step that reads it.
        layouts: layer name -> how its value is arranged as maps.
    """

    image: fx.Node
    steps: list[OperatorStep]
    constants: Values
    axes: dict[fx.Node, ImageAxes]
    output: fx.Node
    layers: dict[str, fx.Node]
    last_use: dict[fx.Node, int] = field(default_factory=dict)
    layouts: dict[str, AxisLayout] = field(default_factory=dict)

    @property
    def kept_nodes(self) -> set[fx.Node]:
        """The nodes whose values are results: the scores and the layers."""
        return {self.output, *self.layers.values()}

    def forward(self, values: Values) -> Forward:
        """Return scores and layers in the form of a forward pass of the model."""
        scores = values[self.output]
        outputs = {name: values[node] for name, node in self.layers.items()}
        return Forward(at_least_float32(scores), arrange(outputs, self.layouts, len(scores)))


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


def compile_graph(graph: Graph, layers: Iterable[str] = ()) -> Program:
    """Compile a graph into a program; the network's weights are read as they are now.

    Args:
        graph: with a free batch size and a single output.
        layers: layers that will be read besides the scores.
    """
    assert graph.output is not None
    assert graph.batch is None
    kept_layers = {name: graph.layers[name] for name in layers}
    keep = {graph.output, *kept_layers.values()}
    steps, constants = _evaluate_constants(graph)
    image_axes = _add_rules(graph, steps)
    # The order matters: a batch norm is folded before its ReLU is merged into the same
    # convolution, and rules are dropped after the rewrites that make more steps size-free.
    make_size_free(steps, image_axes.get)
    fold_batch_norms(steps, constants, keep)
    merge_rectifiers(steps, constants, keep)
    chain_concatenations(steps)
    for step in steps:
        if step.rule is not None and not _runs_on_windows(step, step.rule, constants):
            step.rule = None
        step.slides = step.rule is not None and not step.rule.pointwise
        step.macs = _macs(step, constants)
    axes = {step.node: step.rule.axes for step in steps if step.rule is not None}
    program = Program(
        image=graph.image,
        steps=_remove_unused(steps, keep),
        constants=constants,
        axes={**axes, graph.image: image_axes[graph.image]},
        output=graph.output,
        layers=kept_layers,
    )
    _plan_memory(program)
    transform_weights(program.steps, constants)
    return program


def _evaluate_constants(graph: Graph) -> tuple[list[OperatorStep], Values]:
    """Return the steps that depend on the images, and the values of everything else."""
    constants: Values = {}
    steps = []
    depends = {graph.image}
    for node in graph.nodes.nodes:
        if node.op == "placeholder" and node is not graph.image:
            constants[node] = graph.constants.get(node.name)
        elif node.op == "call_function":
            call = _OF_ANY_LAYOUT.get(node.target, node.target)
            step = OperatorStep(node, call, tuple(node.args), dict(node.kwargs))
            if any(n in depends for n in node.all_input_nodes):
                depends.add(node)
                steps.append(step)
            else:
                constants[node] = step.run(constants.__getitem__)
    return steps, constants


def _add_rules(graph: Graph, steps: list[OperatorStep]) -> dict[fx.Node, ImageAxes]:
    """Set layer name and locality rule of each step; return the image axes of local values."""
    names: dict[fx.Node, str] = {}
    for name, node in graph.layers.items():
        names.setdefault(node, name)
    rules = locality(graph)
    for step in steps:
        rule = rules.get(step.node)
        step.layer = names.get(step.node, "")
        step.rule = rule if isinstance(rule, Local) else None
    axes = {node: rule.axes for node, rule in rules.items() if isinstance(rule, Local)}
    return {**axes, graph.image: ImageAxes(2, 3)}


def _remove_unused(steps: list[OperatorStep], keep: set[fx.Node]) -> list[OperatorStep]:
    """Return the steps that any of the nodes to keep depends on."""
    needed, kept_steps = set(keep), []
    for step in reversed(steps):
        if step.node in needed:
            needed.update(step.inputs())
            kept_steps.append(step)
    return kept_steps[::-1]


def _plan_memory(program: Program) -> None:
    """Convert the weights to channels_last, and set `last_use` and the steps' `free`."""
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
    keep = program.kept_nodes | {program.image}
    fresh = {step.node for step in program.steps if step.call in _FRESH}
    for step in program.steps:
        first = step.args[0] if step.args else None
        # An input may be overwritten if it has its own memory, no other reader, and the size and
        # dtype of the result.
        step.free = (
            first in fresh and uses[first] == 1 and first not in keep and _fits(step.node, first)
        )


def _fits(result: fx.Node, target: fx.Node) -> bool:
    """Return whether a result has the shape and dtype of the value it would be written over."""
    new, old = result.meta.get("val"), target.meta.get("val")
    if not isinstance(new, Tensor) or not isinstance(old, Tensor):
        return False
    return old.dtype == new.dtype and old.shape == new.shape


def _runs_on_windows(step: OperatorStep, rule: Local, constants: Values) -> bool:
    """Return whether the executor can run a step on windows of its inputs."""
    values = [step.node, *(edge.source for edge in rule.edges)]
    if not all(map(_is_floating, values)):
        return False
    if any(n not in constants and n not in values for n in step.inputs()):
        return False  # it reads the batch size, say, which windows do not have
    return _runs_pointwise(step, rule, constants) if rule.pointwise else _slides(step, rule)


def _is_floating(node: fx.Node) -> bool:
    """Return whether a value is a floating-point tensor, as `gather_windows` requires."""
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()


def _runs_pointwise(step: OperatorStep, rule: Local, constants: Values) -> bool:
    """Return whether a pointwise step computes a pixel without reference to sizes or places."""
    name = operator_name(step.call)
    if name in _SIZED or name.startswith(_RESIZING):
        return False
    return all(
        step.call in _WEIGHTED or _is_uniform(constants[n], rule.axes, step.shape)
        for n in step.inputs()
        if n in constants
    )


def _is_uniform(value: Any, axes: ImageAxes, shape: tuple[int, ...]) -> bool:
    """Return whether a constant, broadcast to a shape, is the same at all places of the image.

    A position embedding is not: each window would need its own part of it.
    """
    if not isinstance(value, Tensor):
        return True
    sizes = (1,) * (len(shape) - value.dim()) + tuple(value.shape)
    return len(sizes) == len(shape) and sizes[axes.y] == 1 and sizes[axes.x] == 1


def _slides(step: OperatorStep, rule: Local) -> bool:
    """Return whether a step runs on windows with a halo: convolution, pooling, padding, slices."""
    values = [step.node, *(edge.source for edge in rule.edges)]
    name = operator_name(step.call)
    if name not in _SLIDING or len(rule.edges) != 1 or rule.padding is None:
        return False
    if not all(isinstance(axis, WindowMap) for axis in (rule.edges[0].y, rule.edges[0].x)):
        return False
    if any(node.meta["val"].dim() != 4 for node in values):
        return False
    return name not in CROPPING or _keeps_channels(step, rule)


def _keeps_channels(step: OperatorStep, rule: Local) -> bool:
    """Return whether a step leaves the number of channels as it is; padding may change it too."""
    (channel,) = {1, 2, 3} - set(rule.axes)
    return bool(step.shape[channel] == rule.edges[0].source.meta["val"].shape[channel])


def _macs(step: OperatorStep, constants: Values) -> int:
    """Return the multiply-accumulates per pixel of a step's output."""
    if step.call in (*CONVOLUTIONS, aten.linear.default):
        weight = step.args[1]
        return int((constants[weight] if weight in constants else weight.meta["val"]).numel())
    return 0
