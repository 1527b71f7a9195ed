"""Regions outside of which maps are zero, for gradients that start at single positions.

The gradient of one unit of a map is zero at all other positions, and each convolution on the way
back enlarges the region that is not zero by its kernel. Convolutions of the region alone give the
same gradient, because zeros add nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MAX_SHARE = 0.6
"""Share of a map up to which a region is computed separately: copying it takes time as well."""

SAMPLED_CHANNELS = 32
"""One channel in so many is looked at first: reading all takes as long as a small convolution."""


class NonzeroRegions(NamedTuple):
    """One window for each map of a batch; all have the same size.

    Attributes:
        starts: first row and first column of each window, `[N]` each.
        size: rows and columns.
    """

    starts: tuple[Tensor, Tensor]
    size: tuple[int, int]

    @classmethod
    def of(cls, maps: Tensor) -> NonzeroRegions | None:
        """Return the regions of maps `[N, C, h, w]`; None if they are not worth a copy."""
        height, width = maps.shape[2:]
        if not len(maps) or height * width == 1:
            return None
        # The regions of all channels contain those of some, so that large ones end it here.
        for channels in (maps[:, ::SAMPLED_CHANNELS], maps):
            regions = cls._smallest(channels)
            if regions.size[0] * regions.size[1] > MAX_SHARE * height * width:
                return None
        return regions

    @classmethod
    def _smallest(cls, maps: Tensor) -> NonzeroRegions:
        """Return the smallest regions of one size that contain all that is not zero."""
        height, width = maps.shape[2:]
        nonzero = maps.abs().amax(1) != 0  # NaN counts as well
        (top, bottom), (left, right) = _spans(nonzero.any(2)), _spans(nonzero.any(1))
        rows, columns = (
            max(1, int((last - first).max()) + 1) for first, last in ((top, bottom), (left, right))
        )
        return cls((top.clamp(max=height - rows), left.clamp(max=width - columns)), (rows, columns))

    def read(self, maps: Tensor) -> Tensor:
        """Return the windows of maps `[N, C, h, w]`, in channels_last."""
        places = _indices(self.starts, self.size)
        return maps.permute(0, 2, 3, 1)[places].permute(0, 3, 1, 2)


def write_windows(windows: Tensor, starts: tuple[Tensor, Tensor], shape: torch.Size) -> Tensor:
    """Return maps of a shape `[N, C, h, w]` that hold the windows and are zero elsewhere.

    Args:
        windows: `[N, C, rows, columns]`.
        starts: first row and first column of each window, `[N]` each. Parts of windows outside of
            the maps are left out.
        shape: of the maps.
    """
    rows, columns = windows.shape[2:]
    height, width = shape[2:]
    before = [max(0, -int(at.min())) for at in starts]
    after = [
        max(0, int(at.max()) + n - whole)
        for at, n, whole in zip(starts, (rows, columns), (height, width), strict=True)
    ]
    canvas = windows.new_zeros(
        shape[0], before[0] + height + after[0], before[1] + width + after[1], shape[1]
    )
    moved = starts[0] + before[0], starts[1] + before[1]
    canvas[_indices(moved, (rows, columns))] = windows.permute(0, 2, 3, 1)
    inside = canvas[:, before[0] : before[0] + height, before[1] : before[1] + width]
    return inside.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _spans(used: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the last true entry of each row; 0 and -1 if there is none."""
    entries = torch.arange(used.shape[1], device=used.device)
    last = torch.where(used, entries, -1).amax(1)
    first = torch.where(used, entries, used.shape[1]).amin(1)
    return torch.where(last < 0, 0, first), last


def _indices(starts: tuple[Tensor, Tensor], size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return indices of windows in maps `[N, h, w, C]`."""
    top, left = starts
    rows = top[:, None] + torch.arange(size[0], device=top.device)
    columns = left[:, None] + torch.arange(size[1], device=top.device)
    items = torch.arange(len(top), device=top.device)
    return items[:, None, None], rows[:, :, None], columns[:, None, :]
