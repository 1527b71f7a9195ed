"""Explainers of one call do not disturb each other.

An explainer of images works on copies of what the explainers of the call share, and what it does
to the network is undone before the next one begins. In a sweep copies would cost too much:
changes are detected and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import PluginError
from ..images.batch import Batch
from ..network.model import Model
from ..results.types import Result
from ..scores.outputs import Forward
from ..scores.targets import Target
from ..state.network_state import preserve_network
from .provenance import Named, blamed_on, warn_of_changes

_SAMPLED = 61
"""In a sweep, one value in so many of a large tensor is compared."""

_SMALL = 1 << 16
"""Tensors of up to so many values are compared as a whole."""


def explain_alone(
    who: Named, model: Model, batch: Batch, targets: tuple[Target, ...], forward: Forward
) -> Result:
    """Run one explainer on copies, so that it cannot affect those after it.

    Raises:
        PluginError: it failed, or changed the network's weights, which are too large to copy
            and cannot be restored.
    """
    explainer = who.explainer
    inputs = _tensors(batch, forward)
    copies = {name: tensor.clone() for name, tensor in inputs.items()}
    batch = replace(batch, images=copies["batch.images"], pixels=copies["batch.pixels"])
    activations = {name: copies[f"the output of {name}"] for name in forward.activations}
    forward = replace(forward, output=copies["forward.output"], activations=activations)
    with network_of(who, model):
        result = explainer.explain(model, batch, targets, forward)
    warn_of_changes(who, [name for name, copy in copies.items() if _differs(copy, inputs[name])])
    return result


@contextmanager
def network_of(who: Named, model: Model) -> Iterator[None]:
    """Restore the network at the end of an explainer's block."""
    versions, weights = _versions(model.module), model.weights_hash

    def are_weights_changed() -> bool:
        if _versions(model.module) == versions:
            return False
        model.cache.end_session()
        return model.weights_hash != weights

    try:
        with preserve_network(model.module, gradients=False) as changes, blamed_on(who):
            yield
    except Exception as error:
        if are_weights_changed():
            error.add_note(f"explainer {who} also left the weights of the network changed")
        raise
    if are_weights_changed():
        raise PluginError(
            f"explainer {who} changed the weights of the network, which cannot be put back; "
            "load the network again"
        )
    warn_of_changes(who, changes)


def _versions(module: nn.Module) -> list[tuple[int, int]]:
    return [(id(p), p._version) for p in module.parameters()]


def _tensors(batch: Batch, forward: Forward) -> dict[str, Tensor]:
    """Return what the explainers of a call share."""
    shared = {"batch.images": batch.images, "batch.pixels": batch.pixels}
    shared["forward.output"] = forward.output
    return shared | {f"the output of {k}": v for k, v in forward.activations.items()}


def _differs(tensor: Tensor, before: Tensor) -> bool:
    """Return whether a copy was written to, or made to require gradients."""
    if tensor.requires_grad or tensor.shape != before.shape or tensor.dtype != before.dtype:
        return True
    # Compared as integers: NaN is equal to itself.
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32}.get(before.element_size(), torch.int64)
    if before.is_complex() or before.is_quantized:
        return tensor._version > 0
    return not torch.equal(tensor.detach().view(kind), before.detach().view(kind))


class SweepGuard:
    """Notices what an explainer of a sweep does to the batch or the network.

    Costs about 0.2 ms per explainer and batch; nothing is copied.
    """

    def __init__(self, model: Model, batch: Batch, forward: Forward) -> None:
        self._modules = list(model.module.modules())
        self._parameters = list(model.module.parameters())
        self._tensors = _tensors(batch, forward)
        self._before = self._marks()

    def check(self, who: Named) -> None:
        """Raise PluginError where something has changed, naming the explainer that ran last."""
        now = self._marks()
        if changed := [name for name, mark in self._before.items() if now.get(name) != mark]:
            raise PluginError(
                f"explainer {who} changed {', '.join(changed)}, which other explainers of the "
                "sweep read too; it must work on copies"
            )

    def _marks(self) -> dict[str, object]:
        modules = self._modules
        marks: dict[str, object] = {name: _mark(t) for name, t in self._tensors.items()}
        marks["the train mode of the network"] = [m.training for m in modules]
        marks["the hooks of the network"] = [
            (list(m._forward_hooks), list(m._forward_pre_hooks), list(m._backward_hooks))
            for m in modules
        ]
        marks["requires_grad of the weights"] = [p.requires_grad for p in self._parameters]
        marks["the weights of the network"] = [p._version for p in self._parameters]
        return marks


def _mark(tensor: Tensor) -> tuple[object, ...]:
    """Return a mark that changes when a tensor is written to, by NumPy as well."""
    flags = tensor._version, tensor.requires_grad, tensor.shape
    if tensor.device.type != "cpu" or not tensor.numel():
        return flags  # NumPy cannot write to these
    flat = tensor.detach()
    if tensor.numel() > _SMALL:
        # In whatever order the numbers lie in memory.
        count = min(tensor.numel(), tensor.untyped_storage().nbytes() // tensor.element_size())
        flat = flat.as_strided((count // _SAMPLED,), (_SAMPLED,), 0)
    return *flags, str(flat.sum(dtype=torch.float64).item())
