"""Scores of explanations: one number per image, explainer and metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import ParameterError

RANDOM = "random"
"""Name of the control that the other explainers are compared with by default."""

CURVE_SEPARATOR = ": "
"""Between the name of a metric and that of one of its curves."""


@dataclass(frozen=True)
class MetricInfo:
    """The part of a metric that statistics and tables need.

    Attributes:
        name: name of the metric, unique in a table.
        title: title for people, such as "Deletion AUC".
        higher_is_better: whether a larger score is better; None for a metric that describes maps
            and does not rank them.
        range: smallest and largest possible score.
        description: a sentence on what the metric measures; may be empty.
    """

    name: str
    title: str
    higher_is_better: bool | None = None
    range: tuple[float, float] = (-np.inf, np.inf)
    description: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """Curves of all images for one explainer, such as the score over the share of pixels removed.

    Attributes:
        x: `[steps]`, increasing.
        y: `[images, steps]`; NaN where undefined.
        x_label, y_label: labels of the axes.
    """

    x: np.ndarray
    y: np.ndarray
    x_label: str = ""
    y_label: str = ""

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.y.ndim != 2 or self.y.shape[1] != len(self.x):
            raise ParameterError(
                f"a curve has x [steps] and y [images, steps], not {self.x.shape} and "
                f"{self.y.shape}"
            )


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of several explainers on the same images.

    Attributes:
        values: `[images, explainers, metrics]`, float64; NaN where a score is undefined.
        images: names of the images.
        explainers: names of the explainers, controls included.
        metrics: the metrics.
        controls: names of the explainers that are controls, such as random maps.
        curves: (metric, explainer) -> Curve. A metric with several curves has keys such as
            ("srg: superpixels", "saliency").
        marks: (explainer, metric) -> notes on the score, such as "circular". The metric "" stands
            for all metrics, for example with "randomization failed".
        seconds: explainer -> `[images]`, seconds for the explanation of each image.
        passes: explainer -> `[images]`, forward passes for the explanation of each image.
        notes: sentences on the whole table, such as the number of images of a slow metric.
        measured: `[images, explainers, metrics]`, bool: which scores were computed. NaN elsewhere
            does not count as undefined. None if all were.
        baseline: the control for paired differences; ignored if it is not among the explainers.

    Raises:
        ParameterError: shapes or names contradict each other, or a score is infinite.
    """

    values: np.ndarray
    images: tuple[str, ...]
    explainers: tuple[str, ...]
    metrics: tuple[MetricInfo, ...]
    controls: frozenset[str] = frozenset()
    curves: Mapping[tuple[str, str], Curve] = field(default_factory=dict)
    marks: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    seconds: Mapping[str, np.ndarray] = field(default_factory=dict)
    passes: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    measured: np.ndarray | None = None
    baseline: str = RANDOM

    def __post_init__(self) -> None:
        self._check_names()
        self._check_values()
        self._check_lengths()

    def _check_values(self) -> None:
        names = self.metric_names
        shape = (len(self.images), len(self.explainers), len(names))
        if self.values.shape != shape:
            raise ParameterError(
                f"scores have the shape {self.values.shape}, not {shape} "
                "(images, explainers, metrics)"
            )
        if self.values.dtype != np.float64:
            raise ParameterError(f"scores are {self.values.dtype}, not float64")
        if infinite := np.argwhere(np.isinf(self.values)).tolist():
            image, explainer, metric = infinite[0]
            raise ParameterError(
                f"the score {names[metric]} of {self.explainers[explainer]} for "
                f"{self.images[image]} is infinite; use NaN for an undefined score"
            )
        if self.measured is not None:
            if self.measured.shape != shape or self.measured.dtype != np.bool_:
                raise ParameterError(f"measured is not an array of bool with the shape {shape}")
            if not np.isnan(self.values[~self.measured]).all():
                raise ParameterError("a score that is not measured must be NaN")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(metric.name for metric in self.metrics)

    def of(self, explainer: str, metric: str) -> np.ndarray:
        """Return the scores of an explainer in a metric, `[images]`."""
        column = self.values[:, self.explainers.index(explainer)]
        return np.asarray(column[:, self.metric_names.index(metric)])

    @property
    def undefined(self) -> np.ndarray:
        """Which scores were computed and are undefined, `[images, explainers, metrics]`, bool."""
        missing = np.isnan(self.values)
        return np.asarray(missing if self.measured is None else missing & self.measured)

    def marks_of(self, explainer: str, metric: str) -> tuple[str, ...]:
        """Return the notes on a score: those for the metric, then those for all metrics."""
        return (*self.marks.get((explainer, metric), ()), *self.marks.get((explainer, ""), ()))

    def _check_names(self) -> None:
        _check_unique("explainer", self.explainers)
        _check_unique("metric", self.metric_names)
        metrics = {*self.metric_names, ""}
        _check_known("control", self.controls, self.explainers)
        _check_known("explainer of a curve", [e for _, e in self.curves], self.explainers)
        bases = [name.partition(CURVE_SEPARATOR)[0] for name, _ in self.curves]
        _check_known("metric of a curve", bases, self.metric_names)
        _check_known("explainer of a mark", [e for e, _ in self.marks], self.explainers)
        _check_known("metric of a mark", [m for _, m in self.marks], metrics)
        _check_known("explainer with seconds", self.seconds, self.explainers)
        _check_known("explainer with passes", self.passes, self.explainers)

    def _check_lengths(self) -> None:
        lengths = {f"seconds of {name}": len(values) for name, values in self.seconds.items()}
        lengths |= {f"passes of {name}": len(values) for name, values in self.passes.items()}
        lengths |= {f"curve {key}": len(curve.y) for key, curve in self.curves.items()}
        for subject, length in lengths.items():
            if length != len(self.images):
                raise ParameterError(f"{subject}: {length} images instead of {len(self.images)}")


def _check_unique(kind: str, names: Collection[str]) -> None:
    if len(set(names)) != len(names):
        repeated = next(name for name in names if list(names).count(name) > 1)
        raise ParameterError(f"{kind} {repeated!r} occurs more than once")


def _check_known(kind: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ParameterError(f"{kind} {name!r} is not among {', '.join(sorted(known))}")
