"""Isolation of the explainers of one call from each other.

An explainer of images works on copies of the shared tensors, and its changes to the network are
undone before the next one runs. In a sweep copies would cost too much: changes are detected and
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import PluginError
from ..images.batch import Batch
from ..network.model import Model
from ..network.structure import tensor_versions
from ..plugin.explainer import DatasetExplainer, Explainer
from ..results.types import Result
from ..scores.outputs import Forward
from ..scores.targets import Target
from ..state.network_state import preserve_network
from .provenance import Named, attribute_errors, warn_of_changes

_SAMPLED = 61
"""Stride at which the values of a large tensor are compared in a sweep."""

_SMALL = 1 << 16
"""Number of values up to which a tensor is compared as a whole."""


def explain_each(
    explainer: Named,
    model: Model,
    batch: Batch,
    targets: Sequence[Sequence[Target]],
    forward: Forward,
) -> tuple[Result, ...]:
    """Return one result per target: in one call if the explainer lets targets share work."""
    cls = type(explainer.explainer)
    if issubclass(cls, Explainer) and cls.explain_targets is not Explainer.explain_targets:
        return explain_alone(explainer, model, batch, targets, forward)
    results = (explain_alone(explainer, model, batch, [target], forward) for target in targets)
    return tuple(result for (result,) in results)


def explain_alone(
    explainer: Named,
    model: Model,
    batch: Batch,
    targets: Sequence[Sequence[Target]],
    forward: Forward,
) -> tuple[Result, ...]:
    """Run one explainer on copies, so that it cannot affect those after it.

    Returns:
        One result per target.

    Raises:
        PluginError: it failed, or it changed the weights of the network, which are too large to
            copy and cannot be restored.
    """
    inputs = _tensors(batch, forward)
    copies = {name: tensor.clone() for name, tensor in inputs.items()}
    batch = replace(batch, images=copies["batch.images"], pixels=copies["batch.pixels"])
    activations = {name: copies[f"the output of {name}"] for name in forward.activations}
    forward = replace(forward, output=copies["forward.output"], activations=activations)
    with restore_network(explainer, model):
        results = _results(explainer.explainer, model, batch, targets, forward)
    warn_of_changes(
        explainer, [name for name, copy in copies.items() if _differs(copy, inputs[name])]
    )
    return results


def _results(
    explainer: Explainer | DatasetExplainer,
    model: Model,
    batch: Batch,
    targets: Sequence[Sequence[Target]],
    forward: Forward,
) -> tuple[Result, ...]:
    if isinstance(explainer, DatasetExplainer):
        return tuple(explainer.explain(model, batch, target, forward) for target in targets)  # type: ignore[arg-type]
    results = tuple(explainer.explain_targets(model, batch, targets, forward))  # type: ignore[arg-type]
    if len(results) != len(targets):
        raise PluginError(
            f"{type(explainer).__name__}.explain_targets returned {len(results)} results for "
            f"{len(targets)} targets"
        )
    return results


@contextmanager
def restore_network(explainer: Named, model: Model) -> Iterator[None]:
    """Run an explainer in the block, and restore the network afterwards."""
    versions, weights = tensor_versions(model.module), model.weights_hash

    def are_weights_changed() -> bool:
        if tensor_versions(model.module) == versions:
            return False
        model.cache.end_session()
        return model.weights_hash != weights

    try:
        with (
            preserve_network(model.module, gradients=False) as changes,
            attribute_errors(explainer),
        ):
            yield
    except Exception as error:
        if are_weights_changed():
            error.add_note(f"explainer {explainer} also left the weights of the network changed")
        raise
    if are_weights_changed():
        raise PluginError(
            f"explainer {explainer} changed the weights of the network, which cannot be restored; "
            "load the network again"
        )
    warn_of_changes(explainer, changes)


def _tensors(batch: Batch, forward: Forward) -> dict[str, Tensor]:
    """Return the tensors that the explainers of a call share."""
    shared = {"batch.images": batch.images, "batch.pixels": batch.pixels}
    shared["forward.output"] = forward.output
    return shared | {f"the output of {k}": v for k, v in forward.activations.items()}


def _differs(tensor: Tensor, before: Tensor) -> bool:
    """Return whether a copy was modified, or set to require gradients."""
    if tensor.requires_grad or tensor.shape != before.shape or tensor.dtype != before.dtype:
        return True
    # Compared as integers: NaN is equal to itself.
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32}.get(before.element_size(), torch.int64)
    if before.is_complex() or before.is_quantized:
        return tensor._version > 0
    return not torch.equal(tensor.detach().view(kind), before.detach().view(kind))


class SweepGuard:
    """Detects changes that an explainer of a sweep makes to the batch or the network.

    Costs about 0.2 ms per explainer and batch; nothing is copied.
    """

    def __init__(self, model: Model, batch: Batch, forward: Forward) -> None:
        self._modules = list(model.module.modules())
        self._parameters = list(model.module.parameters())
        self._tensors = _tensors(batch, forward)
        self._before = self._marks()

    def check(self, explainer: Named) -> None:
        """Raise PluginError if something has changed, naming the explainer that ran last."""
        now = self._marks()
        if changed := [name for name, mark in self._before.items() if now.get(name) != mark]:
            raise PluginError(
                f"explainer {explainer} changed {', '.join(changed)}, which other explainers of "
                "the sweep read too; it must work on copies"
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
    """Return a value that changes when a tensor is modified, also through NumPy."""
    flags = tensor._version, tensor.requires_grad, tensor.shape
    if tensor.device.type != "cpu" or not tensor.numel():
        return flags  # NumPy cannot write to these
    flat = tensor.detach()
    if tensor.numel() > _SMALL:
        # A view of the storage: sampling must not depend on strides, nor copy the tensor.
        count = min(tensor.numel(), tensor.untyped_storage().nbytes() // tensor.element_size())
        flat = flat.as_strided((count // _SAMPLED,), (_SAMPLED,), 0)
    return *flags, str(flat.sum(dtype=torch.float64).item())
