"""Gradients of targets with respect to images or layers, plain or under a rule for activations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ModelError
from ..gradients.memory_efficient import MemoryEfficientMode, Untrusted
from ..gradients.relu_rules import RuleMode, RuleSettings
from ..layers.gradient_edges import LayerEdges
from ..layouts import AxisLayout, arrange
from ..scores.deferred_targets import DeferredTargets, NearTie
from ..scores.outputs import add_notes, differentiate, layers_of, values_of
from ..scores.targets import Target
from ..state.checkpointing import CheckpointsOff, is_checkpoint_error
from ..state.device import is_out_of_memory, release_cached_memory
from ..state.network_state import freeze_parameters
from .batch_behavior import score_tolerance
from .interface import TracedNetwork
from .objective_gradient import open_gate
from .probing import largest_gap
from .structure import named_tensors
from .tracing import layouts_of


def gradient(
    model: TracedNetwork,
    images: Tensor,
    target: Sequence[Target],
    settings: RuleSettings,
    layer: str | None = None,
) -> Tensor:
    """Return the gradient of each image's target, as `Model.gradient` describes it.

    The memory-efficient pass is tried first. If it may differ from the network's own operators,
    its result is discarded, and later calls for this model use these operators right away. A batch
    that does not fit into memory is halved.
    """
    try:
        return _gradient_of_batch(model, _Inputs(images, target, settings, layer))
    except Exception as error:
        if len(images) < 2 or not is_out_of_memory(error):
            raise
    # Outside of the handler: inside, the traceback still holds the failed batch.
    release_cached_memory()
    half = len(images) // 2
    return torch.cat(
        [
            gradient(model, images[part], target[part], settings, layer)
            for part in (slice(half), slice(half, None))
        ]
    )


def _gradient_of_batch(model: TracedNetwork, inputs: _Inputs) -> Tensor:
    """Return the gradients of a batch that fits into memory."""
    with model.session(), torch.enable_grad(), freeze_parameters(model.module):
        if _can_stop(model, inputs):
            try:
                return _gradient(model, inputs, _mode(model, inputs), stops=True)[0]
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                # Whether it is an error of the whole network is decided by the passes below.
        if model.cache.memory_efficient:
            try:
                return _memory_efficient_gradient(model, inputs)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                # An error of the network itself is raised again by the pass below.
        try:
            result, has_nan = _gradient(model, inputs, None)
        except RuntimeError as error:
            if not is_checkpoint_error(error):
                raise
            result, has_nan = _gradient(model, inputs, None, checkpoints=False)
        # With NaN among the scores no memory-efficient pass counts as exact, so that one failed
        # tells nothing about the network.
        model.cache.memory_efficient &= has_nan
        return result


def _memory_efficient_gradient(model: TracedNetwork, inputs: _Inputs) -> Tensor:
    """Return the gradient of a memory-efficient pass, with the targets of a plain pass."""
    try:
        return _gradient(model, inputs, _mode(model, inputs))[0]
    except NearTie:
        targets = inputs.target
        assert isinstance(targets, DeferredTargets)
        scores = model.forward(inputs.images).output
        targets.record(targets.resolve(scores), scores)
    return _gradient(model, inputs, _mode(model, inputs))[0]


class _Inputs(NamedTuple):
    """The arguments of `gradient`."""

    images: Tensor
    target: Sequence[Target]
    settings: RuleSettings
    layer: str | None


def _can_stop(model: TracedNetwork, inputs: _Inputs) -> bool:
    """Return whether the forward pass may end at the layers of the targets.

    All targets must be units, and their layers known by name: only a complete pass tells whether
    a name matches exactly one call.
    """
    if inputs.layer is not None or not _are_units(inputs.target):
        return False
    traces = model.cache.calls.at(model.structure).values()
    known = {call.name for calls in traces for call in calls}
    return known.issuperset(layers_of(inputs.target)) and bool(inputs.target)


def _mode(model: TracedNetwork, inputs: _Inputs) -> MemoryEfficientMode | None:
    """Return the memory-efficient mode for the targets; None if it is not exact for the network."""
    if not model.cache.memory_efficient:
        return None
    prepared = None
    if model.device.type == "cpu":
        prepared = model.cache.prepared
        tensors = [tensor for _, tensor in named_tensors(model.module)]
        prepared.begin(model.weights_hash, tensors)
    return MemoryEfficientMode(_are_units(inputs.target), prepared)


def _are_units(target: Sequence[Target]) -> bool:
    return not isinstance(target, DeferredTargets) and all(t.unit is not None for t in target)


def _gradient(
    model: TracedNetwork,
    inputs: _Inputs,
    efficient: MemoryEfficientMode | None,
    checkpoints: bool = True,
    stops: bool = False,
) -> tuple[Tensor, bool]:
    """Return the gradient, and whether NaN is among the scores."""
    images, target, settings, layer = inputs
    x = model.prepare_input(images)
    of_units = () if isinstance(target, DeferredTargets) else layers_of(target)
    layers = of_units if layer is None else (*of_units, layer)
    layouts = layouts_of(model, x, layers)
    if efficient is not None and x.device.type == "cpu":
        x = x.contiguous(memory_format=torch.channels_last)  # in which convolutions are faster
    x.requires_grad_()
    resolve = None if efficient is None else efficient.resolve
    edges = None if layer is None else LayerEdges(layer, resolve)
    with ExitStack() as stack:
        if efficient is not None:
            stack.enter_context(efficient)
        rule = None
        if settings.rule != "plain":
            rule = stack.enter_context(RuleMode(settings.rule, settings.nonrelu, resolve))
        if not checkpoints:
            stack.enter_context(CheckpointsOff())
        # A copy is passed on, because a network may write into its input.
        output, activations = model.run(x.clone(), layers, layouts, edges, stops)
        resolved = target
        if isinstance(target, DeferredTargets):
            resolved = target.resolve(output.detach(), is_rounded=efficient is not None)
        values = values_of(resolved, output, activations)
        if settings.opens_gates:
            for name in of_units:
                open_gate(activations[name])
        total = values.sum()
        reached = output.sum() + total
        if efficient is not None and not efficient.is_exact(reached):
            raise Untrusted
        doubts = () if rule is None else rule.check(reached)
        result = _of_layer(total, edges, layouts, len(x)) if edges else _of_images(total, x)
    if edges is not None and not edges.are_copies_exact():
        _check_values(model, images, resolved, values.detach(), edges.layer)
    if isinstance(target, DeferredTargets):
        target.record(resolved, output)
    add_notes(doubts, settings.notes)
    return result, bool(reached.isnan().any())


def _of_images(total: Tensor, x: Tensor) -> Tensor:
    if not len(x):
        return torch.zeros_like(x)
    (result,) = differentiate(total, [x], "the images")
    assert result is not None
    return result.contiguous()


def _of_layer(
    total: Tensor, edges: LayerEdges, layouts: dict[str, AxisLayout], count: int
) -> Tensor:
    """Return the gradient of the layer's output, in the layout of captured activations."""
    layer = edges.layer
    at_edges: list[Tensor | None] = [None] * len(edges.edges)
    if count:
        at_edges = differentiate(total, edges.edges, f"the output of layer {layer!r}")
    gradients = edges.gradients(at_edges)
    per_run = count // len(gradients)  # all images at once, or one at a time
    arranged = [arrange({layer: part}, layouts, per_run)[layer] for part in gradients]
    return torch.cat(arranged).contiguous()


def _check_values(
    model: TracedNetwork, images: Tensor, target: Sequence[Target], values: Tensor, layer: str
) -> None:
    """Raise ModelError if the targets' values are not those of an ordinary forward pass.

    That can happen if the layer's output shares its memory with another tensor, of which the
    network goes on to write to one and to read the other: `LayerEdges` made two tensors of them.
    """
    with torch.no_grad():
        expected = model.scores(images, target)
    scale = float(expected.abs().nan_to_num(0, 0).max()) if len(expected) else 0.0
    if largest_gap(values, expected) > score_tolerance(model.dtype) * scale:
        raise ModelError(
            f"layer {layer!r} returns a tensor that shares its memory with another one, and the "
            "network overwrites it in place, so its gradient is not defined; choose the layer "
            "before or after it"
        )
