"""Scores as a benchmark of eight explainers and five controls might give them."""

from __future__ import annotations

import numpy as np

from convviz.evaluation.scores import Curve, MetricInfo, Scores

METRICS = (
    MetricInfo("srg", "SRG", True, (-1, 1), "Area between the curves of removal in both orders."),
    MetricInfo("deletion", "Deletion AUC", False, (0, 1), "Area under the curve of deletion."),
    MetricInfo("sds", "SDS", True, (-1, 1), "Rank correlation with single deletions."),
    MetricInfo("max_sensitivity", "Max-sensitivity", False, (0, np.inf), "Change under noise."),
    MetricInfo("gini", "Gini", None, (0, 1), "Sparseness of the map."),
)
EXPLAINERS = (
    *("saliency", "input_x_gradient", "integrated_gradients", "occlusion", "grad_cam"),
    *("guided_backprop", "rise", "captum.guided_grad_cam"),
)
CONTROLS = ("random", "random_smooth", "center", "sobel", "saliency (blurred)")


def synthetic_scores(images=60, seed=0):
    """Return scores with undefined values, marks, curves, times, and a metric on few images."""
    generator = np.random.default_rng(seed)
    names = (*EXPLAINERS, *CONTROLS)
    strengths = np.array([0.3, 0.35, 0.45, 0.9, 0.85, 0.3, 0.95, 0.5, 0, 0.03, 0.3, 0.2, 0.4])
    signs = np.array([1, -1, 1, -0.5, 0.3])
    difficulty = generator.normal(0, 0.15, (images, 1, 1))
    noise = generator.normal(0, 0.15, (images, len(names), len(METRICS)))
    values = 0.5 * strengths[:, None] * signs + [0.0, 0.6, 0.0, 0.6, 0.4] + difficulty + noise
    measured = np.ones(values.shape, bool)
    measured[20:, :, 3] = False
    values[:3, 4, 2] = np.nan
    values[:, 7, 4] = np.nan
    values[~measured] = np.nan
    x = np.linspace(0, 1, 29)
    fall = np.exp(-x[None, None] * (1 + 4 * strengths[None, :, None] + 3 * difficulty))
    fall = fall + generator.normal(0, 0.08, (images, len(names), 1)) * x * (1 - x)
    curves = {
        (curve, name): Curve(x, fall[:, i], "share of pixels removed", "probability")
        for curve in ("deletion", "srg: superpixels, mean colour")
        for i, name in enumerate(names)
    }
    costs = dict(zip(EXPLAINERS, (0.02, 0.02, 0.4, 1.5, 0.03, 0.02, 8, 0.05), strict=True))
    return Scores(
        values=values,
        images=tuple(f"photos/{i:03}.jpg" for i in range(images)),
        explainers=names,
        metrics=METRICS,
        controls=frozenset(CONTROLS),
        curves=curves,
        marks={
            ("occlusion", "sds"): ("circular",),
            ("guided_backprop", ""): ("randomization failed",),
        },
        seconds={n: c * generator.uniform(0.9, 1.2, images) for n, c in costs.items()},
        passes={n: np.full(images, c * 100) for n, c in costs.items()},
        notes=("Max-sensitivity was computed for 20 images.",),
        measured=measured,
    )
