"""Maps of a layer weighted by gradients, and their enlargement to the size of the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from convviz import Model, ParameterError
from convviz.authoring import Batch, Forward, Target

Variant = Literal["grad_cam", "hires_cam", "layer_cam"]


class ClassMaps(NamedTuple):
    """Class activation maps of images, on the CPU.

    Attributes:
        signed: the maps at the layer, `[N, h, w]`.
        weights: weight of each channel, `[N, C]`; None for a variant that has a weight for each
            position.
        enlarged: the parts above 0 in the size of the images, `[N, H, W]`.
        notes: sentences for the reader.
    """

    signed: Tensor
    weights: Tensor | None
    enlarged: Tensor
    notes: tuple[str, ...]


def class_maps(
    model: Model,
    batch: Batch,
    target: Sequence[Target],
    forward: Forward,
    layer: str,
    variant: Variant,
    batch_size: int,
) -> ClassMaps:
    """Return the maps of a layer weighted by the gradients of the targets.

    Args:
        model, batch, target, forward: as in `Explainer.explain`; `forward` includes the layer.
        layer: a layer with rows and columns.
        variant: as in `weighted_maps`.
        batch_size: images per backward pass.

    Raises:
        ParameterError: the layer has no rows and columns.
        ModelError: the targets do not depend on the layer.
    """
    activations = forward.activations[layer]
    _check_positions(model, layer, activations)
    parts = [
        weighted_maps(
            activations[i : i + batch_size],
            model.gradient(
                batch.images[i : i + batch_size], target[i : i + batch_size], layer=layer
            ),
            variant,
        )
        for i in range(0, len(activations), batch_size)
    ]
    signed = torch.cat([maps for maps, _ in parts]).cpu()
    weights = torch.cat([weights for _, weights in parts]).cpu()
    height, width = batch.images.shape[-2:]
    centers = model.cell_centers(layer, (height, width))
    enlarged = enlarge(signed.relu(), (height, width), centers)
    notes = (*_flat_notes(signed, weights), *(() if centers else (_SPREAD,)))
    return ClassMaps(signed, weights if variant == "grad_cam" else None, enlarged, notes)


_SPREAD = (
    "It is not known which part of the image each position of the layer stands for: the positions "
    "are spread evenly over the image."
)


def weighted_maps(activations: Tensor, gradient: Tensor, variant: Variant) -> tuple[Tensor, Tensor]:
    """Return the weighted sum of the maps of a layer, and the mean gradient of each channel.

    Args:
        activations: `[N, C, h, w]`.
        gradient: of the targets with respect to the activations, `[N, C, h, w]`.
        variant: "grad_cam" weights a channel by its mean gradient; "hires_cam" each value by its
            gradient; "layer_cam" each value by its gradient where it is positive.

    Returns:
        `[N, h, w]` and `[N, C]`, at least float32.
    """
    precise = torch.promote_types(activations.dtype, torch.float32)
    activations, gradient = activations.to(precise), gradient.to(precise)
    weights = gradient.mean((2, 3))
    if variant == "grad_cam":
        return torch.einsum("nc,nchw->nhw", weights, activations), weights
    factors = gradient.relu() if variant == "layer_cam" else gradient
    return (factors * activations).sum(1), weights


def enlarge(
    maps: Tensor,
    size: tuple[int, int],
    centers: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Tensor:
    """Return maps in the size of the images, by bilinear interpolation between their cells.

    Beyond the outermost centers a map continues with the values of its border.

    Args:
        maps: `[N, h, w]`.
        size: H and W of the images.
        centers: of the h rows and w columns in pixels, as `Model.cell_centers` returns them; None
            spreads them evenly.

    Returns:
        `[N, H, W]`.
    """
    for axis in (0, 1):
        count, length = maps.shape[1 + axis], size[axis]
        even = [(i + 0.5) * length / count for i in range(count)]
        maps = _interpolate(maps, 1 + axis, even if centers is None else centers[axis], length)
    return maps


def _interpolate(maps: Tensor, axis: int, centers: Sequence[float], length: int) -> Tensor:
    """Interpolate linearly along an axis, at the centers of `length` pixels."""
    at = torch.as_tensor(centers, dtype=torch.float64, device=maps.device)
    pixels = torch.arange(length, dtype=torch.float64, device=maps.device) + 0.5
    after = torch.searchsorted(at, pixels).clamp(max=len(at) - 1)
    before = (after - 1).clamp(min=0)
    gap = (at[after] - at[before]).clamp(min=torch.finfo(torch.float64).tiny)
    share = ((pixels - at[before]) / gap).clamp(0, 1)
    share = torch.where(before == after, 0.0, share).to(maps.dtype)
    shape = [length if i == axis else 1 for i in range(maps.ndim)]
    return torch.lerp(
        maps.index_select(axis, before), maps.index_select(axis, after), share.view(shape)
    )


def _check_positions(model: Model, layer: str, activations: Tensor) -> None:
    """Raise ParameterError if the output of a layer has less than two positions."""
    if activations.ndim == 4 and activations[0, 0].numel() > 1:
        return
    stages = ", ".join(repr(name) for name in model.default_layers("patches"))
    raise ParameterError(
        f"layer {layer!r} has output {list(activations.shape)}, without rows and columns; choose a "
        f"layer with maps [N, C, h, w], such as {stages} (`convviz layers` lists all)"
    )


def _flat_notes(signed: Tensor, weights: Tensor) -> list[str]:
    """Return a note for each image whose map has no value above 0."""
    notes = []
    for i, (values, weight) in enumerate(zip(signed, weights, strict=True)):
        where = f"Image {i + 1}: the" if len(signed) > 1 else "The"
        if values.isnan().any():
            notes.append(f"{where} map contains NaN.")
        elif values.any() and values.amax() <= 0:
            notes.append(
                f"{where} map is zero everywhere, because no position of the layer raises the "
                "score: the signed map (the array 'map') has no value above zero."
            )
        elif not values.any():
            cause = (
                "the weighted channels sum to zero"
                if weight.any()
                else "the gradient of the score at the layer is zero. In a transformer with a "
                "class token, choose a layer before its last attention"
            )
            notes.append(f"{where} map is zero everywhere, because {cause}.")
    return notes
