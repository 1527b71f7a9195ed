"""The layers of a network in call order, from one cached forward pass on zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from . import capture
from .capture import Calls
from .errors import ModelError
from .failures import explain_errors
from .fingerprint import learning

if TYPE_CHECKING:
    from .model import Model

Shape = tuple[int, ...]


def trace_network(model: Model, shapes: Sequence[Shape]) -> tuple[Shape, Calls]:
    """Return the first shape (C, H, W) that a network runs on, and its calls in call order.

    They are kept for each shape for as long as the structure of the network stays.

    Raises:
        ModelError: the network runs on none of the shapes.
    """
    with model.session():
        known = model._calls.at(model.structure)
        for shape in shapes:
            if shape in known:
                return shape, known[shape]
        failed: list[ModelError] = []
        for shape in shapes:
            try:
                return shape, _trace(model, shape)
            except ModelError as error:  # it may take images of another size
                failed.append(error)
    if len({str(error.__cause__) for error in failed}) == 1:  # whatever the size
        raise failed[0]
    raise ModelError(
        f"{model.name} does not run on zeros of shape {list(shapes[0])}, nor of other usual "
        f"sizes; give the model a Preprocess with its crop, or run it on images first ({failed[0]})"
    ) from failed[0]


def _trace(model: Model, shape: Shape) -> Calls:
    images = torch.zeros((2, *shape), device=model.device, dtype=model.dtype)
    with explain_errors(model, images[:1]), learning(model.module):
        calls = capture.trace_any(model.module, images, model.output)
    model._structure = None  # the fingerprint now excludes attributes that every pass changes
    model._calls.at(model.structure)[shape] = calls
    return calls
