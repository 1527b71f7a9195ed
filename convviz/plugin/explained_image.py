"""The input of a metric: one image, the maps of all explainers, and the scores of its variants."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..network.model import Model
from ..scores.targets import Target
from .explainer import MapKind

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class AttributionMap:
    """The map of one image by one explainer, in a form that metrics can compare.

    Attributes:
        explainer: name of the explainer.
        values: `[H, W]`, float64: the larger, the more important. Pixels without a value have the
            smallest one, or 0 if the map is signed.
        kind: the meaning of the values, see `MapKind`; None if the explainer declares none.
        signed: whether 0 is neutral and negative values are evidence against the target.
        channels: `[C, H, W]`, the values for each colour channel; None if the map has none.
    """

    explainer: str
    values: np.ndarray
    kind: MapKind | None = None
    signed: bool = False
    channels: np.ndarray | None = None

    @property
    def is_defined(self) -> bool:
        """True if all values are finite."""
        return bool(np.isfinite(self.values).all())

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """Return the flat indices of all pixels, the most important first.

        Args:
            rng: orders pixels of equal values at random.
        """
        return descending(self.values.ravel(), rng)


def descending(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of values in descending order; equal values are ordered at random."""
    shuffled = rng.permutation(len(values))
    return np.asarray(shuffled[np.argsort(-values[shuffled], kind="stable")])


def seeded_rng(seed: int, image_id: str, purpose: str) -> np.random.Generator:
    """Return a generator that depends on the seed of a benchmark, an image and a purpose."""
    return np.random.default_rng([seed, zlib.crc32(f"{image_id}\0{purpose}".encode())])


class Repeat(Protocol):
    """Explains variants of an image by all explainers again."""

    def __call__(
        self, images: Tensor, model: Model, other_seed: bool
    ) -> list[tuple[AttributionMap, ...]]:
        """Return for each explainer the maps of all images; see `ExplainedImage.explain`."""
        ...


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """One image with the maps of all explainers.

    Attributes:
        id: the id of the image, from which the seeds of metrics are derived.
        model: the model.
        image: the preprocessed image, `[C, H, W]`, on the model's device.
        pixels: the model's crop as a photo, uint8 `[H, W, 3]`.
        target: the explained target.
        maps: the maps, one per explainer; all values are finite.
        mask: `[H, W]` bool, the object in the image; None if it is not known.
        seed: the seed of the benchmark.
        batch_size: images per forward pass.
        forward: returns the output of the model for images `[N, C, H, W]`, `[N, classes]`.
        repeat: runs the explainers again, see `explain`.
        others: returns an iterator over the images of the benchmark, preprocessed, `[C, H, W]`; the
            image itself is among them. Any prefix of the order is spread over the data set.
        cache: values by key, see `compute_once`.
        shared_cache: values by key for all images of the benchmark.
    """

    id: str
    model: Model
    image: Tensor
    pixels: np.ndarray
    target: Target
    maps: tuple[AttributionMap, ...]
    forward: Callable[[Tensor], Tensor]
    repeat: Repeat
    others: Callable[[], Iterator[Tensor]] = lambda: iter(())
    mask: np.ndarray | None = None
    seed: int = 0
    batch_size: int = 32
    cache: dict[Hashable, Any] = field(default_factory=dict)
    shared_cache: dict[Hashable, Any] = field(default_factory=dict)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator that depends on the benchmark's seed, the image and a purpose."""
        return seeded_rng(self.seed, self.id, purpose)

    def scores(self, images: Iterable[Tensor], probability: bool = False) -> np.ndarray:
        """Return the target's score for variants of the image, `[variants]`, float64.

        Variants of all maps and steps should be scored in one call, since they share batches.

        Args:
            images: `[C, H, W]` each; a generator saves memory.
            probability: return the probability of a class instead of its score. Other targets have
                no probability, and their value is returned.
        """
        parts = [self._values(batch, probability) for batch in self._batches(images)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def top_classes(self, images: Iterable[Tensor]) -> np.ndarray:
        """Return the class with the highest score for variants of the image, `[variants]`."""
        parts = [self.forward(batch).argmax(1).cpu().numpy() for batch in self._batches(images)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _batches(self, images: Iterable[Tensor]) -> Iterator[Tensor]:
        variants = iter(images)
        while batch := list(islice(variants, self.batch_size)):
            yield torch.stack(batch)

    def _values(self, batch: Tensor, probability: bool) -> np.ndarray:
        index = self.target.index
        if index is None:
            values = self.model.scores(batch, [self.target] * len(batch))
        else:
            output = self.forward(batch)
            values = (self.model.probabilities(output) if probability else output)[:, index]
        return values.double().cpu().numpy()

    def explain(
        self, images: Tensor, model: Model | None = None, other_seed: bool = False
    ) -> list[tuple[AttributionMap, ...]]:
        """Run the explainers again, on variants of the image or on another model.

        Args:
            images: `[K, C, H, W]`.
            model: the model, by default that of the maps.
            other_seed: use another seed than for the maps, in explainers that have one.

        Returns:
            For each of `maps` the maps of the K images. Where an explainer fails, all values of
            its maps are NaN.
        """
        return self.repeat(images, model or self.model, other_seed)

    def compute_once(self, key: Hashable, compute: Callable[[], T], all_images: bool = False) -> T:
        """Return what `compute` returns, which is called once per image and key.

        The metrics of a benchmark share the values, for example the score of the image without
        any change.

        Args:
            key: the key.
            compute: returns the value.
            all_images: call it once for all images of the benchmark.
        """
        cache = self.shared_cache if all_images else self.cache
        if key not in cache:
            cache[key] = compute()
        value: T = cache[key]
        return value
