"""Rules: how an operator's output depends on its inputs along the image's axes.

The modules `rules_*` register one function per operator with `@rule`. It gets an `OperatorCall`
whose inputs are all local, and returns a `Local` with one `Edge` for each input that depends on
the images, or None if the operator is global.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_leaves

from .axis_maps import AxisMap, identity


class ImageAxes(NamedTuple):
    """The axes of a tensor that correspond to the image's height and width."""

    y: int
    x: int


@dataclass(frozen=True)
class Edge:
    """One input of an operator, and the interval maps of its two image axes."""

    source: fx.Node
    y: AxisMap
    x: AxisMap


@dataclass(frozen=True)
class Local:
    """An operator whose output at a place depends only on a region of its inputs.

    Attributes:
        axes: the image's axes in the output.
        edges: the inputs that depend on the images.
        padding: the value of virtual input positions, so that the operator on a padded window of
            its input gives a window of its output. None if it treats the border in another way,
            such as an average that excludes padding, or mirrored padding.
    """

    axes: ImageAxes
    edges: tuple[Edge, ...]
    padding: float | None = 0.0

    @property
    def pointwise(self) -> bool:
        """True if every output place depends only on the same place of each input."""
        return all(edge.y.identity and edge.x.identity for edge in self.edges)


@dataclass(frozen=True)
class Global:
    """An operator whose output may depend on its whole input anywhere.

    Attributes:
        node: the first such node among those that a value depends on.
        op: name of its operator.
    """

    node: fx.Node
    op: str


Rule = Callable[["OperatorCall"], "Local | None"]
"""Returns the rule of a call whose inputs are all local; None if the operator is global."""

RULES: dict[str, Rule] = {}
"""Name of an ATen operator, without its overload -> rule."""


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators, named as in ATen without the overload."""

    def register(function: Rule) -> Rule:
        for name in operators:
            RULES[name] = function
        return function

    return register


class OperatorCall:
    """One node of the graph, as passed to a rule: arguments by name, shapes and image axes.

    Args:
        node: a call of an ATen operator.
        axes: the image's axes of every input that depends on the images.
    """

    def __init__(self, node: fx.Node, axes: Mapping[fx.Node, ImageAxes]) -> None:
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
        renumber: Callable[[int], int | None] = lambda axis: axis,
        padding: float | None = 0.0,
    ) -> Local | None:
        """Return the rule of an operator with one source; None if it is global.

        Args:
            per_axis: (axis of the source, its size, size in the output) -> map, None if global.
            renumber: axis of the source -> axis of the output, None if it is removed.
            padding: as in `Local`.
        """
        source = self.source
        if source is None:
            return None
        old, sizes = self.axes[source], shape(source)
        y, x = renumber(old.y), renumber(old.x)
        # A reshape may map two axes of size 1 to the same axis: then they cannot be distinguished.
        if y is None or x is None or y == x:
            return None
        maps = [per_axis(a, sizes[a], self.shape[b]) for a, b in zip(old, (y, x), strict=True)]
        if maps[0] is None or maps[1] is None:
            return None
        return Local(ImageAxes(y, x), (Edge(source, maps[0], maps[1]),), padding)

    def renumber(self, to: Callable[[int], int | None]) -> Local | None:
        """Return the rule of an operator that only renumbers axes."""
        return self.local(lambda axis, before, after: same(before, after), to)

    def touches(self, dims: Any) -> bool:
        """Return whether any of the dims (an int or several, may be negative) is an image axis."""
        source = self.source
        if source is None:
            return True
        rank = len(shape(source))
        several = [dims] if isinstance(dims, int) else list(dims)
        return any(d % rank in self.axes[source] for d in several)


def same(before: int, after: int) -> AxisMap | None:
    """Return the map of an unchanged axis; None if its size shows that it has changed."""
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
    """Return a call's arguments by name, including the defaults of the schema."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {str(i): a for i, a in enumerate(node.args)}
    bound = {}
    for i, argument in enumerate(node.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        value = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, default)
        bound[argument.name] = value
    return bound
