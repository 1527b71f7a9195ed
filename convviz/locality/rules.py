"""What a rule is: how one operator's output depends on its inputs along the image's axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_leaves

from .axis_maps import AxisMap, identity


class Axes(NamedTuple):
    """The axes of a tensor that run along the image's height and width."""

    y: int
    x: int


@dataclass(frozen=True)
class Edge:
    """One input of an operator, and how its two image axes map."""

    source: fx.Node
    y: AxisMap
    x: AxisMap


@dataclass(frozen=True)
class Local:
    """An operator whose output at a place depends on a part of its inputs.

    Attributes:
        axes: the image's axes in the output.
        edges: the inputs that depend on the images.
        padding: the value that virtual input positions have; None where the operator treats
            its border by position (an average that leaves padding out, mirrored padding), so
            that a window of its output is not that of a padded window of its input.
    """

    axes: Axes
    edges: tuple[Edge, ...]
    padding: float | None = 0.0

    @property
    def pointwise(self) -> bool:
        """Every output place depends on the same place of each input alone."""
        return all(edge.y.identity and edge.x.identity for edge in self.edges)


@dataclass(frozen=True)
class Global:
    """An operator whose output may depend on its whole input anywhere.

    Attributes:
        node: where locality ends first.
        op: what it is called.
    """

    node: fx.Node
    op: str


Rule = Callable[["Call"], "Local | None"]
"""Gets a call whose inputs are all local; None means that it is global."""

RULES: dict[str, Rule] = {}
"""ATen operator, without its overload -> rule."""


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators, named as in ATen without the overload."""

    def register(function: Rule) -> Rule:
        for name in operators:
            RULES[name] = function
        return function

    return register


class Call:
    """One node of the graph as a rule sees it: arguments by name, shapes, the image's axes.

    Args:
        node: a call of an ATen operator.
        axes: the image's axes of every input that depends on the images.
    """

    def __init__(self, node: fx.Node, axes: Mapping[fx.Node, Axes]) -> None:
        self.node, self.axes = node, axes
        self.shape = shape(node)
        self.sources = tuple(n for n in node.all_input_nodes if n in axes)
        self.arguments = _bind(node)

    def __getitem__(self, name: str) -> Any:
        """Return an argument by its name in the operator's schema, or its default."""
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument by name, or a default where the operator has none of that name."""
        return self.arguments.get(name, default)

    @property
    def source(self) -> fx.Node | None:
        """The first argument, if it is the only one that depends on the images."""
        first = next(iter(self.arguments.values()), None)
        return first if self.sources == (first,) else None

    def local(
        self,
        per_axis: Callable[[int, int, int], AxisMap | None],
        moved: Callable[[int], int | None] = lambda axis: axis,
        padding: float | None = 0.0,
    ) -> Local | None:
        """Make the rule of an operator with one source.

        Args:
            per_axis: (axis of the source, its size, size in the output) -> map, None if global.
            moved: axis of the source -> axis of the output, None where it is lost.
            padding: as of Local.
        """
        source = self.source
        if source is None:
            return None
        old, sizes = self.axes[source], shape(source)
        y, x = moved(old.y), moved(old.x)
        if y is None or x is None or y == x:  # axes of size 1 cannot be told apart
            return None
        maps = [per_axis(a, sizes[a], self.shape[b]) for a, b in zip(old, (y, x), strict=True)]
        if maps[0] is None or maps[1] is None:
            return None
        return Local(Axes(y, x), (Edge(source, maps[0], maps[1]),), padding)

    def moved(self, to: Callable[[int], int | None]) -> Local | None:
        """Make the rule of an operator that only renumbers axes."""
        return self.local(lambda axis, before, after: same(before, after), to)

    def touches(self, dims: Any) -> bool:
        """Say whether any of the dims (an int or several, maybe negative) is an image axis."""
        source = self.source
        if source is None:
            return True
        rank = len(shape(source))
        several = [dims] if isinstance(dims, int) else list(dims)
        return any(d % rank in self.axes[source] for d in several)


def same(before: int, after: int) -> AxisMap | None:
    """Return the map of an axis that is left as it is; None where its size shows it is not."""
    return identity(before) if before == after else None


def shape(node: fx.Node) -> tuple[Any, ...]:
    """Return the shape of a node's value, or of the first tensor in it."""
    value = next((v for v in tree_leaves(node.meta.get("val")) if isinstance(v, Tensor)), None)
    return () if value is None else tuple(value.shape)


def operator(node: fx.Node) -> str:
    """Return the name of a node's operator without its overload."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.split("::")[-1]
    return getattr(target, "__name__", str(target))


def _bind(node: fx.Node) -> dict[str, Any]:
    """Give a call's arguments their names, with the schema's defaults filled in."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {str(i): a for i, a in enumerate(node.args)}
    bound = {}
    for i, argument in enumerate(node.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, default)
        bound[argument.name] = given
    return bound
