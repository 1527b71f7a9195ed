"""Rewrites of operators whose arguments contain sizes, so that they run on windows too.

`x.view(n, 8, 4, 28, 28)` fails on a window of 5 x 5 pixels, and a split returns parts that other
steps pick by index. Both are replaced by calls without the height and width of the map.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx

from ..locality import ImageAxes, Local
from .operator import OperatorStep, operator_name

aten = torch.ops.aten

_VIEWS = ("view", "reshape", "_unsafe_view", "flatten", "unflatten")
_SPLITS = ("split", "split_with_sizes", "chunk", "tensor_split")


@dataclass(frozen=True)
class Reshape:
    """A reshape of `[N, ...]` tensors that keeps the sizes of the image's axes.

    Attributes:
        axes_in, axes_out: the image's axes before and after.
        sizes: the shape after, for whole maps. Its batch size and the sizes of the image's axes
            are replaced by those of the input.
    """

    axes_in: ImageAxes
    axes_out: ImageAxes
    sizes: tuple[int, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Return x in the new shape."""
        sizes = [len(x), *self.sizes[1:]]
        for before, after in zip(self.axes_in, self.axes_out, strict=True):
            sizes[after] = x.shape[before]
        return x.reshape(sizes)


def make_size_free(steps: list[OperatorStep], axes: Callable[[fx.Node], ImageAxes | None]) -> None:
    """Replace views by `Reshape`, and the parts of a split by slices.

    Args:
        steps: the program's, changed in place.
        axes: node -> the image's axes of its value, None where it has none.
    """
    producers = {step.node: step for step in steps}
    for step in steps:
        rule = step.rule
        if rule is None or not rule.pointwise or len(rule.edges) != 1:
            continue
        axes_in = axes(rule.edges[0].source)
        if axes_in is not None and operator_name(step.call) in _VIEWS:
            sizes = tuple(n if isinstance(n, int) else -1 for n in step.shape)
            step.call, step.args = Reshape(axes_in, rule.axes, sizes), (rule.edges[0].source,)
            step.kwargs = {}
        elif step.call is operator.getitem:
            _slice_directly(step, rule, producers)


def _slice_directly(
    step: OperatorStep, rule: Local, producers: Mapping[fx.Node, OperatorStep]
) -> None:
    """Replace `split(x, ...)[index]` by a slice of x; the split itself is then unused."""
    split = producers.get(rule.edges[0].source)
    if split is None or split.rule is None or operator_name(split.call) not in _SPLITS:
        return
    parts = split.node.meta["val"]
    index = step.args[1] % len(parts)
    names = [argument.name for argument in split.call._schema.arguments]
    arguments = dict(zip(names, split.args, strict=False)) | split.kwargs
    dim = arguments.get("dim", 0) % step.node.meta["val"].dim()
    sizes = [part.shape[dim] for part in parts]
    start = sum(sizes[:index])
    edge = split.rule.edges[0]
    step.call, step.kwargs = aten.slice.Tensor, {}
    step.args = (edge.source, dim, start, start + sizes[index])
    step.rule = replace(rule, edges=(replace(rule.edges[0], source=edge.source),))
