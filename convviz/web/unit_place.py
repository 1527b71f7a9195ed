"""The place of a photo among the images of a run, by the highest value of a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConvvizError
from ..plugin.explainer import DatasetExplainer
from ..results.types import Result

if TYPE_CHECKING:
    from ..images.batch import Batch
    from ..network.model import Model
    from ..scores.outputs import Forward
    from ..sweep.run import Run

EXPLAINER = "patches"
TOLERANCE = 1e-4
"""Relative difference up to which values are equal: batches of other sizes round differently."""


def place_in_run(
    run: Run | None, model: Model, batch: Batch, forward: Forward, layer: str, unit: int
) -> dict[str, Any] | None:
    """Return the rank of a photo among the top patches of a unit, and among all images.

    The value of the photo is computed like those of the images of the run, for example without
    positions at the border of the map.

    Args:
        run: the run; None if none was opened.
        model: the model.
        batch: one photo as the model's input.
        forward: its forward pass, with the activations of the layer.
        layer, unit: the unit.

    Returns:
        The value, its rank among the top patches, and, if the run counted them, a histogram of all
        images with the share of images below the value. None if the run has no patches of the
        layer, or those of other weights.
    """
    if run is None or EXPLAINER not in run or layer not in run[EXPLAINER]:
        return None
    if model.weights_hash != run.plan["model"]["weights_hash"]:
        return None
    try:
        explanation = run[EXPLAINER][layer]
        value = _measured_value(explanation.explainer, model, batch, forward, layer, unit)
    except ConvvizError as error:
        return {"problem": str(error)}
    if value is None:
        return None
    best = explanation.values[unit].double().numpy()
    best = best[np.isfinite(best)]
    return {
        "value": value,
        "rank": int((best > value + TOLERANCE * abs(value)).sum()) + 1,
        "best": best.tolist(),
        "images": len(run.items),
        "histogram": _histogram(explanation.result, unit, value),
    }


def _measured_value(
    explainer: Any, model: Model, batch: Batch, forward: Forward, layer: str, unit: int
) -> float | None:
    """Return the highest value of a unit on a photo, as the sweep computes it."""
    if not isinstance(explainer, DatasetExplainer):
        return None
    explainer = explainer.model_copy(update={"layers": (layer,)})
    partial = explainer.reduce(model, batch, forward)
    return float(partial[layer]["values"][unit, 0])


def _histogram(result: Result, unit: int, value: float) -> dict[str, Any] | None:
    """Return edges, counts, and the bounds of the share of images with a lower value."""
    if not {"peak_histogram", "peak_range"} <= set(result.arrays):
        return None
    counts = result["peak_histogram"][unit].numpy()
    low, high = result["peak_range"][unit].double().tolist()
    total = int(counts.sum())
    if not total or not np.isfinite([low, high]).all():
        return None
    edges = np.linspace(low, high, len(counts) + 1)
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "below": float(counts[edges[1:] <= value].sum() / total),
        "not_above": float(counts[edges[:-1] <= value].sum() / total),
    }
