"""The predictions of a batch: one row of numbers per image, from its scores.

Per image, with K classes and T = min(K, 5):

top                     int64 [n, T]     best classes, by score, then by index; -1 if not finite
scores, probabilities   float64 [n, T]   of these classes
margin                  float64 [n]      difference of the two highest probabilities
entropy                 float64 [n]      of the probabilities, in nats
label                   int64 [n]        output of the label; -1 without one
label_probability       float64 [n]      its probability
loss                    float64 [n]      -log of that probability
rank                    int64 [n]        classes before the label in the order of `top`; -1
is_probability                   bool [n]         the scores are probabilities already
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from convviz import Model

Rows = dict[str, Tensor]
"""The numbers of several images by name, as listed above."""

TOP = 5
NONE = -1
SUM_TOLERANCE = 1e-3
"""Deviation of a sum of probabilities from 1 by rounding in the network."""


def measure(model: Model, output: Tensor, labels: Tensor) -> Rows:
    """Return the numbers of a batch.

    Every row depends on the scores of its image alone, not on the rest of the batch.

    Args:
        model: turns scores into probabilities.
        output: scores `[N, K]`, K >= 2.
        labels: outputs of the labels, `[N]`; -1 for images without one.
    """
    scores = output.detach().cpu().double()
    finite = scores.isfinite().all(1)
    is_probability = _are_probabilities(scores) & finite
    log_p = torch.where(
        is_probability[:, None], scores.log(), model.probabilities(scores, log=True)
    )
    order = torch.from_numpy(np.argsort(-scores.numpy(), axis=1, kind="stable"))
    top = order[:, :TOP]
    known = finite & (labels >= 0) & (labels < scores.shape[1])
    label = labels.where(known, NONE)
    label_log_p = log_p.gather(1, label.clamp_min(0)[:, None])[:, 0]
    rank = (order == label[:, None]).long().argmax(1)
    best = log_p.gather(1, top).exp()
    of_top = {"scores": scores.gather(1, top), "probabilities": best}
    return {
        "top": top.where(finite[:, None], NONE),
        **{name: rows.where(finite[:, None], torch.nan) for name, rows in of_top.items()},
        "margin": (best[:, 0] - best[:, 1]).where(finite, torch.nan),
        "entropy": _entropy(log_p, model).where(finite, torch.nan),
        "label": label,
        "label_probability": label_log_p.exp().where(known, torch.nan),
        "loss": (-label_log_p).where(known, torch.nan),
        "rank": rank.where(known, NONE),
        "is_probability": is_probability,
    }


def remove_labels(rows: Rows) -> None:
    """Remove the labels from rows, and the numbers that depend on them."""
    for name in ("label", "rank"):
        rows[name] = torch.full_like(rows[name], NONE)
    for name in ("label_probability", "loss"):
        rows[name] = torch.full_like(rows[name], torch.nan)


def _entropy(log_p: Tensor, model: Model) -> Tensor:
    """Return the entropy of each row; for classes that do not exclude each other, the sum."""
    p = log_p.exp()
    terms = torch.where(p > 0, p * log_p, 0.0)
    if model.activation == "sigmoid" and not model.binary:
        rest = 1 - p
        terms = terms + torch.where(rest > 0, rest * rest.log(), 0.0)
    # NumPy adds each row in the same order, whatever the number of rows.
    return torch.from_numpy(-terms.numpy().sum(axis=1))


def _are_probabilities(scores: Tensor) -> Tensor:
    """Return a mask of rows in [0, 1] that sum to 1, such as those of a softmax in the network."""
    sums = torch.from_numpy(scores.numpy().sum(axis=1))
    inside = ((scores >= 0) & (scores <= 1)).all(1)
    return inside & ((sums - 1).abs() < SUM_TOLERANCE)
