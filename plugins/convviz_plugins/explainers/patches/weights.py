"""Units with similar incoming weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convviz import Model

from .top_k import NOWHERE

NEIGHBORS = 6
LEAST_COSINE = 0.1
"""Smallest cosine of weights that count as similar."""

BLOCK = 512
"""Units that are compared with all others at a time."""


@dataclass(frozen=True, eq=False)
class WeightNeighbors:
    """The units whose incoming weights have the largest cosine.

    Attributes:
        module: name of the module that has the weights.
        units: int64 `[C, NEIGHBORS]`, most similar first; -1 for none.
        cosines: float32 `[C, NEIGHBORS]`; NaN for none.
    """

    module: str
    units: Tensor
    cosines: Tensor


def weight_neighbors(model: Model, layer: str, channels: int) -> WeightNeighbors | None:
    """Return the units of a layer with similar incoming weights.

    They are those of the last convolution or linear layer inside the layer that has an output for
    each channel. None if there is no such module, or if each of its channels reads inputs of its
    own (grouped convolutions).
    """
    known = dict(model.module.named_modules())
    path = layer if layer in known else layer.partition(":")[0]  # without the number of a call
    if path not in known:
        return None  # the output of a function
    modules = list(known[path].named_modules())
    places = [i for i, (_, module) in enumerate(modules) if _outputs(module) == channels]
    if not places:
        return None
    name, module = modules[places[-1]]
    if getattr(module, "groups", 1) != 1:
        return None
    following = modules[places[-1] + 1][1] if places[-1] + 1 < len(modules) else None
    units, cosines = _most_similar(_directions(module, following))
    return WeightNeighbors(".".join(part for part in (path, name) if part), units, cosines)


def _outputs(module: nn.Module) -> int:
    """Return the number of outputs of a convolution or linear layer; 0 for other modules."""
    if isinstance(module, nn.Conv2d):
        return module.out_channels
    return module.out_features if isinstance(module, nn.Linear) else 0


def _directions(module: nn.Module, following: nn.Module | None) -> Tensor:
    """Return the weights of each unit with length 1, `[C, inputs]`.

    A batch norm that follows with a negative scale turns the weights of a unit around.
    """
    weight = module.weight
    assert isinstance(weight, Tensor)
    weights = weight.detach().cpu().float().flatten(1)
    scale = getattr(following, "weight", None)
    if isinstance(following, nn.BatchNorm2d) and isinstance(scale, Tensor):
        weights = weights * scale.detach().cpu().float().sign()[:, None]
    return nn.functional.normalize(weights)


def _most_similar(directions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the units with the largest cosines, and these; -1 and NaN for small cosines."""
    count = min(NEIGHBORS, len(directions) - 1)
    units = torch.full((len(directions), NEIGHBORS), NOWHERE)
    cosines = torch.full((len(directions), NEIGHBORS), torch.nan)
    for start in range(0, len(directions), BLOCK):
        block = directions[start : start + BLOCK] @ directions.T
        rows = torch.arange(len(block))
        block[rows, rows + start] = -torch.inf  # not the unit itself
        # Rounded, so that the last bits of a product do not decide the order.
        best = block.mul(1e4).round().div(1e4).sort(dim=1, descending=True, stable=True)
        largest = best.values[:, :count]
        is_similar = largest >= LEAST_COSINE
        units[start : start + BLOCK, :count] = best.indices[:, :count].where(is_similar, NOWHERE)
        cosines[start : start + BLOCK, :count] = largest.where(is_similar, torch.nan)
    return units, cosines
