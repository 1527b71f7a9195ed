"""Memory-efficient gradients of images: what the weights' gradients would need is not kept.

If only the images have gradients, a convolution need not keep its input, a batch norm with fixed
statistics is a factor and an offset per channel, which can be folded into the weights of the
convolution before it, and a max-pooling needs to keep only the positions of its maxima.
`MemoryEfficientMode`, a `TorchFunctionMode` around the forward pass, replaces these three calls
in any network.

An example: conv1 - batch norm - ReLU - conv2 on images `x` that require gradients.

1. The network calls `conv2d(x, w1)`. Whether a batch norm follows is not known yet, so nothing is
   computed: the mode returns a placeholder, a tensor of the result's shape that holds NaN.
2. `batch_norm(placeholder)` finds the pending convolution, folds its factor into w1, and runs the
   convolution once. The backward pass needs the folded weights alone. Ordinary autograd would
   also keep x for the gradient of w1, and the output of conv1 for the batch norm.
3. `relu` runs as usual and keeps its output.
4. `conv2d(y, w2)` returns another placeholder. The next call that reads it, say `mean`, is not a
   batch norm, so the mode first computes the plain convolution and passes on its result.

A scripted module or a custom autograd function may read a placeholder where no function mode sees
the call. It then computes with NaN, so the error is visible: the scores contain NaN, or the graph
ends at the placeholder, or the convolution was never run. `MemoryEfficientMode.is_exact` checks
all three. If it returns False, the caller discards the pass and runs an ordinary one, with the
network's own operators, and does not try the mode again for this model (`network/input_gradient`).
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..ops.fold_batch_norm import batch_norm_affine
from .autograd_graph import nodes_behind
from .prepared_conv import PreparedConv, PreparedConvs, layout_of
from .weight_only_conv import WeightOnlyConv

aten = torch.ops.aten

_PROPERTIES = ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda")
_SHAPE_QUERIES: tuple[Any, ...] = (
    *(getattr(Tensor, name).__get__ for name in _PROPERTIES),
    *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.is_floating_point, Tensor.__len__),
)
"""Functions that a placeholder answers without being computed."""


class Untrusted(Exception):  # noqa: N818
    """A memory-efficient pass may not have computed the network's own numbers."""


class _FactorOnlyNorm(torch.autograd.Function):
    """A batch norm with fixed statistics that keeps only its factor per channel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor, *how: Any) -> Tensor:
        ctx.save_for_backward(factor)
        return F.batch_norm(x, *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = ctx.saved_tensors
        return gradient * factor[:, None, None], *[None] * 8


class _IndexOnlyMaxPool(torch.autograd.Function):
    """A max-pooling that keeps only the positions of its maxima."""

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
        result = aten.max_pool2d_with_indices_backward(gradient, x, *ctx.how, where)
        return result, *[None] * len(ctx.how)


def _output_shape(
    x: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> tuple[int, ...]:
    """Return the shape of a convolution's result."""
    sizes = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    return len(x), len(weight), *[(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes]


class _PendingConvolution:
    """A call of conv2d that has not run yet.

    Attributes:
        version: of the input when the network made the call; the convolution must not run on
            values that were written later.
        shape: of the result.
        read: whether the result was computed for a call that reads it.
        result: the plain result, without a batch norm, once it is computed.
    """

    def __init__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        how: tuple[Any, ...],
        local: bool,
        prepared: PreparedConvs | None,
    ) -> None:
        self.x, self.weight, self.bias, self.how = x, weight, bias, how
        self.local, self.prepared = local, prepared
        self.version = x._version
        self.shape = _output_shape(x, weight, *how)
        self.read = False
        self.result: Tensor | None = None

    def placeholder(self) -> Tensor:
        """Return a tensor of the result's shape, full of NaN."""
        return self.x.new_full((1,), float("nan")).expand(self.shape).requires_grad_()

    def is_cheap_to_fold(self) -> bool:
        """Return whether a factor per channel costs less in the weights than in the result.

        For one photo the late layers have fewer positions than their kernels have weights.
        """
        return math.prod(self.shape) >= self.weight.numel()

    def run(self) -> Tensor:
        """Return the result, computed once."""
        if self.result is None:
            pair = self._prepared_pair((self.weight, self.bias), lambda: (None, self.bias))
            self.result = self._run(*(pair or (self._conv_of_this_pass(None), self.bias)))
        return self.result

    def run_with_norm(self, norm: tuple[Tensor | None, ...], eps: float) -> Tensor | None:
        """Return the result with the batch norm of some tensors folded in; None if that is slow."""
        mean, variance, gamma, beta = norm

        def fold() -> tuple[Tensor, Tensor]:
            assert mean is not None
            assert variance is not None
            return batch_norm_affine(mean, variance, gamma, beta, eps, self.bias)

        pair = self._prepared_pair((self.weight, self.bias, *norm), fold, eps)
        if pair is not None:
            return self._run(*pair)
        if not self.is_cheap_to_fold():
            return None
        factor, shift = fold()
        return self._run(self._conv_of_this_pass(factor), shift)

    def _conv_of_this_pass(self, factor: Tensor | None) -> PreparedConv:
        return PreparedConv(self.weight, factor, layout_of(self.x), self.how)

    def _prepared_pair(
        self, tensors: tuple[Tensor | None, ...], fold: Any, constant: float | None = None
    ) -> tuple[PreparedConv, Tensor | None] | None:
        """Return the convolution that is kept between passes, and its offset; None if none is."""
        fits = self.x.shape[1] == self.weight.shape[1] * self.how[3] and min(self.shape) > 0
        if self.prepared is None or not fits:  # otherwise conv2d raises the error
            return None
        return self.prepared.find(tensors, layout_of(self.x), self.how, fold, constant)

    def _run(self, conv: PreparedConv, shift: Tensor | None) -> Tensor:
        if self.x._version != self.version:
            raise Untrusted  # its input was overwritten since
        self.read = True
        result: Tensor = WeightOnlyConv.apply(self.x, conv, shift, self.local)
        return result


