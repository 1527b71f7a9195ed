"""localization: how well a map agrees with a mask of the object."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convviz.authoring import ExplainedImage, Measure, Metric, MetricNeed, MetricScores, hookimpl


class Localization(Metric):
    """Agreement of a map with a mask of the object.

    The pointing game (Zhang et al. 2016): whether the most important pixel is in the mask. Energy:
    the share of the positive values in the mask (Wang et al. 2020). Relevance rank: the share of
    the most important pixels, as many as the mask has, in the mask (Arras et al. 2022). IoU: of
    these pixels and the mask. A model may use the background, so a low value need not be wrong.
    """

    needs: ClassVar[frozenset[MetricNeed]] = frozenset({"mask"})

    def measures(self) -> tuple[Measure, ...]:
        """Return the four measures."""
        unit = (0.0, 1.0)
        return (
            Measure("Pointing game", True, unit, "", "Whether the strongest pixel is in the mask."),
            Measure(
                "Energy in mask", True, unit, "energy", "Share of the positive values in the mask."
            ),
            Measure("Relevance rank", True, unit, "rank", "Share of the top pixels in the mask."),
            Measure(
                "IoU with mask",
                True,
                unit,
                "iou",
                "Intersection over union of the top pixels and the mask.",
            ),
        )

    def score(self, image: ExplainedImage) -> MetricScores:
        """Return the measures; NaN without a mask, or if it is empty or the whole image."""
        mask = image.mask
        if mask is None or not mask.any() or mask.all():
            return MetricScores({m.suffix: [np.nan] * len(image.maps) for m in self.measures()})
        rows = [
            _agreement(single.values, single.order(image.rng("ties")), mask.ravel())
            for single in image.maps
        ]
        columns = np.array(rows).reshape(-1, 4).T
        return MetricScores(dict(zip(("", "energy", "rank", "iou"), columns, strict=True)))


def _agreement(values: np.ndarray, order: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    positive = np.clip(values.ravel(), 0, None)
    energy = positive[mask].sum() / positive.sum() if positive.any() else np.nan
    area = int(mask.sum())
    inside = int(mask[order[:area]].sum())
    hit = np.nan if np.ptp(values) == 0 else float(mask[order[0]])
    return hit, energy, inside / area, inside / (2 * area - inside)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Localization]
