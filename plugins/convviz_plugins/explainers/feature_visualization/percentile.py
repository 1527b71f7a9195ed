"""The place of a value among those that the images of a run reach."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

import convviz
from convviz import Explanation, Model, ParameterError, Run
from convviz.authoring import Target


class RunValues(NamedTuple):
    """The values of a target for the images of a run: for a unit, at all positions.

    Attributes:
        counts: values per bin, `[B]`.
        edges: of the bins, `[B + 1]`; the outermost are infinite.
        low, high: the lowest and the highest value.
    """

    counts: Tensor
    edges: Tensor
    low: float
    high: float

    def percentile(self, value: float) -> float:
        """Return the share of the values that are lower, in percent; NaN without values.

        Values are taken as evenly distributed within a bin, between the lowest and the highest one.
        """
        if not self.counts.sum() > 0:
            return float("nan")
        if value > self.high:
            return 100.0
        starts, ends = (e.clamp(self.low, self.high) for e in (self.edges[:-1], self.edges[1:]))
        inside = ((value - starts) / (ends - starts)).clamp(0, 1)
        shares = torch.where(ends > starts, inside, (value > ends).to(self.counts.dtype))
        return 100 * float((self.counts * shares).sum() / self.counts.sum())


def values_in_run(run_folder: str, model: Model, target: Target) -> RunValues:
    """Return the values of a unit or a class in a run with statistics.

    Args:
        run_folder: folder of a run with statistics of the unit's layer, or for a class of the layer
            whose output is the scores.
        model: the model.
        target: a unit or a class.

    Raises:
        ParameterError: the run has no such statistics, or was computed with other weights.
    """
    run = convviz.open_run(run_folder)
    if "statistics" not in run:
        raise ParameterError(f"run {run_folder!r} has no statistics")
    if target.unit is not None:
        layer, channel = target.unit.layer, target.unit.channel
    elif target.index is not None:
        layer, channel = _score_layer(run, run_folder, model), target.index
    else:
        raise ParameterError(
            f"statistics={run_folder!r} has the values of classes and units, not of the target "
            f"{target.label!r}"
        )
    statistics = _statistics(run, run_folder, layer)
    if statistics.model["weights_hash"] != model.weights_hash:
        raise ParameterError(
            f"run {run_folder!r} was computed with other weights ({statistics.model['name']})"
        )
    low, high = (float(statistics[name][channel]) for name in ("min", "max"))
    return RunValues(
        statistics["histogram"][channel].double(), statistics["edges"].double(), low, high
    )


def _statistics(run: Run, run_folder: str, layer: str) -> Explanation:
    if layer not in run["statistics"]:
        known = ", ".join(run["statistics"])
        raise ParameterError(
            f"run {run_folder!r} has no statistics of layer {layer!r}; it has {known}"
        )
    return run["statistics"][layer]


def _score_layer(run: Run, run_folder: str, model: Model) -> str:
    """Return the layer among the statistics of a run whose output is the scores."""
    known = [layer for layer in run["statistics"] if layer in model.layer_names()]
    shape = (1, model.input_channels, *model.input_size)
    forward = model.forward(torch.rand(shape, generator=torch.Generator().manual_seed(0)), known)
    for layer in known:
        scores = forward.activations[layer].to(forward.output.dtype)
        if torch.equal(scores, forward.output):
            return layer
    raise ParameterError(
        f"run {run_folder!r} has no statistics of the scores; analyze the data set with "
        f"statistics.layers={model.layer_names()[-1]}, the layer that computes them"
    )
