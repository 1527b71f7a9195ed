"""Convolutions with fixed weights, in the forms of the weights that run fastest.

On CPUs oneDNN brings the weights of a convolution into a blocked layout in every call, which takes
half of the time of the late layers of a ResNet for one image, and Winograd's algorithm transforms
them. The weights of a network rarely change, so `PreparedConvs` keeps these forms between passes,
with the batch norms folded in. Which algorithm computes a convolution depends on the network and
the shapes only, not on what is kept, so that equal calls give equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops import winograd

aten = torch.ops.aten

How = tuple[list[int], list[int], list[int], int]
"""Stride, padding, dilation and groups of a convolution."""

MAX_KEPT_BYTES = 512 << 20
"""Memory for the prepared weights of one network. Beyond it they are prepared in each pass."""

_MIN_PIXELS_FOR_WINOGRAD = 5000
"""Output pixels of a batch from which transforming the weights for Winograd's algorithm pays. The
transform takes as long as the direct convolution of about 2500 pixels."""

_MIN_PIXELS_FOR_KEPT_WINOGRAD = 150
"""The same for weights whose transform is kept. With fewer, such as one map of 7 x 7, reading the
transformed weights, of four times the size, takes longer than the direct convolution."""

_COPIES_FOR_WINOGRAD, _COPIES_OTHERWISE = 8, 2
"""Largest size of the prepared weights, forward and backward, as a multiple of the weights'."""


