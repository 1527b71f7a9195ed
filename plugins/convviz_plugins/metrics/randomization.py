"""randomization: whether a map changes when the weights of the network do."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from convviz import Model
from convviz.authoring import (
    AttributionMap,
    ExplainedImage,
    Measure,
    Metric,
    MetricCost,
    MetricNeed,
    MetricScores,
    hookimpl,
)

from ._correlation import spearman

BINS = 100
FAILED = "randomization failed"
RESAMPLES = 10_000
CALIBRATION_IMAGES = 8
"""Images of noise from which the statistics of batch norms are computed."""


class Randomization(Metric):
    """Similarity of a map with that of the network with random weights.

    Adebayo et al. 2018: a map of a trained network should differ from that of a network whose
    weights are drawn anew by each layer's own `reset_parameters`; batch norms get the statistics
    of this network on noise. The metric measures the rank correlation, the structural similarity
    (SSIM), and the rise of the entropy of the histogram (efficient MPRT, Hedström et al. 2024). The
    outcome is pass or fail, since uninformative maps have the best values (Binder et al. 2023): an
    explainer passes if the upper 95 % bounds of both similarities are below `similar`. The entropy
    is reported but not required to rise by default: if the maps of the trained network are as rough
    as those of a random one, the entropy does not rise even for the gradient.
    """

    needs: ClassVar[frozenset[MetricNeed]] = frozenset({"repeats"})

    similar: float = Field(0.5, description="Similarity from which a map counts as unchanged.")
    rise: float | None = Field(
        None, description="Rise of the entropy that is required; none: it is only reported."
    )
    seed: int = Field(0, ge=0, description="Seed of the random weights.")

    def measures(self) -> tuple[Measure, ...]:
        """Return rank correlation, structural similarity and rise of entropy; none ranks."""
        return (
            Measure(
                "Randomized: Spearman",
                None,
                (-1.0, 1.0),
                "",
                "Rank correlation of the maps of the network and of one with random weights.",
            ),
            Measure(
                "Randomized: SSIM",
                None,
                (-1.0, 1.0),
                "ssim",
                "Structural similarity of these maps.",
            ),
            Measure(
                "Randomized: entropy",
                None,
                (-np.inf, np.inf),
                "entropy",
                "Relative rise of the entropy of the map with random weights.",
            ),
        )

    def cost(self) -> MetricCost:
        """Return the work: one explanation."""
        return MetricCost(explanations=1)

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the measures of all maps."""
        model = image.compute_once(
            ("randomization", self.seed),
            lambda: randomize_weights(image.model, self.seed, image.image.shape),
            all_images=True,
        )
        again = [maps[0] for maps in image.explain(image.image[None], model)]
        pairs = list(zip(image.maps, again, strict=True))
        return MetricScores(
            {
                "": [spearman(a.values.ravel(), b.values.ravel()) for a, b in pairs],
                "ssim": [ssim(unit_range(a), unit_range(b)) for a, b in pairs],
                "entropy": [entropy_rise(a.values, b.values) for a, b in pairs],
            }
        )

    def verdict(self, values: Mapping[str, np.ndarray]) -> str:
        """Return the mark of an explainer whose maps do not change enough."""
        if any(len(column) < 2 for column in values.values()):
            return ""
        below = all(_bounds(values[suffix])[1] < self.similar for suffix in ("", "ssim"))
        rises = self.rise is None or _bounds(values["entropy"])[0] > self.rise
        return "" if below and rises else FAILED


def randomize_weights(model: Model, seed: int, shape: Sequence[int]) -> Model:
    """Return a model with random weights.

    Batch norms get the statistics of the random network. With those of the trained one, values
    shrink from layer to layer until the scores of a deep network do not depend on the image.

    Args:
        model: the model, which is not changed.
        seed: seed of the weights.
        shape: channels, height and width of an image.
    """
    network = copy.deepcopy(model.module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        noise = torch.randn(CALIBRATION_IMAGES, *shape).to(model.device, model.dtype)
    _calibrate(network, noise)
    return Model(
        network,
        preprocess=model.preprocess,
        labels=model.labels,
        output=model.output,
        activation=model.activation,
        name=f"{model.name} with random weights",
        tf32=model.tf32,
    )


def _calibrate(network: nn.Module, images: Tensor) -> None:
    """Set the statistics of all batch norms to those of images."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
    norms = [norm for norm in norms if norm.track_running_stats and norm.running_mean is not None]
    if not norms:
        return
    states = [(norm, norm.training, norm.momentum) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # a mean instead of a moving one
    with torch.no_grad():
        network(images)
    for norm, training, momentum in states:
        norm.train(training)
        norm.momentum = momentum


def unit_range(attribution: AttributionMap) -> np.ndarray:
    """Return a map scaled to a range of 1; the sign is kept."""
    values = attribution.values
    spread = np.ptp(values)
    return values / spread if spread else values * 0


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean structural similarity of maps with a range of 1 (Wang et al. 2004)."""

    def smooth(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((numerator / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def entropy_rise(before: np.ndarray, after: np.ndarray) -> float:
    """Return the relative rise of the entropy of a map's histogram; NaN for a flat first map."""
    first = histogram_entropy(before)
    return (histogram_entropy(after) - first) / first if first > 0 else float("nan")


def histogram_entropy(values: np.ndarray) -> float:
    """Return the entropy of the histogram with 100 bins, in nats."""
    counts, _ = np.histogram(values, BINS)
    shares = counts[counts > 0] / values.size
    return float(-(shares * np.log(shares)).sum())


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by bootstrap."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Randomization]
