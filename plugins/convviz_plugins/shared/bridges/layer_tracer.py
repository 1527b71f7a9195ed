"""Tracing of networks for their private copies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn


class LayerTracer(fx.Tracer):
    """Traces a network, and records the node of each module's output.

    Convolutions and linear layers of other libraries whose code cannot be traced, for example
    because it computes the padding from the size of the image, are modules of the graph, as those
    of torch are.

    Args:
        network: the network.

    Attributes:
        outputs: path of a module -> the nodes of its outputs, in call order.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.outputs: dict[str, list[fx.Node]] = {}
        # Before the trace, during which no module can be called.
        self._layers = {
            part
            for part in network.modules()
            if isinstance(part, nn.Conv2d | nn.Linear)
            and not super(LayerTracer, self).is_leaf_module(part, "")
            and not _is_traceable(part)
            and _is_linear(part)
        }

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether the graph calls a module instead of its operators."""
        return m in self._layers or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Trace the call of a module."""
        out = super().call_module(m, forward, args, kwargs)
        if isinstance(out, fx.Proxy):
            self.outputs.setdefault(self.path_of_module(m), []).append(out.node)
        return out


def _is_traceable(module: nn.Module) -> bool:
    try:
        fx.Tracer().trace(module)
    except Exception:  # the module's own code may raise anything while it is traced
        return False
    return True


def _is_linear(module: nn.Conv2d | nn.Linear) -> bool:
    """Return whether a layer is a convolution or a linear map, without anything else.

    It is tested by numbers: apart from the bias, the output is odd in the input, and doubles if
    the weight does. A layer with an activation, or one that normalizes its weight, fails.
    """
    if isinstance(module, nn.Linear):
        shape: tuple[int, ...] = (4, module.in_features)
    else:
        sides = [2 * d * k for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        shape = (1, module.in_channels, *sides)
    layer = copy.deepcopy(module)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(layer.weight)
    with torch.no_grad():
        bias = layer(torch.zeros_like(images))
        change, negative = layer(images) - bias, layer(-images) - bias
        layer.weight.mul_(2)
        doubled = layer(images) - bias
    limit = 1e-3 * float(change.abs().amax())
    deviations = (change + negative, doubled - 2 * change)
    return all(float(deviation.abs().amax()) <= limit for deviation in deviations)
