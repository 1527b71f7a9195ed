"""Base class of metrics: numbers that say how good the maps of explainers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from .explained_image import ExplainedImage

MetricNeed = Literal["mask", "repeats", "signed"]
"""A requirement of a metric.

"mask": a mask of the object in each image. "repeats": the explainers run again, on changed images
or networks, so that a benchmark runs the metric on some of the images only. "signed": a map whose
values have a sign; the others have no score.
"""


@dataclass(frozen=True)
class Measure:
    """One number that a metric gives for each map.

    Attributes:
        title: title for people, such as "Deletion AUC".
        higher_is_better: whether a larger number is better; None if it describes the map only.
        range: smallest and largest possible value.
        suffix: name of the measure after that of the metric and a dot; "" for the main one.
        description: a sentence on what it measures.
    """

    title: str
    higher_is_better: bool | None = True
    range: tuple[float, float] = (-np.inf, np.inf)
    suffix: str = ""
    description: str = ""

    def name(self, metric: str) -> str:
        """Return the name of the measure of a metric with this name."""
        return f"{metric}.{self.suffix}" if self.suffix else metric


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """A curve for each map, from which a score was computed.

    Attributes:
        x: `[steps]`, increasing, the same for all images.
        y: `[maps, steps]`.
        x_label, y_label: labels of the axes.
    """

    x: np.ndarray
    y: np.ndarray
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True, eq=False)
class MetricScores:
    """The scores of all maps of one image.

    Attributes:
        values: suffix of a measure -> one number per map; NaN where it is undefined.
        curves: name of a curve -> the curve of each map.
    """

    values: Mapping[str, Sequence[float] | np.ndarray]
    curves: Mapping[str, ScoreCurve] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricCost:
    """The work of a metric for one image, in forward passes.

    Attributes:
        shared: passes for all maps together.
        per_map: passes for each map.
        explanations: explanations that each explainer repeats.
    """

    shared: int = 0
    per_map: int = 0
    explanations: int = 0


class Metric(BaseModel):
    """Base class of metrics. The fields of a subclass are its parameters, as in `Explainer`.

    A metric scores the maps of all explainers for one image at once, so that it computes what does
    not depend on the map only once. Instances are immutable and have no state.

    Attributes:
        title: title for people; the first sentence of the docstring is the description.
        higher_is_better: whether a larger score is better; None for a metric that describes maps
            and does not rank them.
        value_range: smallest and largest possible score.
        needs: what the metric needs besides one map of each image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: ClassVar[str] = ""
    higher_is_better: ClassVar[bool | None] = True
    value_range: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    needs: ClassVar[frozenset[MetricNeed]] = frozenset()

    def measures(self) -> tuple[Measure, ...]:
        """Return the numbers that the metric gives; override it if there are several."""
        title = self.title or type(self).__name__
        summary = " ".join((self.__doc__ or "").split("\n\n")[0].split())
        return (Measure(title, self.higher_is_better, self.value_range, "", summary),)

    def cost(self) -> MetricCost:
        """Return the estimated work for one image."""
        return MetricCost()

    def score(self, image: ExplainedImage) -> MetricScores | Sequence[float] | np.ndarray:
        """Return the scores of all maps of an image.

        Args:
            image: the image, the maps, and the model.

        Returns:
            One number per map of `image.maps`, NaN where the score is undefined; or MetricScores
            for several measures, or for curves.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement score")

    def verdict(self, values: Mapping[str, np.ndarray]) -> str:
        """Return a mark for an explainer, such as "randomization failed"; "" for none.

        Args:
            values: suffix of a measure -> the scores of all images, `[images]`, without NaN.
        """
        return ""

    def circular_with(self, explainer: BaseModel) -> bool:
        """Return whether an explainer computes its maps by what the metric measures."""
        return False
