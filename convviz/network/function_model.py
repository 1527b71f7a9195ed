"""A Model whose scores are the values of functions of the network's output."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ..scores.function_scores import FunctionScores, TargetFunction
from .model import Model


def function_model(model: Model, functions: Sequence[TargetFunction]) -> Model:
    """Return a Model of the same network whose scores `[N, K]` are the values of K functions.

    Everything that works on scores then works on these values: gradients, incremental occlusion,
    and the measurement of how the network treats a batch. The network may return anything, such as
    the boxes of a detector. The result for the last functions is kept, with its exported graphs.
    """
    cached = model.cache.function_model
    if isinstance(cached, Model) and _has_functions(cached, functions):
        return cached
    scored = copy.copy(model)
    scored.output = FunctionScores(functions)
    scored.labels = scored.output.names
    scored.activation, scored.binary = None, False
    scored._warned = True  # values may well lie between 0 and 1
    scored.cache = model.cache.without_network()
    model.cache.function_model = scored
    return scored


def _has_functions(model: Model, functions: Sequence[TargetFunction]) -> bool:
    output = model.output
    return (
        isinstance(output, FunctionScores)
        and len(output.functions) == len(functions)
        and all(a is b for a, b in zip(output.functions, functions, strict=True))
    )
