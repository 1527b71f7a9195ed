"""Superpixels: simple linear iterative clustering (Achanta et al. 2012)."""

from __future__ import annotations

import cv2
import numpy as np

ITERATIONS = 10


def superpixels(pixels: np.ndarray, count: int, compactness: float = 10.0) -> np.ndarray:
    """Return the segment of each pixel, `[H, W]`, connected regions numbered from 0.

    Pixels are clustered by k-means in the space of CIELAB colours and positions, from centers on
    a regular grid. Parts of a cluster that are not connected with its largest part are given to
    the segments next to them.

    Args:
        pixels: uint8 `[H, W, 3]`.
        count: number of clusters; there are fewer segments if clusters become empty.
        compactness: weight of the positions; a step between two centers of the grid counts as much
            as this difference in CIELAB.
    """
    height, width = pixels.shape[:2]
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    spacing = np.sqrt(height * width / count)
    y, x = np.mgrid[:height, :width]
    positions = np.stack([y, x], -1) * (compactness / spacing)
    features = np.concatenate([lab, positions], -1).reshape(-1, 5).astype(np.float64)
    centers = features[_grid(height, width, count)]
    for _ in range(ITERATIONS):
        labels = _nearest(features, centers)
        centers = _means(features, labels, centers)
    return _connect_segments(_nearest(features, centers).reshape(height, width))


def _grid(height: int, width: int, count: int) -> np.ndarray:
    """Return the flat indices of `count` pixels in rows that are evenly filled."""
    rows = int(np.clip(round(np.sqrt(count * height / width)), 1, min(count, height)))
    per_row = np.diff(np.linspace(0, count, rows + 1).round().astype(int))
    indices = [
        int((row + 0.5) * height / rows) * width + int((column + 0.5) * width / columns)
        for row, columns in enumerate(per_row)
        for column in range(columns)
    ]
    return np.unique(indices)


def _nearest(features: np.ndarray, centers: np.ndarray) -> np.ndarray:
    distances = (centers**2).sum(1) - 2 * features @ centers.T
    return np.asarray(distances.argmin(1))


def _means(features: np.ndarray, labels: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the means of the clusters; the former center of an empty one."""
    counts = np.bincount(labels, minlength=len(centers))
    sums = [np.bincount(labels, f, minlength=len(centers)) for f in features.T]
    means = np.stack(sums, 1) / np.maximum(counts, 1)[:, None]
    return np.where(counts[:, None] > 0, means, centers)


def _connect_segments(labels: np.ndarray) -> np.ndarray:
    """Return segments that keep the largest part of each label; other pixels join the nearest."""
    segments = np.full(labels.shape, -1, np.int64)
    for new, label in enumerate(np.unique(labels)):
        count, parts, stats, _ = cv2.connectedComponentsWithStats(
            (labels == label).astype(np.uint8), connectivity=4
        )
        largest = 1 + int(stats[1:count, cv2.CC_STAT_AREA].argmax())
        segments[parts == largest] = new
    free = (segments < 0).astype(np.uint8)
    if not free.any():
        return segments
    _, nearest = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # `nearest` numbers the pixels that are not free; the segment of each number is looked up.
    segment_of = np.zeros(nearest.max() + 1, np.int64)
    segment_of[nearest[free == 0]] = segments[free == 0]
    return np.asarray(segment_of[nearest])
