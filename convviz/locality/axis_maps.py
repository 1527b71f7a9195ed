"""How one axis of an operator maps intervals of outputs to intervals of inputs, and back.

An interval is `[start, stop)` of integer positions; one with `start >= stop` is empty. Positions
below 0 and past the end are *virtual*: they are what padding stands for. `backward` does not
clip, so that the composition of windows is the closed form of Araujo et al. 2019; `forward`
clips to the positions an output really has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FAR = 1 << 40
"""Bounds of an empty interval, which every minimum and maximum leaves out."""


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
        """Set the taps of pairs of an output and an input, those that are virtual left out."""
        found = np.zeros((self.size_out, self.size_in), dtype=np.bool_)
        real = (outputs >= 0) & (outputs < self.size_out) & (inputs >= 0) & (inputs < self.size_in)
        found[outputs[real], inputs[real]] = True
        return found

    def clip(self, start: int, stop: int) -> tuple[int, int]:
        """Clip an interval of outputs to those there are."""
        return max(start, 0), min(stop, self.size_out)

    @property
    def identity(self) -> bool:
        """Whether every output position reads its own input position and nothing else."""
        return False


@dataclass(frozen=True)
class Window(AxisMap):
    """Output o reads inputs `o*stride - padding + dilation*k`, k below `kernel`.

    Convolution and pooling; with a kernel of 1 also slicing, cropping, padding and identity.
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
        """Whether every output position reads its own input position and nothing else."""
        moves = self.reach or self.stride != 1 or self.padding or self.size_in != self.size_out
        return not moves

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
        first = start * self.stride - self.padding
        last = (stop - 1) * self.stride - self.padding + self.reach
        return first, last + 1

    def forward(self, start: int, stop: int) -> tuple[int, int]:
        """Return the hull of the outputs that read any of the inputs `[start, stop)`, clipped.

        With a dilation, outputs whose taps all miss the interval may lie inside the hull or at
        its ends; the hull then is an upper bound.
        """
        if start >= stop:
            return 0, 0
        first = -((self.reach - start - self.padding) // self.stride)
        last = (stop - 1 + self.padding) // self.stride
        return self.clip(first, last + 1)

    def taps(self) -> NDArray[np.bool_]:
        """Return which real inputs each real output reads, `[size_out, size_in]`."""
        outputs, k = np.mgrid[: self.size_out, : self.kernel]
        return self._inside(outputs, outputs * self.stride - self.padding + self.dilation * k)


@dataclass(frozen=True)
class Spread(AxisMap):
    """Input i is written to outputs `i*stride - padding + dilation*k`: transposed convolution.

    Where the stride exceeds the kernel some outputs read nothing.
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
            # The tap is used where a multiple of the stride falls into the interval.
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
class Broadcast(AxisMap):
    """Every output position reads the one input position there is."""

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
class Piece(AxisMap):
    """One input of a concatenation along this axis: it fills the outputs from `offset` on."""

    offset: int = 0

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped.

        Positions before the first output belong to the first input, those past the end to the
        last, as the padding of whatever reads them does.
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
class Lookup(AxisMap):
    """What each output position reads, listed: adaptive pooling, resampling, mirrored padding.

    Virtual positions read what the position one or more whole periods further in reads, moved
    by as many periods; they lie outside the input.

    Attributes:
        first: first input that each output reads, `size_out` of them.
        last: end of what it reads.
    """

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()

    def _at(self, position: Ints, values: tuple[int, ...]) -> Ints:
        period, inside = np.divmod(position, self.size_out)
        found: Ints = np.asarray(values, np.int64)[inside] + period * self.size_in
        return found

    def _monotone(self) -> bool:
        return all(a <= b for v in (self.first, self.last) for a, b in pairwise(v))

    def backward(self, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Return the hull of the inputs that outputs `[start, stop)` read, unclipped."""
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
        found: NDArray[np.bool_] = inputs >= np.array(self.first)[:, None]
        return found & (inputs < np.array(self.last)[:, None])


def pull(axis: AxisMap, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Map intervals backwards, unclipped; empty ones stay empty.

    Args:
        axis: the operator's map.
        start: first outputs `[n]`.
        stop: ends `[n]`.
    """
    some = start < stop
    first, last = axis.backward(np.where(some, start, 0), np.where(some, stop, 1))
    some &= first < last
    return np.where(some, first, FAR), np.where(some, last, -FAR)


def identity(size: int) -> Window:
    """Return the map of an axis that an operator leaves as it is."""
    return Window(size, size)
