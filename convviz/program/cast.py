"""A program in a lower precision than the model's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from .operator import Step
from .program import Program


def lowered(program: Program, dtype: torch.dtype) -> Program:
    """Return a program whose weights have another dtype; it wants its images in it too.

    A linear layer that gives the scores keeps its own: it costs next to nothing, and scores
    rounded to bfloat16 would differ by steps of half a percent. Batch norm was folded before
    the rounding.
    """
    own = program.image.meta["val"].dtype
    steps = [replace(step, conv3x3=None) for step in program.steps]  # which is of float32
    last = next(step for step in steps if step.node is program.output)
    kept: set[fx.Node] = set()
    if last.call is torch.ops.aten.linear.default and last.rule is None:
        kept = set(last.inputs())
        steps[steps.index(last)] = _raised(last, own)
    constants = {
        node: value.to(dtype)
        if isinstance(value, Tensor) and value.dtype == own and node not in kept
        else value
        for node, value in program.constants.items()
    }
    return replace(program, steps=steps, constants=constants)


def _raised(step: Step, dtype: torch.dtype) -> Step:
    return replace(step, call=partial(_call, step.call, dtype), free=False)


def _call(call: Callable[..., Any], dtype: torch.dtype, *args: Any) -> Any:
    return call(*(arg.to(dtype) if isinstance(arg, Tensor) else arg for arg in args))
