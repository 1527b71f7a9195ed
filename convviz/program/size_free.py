"""Spells operators so that they run on windows as on whole maps."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx

from ..locality import Axes, Local
from .operator import Step, operator_name

aten = torch.ops.aten

_VIEWS = ("view", "reshape", "_unsafe_view", "flatten", "unflatten")
_SPLITS = ("split", "split_with_sizes", "chunk", "tensor_split")


@dataclass(frozen=True)
class Reshape:
    """Another shape for the same numbers, the image's axes of whatever sizes.

    Attributes:
        taken: the image's axes of what comes in.
        axes: those of what goes out.
        sizes: of what goes out, as they are on whole maps; its batch is that of what comes in.
    """

    taken: Axes
    axes: Axes
    sizes: tuple[int, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Return x `[N, ...]` in the new shape."""
        sizes = [len(x), *self.sizes[1:]]
        for before, after in zip(self.taken, self.axes, strict=True):
            sizes[after] = x.shape[before]
        return x.reshape(sizes)


def respell(steps: list[Step], axes: Callable[[fx.Node], Axes | None]) -> None:
    """Take sizes out of views, and take what is wanted of a split by itself.

    Args:
        steps: the program's, changed in place.
        axes: the image's axes of a value, None where it has none.
    """
    made = {step.node: step for step in steps}
    for step in steps:
        rule = step.rule
        if rule is None or not rule.pointwise or len(rule.edges) != 1:
            continue
        taken = axes(rule.edges[0].source)
        if taken is not None and operator_name(step.call) in _VIEWS:
            sizes = tuple(n if isinstance(n, int) else -1 for n in step.shape)
            step.call, step.args = Reshape(taken, rule.axes, sizes), (rule.edges[0].source,)
            step.kwargs = {}
        elif step.call is operator.getitem:
            _cut_out(step, rule, made)


def _cut_out(step: Step, rule: Local, made: Mapping[fx.Node, Step]) -> None:
    """Let one part of a split be a slice of what is split."""
    split = made.get(rule.edges[0].source)
    if split is None or split.rule is None or operator_name(split.call) not in _SPLITS:
        return
    parts = split.node.meta["val"]
    index = step.args[1] % len(parts)
    given = dict(zip([a.name for a in split.call._schema.arguments], split.args, strict=False))
    dim = {**given, **split.kwargs}.get("dim", 0) % step.node.meta["val"].dim()
    sizes = [part.shape[dim] for part in parts]
    start = sum(sizes[:index])
    edge = split.rule.edges[0]
    step.call, step.kwargs = aten.slice.Tensor, {}
    step.args = (edge.source, dim, start, start + sizes[index])
    step.rule = replace(rule, edges=(replace(rule.edges[0], source=edge.source),))