class PreparedConv:
    """A convolution whose weights, times a factor per output channel, do not change.

    Args:
        weight: `[K, C / groups, kh, kw]`.
        factor: `[K]` or None.
        layout: memory format of its maps.
        how: stride, padding, dilation and groups.
        is_kept: it serves many passes, so that preparing its weights costs nothing.
    """

    def __init__(
        self,
        weight: Tensor,
        factor: Tensor | None,
        layout: torch.memory_format,
        how: How,
        is_kept: bool = False,
    ) -> None:
        self._weight, self._factor, self.layout, self.how = weight, factor, layout, how
        self.is_kept = is_kept
        self._version = _version_of(weight)
        self._forms: dict[tuple[str, bool], Tensor] = {}

    @property
    def kernel_size(self) -> torch.Size:
        """Height and width of the kernels."""
        return self._weight.shape[2:]

    def __call__(self, x: Tensor, shift: Tensor | None) -> Tensor:
        """Return the convolution of maps `[N, C, H, W]`, plus an offset `[K]` per channel."""
        return self._run(x, shift, self.how, False)

    def input_gradient(
        self, gradient: Tensor, shape: torch.Size, padding: list[int] | None = None
    ) -> Tensor:
        """Return the gradient of the input, of the given shape, from that of the output.

        Args:
            gradient: `[N, K, h, w]`.
            shape: `[N, C, H, W]`.
            padding: in place of that of the convolution.
        """
        if _version_of(self._weight) != self._version:
            raise RuntimeError("an inplace operation changed a weight that the gradient needs")
        stride, pads, dilation, groups = self.how
        pads = pads if padding is None else padding
        is_cpu, size = gradient.device.type == "cpu", self.kernel_size
        if is_cpu and self._is_stem():
            return _by_phases(gradient, self._form("dense", False), shape, stride[0], pads)
        # The input's gradient of a convolution of stride 1 is a convolution with the kernels turned
        # by 180 degrees, in and out channels exchanged, and the rest of the kernel as padding.
        border = [d * (k - 1) - p for d, k, p in zip(dilation, size, pads, strict=True)]
        if is_cpu and min(border) >= 0 and gradient.numel():
            turned: How = [1, 1], border, dilation, groups
            if {*stride} == {1} and self._is_turned_faster(gradient, border):
                return self._run(gradient, None, turned, True)
            if self._is_packed(gradient) and {*size} == {1} and not any(pads):
                return self._spread(self._run(gradient, None, turned, True), shape)
        # Only its shape and layout are read: the input's gradient does not depend on the input.
        x = torch.empty(
            shape, dtype=gradient.dtype, device=gradient.device, memory_format=self.layout
        )
        result: Tensor
        result, *_ = aten.convolution_backward(
            *(gradient, x, self._form("dense", False), None, stride, pads, dilation),
            *(False, [0, 0], groups, [True, False, False]),
        )
        return result

    def _spread(self, reached: Tensor, shape: torch.Size) -> Tensor:
        """Return maps of a shape with values at the multiples of the stride, 0 elsewhere."""
        rows, columns = self.how[0]
        result = torch.empty(shape, dtype=reached.dtype, memory_format=self.layout).zero_()
        result[:, :, ::rows, ::columns] = reached
        return result

    def _run(self, x: Tensor, shift: Tensor | None, how: How, turned: bool) -> Tensor:
        stride, padding, dilation, groups = how
        if self._by_winograd(x, how, turned):
            weights = self._form("winograd", turned)
            bias = x.new_zeros(weights.shape[1] * weights.shape[3]) if shift is None else shift
            return winograd.convolve(x, weights, bias, False, (padding[0], padding[1]))
        if self._is_packed(x):
            weight = self._form("packed", turned, how, x.shape)
            result: Tensor = torch.ops.mkldnn._convolution_pointwise(
                *(x, weight, shift, padding, stride, dilation, groups, "none", [], "")
            )
            return result
        return F.conv2d(x, self._form("dense", turned), shift, *how)

    def _form(
        self, form: str, turned: bool, how: How | None = None, shape: torch.Size | None = None
    ) -> Tensor:
        """Return the weights in a form, computed once.

        Args:
            form: "dense", "winograd" or "packed".
            turned: those of the convolution that computes the input's gradient.
            how, shape: arguments and input of the convolution, for "packed".
        """
        if (form, turned) not in self._forms:
            weight = self._folded_weight()
            weight = _turned_weight(weight, self.how[3]) if turned else weight
            if form == "winograd":
                weight = winograd.prepare_weights(weight)
            elif form == "packed":
                assert how is not None
                stride, padding, dilation, groups = how
                weight = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
                    weight.contiguous().to_mkldnn(), padding, stride, dilation, groups, shape
                )
            self._forms[form, turned] = weight
        return self._forms[form, turned]

    def _folded_weight(self) -> Tensor:
        """Return the weight times the factor, in the memory format of the maps."""
        if (weight := self._forms.get(("dense", False))) is not None:
            return weight
        weight = self._weight.detach()
        if self._factor is None:
            return weight.contiguous(memory_format=self.layout)
        out = torch.empty_like(weight, memory_format=self.layout)
        return torch.mul(weight, self._factor[:, None, None, None], out=out)

    def _is_packed(self, x: Tensor) -> bool:
        """Return whether oneDNN computes with the weights in its blocked layout."""
        floats = x.dtype == self._weight.dtype == torch.float32
        return self.is_kept and floats and x.numel() > 0 and has_onednn()

    def _is_turned_faster(self, gradient: Tensor, border: list[int]) -> bool:
        """Return whether a convolution gives the input's gradient faster than its operator."""
        turned: How = [1, 1], border, self.how[2], self.how[3]
        return self._is_packed(gradient) or self._by_winograd(gradient, turned, True)

    def _by_winograd(self, maps: Tensor, how: How, turned: bool) -> bool:
        """Return whether Winograd's algorithm is faster, with the transform of the weights."""
        stride, padding, dilation, groups = how
        weight = self._weight.transpose(0, 1) if turned else self._weight
        if {*stride, *dilation, groups} != {1} or not winograd.supports(weight):
            return False
        filters, channels = weight.shape[:2]
        height, width = winograd.out_size(maps, (padding[0], padding[1]))
        least = _MIN_PIXELS_FOR_KEPT_WINOGRAD if self.is_kept else _MIN_PIXELS_FOR_WINOGRAD
        enough = len(maps) * height * width >= least
        fits = maps.dtype == self._weight.dtype and winograd.is_fast(maps.device)
        return enough and fits and winograd.pays(filters, channels, height, width)

    def _is_stem(self) -> bool:
        """Return whether the convolution has few input channels, a large kernel and a stride.

        The first convolution of an AlexNet is one.
        """
        stride, _, dilation, groups = self.how
        few, large = self._weight.shape[1] <= 4, min(self._weight.shape[2:]) >= 4
        even = stride[0] == stride[1] > 1
        return few and large and even and groups == 1 and max(dilation) == 1


def has_onednn() -> bool:
    """Return whether torch computes convolutions on CPUs with oneDNN."""
    return torch._C._has_mkldnn and torch._C._get_mkldnn_enabled()


