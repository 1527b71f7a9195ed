"""Best positions of every channel in the maps of a batch, as lists of `ranking`."""

from __future__ import annotations

import torch
from torch import Tensor

import convviz
import convviz.authoring

from .top_k import Lists


def finite_maps(maps: Tensor) -> tuple[Tensor, int]:
    """Return the maps with non-finite values replaced by -inf, and the number of these."""
    if bool(maps.sum().isfinite()):  # a finite sum has finite terms only
        return maps, 0
    finite = torch.isfinite(maps)
    return maps.masked_fill(~finite, -torch.inf), int((~finite).sum())


def map_means(maps: Tensor) -> Tensor:
    """Return the mean of the finite values of each map, `[N, C]`; -inf where there is none.

    They are summed in float64 and rounded to the precision of the maps, so that maps of equal
    content have equal means whatever the order of summation.
    """
    means = convviz.authoring.channel_means(maps)
    if not bool(means.isfinite().all()):
        finite = maps > -torch.inf
        share = finite.flatten(2).double().mean(2)
        means = convviz.authoring.channel_means(maps.masked_fill(~finite, 0)) / share
        means = means.masked_fill(share == 0, -torch.inf)
    return means.to(maps.dtype)


def winners(maps: Tensor, peaks: Tensor, places: Tensor) -> Lists:
    """Return lists with the best position of every image, `[C, N]`, in the order of images.

    Args:
        maps: `[N, C, h, w]`.
        peaks, places: as `convviz.authoring.channel_peaks` returns them.
    """
    images, width = torch.arange(len(maps), device=maps.device), maps.shape[3]
    return {
        "values": peaks.T,
        "means": map_means(maps).T,
        "items": images.expand(maps.shape[1], -1),
        "positions": torch.stack([places.T // width, places.T % width], 2),
    }


def candidates(maps: Tensor, per_image: int) -> Lists:
    """Return lists with the m best positions of every image, `[C, N * m]`, in the order of images.

    m is `per_image`, or the number of positions if that is smaller.
    """
    images, channels, height, width = maps.shape
    flat = maps.flatten(2).contiguous()
    values, places = [], []
    for _ in range(min(per_image, height * width)):
        at = flat.argmax(2, keepdim=True)  # the first of equal values
        values.append(flat.gather(2, at))
        places.append(at)
        flat = flat.scatter(2, at, -torch.inf)
    # [N, C, m] -> [C, N * m]
    at = torch.cat(places, 2).transpose(0, 1).flatten(1)
    items = torch.arange(images, device=maps.device).repeat_interleave(len(values))
    return {
        "values": torch.cat(values, 2).transpose(0, 1).flatten(1),
        "means": map_means(maps).T.repeat_interleave(len(values), 1),
        "items": items.expand(channels, -1),
        "positions": torch.stack([at // width, at % width], 2),
    }
