"""Gradients of the images alone: less kept for the backward pass, less computed.

With the weights' gradients not wanted, a convolution need not keep its input, a batch norm with
fixed statistics is a factor and an offset that the convolution before it can take over, and a
max-pooling needs to keep only where its maxima were.

A `TorchFunctionMode` around the forward pass sees these calls in whatever network. Whether a
batch norm follows a convolution shows only later, so a convolution returns a placeholder of its
result's shape, and runs when somebody reads it: folded for a batch norm, as it is for anything
else. What reads a placeholder where no mode sees it (a scripted part, an autograd function)
finds NaN there; `LeanMode.trusted` then says no, and the pass has to be run again without this.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..ops import winograd

aten = torch.ops.aten

_WORTH_TRANSFORMING = 5000
"""Pixels of a batch of maps from which the weights of a convolution are worth transforming: that
takes as long as some 2500 pixels' direct convolution."""

_PROPERTIES = ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda")
_ASKS: tuple[Any, ...] = (
    *(getattr(Tensor, name).__get__ for name in _PROPERTIES),
    *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.is_floating_point, Tensor.__len__),
)
"""What can be told of a placeholder as it stands."""


class Untrusted(Exception):  # noqa: N818
    """A lean pass may not give the network's own numbers."""


class _LeanConv(torch.autograd.Function):
    """A convolution that keeps its weights alone, a factor a channel folded into them."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, factor: Tensor | None, shift: Tensor | None, *how: Any
    ) -> Tensor:
        weight = _folded(weight, factor, x)
        ctx.save_for_backward(weight)
        ctx.shape, ctx.how = x.shape, how
        if _by_winograd(x, weight, *how):
            bias = weight.new_zeros(len(weight)) if shift is None else shift
            prepared = winograd.prepare_weights(weight)
            return winograd.convolve(x, prepared, bias, False, (how[1][0], how[1][1]))
        return F.conv2d(x, weight, shift, *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.how
        if gradient.device.type == "cpu" and _is_stem(weight, *ctx.how):
            return _by_phases(gradient, weight, ctx), *[None] * 7
        back = weight.flip(2, 3).transpose(0, 1)
        around = [2 - padding[0], 2 - padding[1]]
        if min(around) >= 0 and _by_winograd(gradient, back, stride, around, dilation, groups):
            prepared, bias = winograd.prepare_weights(back), weight.new_zeros(len(back))
            found = winograd.convolve(gradient, prepared, bias, False, (around[0], around[1]))
            return found, *[None] * 7
        # Only its shape is read: the input's gradient does not depend on the input.
        x = gradient.new_empty(1).expand(ctx.shape)
        found, *_ = aten.convolution_backward(
            *(gradient, x, weight, None, stride, padding, dilation),
            *(False, [0, 0], groups, [True, False, False]),
        )
        return found, *[None] * 7


def _folded(weight: Tensor, factor: Tensor | None, maps: Tensor) -> Tensor:
    """Return the weight times a factor a channel, in the layout of the maps it works on."""
    last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    if factor is None:
        return weight.contiguous(memory_format=layout)
    out = torch.empty_like(weight, memory_format=layout)
    return torch.mul(weight, factor[:, None, None, None], out=out)


def _by_winograd(
    maps: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> bool:
    """Say whether Winograd's algorithm saves more time than transforming the weights takes."""
    if {*stride, *dilation, groups} != {1} or not winograd.takes(weight):
        return False
    filters, channels = weight.shape[:2]
    height, width = winograd.out_size(maps, (padding[0], padding[1]))
    enough = len(maps) * height * width >= _WORTH_TRANSFORMING
    fits = maps.dtype == weight.dtype and winograd.is_fast(maps.device)
    return enough and fits and winograd.pays(filters, channels, height, width)


