"""The weight that a layer uses, which may differ from its attribute `weight`.

Weight norm, spectral norm, pruning, parametrizations, fake quantisation and standardised
convolutions compute the weight in the forward pass. The attribute, if it exists, holds the weight
of the last pass.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import ModelError
from ..state.eager_mode import call_eagerly
from .failures import explain_errors
from .interface import TracedNetwork

_WEIGHTED = frozenset(
    {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)} | {"linear"}
)


def used_weight(model: TracedNetwork, layer: str) -> Tensor:
    """Return a copy of the weight with which a layer's module runs now.

    The weight is recorded in one forward pass on zeros.

    Args:
        model: the model.
        layer: a convolution or a linear map; if it is called several times, the first call
            counts.

    Raises:
        ModelError: the module runs neither a convolution nor a linear map.
        UnknownNameError: there is no such module.
    """
    module = model.submodule(layer)
    mode = _WeightMode()
    with model.session(), torch.no_grad(), mode, mode.watching(module):
        size = (model.input_channels, *model.input_size)
        images = torch.zeros(1, *size, device=model.device, dtype=model.dtype)
        with explain_errors(model, images):
            call_eagerly(model.module, images)
    if not mode.weights:
        raise ModelError(
            f"the weight of layer {layer!r} ({type(module).__name__}) cannot be read: it "
            "runs neither a convolution nor a linear map of PyTorch in a forward pass"
        )
    # The module may compute its weight with convolutions or linear maps of other shapes.
    attribute = getattr(module, "weight", None)
    if isinstance(attribute, Tensor):
        alike = (weight for weight in mode.weights if weight.shape == attribute.shape)
        return next(alike, mode.weights[0])
    return mode.weights[0]


class _WeightMode(TorchFunctionMode):
    """Copies the weights of the convolutions and linear maps that one module runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []
        self._inside = 0

    def watching(self, module: nn.Module) -> ExitStack:
        """Return a context in which the weights of the module's calls are recorded."""

        def enter(*_: Any) -> None:
            self._inside += 1

        def leave(*_: Any) -> None:
            self._inside -= 1

        stack = ExitStack()
        stack.callback(module.register_forward_pre_hook(enter, prepend=True).remove)
        stack.callback(module.register_forward_hook(leave, always_call=True).remove)
        return stack

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._inside and getattr(func, "__name__", "") in _WEIGHTED:
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            self.weights.append(weight.detach().clone())
        return func(*args, **kwargs)