class MemoryEfficientMode(TorchFunctionMode):
    """Replaces convolutions, batch norms and max-poolings of the block, as the module describes.

    Calls whose weights have gradients are left as they are.

    Args:
        local: the gradients start at single positions of maps, so the backward pass of a
            convolution first looks for the region in which they are not zero.
        prepared: keeps the prepared weights of convolutions for later passes.
    """

    def __init__(self, local: bool = False, prepared: PreparedConvs | None = None) -> None:
        super().__init__()
        self._local, self._prepared = local, prepared
        self._pending: dict[int, tuple[weakref.ref[Tensor], _PendingConvolution]] = {}
        self._missed = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _SHAPE_QUERIES:
            return func(*args, **kwargs)
        # A batch norm comes first: it takes the place of the convolution that it reads.
        if func is F.batch_norm and (result := self._norm(*args, **kwargs)) is not None:
            return result
        if self._pending:
            args, kwargs = self.resolve(args), self.resolve(kwargs)
        result = None
        if func is torch.conv2d:
            result = self._conv(*args, **kwargs)
        elif func is F.max_pool2d:
            result = _max_pool(*args, **kwargs)
        return func(*args, **kwargs) if result is None else result

    def resolve(self, value: Any) -> Any:
        """Return a value in which results replace placeholders, also inside lists and dicts."""
        if isinstance(value, Tensor):
            pending = self._find(value)
            return value if pending is None else pending.run()
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.resolve(item) for item in value)
        return value

    def is_exact(self, total: Tensor) -> bool:
        """Return whether no placeholder was read as it is, and every convolution was run.

        Args:
            total: a sum that depends on all that was computed. NaN in it may come from a
                placeholder.
        """
        unread = any(not pending.read for _, pending in self._pending.values())
        if self._missed or unread or bool(total.isnan().any()):
            return False
        leaves = (node.variable for node in nodes_behind(total) if hasattr(node, "variable"))
        return not any(self._find(leaf) for leaf in leaves)

    def _defer(self, convolution: _PendingConvolution) -> Tensor:
        """Return a placeholder. The convolution is kept for as long as the placeholder lives."""
        placeholder = convolution.placeholder()
        key = id(placeholder)

        def forget(_: object) -> None:
            del self._pending[key]
            self._missed |= not convolution.read

        self._pending[key] = weakref.ref(placeholder, forget), convolution
        return placeholder

    def _find(self, tensor: Tensor) -> _PendingConvolution | None:
        # An id may belong to a new tensor by now, so the weak reference is compared too.
        pending = self._pending.get(id(tensor))
        return pending[1] if pending is not None and pending[0]() is tensor else None

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
        if not (plain and fixed and _needs_gradient(input)) or isinstance(padding, str):
            return None
        how = _pair(stride), _pair(padding), _pair(dilation), groups
        return self._defer(
            _PendingConvolution(input, weight, bias, how, self._local, self._prepared)
        )

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
        if running_mean.shape != input.shape[1:2]:
            return None  # batch_norm raises the error
        pending = self._find(input)
        # In half precision the rounding of folded weights would show in the scores.
        exact = input.dtype in (torch.float32, torch.float64)
        if pending is not None and pending.result is None and exact:
            folded = pending.run_with_norm((running_mean, running_var, weight, bias), eps)
            if folded is not None:
                return folded
        x = self.resolve(input)
        if not _needs_gradient(x):
            return None
        factor, _ = batch_norm_affine(running_mean, running_var, weight, bias, eps)
        how = running_mean, running_var, weight, bias, False, momentum, eps
        result: Tensor = _FactorOnlyNorm.apply(x, factor, *how)
        return result


def is_memory_efficient(node: Any) -> bool:
    """Return whether a node of autograd's graph belongs to one of the replaced calls."""
    return isinstance(node, _NODES)


_NODES: tuple[Any, ...] = tuple(
    function._backward_cls for function in (WeightOnlyConv, _FactorOnlyNorm, _IndexOnlyMaxPool)
)


def _max_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices or not _needs_gradient(input):
        return None
    stride = kernel_size if stride is None else stride
    how = *map(_pair, (kernel_size, stride, padding, dilation)), ceil_mode
    result: Tensor = _IndexOnlyMaxPool.apply(input, *how)
    return result


def _needs_gradient(x: Tensor) -> bool:
    """Return whether x is a batch of maps to which a gradient flows back."""
    return x.requires_grad and torch.is_grad_enabled() and x.ndim == 4


def _pair(value: Any) -> list[int]:
    sizes = [value] if isinstance(value, int) else list(value)
    return sizes * 2 if len(sizes) == 1 else sizes
