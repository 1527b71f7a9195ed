"""One operator of a network, run on whole maps or on windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..locality import Local
from ..locality.axis_maps import Window
from ..ops.conv3x3 import Conv3x3

aten = torch.ops.aten

Values = dict[fx.Node, Any]


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

WORTH_A_COPY = 256
"""Multiplications of a number read that make up for copying it."""

CUTTING = ("constant_pad_nd", "pad", "slice")
"""Operators that put pixels around a map or leave some out, and change none."""

CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)


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
        rectifies: a rectifier that alone read it is done with it.
        conv3x3: its transformed weights, where it is a convolution that Winograd's algorithm
            takes.
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
    rectifies: bool = False
    conv3x3: Conv3x3 | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output, its batch size not filled in; () where it is no single tensor."""
        value = self.node.meta.get("val")
        return tuple(value.shape) if isinstance(value, Tensor) else ()

    @property
    def counts(self) -> bool:
        """It gives a number that follows from the size of the batch, no tensor."""
        return isinstance(self.node.meta.get("val"), int | torch.SymInt)

    def reads_windows(self, height: int, width: int) -> bool:
        """Say whether windows of the output of this size are made with nothing gathered.

        Not where the map lies turned: its windows would meet weights that do not.
        """
        upright = self.rule is not None and tuple(self.rule.axes) == (2, 3)
        return upright and self.conv3x3 is not None and self.conv3x3.pays(height, width)

    def pays_in_a_row(self, channels: int) -> bool:
        """Say whether windows are worth copying side by side to be computed in one call.

        One call for every size of window leaves the processor idle more often.

        Args:
            channels: numbers of a pixel that is read.
        """
        return not self.slides and self.macs >= WORTH_A_COPY * channels

    @property
    def mixes(self) -> bool:
        """It is a convolution that mixes the channels of each pixel alone."""
        return self.call in CONVOLUTIONS and self.rule is not None and not self.slides

    def inputs(self) -> list[fx.Node]:
        """Return the nodes among the arguments."""
        found: list[fx.Node] = []
        fx.map_arg((self.args, self.kwargs), found.append)
        return found

    def run(self, values: Callable[[fx.Node], Any], in_place: bool = True) -> Any:
        """Run as it stands: on whole maps, or element by element on windows."""
        kept = self.call in _IN_PLACE and not in_place
        call = self.call if kept else self.taken()
        return call(*fx.map_arg(self.args, values), **fx.map_arg(self.kwargs, values))

    def taken(self) -> Any:
        """Return what is called on whole maps: in place where its first input is free."""
        if self.rectifies or self.mixes or self.conv3x3 is not None:
            return self._convolve
        return _IN_PLACE.get(self.call, self.call) if self.free else self.call

    def _convolve(self, maps: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.conv3x3 is not None and self.conv3x3.pays_on(maps):
            return self.conv3x3.whole(maps)

        def convolve(maps: Tensor) -> Tensor:
            result: Tensor = self.call(maps, *args, **kwargs)
            return result

        if not self.mixes:
            result = convolve(maps)
        elif not kwargs and _is_product(maps, args[0]):
            result = _product(maps, *args[:2])
        else:
            result = _stacked(maps, convolve)
        return result.relu_() if self.rectifies else result

    def run_sliding(self, window: Tensor, values: Callable[[fx.Node], Any]) -> Tensor:
        """Run on windows that already hold the halo and the padding."""
        assert self.rule is not None
        edge, op = self.rule.edges[0], operator_name(self.call)
        arguments = {**self.kwargs}
        names = [a.name for a in self.call._schema.arguments]
        arguments.update(zip(names, self.args, strict=False))
        if op in CUTTING:
            assert isinstance(edge.y, Window)
            assert isinstance(edge.x, Window)
            y, x = self.rule.axes
            steps = [slice(None)] * window.dim()
            steps[y], steps[x] = slice(None, None, edge.y.stride), slice(None, None, edge.x.stride)
            # A view would keep all of the window in memory.
            return window[tuple(steps)].contiguous(memory_format=torch.channels_last)
        first = names[0]
        given = {k: fx.map_arg(v, values) for k, v in arguments.items() if k != first}
        given["padding"] = [0, 0]
        if "ceil_mode" in given:
            given["ceil_mode"] = False
        # The other overload takes padding as a word.
        call = aten.conv2d.default if self.call is aten.conv2d.padding else self.call
        result: Tensor = call(window, **given)
        return result.relu_() if self.rectifies else result


def _is_product(maps: Tensor, weight: Tensor) -> bool:
    """Say whether a 1 x 1 convolution is faster as a matrix product, and is one: of one group."""
    return maps.dtype == torch.bfloat16 and maps.dim() == 4 and weight.shape[1] == maps.shape[1]


def _product(maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mix the channels of each pixel by a matrix product.

    In bfloat16 oneDNN's is a tenth to twice as fast as its 1 x 1 convolution, in float32 not.
    """
    mixed = torch.nn.functional.linear(maps.permute(0, 2, 3, 1), weight.flatten(1), bias)
    return mixed.permute(0, 3, 1, 2)


def _stacked(maps: Tensor, convolve: Callable[[Tensor], Tensor]) -> Tensor:
    """Convolve maps, each pixel alone, as one tall map: oneDNN is up to a fifth faster."""
    if maps.dim() != 4 or not maps.is_contiguous(memory_format=torch.channels_last):
        return convolve(maps)
    count, _, height, width = maps.shape
    tall = maps.permute(0, 2, 3, 1).flatten(0, 1)[None].permute(0, 3, 1, 2)
    made = convolve(tall).permute(0, 2, 3, 1)
    return made.reshape(count, height, width, made.shape[3]).permute(0, 3, 1, 2)


def operator_name(call: Any) -> str:
    """Return the name of an ATen operator without its namespace and overload."""
    return call._schema.name.split("::")[-1] if hasattr(call, "_schema") else str(call)
