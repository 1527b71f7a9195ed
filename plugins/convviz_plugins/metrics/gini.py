"""gini: how unequally a map distributes importance over the pixels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convviz.authoring import ExplainedImage, Metric, hookimpl


class Gini(Metric):
    """Gini index of the absolute values: 0 for a flat map, towards 1 for a single pixel.

    Chalasani et al. 2020. It describes maps and does not rank them: a sparse map may be wrong.
    """

    title: ClassVar[str] = "Gini (sparseness)"
    higher_is_better: ClassVar[bool | None] = None
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score(self, image: ExplainedImage) -> list[float]:
        """Return the index of each map; NaN for a map of zeros."""
        return [gini(single.values) for single in image.maps]


def gini(values: np.ndarray) -> float:
    """Return sum (2i - n - 1) a_i / (n sum a) over the sorted absolute values a."""
    sizes = np.sort(np.abs(values), axis=None)
    total, n = sizes.sum(), sizes.size
    if total == 0:
        return float("nan")
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * sizes).sum() / (n * total))


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric."""
    return [Gini]
