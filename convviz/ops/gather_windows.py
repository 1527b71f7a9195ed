"""Input windows of an operator, gathered from changed windows and the clean map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.library import custom_op

from .checks import check, check_floating, dtype_name


@custom_op("convviz::gather_windows", mutates_args=())
def gather_windows(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    padding: float,
) -> Tensor:
    """Return, for each position, the window of a changed map that the next operator reads.

    The changed map of a position is the clean map with its changed window written over it. It is
    never built as a whole.

    Args:
        clean: the map of the unchanged image, `[1, C, H, W]`.
        changed: changed windows, grouped by size into tensors `[n, C, h, w]`.
        table: int64 `[P, 6]`, one row per position: index of the tensor in `changed` that contains
            the position's changed window (-1: there is none), index of the window in that tensor,
            y and x of its corner in the map, y and x of the corner of the window that is read.
            Both windows may overhang the map. The table is on the CPU, or on clean's device, which
            saves a copy; the CUDA kernel then stops at an invalid row.
        height, width: size of the windows that are read.
        padding: the value outside of the map.

    Returns:
        `[P, C, height, width]`, channels_last.
    """
    _check_gather(clean, changed, table, height, width)
    channels, h, w = clean.shape[1:]
    out = clean.new_full((len(table), channels, height, width), padding)
    for i, (source, index, source_y, source_x, y, x) in enumerate(table.tolist()):
        _write_overlap(out[i], clean[0], y, x, 0, 0)
        if source >= 0:
            part = changed[source][index]
            # Outside of the map the padding counts, not the changed window.
            inside = part[:, max(-source_y, 0) : h - source_y, max(-source_x, 0) : w - source_x]
            _write_overlap(out[i], inside, y, x, max(source_y, 0), max(source_x, 0))
    return out.contiguous(memory_format=torch.channels_last)


@gather_windows.register_fake
def _(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    padding: float,
) -> Tensor:
    return empty_windows(clean, table, clean.shape[1], height, width)


def empty_windows(clean: Tensor, table: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Return uninitialized windows, one per row of the table: `[P, channels, height, width]`."""
    shape = (table.shape[0], channels, height, width)
    return torch.empty(
        shape, dtype=clean.dtype, device=clean.device, memory_format=torch.channels_last
    )


def _write_overlap(window: Tensor, part: Tensor, y: int, x: int, part_y: int, part_x: int) -> None:
    """Write the overlap of a part of a map with a window into the window.

    Args:
        window: `[C, h, w]`, changed in place.
        part: `[C, H, W]`.
        y, x, part_y, part_x: the top left corners of both in the map.
    """
    y0, y1 = max(y, part_y), min(y + window.shape[1], part_y + part.shape[1])
    x0, x1 = max(x, part_x), min(x + window.shape[2], part_x + part.shape[2])
    if y0 < y1 and x0 < x1:
        window[:, y0 - y : y1 - y, x0 - x : x1 - x] = part[
            :, y0 - part_y : y1 - part_y, x0 - part_x : x1 - part_x
        ]


def _check_gather(
    clean: Tensor, changed: list[Tensor], table: Tensor, height: int, width: int
) -> None:
    """Raise if an argument of `gather_windows` is invalid; the kernels make the same checks."""

    def require(condition: bool, message: str) -> None:
        check(condition, "gather_windows", message)

    check_floating("gather_windows", "clean", clean)
    require(
        clean.dim() == 4 and clean.shape[0] == 1,
        f"clean must be [1, C, H, W], got {list(clean.shape)}",
    )
    require(height > 0 and width > 0, f"the window must be 1 x 1 or more, got {height} x {width}")
    require(
        table.dtype == torch.int64 and table.dim() == 2 and table.shape[1] == 6,
        f"table must be int64 [P, 6], got {dtype_name(table)} {list(table.shape)}",
    )
    for part in changed:
        require(
            part.dim() == 4 and part.shape[1] == clean.shape[1] and part.dtype == clean.dtype,
            f"changed must hold tensors [n, {clean.shape[1]}, h, w] of clean's dtype, "
            f"{dtype_name(clean)}, got {dtype_name(part)} {list(part.shape)}",
        )
    for i, (source, index, *_) in enumerate(table.tolist()):
        known = -1 <= source < len(changed)
        require(
            known and (source < 0 or 0 <= index < len(changed[source])),
            f"row {i} of table names window {index} of source {source}, and there are "
            f"{len(changed)} sources",
        )
