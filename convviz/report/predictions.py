"""Names of outputs and predictions of a run, as pages show them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConvvizError
from ..results.types import Table
from ..sweep.run import Run
from ..sweep.units import classes_of


def output_names(run: Run) -> tuple[str, ...]:
    """Return the names of the outputs of the model, or of the classes; empty if not known."""
    if labels := run.plan["model"].get("labels"):
        return tuple(labels)
    known = {c.output: name for c, name in zip(classes_of(run), run.classes, strict=True)}
    highest = max((output for output in known if output is not None), default=-1)
    return tuple(known.get(output, str(output)) for output in range(highest + 1))


def predictions_of(run: Run) -> dict[str, list[Any]]:
    """Return output, probability and correctness of the prediction of every image, if known.

    `predicted` are positions among the outputs of the model; `correct` has None where the label is
    not known.
    """
    table = prediction_table(run)
    if table is None or "label" not in table.arrays:
        return {}
    top = table["top"][:, 0].tolist()
    labels = table["label"].tolist()
    correct = [
        None if label < 0 or best < 0 else label == best
        for label, best in zip(labels, top, strict=True)
    ]
    probability = np.round(table["probabilities"][:, 0].double().numpy(), 5).tolist()
    return {"predicted": top, "probability": probability, "correct": correct}


def prediction_table(run: Run) -> Table | None:
    """Return the best classes of all images; None if they are missing or damaged."""
    if "predictions" not in run or "images" not in run["predictions"]:
        return None
    try:
        result = run["predictions"]["images"].result
    except ConvvizError:
        return None
    if not isinstance(result, Table) or not {"top", "probabilities"} <= set(result.arrays):
        return None
    shape = result["top"].shape
    if len(shape) != 2 or shape[0] != len(run.items) or shape != result["probabilities"].shape:
        return None
    if "label" in result.arrays and result["label"].shape != shape[:1]:
        return None
    return result
