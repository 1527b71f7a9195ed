"""Makes less of a program: batch norms and rectifiers go into the convolutions before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, fx

from ..ops import winograd
from ..ops.conv3x3 import Conv3x3
from .operator import CONVOLUTIONS, Step, Values

aten = torch.ops.aten


def fold_batch_norms(steps: list[Step], constants: Values, keep: set[fx.Node]) -> None:
    """Fold every batch norm that alone reads a convolution into that convolution."""
    folded = fx.Graph()  # holds the nodes of the new weights
    for conv, step in _sole_readers(steps, constants, keep, aten.batch_norm.default):
        _, gamma, beta, mean, var, training, _, eps, *_ = step.args
        fixed = all(n is None or n in constants for n in (gamma, beta, mean, var))
        if training or not fixed:
            continue
        weight, bias = constants[conv.args[1]], None
        if len(conv.args) > 2 and conv.args[2] is not None:
            bias = constants[conv.args[2]]
        scale = torch.rsqrt(constants[var] + eps)
        if gamma is not None:
            scale = scale * constants[gamma]
        shift = -constants[mean] * scale if bias is None else (bias - constants[mean]) * scale
        if beta is not None:
            shift = shift + constants[beta]
        # The batch norm's step becomes the convolution, with weights of its own.
        weights, biases = (folded.placeholder(f"{step.node}_{part}") for part in ("weight", "bias"))
        # A batch norm in float32 may follow a convolution in bfloat16.
        constants[weights] = (weight * scale[:, None, None, None]).to(weight.dtype)
        constants[biases] = shift.to(weight.dtype)
        step.call, step.kwargs = conv.call, dict(conv.kwargs)
        step.args = (conv.args[0], weights, biases, *conv.args[3:])
        step.rule, step.layer = conv.rule, conv.layer
        steps.remove(conv)


def fold_rectifiers(steps: list[Step], constants: Values, keep: set[fx.Node]) -> None:
    """Let every convolution do the rectifier that alone reads it."""
    for conv, step in _sole_readers(steps, constants, keep, aten.relu.default):
        step.call, step.args, step.kwargs = conv.call, conv.args, dict(conv.kwargs)
        step.rule, step.layer, step.rectifies = conv.rule, conv.layer, True
        steps.remove(conv)


def _sole_readers(
    steps: list[Step], constants: Values, keep: set[fx.Node], call: object
) -> Iterator[tuple[Step, Step]]:
    """Yield every convolution whose only reader is a step of one kind, with that step."""
    made = {step.node: step for step in steps}
    # Not `node.users`: the graph returns every layer, whether it is asked for or not.
    readers = Counter(node for step in steps for node in step.inputs())
    for step in list(steps):
        conv = made.get(step.args[0]) if step.call is call else None
        if conv is None or conv.node in keep or readers[conv.node] != 1:
            continue
        if conv.call in CONVOLUTIONS and conv.args[1] in constants and not conv.rectifies:
            yield conv, step


def chain_concatenations(steps: list[Step]) -> None:
    """Let a concatenation along channels take an earlier one of its first inputs as it is.

    Dense blocks concatenate all features so far again for every layer. One window of an earlier
    concatenation is gathered in long runs, those of its inputs each in short ones.
    """
    earlier: list[tuple[list[fx.Node], Step]] = []
    for step in steps:
        if step.call is not aten.cat.default or step.rule is None:
            continue
        tensors = list(step.args[0])
        if len(step.rule.edges) != len(tensors) or not step.rule.pointwise:
            continue
        prefixes = [
            (whole, one)
            for whole, one in earlier
            if tensors[: len(whole)] == whole and one.args[1:] == step.args[1:]
        ]
        if len(tensors) > 1:
            earlier.append((tensors, step))
        if prefixes:
            whole, one = max(prefixes, key=lambda pair: len(pair[0]))
            first, rest = step.rule.edges[0], step.rule.edges[len(whole) :]
            step.args = ((one.node, *tensors[len(whole) :]), *step.args[1:])
            step.rule = replace(step.rule, edges=(replace(first, source=one.node), *rest))


def transform_weights(steps: list[Step], constants: Mapping[fx.Node, Tensor]) -> None:
    """Make the 3 x 3 convolutions of stride 1 ready for Winograd's algorithm where it is fast."""
    for step in steps:
        step.conv3x3 = _conv3x3(step, constants)


def _conv3x3(step: Step, constants: Mapping[fx.Node, Tensor]) -> Conv3x3 | None:
    fixed = step.call is aten.conv2d.default and step.args[1] in constants and not step.kwargs
    if not fixed or step.node.meta["val"].dim() != 4:
        return None
    weight = constants[step.args[1]]
    given = dict(enumerate(step.args))
    stride, padding = given.get(3, [1]), given.get(4, [0])
    plain = {*stride, *given.get(5, [1]), given.get(6, 1)} == {1}
    if not (plain and winograd.takes(weight) and winograd.is_fast(weight.device)):
        return None
    bias = given.get(2)
    offset = constants[bias] if bias is not None else weight.new_zeros(len(weight))
    top, left = (*padding, *padding)[:2]
    weights = winograd.prepare_weights(weight)
    return Conv3x3(weights, offset, step.rectifies, weight.shape[1], top, left)
