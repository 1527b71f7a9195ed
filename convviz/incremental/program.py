"""A model's graph made ready to run: batch norm folded, activations in place, channels last.

A Program is the functional ATen graph as a list of steps. Every step can run on whole maps;
a step that is local can also run on windows of its inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph import Graph
from ..locality import Axes, Local, locality
from ..locality.maps import Window

aten = torch.ops.aten

_IN_PLACE: dict[Any, Any] = {
    aten.relu.default: aten.relu_.default,
    aten.hardtanh.default: aten.hardtanh_.default,
    aten.silu.default: aten.silu_.default,
    aten.hardswish.default: aten.hardswish_.default,
    aten.leaky_relu.default: aten.leaky_relu_.default,
    aten.elu.default: aten.elu_.default,
    aten.sigmoid.default: aten.sigmoid_.default,
    aten.add.Tensor: aten.add_.Tensor,
}

_CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
_WEIGHTED = (*_CONVOLUTIONS, aten.linear.default, aten.layer_norm.default, aten.batch_norm.default)
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

_SIZED = ("view", "reshape", "expand", "_unsafe_view", "flatten", "unflatten", "repeat")
"""Operators that spell sizes out, and so do not run on a window as they stand."""

_SLIDING = ("conv2d", "max_pool2d", "avg_pool2d", "constant_pad_nd", "pad", "slice")

Values = dict[fx.Node, Any]


@dataclass(eq=False)
class Step:
    """One operator of the graph.

    Attributes:
        node: its node; the key of its value.
        call: what it runs, with the node's own arguments.
        args, kwargs: arguments, nodes among them.
        rule: how windows pass through it; None where it runs on whole maps only.
        slides: it looks through windows with a halo or a stride, and is run without padding.
        free: its first input is needed by nobody else and may be overwritten.
        macs: multiply-accumulates per pixel of its output.
        layer: the layer it makes, for a reader.
    """

    node: fx.Node
    call: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    rule: Local | None = None
    slides: bool = False
    free: bool = False
    macs: int = 0
    layer: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output, its batch size not filled in; () where it is no single tensor."""
        value = self.node.meta.get("val")
        return tuple(value.shape) if isinstance(value, Tensor) else ()

    @property
    def counts(self) -> bool:
        """It gives a number that follows from the size of the batch, no tensor."""
        return isinstance(self.node.meta.get("val"), int | torch.SymInt)

    def inputs(self) -> list[fx.Node]:
        """Return the nodes among the arguments."""
        found: list[fx.Node] = []
        fx.map_arg((self.args, self.kwargs), found.append)
        return found

    def run(self, values: Callable[[fx.Node], Any], in_place: bool = True) -> Any:
        """Run as it stands: on whole maps, or element by element on windows."""
        call = _IN_PLACE.get(self.call, self.call) if self.free and in_place else self.call
        return call(*fx.map_arg(self.args, values), **fx.map_arg(self.kwargs, values))

    def run_sliding(self, window: Tensor, values: Callable[[fx.Node], Any]) -> Tensor:
        """Run on windows that already hold the halo and the padding."""
        assert self.rule is not None
        edge, op = self.rule.edges[0], _name(self.call)
        arguments = {**self.kwargs}
        names = [a.name for a in self.call._schema.arguments]
        arguments.update(zip(names, self.args, strict=False))
        if op in ("constant_pad_nd", "pad", "slice"):
            assert isinstance(edge.y, Window)
            assert isinstance(edge.x, Window)
            y, x = self.rule.axes
            steps = [slice(None)] * window.dim()
            steps[y], steps[x] = slice(None, None, edge.y.stride), slice(None, None, edge.x.stride)
            return window[tuple(steps)]
        first = names[0]
        given = {k: fx.map_arg(v, values) for k, v in arguments.items() if k != first}
        given["padding"] = [0, 0]
        if "ceil_mode" in given:
            given["ceil_mode"] = False
        # The other overload takes padding as a word.
        call = aten.conv2d.default if self.call is aten.conv2d.padding else self.call
        result: Tensor = call(window, **given)
        return result


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
    """

    image: fx.Node
    steps: list[Step]
    constants: Values
    axes: dict[fx.Node, Axes]
    output: fx.Node
    layers: dict[str, fx.Node]
    last_use: dict[fx.Node, int] = field(default_factory=dict)


def compile_graph(graph: Graph, layers: Iterable[str] = ()) -> Program:
    """Make a graph ready to run; the network's weights are read as they are now.

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
    _fold_batch_norm(steps, constants, keep)
    for step in steps:
        if step.rule is not None and not _windows(step, step.rule, constants):
            step.rule = None
        step.slides = step.rule is not None and not _pointwise(step.rule)
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
            step = Step(node, node.target, tuple(node.args), dict(node.kwargs))
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


