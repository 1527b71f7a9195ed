"""Gradients of targets with respect to images, plain or under a rule for activations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor

from ..device import is_out_of_memory
from ..gradients.memory_efficient import LeanMode, Untrusted
from ..gradients.relu_rules import RuleMode, RuleSettings
from ..scores.outputs import differentiate, layers_of, tell, values_of
from ..scores.targets import Target
from ..state.checkpointing import CheckpointsOff, is_checkpoint_error
from ..state.network_state import freeze_parameters
from .interface import TracedNetwork
from .tracing import layouts_of


def gradient(
    model: TracedNetwork, images: Tensor, target: Sequence[Target], settings: RuleSettings
) -> Tensor:
    """Return the gradient of each image's target, as `Model.gradient` describes it.

    The memory-efficient pass is tried first, until it turns out not to give the numbers of the
    network's own operators.
    """
    with model.session(), torch.enable_grad(), freeze_parameters(model.module):
        if model.cache.memory_efficient:
            try:
                return _gradient(model, images, target, settings, LeanMode())[0]
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                # else, whatever it is, the network's own operators tell
        try:
            result, has_nan = _gradient(model, images, target, settings, None)
        except RuntimeError as error:
            if not is_checkpoint_error(error):
                raise
            result, has_nan = _gradient(model, images, target, settings, None, checkpoints=False)
        model.cache.memory_efficient &= (
            has_nan  # a lean pass is not trusted with NaN, whosever it is
        )
        return result


def _gradient(
    model: TracedNetwork,
    images: Tensor,
    target: Sequence[Target],
    settings: RuleSettings,
    lean: LeanMode | None,
    checkpoints: bool = True,
) -> tuple[Tensor, bool]:
    """Return the gradient, and whether NaN is among the scores."""
    x, layers = model.prepare_input(images), layers_of(target)
    layouts = layouts_of(model, x, layers)
    if lean is not None and x.device.type == "cpu":
        x = x.contiguous(memory_format=torch.channels_last)  # in which convolutions are faster
    x.requires_grad_()
    with ExitStack() as stack:
        if lean is not None:
            stack.enter_context(lean)
        mode = None
        if settings.rule != "plain":
            real = None if lean is None else lean.filled
            mode = stack.enter_context(RuleMode(settings.rule, settings.nonrelu, real))
        if not checkpoints:
            stack.enter_context(CheckpointsOff())
        # a copy goes in: a network may work in place on its input
        output, activations = model.run(x.clone(), layers, layouts)
        total = values_of(target, output, activations).sum()
        reached = output.sum() + total
        if lean is not None and not lean.trusted(reached):
            raise Untrusted
        doubts = () if mode is None else mode.check(reached)
        result = differentiate(total, x).contiguous()
    tell(doubts, settings.notes)
    return result, bool(reached.isnan().any())
