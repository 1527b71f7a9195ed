"""Interval maps of one axis of an operator: outputs to the inputs they read, and back.

An interval is `[start, stop)` of integer positions; it is empty if `start >= stop`. Positions
below 0 and past the end are *virtual*: they stand for padding. `backward` does not clip, so that
the composition of windows is the closed form of Araujo et al. 2019. `forward` clips to the
positions that the output has.

An example: a convolution with kernel 3, stride 2 and padding 1 on 8 positions has 4 outputs.
Output o reads the inputs 2o - 1, 2o and 2o + 1:

    output      0           1          2          3
    inputs   -1 0 1      1 2 3      3 4 5      5 6 7

    backward([0, 1)) = [-1, 2)     output 0 reads one virtual position, padding
    backward([1, 3)) = [1, 6)      outputs 1 and 2 read the inputs 1 to 5
    forward([3, 4))  = [1, 3)      a change of input 3 reaches the outputs 1 and 2
    forward([0, 1))  = [0, 1)      a change of input 0 reaches output 0 alone

`forward` and `backward` are no inverses: backward(forward(x)) contains x, and is larger by the
halo that is needed to compute the changed outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FAR = 1 << 40
"""Bound of an empty interval `[FAR, -FAR)`: minima and maxima with others ignore it."""


@dataclass(frozen=True)
class AxisMap(ABC):
    """One axis of one operator, from an input of `size_in` to an output of `size_out` positions."""

    size_in: int
    size_out: int

    @abstractmethod
    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped.

        Args:
            start: first outputs, `[n]`.
            stop: ends of the output intervals, `[n]`; none of them is empty.

        Returns:
            First inputs and ends `[n]`; `(FAR, -FAR)` where nothing is read.
        """

    @abstractmethod
    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped."""

    @abstractmethod
    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""

    def _inside(self, outputs: Ints, inputs: Ints) -> NDArray[np.bool_]:
        """Return taps set at pairs of an output and an input; virtual positions are ignored."""
        taps = np.zeros((self.size_out, self.size_in), dtype=np.bool_)
        real = (outputs >= 0) & (outputs < self.size_out) & (inputs >= 0) & (inputs < self.size_in)
        taps[outputs[real], inputs[real]] = True
        return taps

    def clip(self, start: int, stop: int) -> tuple[int, int]:
        """Return the part of an interval of outputs that is inside the axis."""
        return max(start, 0), min(stop, self.size_out)

    @property
    def identity(self) -> bool:
        """True if every output position reads its own input position and nothing else."""
        return False


@dataclass(frozen=True)
class WindowMap(AxisMap):
    """Sliding window: output o reads inputs `o*stride - padding + dilation*k` for k < `kernel`.

    This is convolution and pooling; with a kernel of 1 also slicing, cropping, padding and
    identity.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Distance from the first input of a window to its last."""
        return self.dilation * (self.kernel - 1)

    @property
    def identity(self) -> bool:
        """True if every output position reads its own input position and nothing else."""
        moves = self.reach or self.stride != 1 or self.padding or self.size_in != self.size_out
        return not moves

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
        first = start * self.stride - self.padding
        last = (stop - 1) * self.stride - self.padding + self.reach
        return first, last + 1

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped.

        With a dilation, outputs whose taps all miss the interval may be inside the hull or at its
        ends. The hull is then an upper bound.
        """
        if start >= stop:
            return 0, 0
        # The first output whose last tap is at or behind `start` (division rounded up), and the
        # last output whose first tap is before `stop` (rounded down).
        first = -((self.reach - start - self.padding) // self.stride)
        last = (stop - 1 + self.padding) // self.stride
        return self.clip(first, last + 1)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        outputs, k = np.mgrid[: self.size_out, : self.kernel]
        return self._inside(outputs, outputs * self.stride - self.padding + self.dilation * k)


@dataclass(frozen=True)
class TransposedMap(AxisMap):
    """Transposed convolution: input i is added to outputs `i*stride - padding + dilation*k`.

    If the stride exceeds the kernel, some outputs read nothing.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
        first = np.full_like(start, FAR)
        last = np.full_like(start, -FAR)
        for k in range(self.kernel):
            shift = self.padding - self.dilation * k
            lo = -((-(start + shift)) // self.stride)
            hi = (stop - 1 + shift) // self.stride
            # Tap k connects output o to input (o + shift) / stride, where that is an integer. It
            # is used if the interval contains such an output.
            used = lo <= hi
            first = np.where(used, np.minimum(first, lo), first)
            last = np.where(used, np.maximum(last, hi + 1), last)
        return first, last

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped."""
        if start >= stop:
            return 0, 0
        first = start * self.stride - self.padding
        last = (stop - 1) * self.stride - self.padding + self.dilation * (self.kernel - 1)
        return self.clip(first, last + 1)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        inputs, k = np.mgrid[: self.size_in, : self.kernel]
        return self._inside(inputs * self.stride - self.padding + self.dilation * k, inputs)


@dataclass(frozen=True)
class BroadcastMap(AxisMap):
    """Broadcasting: every output position reads the only input position."""

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
        return np.zeros_like(start), np.ones_like(stop)

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped."""
        return (0, self.size_out) if start <= 0 < stop else (0, 0)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        return np.ones((self.size_out, 1), dtype=np.bool_)


@dataclass(frozen=True)
class ConcatMap(AxisMap):
    """One input of a concatenation along this axis; it becomes the outputs from `offset` on."""

    offset: int = 0

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped.

        Virtual positions before the first output belong to the first input of the concatenation,
        those past the end to the last.
        """
        end = self.offset + self.size_in
        lo = start if self.offset == 0 else np.maximum(start, self.offset)
        hi = stop if end == self.size_out else np.minimum(stop, end)
        used = lo < hi
        return np.where(used, lo - self.offset, FAR), np.where(used, hi - self.offset, -FAR)

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped."""
        lo, hi = max(start, 0), min(stop, self.size_in)
        return (lo + self.offset, hi + self.offset) if lo < hi else (0, 0)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        inputs = np.arange(self.size_in)
        return self._inside(inputs + self.offset, inputs)


@dataclass(frozen=True)
class TableMap(AxisMap):
    """Explicit intervals for each output: adaptive pooling, resampling, mirrored padding.

    The table is continued periodically for virtual positions: output o + n * size_out reads the
    inputs of output o, moved by n * size_in, all outside of the input.

    Attributes:
        first: first input that each output reads, `size_out` numbers.
        last: end of the inputs that each output reads.
    """

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()

    def _at(self, position: Ints, values: tuple[int, ...]) -> Ints:
        period, inside = np.divmod(position, self.size_out)
        bounds: Ints = np.asarray(values, np.int64)[inside] + period * self.size_in
        return bounds

    def _monotone(self) -> bool:
        return all(a <= b for v in (self.first, self.last) for a, b in pairwise(v))

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
        # Mirrored padding is not monotone: its hull depends on every output of the interval.
        if self._monotone():
            return self._at(start, self.first), self._at(stop - 1, self.last)
        spans = [np.arange(a, b) for a, b in zip(start, stop, strict=True)]
        first = [self._at(span, self.first).min() for span in spans]
        last = [self._at(span, self.last).max() for span in spans]
        return np.array(first, np.int64), np.array(last, np.int64)

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped."""
        reads = (np.array(self.first) < stop) & (np.array(self.last) > start)
        hit = np.flatnonzero(reads)
        return (int(hit[0]), int(hit[-1]) + 1) if hit.size and start < stop else (0, 0)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        inputs = np.arange(self.size_in)[None]
        taps: NDArray[np.bool_] = inputs >= np.array(self.first)[:, None]
        return taps & (inputs < np.array(self.last)[:, None])


def pull(axis: AxisMap, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Return the hulls of the inputs that output intervals read, unclipped; empty ones stay empty.

    Args:
        axis: the operator's map.
        start: first outputs `[n]`.
        stop: ends `[n]`.
    """
    # `backward` takes no empty intervals: a stand-in is computed for them and then discarded.
    nonempty = start < stop
    first, last = axis.backward(np.where(nonempty, start, 0), np.where(nonempty, stop, 1))
    nonempty &= first < last
    return np.where(nonempty, first, FAR), np.where(nonempty, last, -FAR)


def identity(size: int) -> WindowMap:
    """Return the map of an axis that an operator leaves unchanged."""
    return WindowMap(size, size)
