"""Images that removed pixels are replaced by, and variants of an image in the order of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from convviz.authoring import AttributionMap, ExplainedImage

KERNEL_SIDE, SIGMA = 11, 5.0
"""Side and standard deviation in pixels of the blur of RISE's insertion."""


def rise_blur(image: Tensor) -> Tensor:
    """Return an image blurred as in the published code of RISE, `[C, H, W]`.

    Its kernel of 11 x 11 pixels is `scipy.ndimage.gaussian_filter` of a single 1 with reflected
    borders, which differs from a truncated Gaussian; outside of the image are zeros.
    """
    line = torch.from_numpy(_reflected_kernel(KERNEL_SIDE, SIGMA)).to(image)
    kernel = torch.outer(line, line).expand(len(image), 1, -1, -1)
    return functional.conv2d(image[None], kernel, padding=KERNEL_SIDE // 2, groups=len(image))[0]


def _reflected_kernel(side: int, sigma: float) -> np.ndarray:
    """Return a Gaussian-filtered impulse in the middle of `side` pixels with reflected borders."""
    radius = int(4 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    kernel = np.zeros(side)
    for place in range(side):
        source = (place + offsets) % (2 * side)  # the reflection has a period of two sides
        source = np.where(source < side, source, 2 * side - 1 - source)
        kernel[place] = weights[source == side // 2].sum()
    return kernel


def ranks(attribution: AttributionMap, image: ExplainedImage) -> Tensor:
    """Return the rank of each pixel by importance, 0 for the most important one, `[H, W]`.

    Equal values are ranked at random, by a generator that depends on the image only.
    """
    order = attribution.order(image.rng("ties"))
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return torch.from_numpy(rank.reshape(attribution.values.shape)).to(image.image.device)


def exchange_pixels(
    rank: Tensor, start: Tensor, finish: Tensor, counts: Sequence[int]
) -> Iterator[Tensor]:
    """Yield images in which the pixels of the lowest ranks are replaced.

    Args:
        rank: of each pixel, `[H, W]`.
        start, finish: the pixels before and after the exchange, `[C, H, W]`.
        counts: the numbers of exchanged pixels.
    """
    for count in counts:
        yield torch.where(rank < count, finish, start)


def area_under(curve: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the area under curves `[..., steps]` by the trapezoidal rule."""
    return np.asarray(np.trapezoid(curve, x, axis=-1))