def _fold_batch_norm(steps: list[Step], constants: Values, keep: set[fx.Node]) -> None:
    """Fold every batch norm that alone reads a convolution into that convolution."""
    made = {step.node: step for step in steps}
    folded = fx.Graph()  # holds the nodes of the new weights
    # Not `node.users`: the graph returns every layer, whether it is asked for or not.
    readers = Counter(node for step in steps for node in step.inputs())
    for step in list(steps):
        if step.call is not aten.batch_norm.default:
            continue
        conv = made.get(step.args[0])
        if conv is None or conv.node in keep or readers[conv.node] != 1:
            continue
        if conv.call not in _CONVOLUTIONS or conv.args[1] not in constants:
            continue
        _, gamma, beta, mean, var, training, _, eps, *_ = step.args
        if training:
            continue
        weight, bias = constants[conv.args[1]], None
        if len(conv.args) > 2 and conv.args[2] is not None:
            bias = constants[conv.args[2]]
        scale = torch.rsqrt(constants[var] + eps)
        if gamma is not None:
            scale = scale * constants[gamma]
        shift = -constants[mean] * scale if bias is None else (bias - constants[mean]) * scale
        if beta is not None:
            shift = shift + constants[beta]
        # The batch norm's step becomes the convolution, with weights of its own.
        weights, biases = (folded.placeholder(f"{step.node}_{part}") for part in ("weight", "bias"))
        constants[weights], constants[biases] = weight * scale[:, None, None, None], shift
        step.call, step.kwargs = conv.call, dict(conv.kwargs)
        step.args = (conv.args[0], weights, biases, *conv.args[3:])
        step.rule, step.layer = conv.rule, conv.layer
        steps.remove(conv)


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
    """Say whether a result fits into its first input: no broadcasting, no other dtype."""
    into, made = first.meta.get("val"), result.meta.get("val")
    if not isinstance(into, Tensor) or not isinstance(made, Tensor):
        return False
    return into.dtype == made.dtype and into.shape == made.shape


def _windows(step: Step, rule: Local, constants: Values) -> bool:
    """Say whether a step with a rule can be run on windows by this engine."""
    values = [step.node, *(edge.source for edge in rule.edges)]
    if not all(isinstance(node.meta.get("val"), Tensor) for node in values):
        return False
    if any(n not in constants and n not in values for n in step.inputs()):
        return False  # the size of the batch, say, which windows do not have
    if _pointwise(rule):
        return _name(step.call) not in _SIZED and all(
            step.call in _WEIGHTED or _spaceless(constants[n], rule.axes, step.shape)
            for n in step.inputs()
            if n in constants
        )
    if any(node.meta["val"].dim() != 4 for node in values):
        return False
    plain = all(isinstance(m, Window) for e in rule.edges for m in (e.y, e.x))
    sliding = _name(step.call) in _SLIDING and len(rule.edges) == 1
    return plain and sliding and rule.padding is not None


def _spaceless(value: Any, axes: Axes, shape: tuple[int, ...]) -> bool:
    """Say whether a constant, broadcast to a shape, is the same along the image's axes."""
    if not isinstance(value, Tensor):
        return True
    sizes = (1,) * (len(shape) - value.dim()) + tuple(value.shape)
    return len(sizes) == len(shape) and sizes[axes.y] == 1 and sizes[axes.x] == 1


def _pointwise(rule: Local) -> bool:
    return all(edge.y.identity and edge.x.identity for edge in rule.edges)


def _name(call: Any) -> str:
    return call._schema.name.split("::")[-1] if hasattr(call, "_schema") else str(call)


def _macs(step: Step, constants: Values) -> int:
    """Count the multiply-accumulates behind one pixel of a step's output."""
    if step.call in (*_CONVOLUTIONS, aten.linear.default):
        weight = step.args[1]
        return int((constants[weight] if weight in constants else weight.meta["val"]).numel())
    return 0
