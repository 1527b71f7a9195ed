"""The output of a network: scores, the values of targets, and their gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ..errors import (
    ConvvizError,
    ConvvizWarning,
    ModelError,
    ParameterError,
    TargetError,
    UnknownNameError,
)
from ..state.checkpointing import is_checkpoint_error
from ..state.device import is_out_of_memory
from .function_scores import FunctionScores, describe
from .targets import Target, check_unit

Pick = str | int | Callable[[Any], Tensor] | None
Activation = Literal["softmax", "sigmoid"]
"""The function from scores to probabilities: over all classes, or for each class alone."""

_HELP = (
    "Model(output=…) selects the scores [N, classes]: a key, an index, the name of an attribute, "
    "or a function such as output=lambda out: out['out'].mean((2, 3)). A target that is a function "
    "of the output needs no scores: explain(…, target=function)"
)


@dataclass(frozen=True, eq=False)
class Forward:
    """The output of a forward pass, and the requested activations.

    Attributes:
        output: scores `[N, classes]`, at least float32.
        activations: layer -> a copy of its output: `[N, C, h, w]`, `[N, C]`, or `[N, T, C]` if
            the positions form no grid. The memory format is not defined, so use `reshape` rather
            than `view`.
    """

    output: Tensor
    activations: dict[str, Tensor]


def at_least_float32(scores: Tensor) -> Tensor:
    """Convert half precision to float32, so that softmax and differences are accurate."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def scores_of(out: Any, pick: Pick, count: int) -> Tensor:
    """Return the scores `[N, classes]`; raise ModelError if the output has no such scores.

    Args:
        out: the network's output.
        pick: the model's `output`.
        count: N, the number of images.
    """
    scores = pick_scores(out, pick)
    if isinstance(pick, FunctionScores):
        return pick.check(scores, count)
    what = "the network returned" if pick is None else f"output={pick!r} picked"
    if not isinstance(scores, Tensor):
        raise ModelError(f"{what} {describe(scores)}, not scores [N, classes]; {_HELP}")
    fits = scores.ndim == 2 and scores.shape[0] == count and scores.shape[1] > 0
    if scores.ndim == 2 and 0 < scores.shape[0] != count:
        raise ModelError(
            f"{what} {describe(scores)} for {count} images, not one row of scores per image: "
            "the network mixes the images of a batch, as view(1, -1) in place of flatten(1) does, "
            f"or returns something else; {_HELP}"
        )
    if not fits or not scores.is_floating_point():
        raise ModelError(
            f"{what} {describe(scores)} for {count} images, not scores [N, classes]; {_HELP}"
        )
    return scores


def pick_scores(out: Any, pick: Pick) -> Any:
    """Return the part of a network's output that `pick` selects."""
    if pick is None:
        return out
    if callable(pick):
        return pick(out)
    if isinstance(pick, int):
        if not isinstance(out, tuple | list):
            raise ModelError(f"output={pick} needs a tuple; the network returned {describe(out)}")
        if not -len(out) <= pick < len(out):
            raise ModelError(f"output={pick} is out of range for {describe(out)}")
        return out[pick]
    if isinstance(out, Mapping):
        if pick not in out:
            raise UnknownNameError("output", pick, [str(k) for k in out])
        return out[pick]
    if not hasattr(out, pick):
        raise ModelError(f"output={pick!r}: {describe(out)} has no such attribute")
    return getattr(out, pick)


def check_activation(activation: Activation | None) -> Activation | None:
    """Return the activation; raise ParameterError if it is not allowed."""
    if activation not in ("softmax", "sigmoid", None):
        raise ParameterError(
            f"activation={activation!r}: allowed are 'softmax', 'sigmoid' and None, which is "
            "softmax for several outputs, and sigmoid for one output with two labels"
        )
    return activation


