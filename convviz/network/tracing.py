"""The layers of a network in call order, from one cached forward pass on zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..errors import ModelError
from ..layers import capture
from ..layers.capture import LayerCalls
from ..layouts import AxisLayout
from .failures import explain_errors
from .interface import TracedNetwork
from .structure import learn_volatile_attributes

Shape = tuple[int, ...]


def trace_network(model: TracedNetwork, shapes: Sequence[Shape]) -> tuple[Shape, LayerCalls]:
    """Return the first shape (C, H, W) that a network runs on, and its calls in call order.

    The calls are cached per shape until the structure of the network changes.

    Raises:
        ModelError: the network runs on none of the shapes.
    """
    with model.session():
        known = model.cache.calls.at(model.structure)
        for shape in shapes:
            if shape in known:
                return shape, known[shape]
        failed: list[ModelError] = []
        for shape in shapes:
            try:
                return shape, _trace(model, shape)
            except ModelError as error:  # the network may need images of another size
                failed.append(error)
    if len({str(error.__cause__) for error in failed}) == 1:  # the size is not the reason
        raise failed[0]
    raise ModelError(
        f"{model.name} does not run on zeros of shape {list(shapes[0])}, nor of other usual "
        f"sizes; give the model a Preprocess with its crop, or run it on images first ({failed[0]})"
    ) from failed[0]


def _trace(model: TracedNetwork, shape: Shape) -> LayerCalls:
    images = torch.zeros((2, *shape), device=model.device, dtype=model.dtype)
    with explain_errors(model, images[:1]), learn_volatile_attributes(model.module):
        calls = capture.trace_any(model.module, images, model.output)
    model.cache.structure = None  # the fingerprint now excludes attributes that every pass changes
    model.cache.calls.at(model.structure)[shape] = calls
    return calls


def layouts_of(
    model: TracedNetwork, images: Tensor, layers: Sequence[str]
) -> dict[str, AxisLayout]:
    """Return the layouts of the outputs of layers, without unknown layers.

    The layout of maps does not depend on the size of the images; that of tokens in a grid does.

    Args:
        model: inside its session.
        images: `[N, C, H, W]`, on the model's device and in its dtype.
        layers: names of layers.
    """
    if not layers:
        return {}
    shape = tuple(images.shape[1:])
    for read_layouts in (
        lambda: _known_layouts(model.cache.calls.at(model.structure), shape, layers),
        lambda: model.calls(shape).layouts,
        # The network may take another path for images than for zeros.
        lambda: capture.trace_any(model.module, images[:2].detach(), model.output).layouts,
    ):
        layouts = {name: layout for name, layout in read_layouts().items() if name in layers}  # type: ignore[no-untyped-call]
        if len(layouts) == len(set(layers)):
            break
    return layouts


def _known_layouts(
    traces: Mapping[tuple[int, ...], LayerCalls], shape: tuple[int, ...], layers: Sequence[str]
) -> dict[str, AxisLayout]:
    """Return the layouts known from earlier traces with images of this or of other shapes."""
    if shape in traces:
        return traces[shape].layouts
    first = next(iter(traces.values()), LayerCalls()).layouts
    return {name: a for name in layers if (a := first.get(name)) and a.is_for_any_size}
