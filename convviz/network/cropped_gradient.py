"""Gradients of many units of a layer, computed on crops around their receptive fields.

A unit depends on its receptive field only, so its gradient can be computed on a crop that contains
the field. The crop starts at a multiple of the layer's stride, so that all maps in between are
sampled at the same positions, and reaches the border of the image where the field does, so that
the padding is the same. Positions that read the padding of the crop itself lie outside of the
field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ..gradients.relu_rules import RuleSettings
from ..locality import ReceptiveField
from ..scores.deferred_targets import DeferredTargets
from ..scores.targets import Target
from ..state.device import is_out_of_memory
from .input_gradient import gradient
from .interface import TracedNetwork
from .layer_info import field_of

MAX_SHARE = 0.8
"""Share of an image up to which a crop saves time."""

PIXELS_PER_PASS = 32 * 224 * 224
"""Pixels of a batch that are computed at once."""

TOLERANCE = 1e-3
"""Difference that rounding may cause, relative to the norm of a gradient.

Rounding errors of 1e-7 may open or close single activations near zero.
"""


Gradient = Callable[[Tensor, Sequence[Target]], Tensor]
"""Returns the gradients of targets with respect to images."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of a batch.

    Attributes:
        size: height and width of all crops.
        origins: upper left corner of each crop, (y, x).
        targets: the targets, with positions in the maps of the crops.
    """

    size: tuple[int, int]
    origins: list[tuple[int, int]]
    targets: list[Target]

    def read(self, images: Tensor) -> Tensor:
        """Return the crops of images `[N, C, H, W]`."""
        h, w = self.size
        pairs = zip(images, self.origins, strict=True)
        return torch.stack([image[:, y : y + h, x : x + w] for image, (y, x) in pairs])

    def write(self, crops: Tensor, shape: torch.Size) -> Tensor:
        """Return images of a shape that hold the crops and are zero elsewhere."""
        h, w = self.size
        images = crops.new_zeros(shape)
        for image, crop, (y, x) in zip(images, crops, self.origins, strict=True):
            image[:, y : y + h, x : x + w] = crop
        return images


def cropped_gradient(
    model: TracedNetwork, images: Tensor, target: Sequence[Target], settings: RuleSettings
) -> Tensor:
    """Return the gradient of each image's target, as `Model.gradient` describes it.

    Crops are used if the field of the targets' layer is known and regular, and if they give the
    gradient of the whole image for the target with the highest value.
    """

    def compute(images: Tensor, target: Sequence[Target]) -> Tensor:
        return gradient(model, images, target, settings)

    with model.session():
        crops = plan_crops(model, images, target)
        result = None if crops is None else _from_crops(model, compute, images, target, crops)
        return _in_batches(compute, images, target) if result is None else result


def _from_crops(
    model: TracedNetwork,
    compute: Gradient,
    images: Tensor,
    target: Sequence[Target],
    crops: Crops,
) -> Tensor | None:
    """Return the gradients computed on crops; None if they may not be those of whole images."""
    seen_shape = model.cache.seen_shape
    # How the network treats a batch does not depend on the size of the images, and its last layers
    # may not run on crops.
    key = torch.Size((images.shape[1], *crops.size)), model.device, model.dtype
    model.cache.behaviors[key] = model.behavior(images)
    try:
        small = _in_batches(compute, crops.read(images), crops.targets)
        result = crops.write(small, images.shape)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return None  # the network may not run on small images
    finally:
        model.cache.seen_shape = seen_shape
    at = max(range(len(target)), key=lambda i: target[i].score)
    expected = compute(images[at : at + 1], target[at : at + 1])[0]
    return result if (result[at] - expected).norm() <= TOLERANCE * expected.norm() else None


def plan_crops(model: TracedNetwork, images: Tensor, target: Sequence[Target]) -> Crops | None:
    """Return crops that contain the receptive fields of units; None if they save no time.

    All targets must be units of one layer, with positions.
    """
    if isinstance(target, DeferredTargets):
        return None
    units = [t.unit for t in target if t.unit is not None and t.unit.position is not None]
    if not units or len(units) < len(target) or len({unit.layer for unit in units}) > 1:
        return None
    height, width = images.shape[2:]
    field = field_of(model, units[0].layer, (height, width))
    steps = _regular_steps(field)
    if steps is None:
        return None
    size = [
        _crop_length(n, step, whole)
        for n, step, whole in zip(field.size, steps, (height, width), strict=True)
    ]
    if size[0] * size[1] > MAX_SHARE * height * width:
        return None
    origins, targets = [], []
    for old, unit in zip(target, units, strict=True):
        assert unit.position is not None
        left, top, _, _ = field.box(*unit.position)
        y = min(max(top // steps[0] * steps[0], 0), height - size[0])
        x = min(max(left // steps[1] * steps[1], 0), width - size[1])
        position = unit.position[0] - y // steps[0], unit.position[1] - x // steps[1]
        origins.append((y, x))
        targets.append(replace(old, unit=replace(unit, position=position)))
    return Crops((size[0], size[1]), origins, targets)


def _regular_steps(field: ReceptiveField) -> tuple[int, int] | None:
    """Return the rows and columns between neighboring fields; None if they vary."""
    if field.whole:
        return None
    rows, columns = field.positions
    tops = [field.box(y, 0)[1::2] for y in range(rows)]
    lefts = [field.box(0, x)[::2] for x in range(columns)]
    steps = [_regular_step(spans, n) for spans, n in zip((tops, lefts), field.size, strict=True)]
    return (steps[0], steps[1]) if min(steps) > 0 else None


def _regular_step(spans: Sequence[tuple[int, ...]], size: int) -> int:
    """Return the distance of neighboring intervals of a size; 0 if it or the size varies."""
    distances = {b[0] - a[0] for a, b in pairwise(spans)}
    sizes = {stop - start for start, stop in spans}
    return max(0, distances.pop()) if len(distances) == 1 and sizes == {size} else 0


def _crop_length(size: int, step: int, whole: int) -> int:
    """Return the length of crops that contain any field and end at the image's border or before.

    Image and crop differ by a multiple of the step, so that the last crop is aligned as well.
    """
    needed = size + step - 1
    return whole - max(0, whole - needed) // step * step


def _in_batches(compute: Gradient, images: Tensor, target: Sequence[Target]) -> Tensor:
    count = max(1, PIXELS_PER_PASS // (images.shape[2] * images.shape[3]))
    if len(images) <= count:
        return compute(images, target)
    starts = range(0, len(images), count)
    return torch.cat([compute(images[i : i + count], target[i : i + count]) for i in starts])
