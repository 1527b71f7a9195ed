"""Gradients of any function of the scores and activations with respect to the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import ModelError
from ..scores.outputs import Forward, differentiate
from ..state.network_state import freeze_parameters
from .interface import TracedNetwork
from .tracing import layouts_of

GATES = frozenset(
    {"Relu", "Hardtanh", "Clamp", "ClampMin", "ClampMax", "Threshold", "Hardswish", "Hardsigmoid"}
)
"""Autograd's names of activations that have no gradient for a part of their inputs."""

PASSED = frozenset(
    {"Clone", "Alias", "View", "UnsafeView", "Permute", "Transpose", "Squeeze", "Unsqueeze"}
    | {"MaxPool2DWithIndices", "AvgPool2D", "AdaptiveAvgPool2D", "Mean", "ToCopy"}
)
"""Autograd's names of operators that may follow the activation at the end of a layer."""


def objective_gradient(
    model: TracedNetwork,
    images: Tensor,
    objective: Callable[[Forward], Tensor],
    layers: Sequence[str] = (),
    opens_gates: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the values of an objective and its gradient with respect to the images.

    Args:
        model: the model.
        images: `[N, C, H, W]`.
        objective: a function of the forward pass, whose tensors are connected to the images. It
            returns one value per image, `[N]`.
        layers: names of the layers whose activations it reads.
        opens_gates: differentiate the values before the ReLU, ReLU6, hard swish or clamp that ends
            a layer, which have a gradient also where the activation is closed or saturated.
            Pooling and changes of shape may follow the activation.

    Returns:
        The values `[N]` and the gradient of their sum, `[N, C, H, W]`.

    Raises:
        ModelError: the objective does not depend on the images, or has another shape.
        UnknownNameError: there is no such layer.
    """
    with model.session(), torch.enable_grad(), freeze_parameters(model.module):
        names = tuple(dict.fromkeys(model.check_layer(name) for name in layers))
        x = model.prepare_input(images).requires_grad_()
        # A copy is passed on, because a network may write into its input.
        forward = Forward(*model.run(x.clone(), names, layouts_of(model, x, names)))
        values = objective(forward)
        if values.shape != (len(x),):
            raise ModelError(
                f"the objective must return one value per image, [{len(x)}], not "
                f"{list(values.shape)}"
            )
        if opens_gates:
            for name in names:
                open_gate(forward.activations[name])
        (gradient,) = differentiate(values.sum(), [x], "the images")
    assert gradient is not None
    return values.detach(), gradient.contiguous()


def open_gate(activation: Tensor) -> None:
    """Pass the gradient of a layer's output unchanged through the activation that ends it."""
    node = activation.grad_fn
    while node is not None and (name := type(node).__name__.partition("Backward")[0]) in (
        GATES | PASSED
    ):
        if name in GATES:
            node.register_hook(lambda _inputs, outputs: outputs)
            return
        node = node.next_functions[0][0]
