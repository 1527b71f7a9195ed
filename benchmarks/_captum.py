"""Rivals made of Captum: its occlusion, and a sweep by its `LayerActivation`, the rest by hand."""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import LayerActivation, Occlusion
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BEST = 9
"""Patches a channel, as many as convviz keeps."""

BINS, RANGE = 64, 8.0

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
"""Memory formats of networks and images, by the names that the records use."""


@torch.inference_mode()
def occlusion_map(
    module: nn.Module, image: Tensor, target: int, layout: str, batch: int, window: int, stride: int
) -> Tensor:
    """Return Captum's map `[S, S]` of an image `[1, 3, S, S]`.

    Args:
        module: the network, in eval mode and in the memory format of the layout.
        image: the image, which is brought into this format.
        target: the class.
        layout: a key of FORMATS.
        batch: windows per forward pass.
        window, stride: of the sliding window, in pixels; the covered pixels become 0.
    """
    heat: Tensor = Occlusion(module).attribute(
        image.contiguous(memory_format=FORMATS[layout]),
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=0,
        target=target,
        perturbations_per_eval=batch,
    )
    return heat[0, 0]


class Captums:
    """The same results from Captum's activations.

    Of every layer the best position of every channel in every image, the nine best images, and
    mean, variance, maximum, firing and a histogram; of the last one the features.

    Args:
        module: the network, in eval mode.
        layers: names of its modules.
        features: a layer whose output, averaged over positions, is the feature vector.
        batches: the images.
    """

    def __init__(
        self, module: nn.Module, layers: tuple[str, ...], features: str, batches: list[Tensor]
    ) -> None:
        images = TensorDataset(torch.cat(batches))
        self.loader = DataLoader(images, batch_size=len(batches[0]))
        self.module = module
        modules = dict(module.named_modules())
        self.layers = {name: modules[name] for name in layers}
        if features not in modules:  # an operation, which Captum cannot hook: the map before it
            features = layers[-1]
        self.features = modules[features]
        self.best: dict[str, Tensor] = {}

    def one_by_one(self) -> None:
        """Run the network over all images once a layer."""
        for name, layer in self.layers.items():
            way, found = LayerActivation(self.module, layer), _Found()
            for (images,) in self.loader:
                found.add(way.attribute(images))
            self.best[name] = found.best()
        way = LayerActivation(self.module, self.features)
        torch.cat([_vectors(way.attribute(images)) for (images,) in self.loader])

    def at_once(self) -> None:
        """Run the network over all images once, keeping all layers."""
        way = LayerActivation(self.module, [*self.layers.values(), self.features])
        found, vectors = {name: _Found() for name in self.layers}, []
        for (images,) in self.loader:
            *maps, features = way.attribute(images)
            for name, one in zip(self.layers, maps, strict=True):
                found[name].add(one)
            vectors.append(_vectors(features))
        torch.cat(vectors)
        self.best = {name: one.best() for name, one in found.items()}

    def deviation(self, partial: dict[str, dict[str, Tensor]]) -> float:
        """Return by how much the best values of a partial of patches differ, as a share."""
        shares = []
        for name, best in self.best.items():
            mine = partial[name]["values"][:, : best.shape[1]].float()
            shares.append(float((mine - best).abs().max() / best.abs().max()))
        return max(shares)


class _Found:
    """Best positions and moments of a layer."""

    def __init__(self) -> None:
        self.lists: list[tuple[Tensor, Tensor]] = []
        self.sums: Any = 0.0

    def add(self, maps: Tensor) -> None:
        flat = maps.detach().flatten(2)
        self.lists.append(flat.max(2))  # values and positions [N, C]
        per_channel = flat.transpose(0, 1).flatten(1)
        variance, mean = torch.var_mean(per_channel, 1)
        fired = (flat > 0).any(2).sum(0)
        bins = per_channel.mul(BINS / RANGE).clamp_(0, BINS - 1).long()
        bins += BINS * torch.arange(len(bins))[:, None]
        histogram = torch.bincount(bins.flatten(), minlength=BINS * len(bins))
        self.sums = (mean, variance, fired, histogram)

    def best(self) -> Tensor:
        """Return the best values of every channel, `[C, k]`."""
        values = torch.cat([values for values, _ in self.lists])
        return values.topk(min(BEST, len(values)), 0).values.T


def _vectors(features: Tensor) -> Tensor:
    return features.flatten(2).mean(2) if features.ndim == 4 else features.flatten(1)
