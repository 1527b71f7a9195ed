"""Programs in a lower precision than the model's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from .program import Program


def cast_program(program: Program, dtype: torch.dtype) -> Program:
    """Return a program whose weights have another dtype; its images must have it too.

    A linear layer that computes the scores keeps its dtype. It takes little time, and scores
    rounded to bfloat16 would differ by steps of half a percent. Batch norms are folded in the
    model's own dtype, before the weights are rounded.
    """
    full = program.image.meta["val"].dtype
    # The weights prepared for Winograd's algorithm exist in float32 and float64 only.
    steps = [replace(step, conv3x3=None) for step in program.steps]
    last = next(step for step in steps if step.node is program.output)
    uncast: set[fx.Node] = set()
    if last.call is torch.ops.aten.linear.default and last.rule is None:
        uncast = set(last.inputs())
        call = partial(_call_in_dtype, last.call, full)
        steps[steps.index(last)] = replace(last, call=call, free=False)
    constants = {
        node: value.to(dtype)
        if isinstance(value, Tensor) and value.dtype == full and node not in uncast
        else value
        for node, value in program.constants.items()
    }
    return replace(program, steps=steps, constants=constants)


def _call_in_dtype(call: Callable[..., Any], dtype: torch.dtype, *args: Any) -> Any:
    return call(*(arg.to(dtype) if isinstance(arg, Tensor) else arg for arg in args))
