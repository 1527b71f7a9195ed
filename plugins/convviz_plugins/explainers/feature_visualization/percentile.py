"""The place of a value among those that the images of a run reach."""

from __future__ import annotations

import os

import torch
from torch import Tensor

import convviz
from convviz import Explanation, Model, ParameterError, Run
from convviz.authoring import Target


def percentile_in_run(
    run_folder: str, model: Model, image: Tensor, target: Target, value: float
) -> float:
    """Return the share of the values of a run that are lower, in percent.

    For a unit these are the values at all positions of all images; for a class its scores.

    Args:
        run_folder: folder of a run with statistics of the unit's layer, or for a class of the layer
            whose output is the scores.
        model: the model.
        image: an input, `[1, C, H, W]`, by which the layer of the scores is recognized.
        target: a unit or a class.
        value: the value to place.

    Raises:
        ParameterError: the run has no such statistics, or was computed with other weights.
    """
    run = convviz.open_run(run_folder)
    if target.unit is not None:
        layer, channel = target.unit.layer, target.unit.channel
    elif target.index is not None:
        layer, channel = _score_layer(run, run_folder, model, image), target.index
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
    names = ("histogram", "edges", "min", "max")
    counts, edges, low, high = (statistics[name].double() for name in names)
    return 100 * share_below(
        counts[channel], edges, float(low[channel]), float(high[channel]), value
    )


def share_below(counts: Tensor, edges: Tensor, low: float, high: float, value: float) -> float:
    """Return the share of the values of a histogram that are lower than a value.

    Values are taken as evenly distributed within a bin, between the lowest and the highest value.

    Args:
        counts: values per bin, `[B]`.
        edges: of the bins, `[B + 1]`; the outermost may be infinite.
        low, high: the lowest and the highest value.
        value: the value to place.
    """
    if not counts.sum() > 0:
        return float("nan")
    if value > high:
        return 1.0
    starts, ends = edges[:-1].clamp(low, high), edges[1:].clamp(low, high)
    inside = (value - starts) / (ends - starts)
    shares = torch.where(ends > starts, inside.clamp(0, 1), (value > ends).to(counts.dtype))
    return float((counts * shares).sum() / counts.sum())


def _statistics(run: Run, run_folder: str, layer: str) -> Explanation:
    if "statistics" not in run:
        raise ParameterError(f"run {run_folder!r} has no statistics")
    if layer not in run["statistics"]:
        known = ", ".join(run["statistics"])
        raise ParameterError(
            f"run {run_folder!r} has no statistics of layer {layer!r}; it has {known}"
        )
    return run["statistics"][layer]


def _score_layer(run: Run, run_folder: str, model: Model, image: Tensor) -> str:
    """Return the layer among the statistics of a run whose output is the scores."""
    layers = list(run["statistics"]) if "statistics" in run else []
    known = [layer for layer in layers if layer in model.layer_names()]
    forward = model.forward(image, known)
    for layer in known:
        activation = forward.activations[layer]
        if activation.shape == forward.output.shape and torch.equal(
            activation.to(forward.output.dtype), forward.output
        ):
            return layer
    raise ParameterError(
        f"run {os.fspath(run_folder)!r} has no statistics of the scores; analyze the data set with "
        f"statistics.layers={model.layer_names()[-1]}, the layer that computes them"
    )
