"""Feature vectors and thumbnails of all items, on which several data-set explainers build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ..data.dataset import Items
from ..errors import ParameterError
from ..images.batch import Batch
from ..layers.defaults import LayerKind
from ..network.model import Model
from ..results.types import Result, Table
from ..scores.outputs import Forward
from .explainer import DatasetExplainer, Partial

VECTORS = "vectors"
BLOCK = 256
"""Thumbnails that are converted to vectors at a time."""

PIXEL_SIDE = 32
"""Side of the thumbnails on which distances in pixel space are measured, in pixels."""


class Features(DatasetExplainer):
    """One feature vector per item: the output of a layer, pooled over its positions."""

    default_layer_kind: ClassVar[LayerKind | None] = "features"

    pool: Literal["avg", "max", "flatten"] = Field(
        "avg", description="Pooling of the positions of a spatial layer into one vector."
    )

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the pooled output of each layer, `partial[layer]["vectors"]` `[N, d]`."""
        return {
            layer: {VECTORS: pool_positions(forward.activations[layer], self.pool).cpu()}
            for layer in self.resolve_layers(model)
        }

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the vectors of `a` and `b`, concatenated."""
        return concatenate_partials([a, b])

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return one table per layer, values `[n, d]`."""
        whole = concatenate_in_files(partials, items)
        return {
            layer: Table(whole[layer][VECTORS], unit="activation")
            for layer in self.resolve_layers(model)
        }


class Pixels(DatasetExplainer):
    """A thumbnail of the cropped photo of every item: uint8 `thumbnails` `[n, s, s, 3]`."""

    size: int = Field(64, ge=8, le=512, description="Side of the thumbnails, in pixels.")

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return no layers."""
        return ()

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the shrunk photos, `partial[""]["thumbnails"]` `[N, s, s, 3]`."""
        return {"": {"thumbnails": make_thumbnails(batch.pixels, self.size)}}

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the thumbnails of `a` and `b`, concatenated."""
        return concatenate_partials([a, b])

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return one table under the layer "": pixel vectors, with the thumbnails as an array."""
        pictures = concatenate_in_files(partials, items)[""]["thumbnails"]
        vectors = pixel_vectors(pictures[:1]).shape[1]
        whole = torch.from_numpy(items.spool("pixels", (len(pictures), vectors), np.float32))
        for i in range(0, len(pictures), BLOCK):
            whole[i : i + BLOCK] = pixel_vectors(pictures[i : i + BLOCK])
        return {"": Table(whole, unit="pixel value", arrays={"thumbnails": pictures})}


def pool_positions(activation: Tensor, pool: str) -> Tensor:
    """Return one vector per image from the output of a layer.

    Args:
        activation: `[N, C]`, a map `[N, C, h, w]`, or tokens `[N, T, C]`.
        pool: "avg" or "max" over positions, or "flatten".

    Returns:
        `[N, d]`, float32, or float64 for a float64 model.
    """
    x = activation.detach()
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    if x.ndim == 2:
        return x
    if pool == "flatten" or x.ndim < 2:
        return x.reshape(len(x), -1)
    positions = (1,) if x.ndim == 3 else tuple(range(2, x.ndim))
    return x.mean(positions) if pool == "avg" else x.amax(positions)


def make_thumbnails(pixels: Tensor, size: int) -> Tensor:
    """Return photos resized to squares, uint8 `[N, H, W, 3]` to uint8 `[N, size, size, 3]`.

    Shrinking averages areas; enlarging repeats pixels, so that small photos stay sharp.
    """
    x = pixels.permute(0, 3, 1, 2).float()
    small = min(x.shape[-2:]) < size
    mode = "nearest-exact" if small else "area"
    resized = F.interpolate(x, size=(size, size), mode=mode)
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def pixel_vectors(pictures: Tensor) -> Tensor:
    """Return the vectors of thumbnails for distances in pixel space, float32 `[n, d]` in [0, 1]."""
    x = pictures.permute(0, 3, 1, 2).float() / 255
    if x.shape[-1] > PIXEL_SIDE:
        x = F.interpolate(x, size=(PIXEL_SIDE, PIXEL_SIDE), mode="area")
    return x.flatten(1).contiguous()


def concatenate_in_files(partials: Iterable[Partial], items: Items) -> Partial:
    """Return the concatenation of partials with one row per item, in memory-mapped files.

    Args:
        partials: the partials of all items, in order.
        items: the items, which provide the files.
    """
    whole: Partial = {}
    start = 0
    for partial in partials:
        for layer, name, rows in _entries(partial):
            arrays = whole.setdefault(layer, {})
            if name not in arrays:
                shape, dtype = (len(items), *rows.shape[1:]), rows[:0].numpy().dtype
                arrays[name] = torch.from_numpy(items.spool(f"{layer} {name}", shape, dtype))
            _check_lengths(layer, name, [arrays[name], rows])
            arrays[name][start : start + len(rows)] = rows
        start += len(rows)
    return whole


def concatenate_partials(partials: list[Partial]) -> Partial:
    """Return the partials concatenated along the first axis; raises if vectors differ in length."""
    if len(partials) == 1:
        return partials[0]
    whole: Partial = {layer: {} for layer in partials[0]}
    for layer, name, _ in _entries(partials[0]):
        parts = [partial[layer][name] for partial in partials]
        _check_lengths(layer, name, parts)
        whole[layer][name] = torch.cat(parts)
    return whole


def _entries(partial: Partial) -> Iterator[tuple[str, str, Tensor]]:
    """Yield layer, name and tensor of every entry."""
    for layer, tensors in partial.items():
        for name, tensor in tensors.items():
            yield layer, name, tensor


def _check_lengths(layer: str, name: str, parts: list[Tensor]) -> None:
    lengths = {tuple(part.shape[1:]) for part in parts}
    if len(lengths) > 1:
        raise ParameterError(
            f"layer {layer!r}: {name} of different length, {sorted(lengths)}; pool='flatten' needs "
            "images of one size, pool='avg' does not"
        )