def _is_stem(
    weight: Tensor, stride: list[int], padding: list[int], dilation: list[int], groups: int
) -> bool:
    """Say whether a convolution is a first one of large kernel and stride: what AlexNets have."""
    few, large = weight.shape[1] <= 4, min(weight.shape[2:]) >= 4
    even = stride[0] == stride[1] > 1
    return few and large and even and groups == 1 and max(dilation) == 1


def _by_phases(gradient: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    """Return the input's gradient of a convolution with a stride, as a convolution without one.

    Every s-th pixel has its own part of the kernel: the s·s parts become channels, which are
    then laid out as pixels. oneDNN takes up to 2.5 times as long for a few input channels.
    """
    height, width = ctx.shape[2:]
    s, (top, left) = ctx.how[0][0], ctx.how[1]
    count, channels, *size = weight.shape
    taps = [-(-n // s) for n in size]
    weight = F.pad(weight, (0, s * taps[1] - size[1], 0, s * taps[0] - size[0]))
    parts = weight.view(count, channels, taps[0], s, taps[1], s).flip(2, 4)
    kernel = parts.permute(1, 3, 5, 0, 2, 4).reshape(channels * s * s, count, *taps)
    phases = F.conv2d(gradient, kernel, padding=[taps[0] - 1, taps[1] - 1])
    pixels = F.pixel_shuffle(phases, s)[:, :, top : top + height, left : left + width]
    return F.pad(pixels, (0, width - pixels.shape[3], 0, height - pixels.shape[2]))


class _LeanNorm(torch.autograd.Function):
    """A batch norm with fixed statistics, that keeps its factor alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor, *how: Any) -> Tensor:
        ctx.save_for_backward(factor)
        return F.batch_norm(x, *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = ctx.saved_tensors
        return gradient * factor[:, None, None], *[None] * 8


class _LeanMaxPool(torch.autograd.Function):
    """A max-pooling that keeps only where its maxima were."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *how: Any) -> Tensor:
        y: Tensor
        y, where = aten.max_pool2d_with_indices(x, *how)
        ctx.save_for_backward(where)
        ctx.how, ctx.shape = how, x.shape
        ctx.channels_last = x.is_contiguous(memory_format=torch.channels_last)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (where,) = ctx.saved_tensors
        layout = torch.channels_last if ctx.channels_last else torch.contiguous_format
        # Only its shape and layout are read.
        x = torch.empty(
            ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout
        )
        found = aten.max_pool2d_with_indices_backward(gradient, x, *ctx.how, where)
        return found, *[None] * len(ctx.how)


class _Convolution:
    """A call of conv2d that has not run yet."""

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, how: tuple[Any, ...]
    ) -> None:
        self.x, self.weight, self.bias, self.how = x, weight, bias, how
        self.version = x._version
        self.read = False
        self.result: Tensor | None = None

    def placeholder(self) -> Tensor:
        """Return a tensor of the result's shape, full of NaN."""
        with torch.no_grad():
            meta = F.conv2d(self.x.to("meta"), self.weight.to("meta"), None, *self.how)
        return self.x.new_full((1,), float("nan")).expand(meta.shape).requires_grad_()

    def run(self) -> Tensor:
        """Return the result, computed once."""
        if self.result is None:
            self.result = self._run(None, self.bias)
        return self.result

    def normed(self, factor: Tensor, shift: Tensor) -> Tensor:
        """Return the result times a factor plus an offset a channel."""
        if self.bias is not None:
            shift = shift + self.bias * factor
        return self._run(factor, shift)

    def _run(self, factor: Tensor | None, shift: Tensor | None) -> Tensor:
        if self.x._version != self.version:
            raise Untrusted  # its input was overwritten since
        self.read = True
        found: Tensor = _LeanConv.apply(self.x, self.weight, factor, shift, *self.how)
        return found


class LeanMode(TorchFunctionMode):
    """Sends the calls of the block through their lean twins where only images have gradients."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, tuple[weakref.ref[Tensor], _Convolution]] = {}
        self._missed = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _ASKS:
            return func(*args, **kwargs)
        if func is F.batch_norm and (found := self._norm(*args, **kwargs)) is not None:
            return found
        if self._waiting:
            args, kwargs = self.filled(args), self.filled(kwargs)
        found = None
        if func is torch.conv2d:
            found = self._conv(*args, **kwargs)
        elif func is F.max_pool2d:
            found = _max_pool(*args, **kwargs)
        return func(*args, **kwargs) if found is None else found

    def filled(self, value: Any) -> Any:
        """Return a value with the results in place of placeholders, in lists and dicts too."""
        if isinstance(value, Tensor):
            waiting = self._find(value)
            return value if waiting is None else waiting.run()
        if isinstance(value, dict):
            return {key: self.filled(one) for key, one in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.filled(one) for one in value)
        return value

    def trusted(self, total: Tensor) -> bool:
        """Say whether the pass is right: no placeholder was read as it stands, and all were read.

        Args:
            total: what depends on all that was computed. NaN in it may come from a placeholder.
        """
        unread = any(not waiting.read for _, waiting in self._waiting.values())
        if self._missed or unread or bool(total.isnan().any()):
            return False
        ends = (node.variable for node in nodes_behind(total) if hasattr(node, "variable"))
        return not any(self._find(leaf) for leaf in ends)

    def _wait(self, convolution: _Convolution) -> Tensor:
        """Return a placeholder; what it stands for is held as long as it lives."""
        placeholder = convolution.placeholder()
        key = id(placeholder)

        def forget(_: object) -> None:
            del self._waiting[key]
            self._missed |= not convolution.read

        self._waiting[key] = weakref.ref(placeholder, forget), convolution
        return placeholder

    def _find(self, tensor: Tensor) -> _Convolution | None:
        found = self._waiting.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def _conv(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor | None:
        plain = type(input) is Tensor and type(weight) in (Tensor, torch.nn.Parameter)
        fixed = not (weight.requires_grad or (bias is not None and bias.requires_grad))
        if not (plain and fixed and _followed(input)) or isinstance(padding, str):
            return None
        how = _pair(stride), _pair(padding), _pair(dilation), groups
        return self._wait(_Convolution(input, weight, bias, how))

    def _norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor | None:
        if training or running_mean is None or running_var is None or input.ndim != 4:
            return None
        if any(t is not None and t.requires_grad for t in (weight, bias)):
            return None
        waiting = self._find(input)
        factor = torch.rsqrt(running_var + eps)
        factor = factor if weight is None else factor * weight
        exact = input.dtype in (torch.float32, torch.float64)  # a folded weight is rounded
        if waiting is not None and waiting.result is None and exact:
            shift = -running_mean * factor if bias is None else bias - running_mean * factor
            return waiting.normed(factor, shift)
        x = self.filled(input)
        if not _followed(x):
            return None
        how = running_mean, running_var, weight, bias, False, momentum, eps
        found: Tensor = _LeanNorm.apply(x, factor, *how)
        return found


def nodes_behind(tensor: Tensor) -> Iterator[Any]:
    """Yield autograd's nodes that a tensor was made by, each once."""
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        todo.extend(parent for parent, _ in node.next_functions)


def is_lean(node: Any) -> bool:
    """Say whether a node of autograd is that of a lean call."""
    return isinstance(node, _LEAN)


_LEAN: tuple[Any, ...] = tuple(f._backward_cls for f in (_LeanConv, _LeanNorm, _LeanMaxPool))


def _max_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices or not _followed(input):
        return None
    stride = kernel_size if stride is None else stride
    how = *map(_pair, (kernel_size, stride, padding, dilation)), ceil_mode
    found: Tensor = _LeanMaxPool.apply(input, *how)
    return found


def _followed(x: Tensor) -> bool:
    """Say whether a gradient flows back from a call, a batch of maps, to x."""
    return x.requires_grad and torch.is_grad_enabled() and x.ndim == 4


def _pair(value: Any) -> list[int]:
    given = [value] if isinstance(value, int) else list(value)
    return given * 2 if len(given) == 1 else given
