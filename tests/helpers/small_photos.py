"""Photos in memory and a small network, for tests of data-set explainers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

import convviz
import convviz.authoring
from convviz import Model, Preprocess
from convviz.authoring import Batch

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
AS_IT_IS = Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)


class Photos:
    """A data set in memory, as `finish` sees it."""

    def __init__(self, photos: np.ndarray) -> None:
        self.photos = photos
        self.ids = tuple(f"{i:03d}" for i in range(len(photos)))
        self.labels = (None,) * len(photos)
        self.classes: tuple[str, ...] = ()
        self.name = "photos"

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, index: int) -> np.ndarray:
        return self.photos[index]

    def affine(self, index: int) -> tuple[float, ...]:
        return IDENTITY

    def spool(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.zeros(shape, dtype)


def network(seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = (nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2))
    extra = (nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(True), nn.Flatten())
    return nn.Sequential(*layers, *extra).to(dtype).eval()


def coarse(count: int, size: int = 12, seed: int = 0) -> np.ndarray:
    """Photos of few values, some of them twice, so that there are many ties."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 2, (count, size // 4, size // 4, 3)) * 255
    photos = small.repeat(4, 1).repeat(4, 2).astype(np.uint8)
    photos[count // 2] = photos[0]
    return photos


def batches(model: Model, photos: np.ndarray, sizes: list[int]) -> Iterator[Batch]:
    start = 0
    for size in sizes:
        yield convviz.authoring.make_batch(list(photos[start : start + size]), model)
        start += size
