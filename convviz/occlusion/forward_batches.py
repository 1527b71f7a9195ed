"""Batches: copies of images for full forward passes, and batch sizes that fit into memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..ops.occlude import occlude
from ..state.device import is_out_of_memory, release_cached_memory
from .regions import Regions

_BATCH_PIXELS = {"cpu": 32 * 224 * 224, "cuda": 128 * 224 * 224}
_MAX_BATCH = 512


def covered_copies(
    images: Tensor, fill: Tensor, owner: Tensor, regions: Regions, position: Tensor
) -> Tensor:
    """Return copies `[B, C, H, W]` of images, each with a region filled.

    Args:
        images: `[N, C, H, W]`.
        fill: as `images`; a covered pixel takes the fill's value at its own place.
        owner: index of the image that each copy is made from, `[B]`.
        regions: the regions.
        position: index of the region of each copy, `[B]`.
    """
    copies = images.new_empty(len(owner), *images.shape[1:])
    if regions.masks is not None:
        masks = regions.masks[position.to(images.device), None]
        owner = owner.to(images.device)
        return torch.where(masks, fill[owner], images[owner], out=copies)
    x0, y0, x1, y1 = regions.boxes[position].to(images.device).unbind(1)
    # The operator takes one image and one window size: group the copies by both.
    keys = torch.stack([owner.to(x0), y1 - y0, x1 - x0], 1)
    groups, group = torch.unique(keys, dim=0, return_inverse=True)
    for index, (source, height, width) in enumerate(groups.tolist()):
        at = group == index
        copies[at] = occlude(images[source], y0[at], x0[at], height, width, fill[source])
    return copies


def automatic_batch(images: Tensor) -> int:
    """Return the number of copies in a forward pass: about a fixed number of pixels."""
    budget = _BATCH_PIXELS.get(images.device.type, _BATCH_PIXELS["cpu"])
    height, width = images.shape[-2:]
    return max(1, min(_MAX_BATCH, budget // max(1, height * width)))


class HostCopy:
    """A copy of a tensor to the CPU, which starts at once and is waited for later.

    Args:
        source: a tensor on any device.
    """

    def __init__(self, source: Tensor) -> None:
        self._copied: torch.cuda.Event | None = None
        if source.device.type != "cuda":
            self._copy = source.cpu()
            return
        self._copy = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        self._copy.copy_(source, non_blocking=True)
        self._copied = torch.cuda.current_stream(source.device).record_event()

    def wait(self) -> Tensor:
        """Return the copy when it is complete."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._copy


class HalvingBatches:
    """Calls a function batch by batch, and halves the batch size whenever memory runs out.

    Args:
        score: maps indices `[B]` to scores `[B, ...]`.
        limit: the largest batch; afterwards the attribute is the size that fits.
    """

    def __init__(self, score: Callable[[Tensor], Tensor], limit: int) -> None:
        self.score, self.limit = score, limit

    def __call__(self, indices: Tensor) -> Tensor:
        """Return the scores of all indices, in their order."""
        scores = []
        while len(indices):
            batch = indices[: self.limit]
            try:
                scores.append(self.score(batch))
            except Exception as error:
                if len(batch) == 1 or not is_out_of_memory(error):
                    raise
                self.limit = max(1, len(batch) // 2)
            else:
                indices = indices[len(batch) :]
                continue
            # Outside of the handler: inside, the traceback still holds the failed batch.
            release_cached_memory()
        return torch.cat(scores)
