"""Receptive fields of patches, in pixels of the model's input and of the photos."""

from __future__ import annotations

import torch
from torch import Tensor

from convviz import Model
from convviz.authoring import Items, ReceptiveField

from .crops import in_photo_pixels
from .top_k import NOWHERE


def input_boxes(field: ReceptiveField, items: Tensor, positions: Tensor) -> Tensor:
    """Return the receptive fields in model-input pixels, `[C, k, 4]`; NaN for missing patches."""
    boxes = torch.full((*items.shape, 4), torch.nan, dtype=torch.float64)
    known = items != NOWHERE
    if known.any():
        places, rows = positions[known].clamp_min(0).unique(dim=0, return_inverse=True)
        of_places = [field.box(y, x) for y, x in places.tolist()]
        boxes[known] = torch.tensor(of_places, dtype=torch.float64)[rows]
    return boxes


def photo_boxes(model: Model, items: Items, which: Tensor, boxes: Tensor) -> Tensor:
    """Return boxes in pixels of their photos, unclipped, `[C, k, 4]`."""
    if not in_photo_pixels(model):
        return boxes
    # One affine map per item that occurs; the last row, NaN, is for missing patches.
    known = sorted({i for i in which.flatten().tolist() if i != NOWHERE})
    table = torch.full((len(known) + 1, 6), torch.nan, dtype=torch.float64)
    for row, item in enumerate(known):
        table[row] = torch.tensor(items.affine(item), dtype=torch.float64)
    rows = torch.searchsorted(torch.tensor(known), which).masked_fill(which == NOWHERE, len(known))
    a, b, c, d, e, f = table[rows].unbind(-1)
    x0, y0, x1, y1 = boxes.unbind(-1)
    xs = torch.stack([a * x + b * y + c for x in (x0, x1) for y in (y0, y1)])
    ys = torch.stack([d * x + e * y + f for x in (x0, x1) for y in (y0, y1)])
    return torch.stack([xs.amin(0), ys.amin(0), xs.amax(0), ys.amax(0)], -1)