def layout_of(maps: Tensor) -> torch.memory_format:
    """Return the memory format of maps; contiguous where both would be right."""
    last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _turned_weight(weight: Tensor, groups: int) -> Tensor:
    """Return kernels turned by 180 degrees, with in and out channels of each group exchanged."""
    filters, channels, *size = weight.shape
    grouped = weight.view(groups, filters // groups, channels, *size).transpose(1, 2).flip(3, 4)
    return grouped.reshape(groups * channels, filters // groups, *size)


def _by_phases(
    gradient: Tensor, weight: Tensor, shape: torch.Size, s: int, padding: list[int]
) -> Tensor:
    """Return the input's gradient of a convolution with a stride s, as a convolution without one.

    Pixels whose rows and columns have the same remainder modulo s are reached by the same part of
    the kernel. The s·s parts become output channels of one convolution, and a pixel shuffle
    interleaves its maps. For few input channels oneDNN takes up to 2.5 times as long.
    """
    height, width = shape[2:]
    top, x0 = padding
    count, channels, *size = weight.shape
    taps = [-(-n // s) for n in size]
    weight = F.pad(weight, (0, s * taps[1] - size[1], 0, s * taps[0] - size[0]))
    parts = weight.view(count, channels, taps[0], s, taps[1], s).flip(2, 4)
    kernel = parts.permute(1, 3, 5, 0, 2, 4).reshape(channels * s * s, count, *taps)
    phases = F.conv2d(gradient, kernel, padding=[taps[0] - 1, taps[1] - 1])
    pixels = F.pixel_shuffle(phases, s)[:, :, top : top + height, x0 : x0 + width]
    return F.pad(pixels, (0, width - pixels.shape[3], 0, height - pixels.shape[2]))


@dataclass(frozen=True)
class _Entry:
    """A kept convolution.

    Attributes:
        tensors: the tensors that it was computed from. The references keep their ids from being
            reused.
        marks: the marks of these tensors when it was computed.
        conv: the convolution.
        shift: its offset per channel.
    """

    tensors: tuple[Tensor | None, ...]
    marks: tuple[Hashable, ...]
    conv: PreparedConv
    shift: Tensor | None


class PreparedConvs:
    """The prepared convolutions of one network, kept until its weights change.

    Only those of registered parameters and buffers are kept, because weights that a forward pass
    computes are different tensors in each pass. The weights whose prepared forms fit into the
    memory are those that come first in the network, whatever was computed before.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._weights_hash = ""
        self._registered: frozenset[int] = frozenset()
        self._sizes: dict[int, int] = {}

    def begin(self, weights_hash: str, tensors: Iterable[Tensor]) -> None:
        """Drop everything if the weights have changed since the last call.

        Writes through `.data` or NumPy, which change no version counter, are detected only here.

        Args:
            weights_hash: the hash of all values.
            tensors: the registered parameters and buffers, in the order of the network.
        """
        tensors = list(tensors)
        registered = frozenset(map(id, tensors))
        if (weights_hash, registered) != (self._weights_hash, self._registered):
            self._entries.clear()
            self._weights_hash, self._registered = weights_hash, registered
            self._sizes = dict(_sizes_that_fit(tensors))

    def find(
        self,
        tensors: tuple[Tensor | None, ...],
        layout: torch.memory_format,
        how: How,
        fold: Callable[[], tuple[Tensor | None, Tensor | None]],
        constant: Hashable = None,
    ) -> tuple[PreparedConv, Tensor | None] | None:
        """Return the convolution with some tensors and its offset; None if it cannot be kept.

        Args:
            tensors: the weight first, then all that the factor and the offset depend on.
            layout, how: as of `PreparedConv`.
            fold: returns the factor and the offset.
            constant: what else they depend on.
        """
        weight = tensors[0]
        marks = _marks(tensors)
        are_registered = all(t is None or id(t) in self._registered for t in tensors)
        if weight is None or id(weight) not in self._sizes or marks is None or not are_registered:
            return None
        stride, padding, dilation, groups = how
        key = (*map(id, tensors), constant, layout, *stride, *padding, *dilation, groups)
        entry = self._entries.get(key)
        if entry is None or entry.marks != marks:
            factor, shift = fold()
            conv = PreparedConv(weight, factor, layout, how, is_kept=True)
            self._entries.pop(key, None)
            self._make_room(self._sizes[id(weight)])
            entry = self._entries[key] = _Entry(tensors, marks, conv, shift)
        return entry.conv, entry.shift

    def _make_room(self, size: int) -> None:
        """Drop the oldest entries until others of this size fit.

        One entry of each weight fits. A weight has several if it is used in several ways.
        """
        used = sum(self._sizes[id(entry.tensors[0])] for entry in self._entries.values())
        while used + size > MAX_KEPT_BYTES:
            oldest = self._entries.pop(next(iter(self._entries)))
            used -= self._sizes[id(oldest.tensors[0])]


def _sizes_that_fit(tensors: Iterable[Tensor]) -> Iterator[tuple[int, int]]:
    """Yield id and bytes of the prepared weights of the convolutions that fit into the memory."""
    used = 0
    for weight in {id(tensor): tensor for tensor in tensors}.values():
        if weight.ndim != 4 or weight.device.type != "cpu":
            continue
        copies = _COPIES_FOR_WINOGRAD if winograd.supports(weight) else _COPIES_OTHERWISE
        size = copies * weight.nbytes
        if used + size <= MAX_KEPT_BYTES:
            used += size
            yield id(weight), size


def _marks(tensors: Sequence[Tensor | None]) -> tuple[Hashable, ...] | None:
    """Return values that change when one of the tensors is written to; None if that is unknown."""
    marks: list[Any] = []
    for tensor in tensors:
        if tensor is not None:
            if type(tensor) not in _PLAIN_TENSORS or tensor.is_inference():
                return None
            marks.append((tensor._version, tensor.data_ptr()))
    return tuple(marks)


_PLAIN_TENSORS = (Tensor, nn.Parameter, nn.Buffer)


def _version_of(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