def warn_of_meaningless_scores(output: Tensor, target: Sequence[Target], name: str) -> None:
    """Warn about images whose class scores are NaN, or equal for all classes.

    Args:
        output: scores `[N, classes]`.
        target: one resolved target per image.
        name: of the model.
    """
    rows = output.detach()[[i for i, t in enumerate(target) if not t.units]]
    are_classes = not any(t.function for t in target)
    problem = ""
    if nan := int(rows.isnan().any(1).sum()):
        problem = f"{nan} of {len(output)} images have NaN among their scores, and in their maps"
    elif are_classes and rows.shape[1] > 1 and (alike := int((rows == rows[:, :1]).all(1).sum())):
        problem = (
            f"{alike} of {len(output)} images have the same score in all {rows.shape[1]} classes: "
            "there is no top class, and class maps are flat if the last layer's weights are 0, as "
            "in a network that was not trained"
        )
    if problem:
        warnings.warn(f"{name}: {problem}", ConvvizWarning, stacklevel=3)


def add_notes(sentences: Iterable[str], notes: list[str] | None) -> None:
    """Add sentences to notes, each once; without notes emit them as warnings."""
    for sentence in sentences:
        if notes is None:
            warnings.warn(sentence, ConvvizWarning, stacklevel=4)
        elif sentence not in notes:
            notes.append(sentence)


def layers_of(target: Sequence[Target]) -> tuple[str, ...]:
    """Return the layers of the units among resolved targets."""
    return tuple(dict.fromkeys(unit.layer for t in target for unit in t.units))


def values_of(target: Sequence[Target], output: Tensor, activations: dict[str, Tensor]) -> Tensor:
    """Return the targets' values, `[N]`, connected to the graph."""
    if len(target) != len(output):
        raise ParameterError(f"{len(target)} targets for {len(output)} images; pass one per image")
    values = [_value(t, i, output, activations) for i, t in enumerate(target)]
    return torch.stack(values) if values else output.new_zeros(0)


def _value(target: Target, row: int, output: Tensor, activations: dict[str, Tensor]) -> Tensor:
    """Return the value of the target of one image, connected to the graph."""
    if target.contrast is not None:
        a, b = (_value(part, row, output, activations) for part in target.contrast)
        return a - b
    if target.function is not None:
        return output[row, target.function.column]
    unit = target.unit
    if unit is None:
        return output[row, target.index]
    maps = activations[unit.layer][row]
    check_unit(unit, tuple(maps.shape))
    value = maps[(unit.channel, *(unit.position or ()))]
    if value.ndim:
        raise TargetError(f"unit {unit} has no position yet; resolve it with model.resolve")
    return value.to(output.dtype)


def differentiate(
    total: Tensor, inputs: Sequence[Tensor] | Sequence[GradientEdge], name: str
) -> list[Tensor | None]:
    """Return the gradients of a sum of targets; None for inputs that it does not depend on.

    Args:
        total: the sum of the targets.
        inputs: tensors, or points of the graph, to differentiate with respect to.
        name: what they are, for error messages.

    Raises:
        ModelError: the sum depends on no input in a differentiable way, or the backward pass fails.
    """
    gradients: Sequence[Tensor | None] = ()
    try:
        if total.requires_grad and inputs:
            gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    except Exception as error:
        if isinstance(error, ConvvizError) or is_out_of_memory(error) or is_checkpoint_error(error):
            raise
        raise _backward_error(error) from error
    if all(gradient is None for gradient in gradients):
        raise ModelError(
            f"the target does not depend on {name} in a differentiable way (the network may "
            "detach tensors or compute without gradients)"
        )
    return [None if gradient is None else gradient.detach() for gradient in gradients]


def _backward_error(error: Exception) -> ModelError:
    """Return the error that explains why a backward pass failed."""
    if "use_reentrant" in str(error):
        return ModelError(
            "the network uses activation checkpointing with use_reentrant=True, which allows "
            "no gradients of images: switch it off, or use use_reentrant=False"
        )
    if "inplace operation" in str(error):
        return ModelError(
            "the network has no gradients: it overwrites tensors in place that the backward pass "
            f"needs ({error})"
        )
    return ModelError(f"the backward pass of the network fails: {type(error).__name__}: {error}")
