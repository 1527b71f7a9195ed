"""Superpixels as the regions that are covered, in place of windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from convviz import ConvvizError
from convviz.authoring import Occluded, Occluder


@dataclass(frozen=True)
class Superpixels:
    """The segments of N images, at most `count` each.

    Attributes:
        labels: the segment of each pixel, from 0, int64 `[N, H, W]`.
        count: the largest number of segments of an image.
    """

    labels: Tensor
    count: int

    uncovered_share = 0.0

    @cached_property
    def present(self) -> Tensor:
        """Which of the `count` segments each image has, bool `[N, count]`."""
        return torch.arange(self.count) <= self.labels.amax((1, 2))[:, None]

    @property
    def arrays(self) -> Mapping[str, Tensor]:
        """The segments as an array of the result."""
        return {"segments": self.labels}

    def occlude(self, occluder: Occluder) -> Occluded:
        """Return the scores with each segment covered, `[N, count, …]`.

        Those of segments that an image does not have are the scores of the unchanged image.
        """
        segments = torch.arange(self.count)[:, None, None]
        parts = [occluder(labels == segments, [i]) for i, labels in enumerate(self.labels)]
        first = parts[0]
        exact = [part.exact for part in parts if part.exact is not None]
        return replace(
            first,
            scores=torch.cat([part.scores for part in parts]),
            exact=torch.cat(exact) if len(exact) == len(parts) else None,
        )

    def arrange(self, scores: Tensor) -> Tensor:
        """Return the scores `[N, count]` with NaN (classes: -2) for missing segments."""
        missing = float("nan") if scores.is_floating_point() else -2
        return scores.masked_fill(~self.present, missing)

    def to_pixels(self, scores: Tensor, how: str) -> Tensor:
        """Return the score of the segment of each pixel, float64 `[N, H, W]`."""
        flat = scores.to(torch.float64).gather(1, self.labels.flatten(1))
        return flat.view(self.labels.shape)


def find_superpixels(pixels: Tensor, count: int) -> Superpixels:
    """Return SLIC superpixels (Achanta et al. 2012) of images.

    Args:
        pixels: uint8 `[N, H, W, 3]`.
        count: the largest number of segments; SLIC may find fewer.

    Raises:
        ConvvizError: scikit-image is not installed.
    """
    labels = [_slic(photo, count) for photo in pixels.cpu().numpy()]
    return Superpixels(torch.from_numpy(np.stack(labels)).long(), count)


def _slic(photo: np.ndarray, count: int) -> np.ndarray:
    """Return the segments of one image, at most `count`."""
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ConvvizError(
            "segments requires scikit-image: pip install 'convviz[segments]'"
        ) from error
    labels: np.ndarray = slic(photo, n_segments=count, start_label=0)
    # SLIC starts on a grid, which may have a few cells more than asked for.
    start_count = count
    while labels.max() >= count and start_count > 1:
        start_count -= 1
        labels = slic(photo, n_segments=start_count, start_label=0)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
