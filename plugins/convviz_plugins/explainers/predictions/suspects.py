"""Images whose label looks wrong, and images that occur twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .accuracy import Judged


@dataclass(frozen=True, eq=False)
class Suspects:
    """Images whose label is contradicted, most suspicious first.

    Attributes:
        places: indices into the judged images, `[s]`.
        for_label, for_prediction: neighbours with the label and with the predicted class, `[s]`;
            all 0 without neighbours.
        considered: number of neighbours of each image; 0 without neighbours.
    """

    places: Tensor
    for_label: Tensor
    for_prediction: Tensor
    considered: int

    @property
    def agree(self) -> Tensor:
        """True where more neighbours have the predicted class than the label, bool `[s]`."""
        return self.for_prediction > self.for_label


def find_suspects(judged: Judged, labels: Tensor, indices: Tensor | None) -> Suspects:
    """Return the images whose label is suspicious.

    The model contradicts a label if it predicts another class with at least the mean probability
    that it gives to this class for the images labelled so: the threshold of confident learning
    (Northcutt, Jiang & Chuang 2021). A class that is not a label has the mean over all images.
    Neighbours can confirm or refute this: an image with at least as many neighbours of its label
    as of the predicted class is not a suspect, unless it has none of either.

    Args:
        judged: the images with a label.
        labels: outputs of the labels of all images, -1 for none, `[n]`.
        indices: nearest images of each image, `[n, k]`, -1 for none; or None.
    """
    thresholds = _thresholds(judged)
    contradicted = ~judged.correct & (judged.confidence >= thresholds[judged.predicted])
    places = contradicted.nonzero()[:, 0]
    for_label = for_prediction = torch.zeros(len(places), dtype=torch.int64)
    if indices is not None:
        near = indices[judged.items[places]]
        known = torch.where(near >= 0, labels[near.clamp_min(0)], -1)
        for_label = (known == judged.label[places, None]).sum(1)
        for_prediction = (known == judged.predicted[places, None]).sum(1)
        keep = (for_prediction > for_label) | ((for_label == 0) & (for_prediction == 0))
        places, for_label, for_prediction = places[keep], for_label[keep], for_prediction[keep]
    gap = judged.confidence[places] - judged.label_probability[places]
    order = (-gap).argsort(stable=True)
    agree = (for_prediction > for_label)[order]
    order = order[(~agree).long().argsort(stable=True)]
    width = 0 if indices is None else indices.shape[1]
    return Suspects(places[order], for_label[order], for_prediction[order], width)


def _thresholds(judged: Judged) -> Tensor:
    """Return the mean probability of each class among the images with this label, `[classes]`."""
    size = int(torch.cat([judged.label, judged.predicted]).max()) + 1
    count = torch.bincount(judged.label, minlength=size)
    sums = torch.zeros(size, dtype=torch.float64)
    sums.index_add_(0, judged.label, judged.label_probability)
    return torch.where(count > 0, sums / count, judged.label_probability.mean())


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of images with nearly equal features, nearest first.

    Attributes:
        pairs: indices of the images, the lower one first, `[p, 2]`.
        distances: between their features, `[p]`.
        threshold: the largest distance of a pair.
    """

    pairs: Tensor
    distances: Tensor
    threshold: float


def find_duplicates(distances: Tensor, indices: Tensor, ratio: float) -> Duplicates:
    """Return the pairs whose distance is small compared with that of usual neighbours.

    Args:
        distances, indices: of the nearest images of each image, `[n, k]`; NaN and -1 for none.
        ratio: the largest distance of a pair, relative to the median distance of nearest images.
    """
    nearest = distances[:, 0].double()
    nearest = nearest[nearest.isfinite()]
    threshold = ratio * float(np.median(nearest)) if len(nearest) else 0.0
    close = (distances.double() <= threshold) & (indices >= 0)
    rows, columns = close.nonzero().T
    ends = torch.stack([rows, indices[rows, columns]], 1)
    ends, _ = ends.sort(1)
    pairs, first = _unique_rows(ends)
    lengths = distances[rows[first], columns[first]]
    order = lengths.argsort(stable=True)
    return Duplicates(pairs[order], lengths[order], threshold)


def _unique_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the different rows in order, and the first place of each."""
    unique, inverse = rows.unique(dim=0, return_inverse=True)
    first = torch.full((len(unique),), len(rows))
    first.scatter_reduce_(0, inverse, torch.arange(len(rows)), "amin")
    return unique, first
