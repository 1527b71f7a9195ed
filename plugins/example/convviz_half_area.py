"""Half area: the smallest share of an image that holds half of a map."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from convviz.authoring import ExplainedImage, Metric, hookimpl


class HalfArea(Metric):
    """Smallest share of the pixels that hold half of the sum of absolute values.

    It describes how concentrated a map is, and does not rank maps: a concentrated map may be wrong.
    """

    share: float = Field(0.5, gt=0, le=1, description="Share of the sum to hold.")

    title: ClassVar[str] = "Half area"
    higher_is_better: ClassVar[bool | None] = None
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score(self, image: ExplainedImage) -> list[float]:
        """Return one number per map; NaN for a map of zeros."""
        return [self._area(single.values) for single in image.maps]

    def _area(self, values: np.ndarray) -> float:
        sizes = np.sort(np.abs(values), axis=None)[::-1]
        held = sizes.cumsum()
        if held[-1] == 0:
            return float("nan")
        return float((np.searchsorted(held, self.share * held[-1]) + 1) / sizes.size)


@hookimpl
def convviz_metrics() -> list[type[Metric]]:
    """Return the metric, whose name is that of the entry point in pyproject.toml."""
    return [HalfArea]
