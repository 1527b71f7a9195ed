"""Fusions that shorten a program: operators are merged into the convolutions before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, fx

from ..ops import winograd
from ..ops.fold_batch_norm import fold_batch_norm
from ..ops.winograd import Conv3x3
from .operator import CONVOLUTIONS, OperatorStep, Values

aten = torch.ops.aten


def fold_batch_norms(steps: list[OperatorStep], constants: Values, keep: set[fx.Node]) -> None:
    """Fold each batch norm into the convolution before it, unless something else reads that.

    Args:
        steps: the program's, changed in place.
        constants: values that depend on no image; the folded weights are added.
        keep: nodes whose values are read by the caller; they must stay.
    """
    folded = fx.Graph()  # owns the nodes of the folded weights
    for conv, step in _only_readers(steps, constants, keep, aten.batch_norm.default):
        _, gamma, beta, mean, variance, training, _, eps, *_ = step.args
        fixed = all(n is None or n in constants for n in (gamma, beta, mean, variance))
        if training or not fixed:
            continue
        weight = constants[conv.args[1]]
        bias = constants[conv.args[2]] if len(conv.args) > 2 and conv.args[2] is not None else None
        new_weight, new_bias = fold_batch_norm(
            weight,
            bias,
            constants[mean],
            constants[variance],
            constants[gamma] if gamma is not None else None,
            constants[beta] if beta is not None else None,
            eps,
        )
        # The batch norm's step becomes the convolution: its node is the one that others read.
        weights, biases = (folded.placeholder(f"{step.node}_{part}") for part in ("weight", "bias"))
        # A batch norm in float32 may follow a convolution in bfloat16.
        constants[weights] = new_weight.to(weight.dtype)
        constants[biases] = new_bias.to(weight.dtype)
        step.call, step.kwargs = conv.call, dict(conv.kwargs)
        step.args = (conv.args[0], weights, biases, *conv.args[3:])
        step.rule, step.layer = conv.rule, conv.layer
        steps.remove(conv)


def merge_rectifiers(steps: list[OperatorStep], constants: Values, keep: set[fx.Node]) -> None:
    """Merge each ReLU into the convolution before it, unless something else reads that.

    Args:
        steps, constants, keep: as in `fold_batch_norms`.
    """
    for conv, step in _only_readers(steps, constants, keep, aten.relu.default):
        step.call, step.args, step.kwargs = conv.call, conv.args, dict(conv.kwargs)
        step.rule, step.layer, step.rectifies = conv.rule, conv.layer, True
        steps.remove(conv)


def _only_readers(
    steps: list[OperatorStep], constants: Values, keep: set[fx.Node], call: object
) -> Iterator[tuple[OperatorStep, OperatorStep]]:
    """Yield each convolution with constant weights and the step that alone reads it.

    Args:
        steps, constants, keep: as in `fold_batch_norms`.
        call: the operator of the reading step.
    """
    producers = {step.node: step for step in steps}
    # Not `node.users`: the graph returns every layer, so that each has one more user than readers.
    readers = Counter(node for step in steps for node in step.inputs())
    for step in list(steps):
        conv = producers.get(step.args[0]) if step.call is call else None
        if conv is None or conv.node in keep or readers[conv.node] != 1:
            continue
        if conv.call in CONVOLUTIONS and conv.args[1] in constants and not conv.rectifies:
            yield conv, step


def chain_concatenations(steps: list[OperatorStep]) -> None:
    """Replace the first inputs of a concatenation by an earlier concatenation of the same inputs.

    In a dense block, layer k concatenates the features a, b, c … of all earlier layers again:
    cat(a, b), cat(a, b, c). The second becomes cat(cat(a, b), c). Windows of one wide value are
    gathered in long runs of memory, those of many narrow values in short ones.
    """
    earlier: list[tuple[list[fx.Node], OperatorStep]] = []
    for step in steps:
        if step.call is not aten.cat.default or step.rule is None:
            continue
        tensors = list(step.args[0])
        # Concatenations along an image axis, and inputs that depend on no image, are left alone.
        if len(step.rule.edges) != len(tensors) or not step.rule.pointwise:
            continue
        prefixes = [
            (inputs, prefix)
            for inputs, prefix in earlier
            if tensors[: len(inputs)] == inputs and prefix.args[1:] == step.args[1:]
        ]
        if len(tensors) > 1:
            earlier.append((tensors, step))
        if prefixes:
            inputs, prefix = max(prefixes, key=lambda pair: len(pair[0]))
            first, rest = step.rule.edges[0], step.rule.edges[len(inputs) :]
            step.args = ((prefix.node, *tensors[len(inputs) :]), *step.args[1:])
            step.rule = replace(step.rule, edges=(replace(first, source=prefix.node), *rest))


def transform_weights(steps: list[OperatorStep], constants: Mapping[fx.Node, Tensor]) -> None:
    """Transform the weights of 3 x 3 convolutions for Winograd's algorithm where it is faster."""
    for step in steps:
        step.conv3x3 = _conv3x3(step, constants)


def _conv3x3(step: OperatorStep, constants: Mapping[fx.Node, Tensor]) -> Conv3x3 | None:
    fixed = step.call is aten.conv2d.default and step.args[1] in constants and not step.kwargs
    if not fixed or step.node.meta["val"].dim() != 4:
        return None
    weight = constants[step.args[1]]
    # conv2d(input, weight, bias, stride, padding, dilation, groups)
    arguments = dict(enumerate(step.args))
    stride, padding = arguments.get(3, [1]), arguments.get(4, [0])
    plain = {*stride, *arguments.get(5, [1]), arguments.get(6, 1)} == {1}
    if not (plain and winograd.supports(weight) and winograd.is_fast(weight.device)):
        return None
    bias = arguments.get(2)
    offset = constants[bias] if bias is not None else weight.new_zeros(len(weight))
    pad_y, pad_x = (*padding, *padding)[:2]
    weights = winograd.prepare_weights(weight)
    return Conv3x3(weights, offset, step.rectifies, weight.shape[1], pad_y, pad_x)
