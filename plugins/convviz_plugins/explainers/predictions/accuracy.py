"""Accuracy, calibration, confusions and the numbers of each class, from the rows of all images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .image_scores import TOP, Rows

Z_95 = 1.959963984540054
"""Quantile of the normal distribution for two-sided intervals of 95 %."""


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); NaN if there are no images."""
    if not count:
        return math.nan, math.nan
    share, z = hits / count, Z_95
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


@dataclass(frozen=True, eq=False)
class Judged:
    """The images with a label and finite scores.

    Attributes:
        items: their indices among all images, `[m]`.
        label, predicted: outputs, `[m]`.
        confidence: probability of the predicted class, `[m]`.
        label_probability: `[m]`.
        loss, rank: as in the rows, `[m]`.
    """

    items: Tensor
    label: Tensor
    predicted: Tensor
    confidence: Tensor
    label_probability: Tensor
    loss: Tensor
    rank: Tensor

    @property
    def correct(self) -> Tensor:
        """True where the best class is the label, bool `[m]`."""
        return self.rank == 0

    def hits(self, k: int) -> int:
        """Return the number of images whose label is among the k best classes."""
        return int((self.rank < k).sum())


def judge(rows: Rows) -> Judged:
    """Return the images that can be right or wrong."""
    items = (rows["label"] >= 0).nonzero()[:, 0]
    return Judged(
        items=items,
        label=rows["label"][items],
        predicted=rows["top"][items, 0],
        confidence=rows["probabilities"][items, 0],
        label_probability=rows["label_probability"][items],
        loss=rows["loss"][items],
        rank=rows["rank"][items],
    )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidence and accuracy in bins of equal width.

    Attributes:
        count: images in each bin, `[bins]`.
        confidence, accuracy: their means, `[bins]`; NaN in empty bins.
        low, high: 95 % interval of the accuracy, `[bins]`.
        error: the expected calibration error (Naeini et al. 2015; Guo et al. 2017): the mean
            distance of accuracy and confidence, weighted by images.
    """

    count: Tensor
    confidence: Tensor
    accuracy: Tensor
    low: Tensor
    high: Tensor
    error: float


def calibrate(judged: Judged, bins: int) -> Calibration:
    """Return the calibration in bins (i / bins, (i + 1) / bins]; 0 is in the first bin."""
    place = (judged.confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    count = torch.bincount(place, minlength=bins)
    sums = torch.zeros(2, bins, dtype=torch.float64)
    sums[0].index_add_(0, place, judged.confidence)
    sums[1].index_add_(0, place, judged.correct.double())
    confidence, accuracy = sums / count
    hits = sums[1].long().tolist()
    intervals = [wilson_interval(h, n) for h, n in zip(hits, count.tolist(), strict=True)]
    low, high = torch.tensor(intervals, dtype=torch.float64).T
    gaps = (accuracy - confidence).abs().nan_to_num(0.0)
    error = float((gaps * count).sum() / count.sum())
    return Calibration(count, confidence, accuracy, low, high, error)


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Images by class, for the classes that occur as a label or as a prediction.

    Attributes:
        outputs: the classes, ascending, `[R]`.
        images, predicted, hits: images with this label, with this prediction, with both, `[R]`.
        pairs: true class, predicted class (indices into `outputs`) and images, `[P, 3]`, for all
            pairs that occur.
    """

    outputs: Tensor
    images: Tensor
    predicted: Tensor
    hits: Tensor
    pairs: Tensor

    def recall(self) -> Tensor:
        """Return the share of the images of each class that are predicted as it; NaN without."""
        return self.hits / self.images

    def precision(self) -> Tensor:
        """Return the share of the predictions of each class that are right; NaN without."""
        return self.hits / self.predicted

    def confusions(self) -> Tensor:
        """Return the pairs of different classes, most images first, `[Q, 3]`."""
        wrong = self.pairs[self.pairs[:, 0] != self.pairs[:, 1]]
        return wrong[(-wrong[:, 2]).argsort(stable=True)]

    def matrix(self, rows: Tensor) -> Tensor:
        """Return images by true and predicted class among some classes, int64 `[r, r]`."""
        place = torch.full((len(self.outputs),), -1)
        place[rows] = torch.arange(len(rows))
        true, predicted = place[self.pairs[:, 0]], place[self.pairs[:, 1]]
        inside = (true >= 0) & (predicted >= 0)
        counts = torch.zeros(len(rows), len(rows), dtype=torch.int64)
        counts[true[inside], predicted[inside]] = self.pairs[inside, 2]
        return counts


def count_classes(judged: Judged) -> ClassCounts:
    """Return the counts of all classes."""
    both = torch.stack([judged.label, judged.predicted])
    outputs, places = both.unique(return_inverse=True)
    pairs, counts = places.T.unique(dim=0, return_counts=True)
    size = len(outputs)
    return ClassCounts(
        outputs=outputs,
        images=torch.bincount(places[0], minlength=size),
        predicted=torch.bincount(places[1], minlength=size),
        hits=torch.bincount(places[0][judged.correct], minlength=size),
        pairs=torch.cat([pairs, counts[:, None]], 1),
    )


def summary(judged: Judged, width: int) -> Iterator[tuple[str, float | int | str]]:
    """Yield the measures of all images.

    Args:
        judged: the images with a label.
        width: number of classes of the model.
    """
    count = len(judged.items)
    yield "images with a label", count
    for k in (1, TOP) if width > TOP else (1,):
        hits = judged.hits(k)
        low, high = wilson_interval(hits, count)
        yield f"top-{k} accuracy", f"{100 * hits / count:.1f} % ({hits} of {count})"
        yield f"top-{k} 95 % interval", f"{100 * low:.1f} to {100 * high:.1f} %"
    yield "mean confidence", float(judged.confidence.mean())
    yield "mean loss", float(judged.loss.mean())
