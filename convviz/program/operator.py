"""One operator of a network, run on whole maps or on windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..locality import Local
from ..locality.axis_maps import WindowMap
from ..ops.winograd import Conv3x3

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

MIN_MACS_FOR_PIXEL_ROW = 256
"""Multiply-accumulates per element read from which copying windows into a pixel row pays."""

CROPPING = ("constant_pad_nd", "pad", "slice")
"""Operators that add or remove pixels at the border of a map, or skip some; none is changed."""

CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)


@dataclass(eq=False)
class OperatorStep:
    """One operator of a program.

    Attributes:
        node: its node in the graph; identifies its value.
        call: the function that is called with `args` and `kwargs`.
        args, kwargs: arguments, nodes among them.
        rule: how windows pass through the operator; None if it runs on whole maps only.
        slides: whether it reads a neighborhood, or has a stride. It is then run on windows with a
            halo, without padding. Otherwise it is pointwise.
        free: whether nothing else reads its first input, which may therefore be overwritten.
        macs: multiply-accumulates per pixel of its output.
        layer: name of the layer whose output it is, or "".
        rectifies: whether the ReLU that follows it has been merged into it.
        conv3x3: transformed weights of a convolution that Winograd's algorithm computes.
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
        """Shape of the output, with a symbolic batch size; () if it is not a single tensor."""
        value = self.node.meta.get("val")
        return tuple(value.shape) if isinstance(value, Tensor) else ()

    @property
    def counts(self) -> bool:
        """True if its value is a number computed from the batch size, not a tensor."""
        return isinstance(self.node.meta.get("val"), int | torch.SymInt)

    def reads_windows(self, height: int, width: int) -> bool:
        """Return whether output windows of this size are computed without gathering the input.

        Winograd's kernel reads the clean map and the changed windows directly. Its weights are
        for maps whose axes are N, C, H, W, so a transposed map is gathered as usual.
        """
        is_standard = self.rule is not None and tuple(self.rule.axes) == (2, 3)
        return is_standard and self.conv3x3 is not None and self.conv3x3.pays(height, width)

    def pays_in_a_row(self, channels: int) -> bool:
        """Return whether all windows are worth copying into one pixel row for a single call.

        With one call for each window size, threads are idle at the end of each call.

        Args:
            channels: elements of a pixel of the input.
        """
        return not self.slides and self.macs >= MIN_MACS_FOR_PIXEL_ROW * channels

    @property
    def mixes(self) -> bool:
        """True for a 1 x 1 convolution of stride 1."""
        return self.call in CONVOLUTIONS and self.rule is not None and not self.slides

    def inputs(self) -> list[fx.Node]:
        """Return the nodes among the arguments."""
        nodes: list[fx.Node] = []
        fx.map_arg((self.args, self.kwargs), nodes.append)
        return nodes

    def run(self, values: Callable[[fx.Node], Any], in_place: bool = True) -> Any:
        """Run on whole maps, or element by element on windows.

        Args:
            values: node -> its value.
            in_place: allow the first input to be overwritten where it is free.
        """
        overwrites = self.call in _IN_PLACE
        call = self.call if overwrites and not in_place else self.whole_map_call()
        return call(*fx.map_arg(self.args, values), **fx.map_arg(self.kwargs, values))

    def whole_map_call(self) -> Any:
        """Return the function to call on whole maps, the in-place variant where one is allowed."""
        if self.rectifies or self.mixes or self.conv3x3 is not None:
            return self._convolve
        return _IN_PLACE.get(self.call, self.call) if self.free else self.call

    def _convolve(self, maps: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Run a convolution by the fastest of several algorithms, with the merged ReLU."""
        if self.conv3x3 is not None and self.conv3x3.pays_on(maps):
            return self.conv3x3.whole(maps)

        def convolve(maps: Tensor) -> Tensor:
            result: Tensor = self.call(maps, *args, **kwargs)
            return result

        # The other algorithms are faster than oneDNN's; cuDNN chooses the fastest by itself.
        if not self.mixes or maps.device.type != "cpu":
            result = convolve(maps)
        elif not kwargs and _is_faster_as_product(maps, args[0]):
            result = _product(maps, *args[:2])
        else:
            result = _convolve_as_one_map(maps, convolve)
        return result.relu_() if self.rectifies else result

    def run_sliding(self, window: Tensor, values: Callable[[fx.Node], Any]) -> Tensor:
        """Run on windows that already contain the halo and the padding.

        Args:
            window: `[n, C, h, w]`, the input windows.
            values: node -> its value, of the other arguments.
        """
        assert self.rule is not None
        edge, op = self.rule.edges[0], operator_name(self.call)
        if op in CROPPING:
            # The window is where the output is already; only the stride of a slice is left to do.
            assert isinstance(edge.y, WindowMap)
            assert isinstance(edge.x, WindowMap)
            y, x = self.rule.axes
            slices = [slice(None)] * window.dim()
            slices[y] = slice(None, None, edge.y.stride)
            slices[x] = slice(None, None, edge.x.stride)
            # A view would keep the whole window in memory.
            return window[tuple(slices)].contiguous(memory_format=torch.channels_last)
        names = [argument.name for argument in self.call._schema.arguments]
        arguments = {**self.kwargs, **dict(zip(names, self.args, strict=False))}
        del arguments[names[0]]  # the map, instead of which the window is passed
        arguments = {name: fx.map_arg(value, values) for name, value in arguments.items()}
        arguments["padding"] = [0, 0]
        if "ceil_mode" in arguments:
            arguments["ceil_mode"] = False  # the window is cut to a whole number of outputs
        # `conv2d.padding` takes the padding as a word, the default overload as numbers.
        call = aten.conv2d.default if self.call is aten.conv2d.padding else self.call
        result: Tensor = call(window, **arguments)
        return result.relu_() if self.rectifies else result


def _is_faster_as_product(maps: Tensor, weight: Tensor) -> bool:
    """Return whether a 1 x 1 convolution is a matrix product (one group), and faster as one."""
    return maps.dtype == torch.bfloat16 and maps.dim() == 4 and weight.shape[1] == maps.shape[1]


def _product(maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a 1 x 1 convolution computed as a matrix product.

    In bfloat16 oneDNN's product is 1.1 to 2 times as fast as its 1 x 1 convolution; in float32 it
    is not faster.
    """
    mixed = torch.nn.functional.linear(maps.permute(0, 2, 3, 1), weight.flatten(1), bias)
    return mixed.permute(0, 3, 1, 2)


def _convolve_as_one_map(maps: Tensor, convolve: Callable[[Tensor], Tensor]) -> Tensor:
    """Run a 1 x 1 convolution on all maps stacked into a tall one.

    No pixel reads another, so the result is the same. oneDNN is up to a fifth faster on one map
    `[1, C, N * H, W]` than on `[N, C, H, W]`.
    """
    if maps.dim() != 4 or not maps.is_contiguous(memory_format=torch.channels_last):
        return convolve(maps)
    count, _, height, width = maps.shape
    tall = maps.permute(0, 2, 3, 1).flatten(0, 1)[None].permute(0, 3, 1, 2)
    result = convolve(tall).permute(0, 2, 3, 1)
    return result.reshape(count, height, width, result.shape[3]).permute(0, 3, 1, 2)


def operator_name(call: Any) -> str:
    """Return the name of an ATen operator without its namespace and overload."""
    return call._schema.name.split("::")[-1] if hasattr(call, "_schema") else str(call)
