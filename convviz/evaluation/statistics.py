"""Statistics of scores: intervals, comparisons of explainers, agreement of metrics and of images.

There is no overall score: metrics measure different properties and disagree.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .krippendorff import ordinal_alpha
from .scores import MetricInfo, Scores

CONFIDENCE = 0.95
RESAMPLES = 10_000

MIN_COMPARED = 3
"""Explainers below which a rank correlation over explainers is not computed."""

_CHUNK_ELEMENTS = 4_000_000
"""Weights of resamples that are kept in memory at a time (32 MB)."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval.

    Attributes:
        value: the mean over images; NaN without defined scores.
        low, high: ends of the percentile bootstrap interval; NaN with fewer than two scores.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """The scores of an explainer in a metric.

    Attributes:
        explainer, metric: their names.
        is_control: whether the explainer is a control.
        mean: the mean over the images with a defined score.
        count: number of images with a defined score.
        undefined: number of images whose score was computed and is undefined.
        measured: number of images whose score was computed.
        difference: mean of score minus score of the baseline, over images where both are defined.
        win_rate: share of these images where the score is better than that of the baseline, where
            a tie counts half; NaN for a metric without a better direction.
        marks: notes, such as "circular".
        group: letters of the groups that the explainer belongs to in this metric; explainers of
            one group are not separated. Empty if the explainer is not compared.
    """

    explainer: str
    metric: str
    is_control: bool
    mean: Interval
    count: int
    undefined: int
    measured: int
    difference: Interval
    win_rate: float
    marks: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Comparison:
    """The comparison of two explainers in a metric over the images where both have a score.

    Attributes:
        metric, first, second: names.
        count: number of images.
        effect: rank-biserial correlation, -1 to 1: positive if the first one is better.
        p_value: of the two-sided Wilcoxon signed-rank test (zeros by Pratt's method).
        corrected: the p-value after Holm's correction over all comparisons of the summary.
        is_separated: whether `corrected` is below 0.05.
    """

    metric: str
    first: str
    second: str
    count: int
    effect: float
    p_value: float
    corrected: float
    is_separated: bool


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of scores.

    Attributes:
        metrics: the metrics of the scores.
        explainers: names of all explainers, controls included.
        compared: names of the explainers that are compared in pairs: all that are not controls, and
            the baseline.
        baseline: name of the control for differences; "" without.
        images: number of images.
        rows: one per metric and explainer, ordered by metric.
        comparisons: one per ranking metric and pair of `compared`.
        groups: metric -> maximal sets of explainers of which no two are separated, best first.
        correlations: `[metrics, metrics]`, Spearman's rank correlation of two metrics over the
            explainers that are not controls, averaged over images. Metrics where lower is better
            enter negated. NaN with fewer than three explainers.
        alphas: metric -> Krippendorff's ordinal α of the ranks of the explainers that are no
            controls, with images as raters.
        notes: sentences on the table.
        seed: seed of the resamples.
    """

    metrics: tuple[MetricInfo, ...]
    explainers: tuple[str, ...]
    compared: tuple[str, ...]
    baseline: str
    images: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    groups: dict[str, tuple[tuple[str, ...], ...]]
    correlations: np.ndarray
    alphas: dict[str, float]
    notes: tuple[str, ...]
    seed: int

    def row(self, explainer: str, metric: str) -> Row:
        """Return the row of an explainer in a metric."""
        metrics = [info.name for info in self.metrics]
        place = metrics.index(metric) * len(self.explainers) + self.explainers.index(explainer)
        return self.rows[place]


def summarize(scores: Scores, seed: int = 0) -> Summary:
    """Return the statistics of scores.

    Args:
        scores: the scores of all images.
        seed: seed of the bootstrap, which draws 10 000 samples of the images. All explainers,
            metrics and differences use the same samples.
    """
    baseline = scores.baseline if scores.baseline in scores.explainers else ""
    plain = tuple(name for name in scores.explainers if name not in scores.controls)
    compared = (*plain, baseline) if baseline and baseline not in plain else plain
    comparisons = _comparisons(scores, compared)
    rows = _rows(scores, baseline, seed)
    groups = {
        metric.name: _groups(rows, comparisons, metric, compared)
        for metric in scores.metrics
        if metric.higher_is_better is not None
    }
    oriented = _oriented_values(scores)[:, [scores.explainers.index(name) for name in plain]]
    return Summary(
        metrics=scores.metrics,
        explainers=scores.explainers,
        compared=compared,
        baseline=baseline,
        images=len(scores.images),
        rows=tuple(_with_group(row, groups.get(row.metric, ())) for row in rows),
        comparisons=comparisons,
        groups=groups,
        correlations=_metric_correlations(oriented),
        alphas={
            metric.name: ordinal_alpha(_ranks(oriented[:, :, k]))
            for k, metric in enumerate(scores.metrics)
        },
        notes=(*scores.notes, *_power_note(comparisons)),
        seed=seed,
    )


def _oriented_values(scores: Scores) -> np.ndarray:
    """Return the scores so that a larger one is better."""
    signs = [-1.0 if metric.higher_is_better is False else 1.0 for metric in scores.metrics]
    return np.asarray(scores.values * np.array(signs))


# Means and intervals


def _rows(scores: Scores, baseline: str, seed: int) -> list[Row]:
    values = scores.values
    reference = values[:, [scores.explainers.index(baseline)]] if baseline else np.nan
    differences = values - reference
    means, gaps = bootstrap_means(np.stack([values, differences], axis=1), seed)
    undefined = scores.undefined.sum(axis=0)
    measured = len(values) if scores.measured is None else scores.measured.sum(axis=0)
    measured = np.broadcast_to(measured, undefined.shape)
    return [
        Row(
            explainer=explainer,
            metric=metric.name,
            is_control=explainer in scores.controls,
            mean=Interval(*means[e, k].tolist()),
            count=int((~np.isnan(values[:, e, k])).sum()),
            undefined=int(undefined[e, k]),
            measured=int(measured[e, k]),
            difference=Interval(*gaps[e, k].tolist()),
            win_rate=_win_rate(differences[:, e, k], metric.higher_is_better),
            marks=scores.marks_of(explainer, metric.name),
        )
        for k, metric in enumerate(scores.metrics)
        for e, explainer in enumerate(scores.explainers)
    ]


def bootstrap_means(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return means over images with the ends of their 95 % percentile bootstrap intervals.

    Args:
        values: `[images, ...]`, NaN where undefined. All columns use the same resamples.
        seed: seed of the resamples.

    Returns:
        `[..., 3]`: mean, lower end, upper end. The mean is NaN without a value, and the ends are
        NaN with fewer than two.
    """
    flat = values.reshape(len(values), -1)
    defined = ~np.isnan(flat)
    known = np.where(defined, flat, 0.0)
    count = defined.sum(axis=0)
    means = np.concatenate([_mean(known, defined, w) for w in _resamples(len(values), seed)])
    edge = (1 - CONFIDENCE) / 2
    result = np.full((flat.shape[1], 3), np.nan)
    result[:, 0] = _mean(known, defined, np.ones((1, len(values))))[0]
    enough = count > 1
    if enough.any():
        # A resample without any defined score has no mean.
        result[enough, 1:] = np.nanquantile(means[:, enough], [edge, 1 - edge], axis=0).T
    return result.reshape(*values.shape[1:], 3)


def _resamples(images: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each image is drawn, `[resamples, images]`, 10 000 resamples in all."""
    generator = np.random.default_rng(seed)
    step = max(1, min(RESAMPLES, _CHUNK_ELEMENTS // max(images, 1)))
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        yield generator.multinomial(images, np.full(images, 1 / images), size).astype(float)


def _mean(known: np.ndarray, defined: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ known) / (weights @ defined))


def _win_rate(differences: np.ndarray, higher_is_better: bool | None) -> float:
    known = differences[~np.isnan(differences)]
    if higher_is_better is None or not len(known):
        return np.nan
    gains = known if higher_is_better else -known
    return float((gains > 0).mean() + (gains == 0).mean() / 2)


# Comparisons of explainers


def _comparisons(scores: Scores, compared: Sequence[str]) -> tuple[Comparison, ...]:
    tests = []
    for metric in scores.metrics:
        if metric.higher_is_better is None:
            continue
        sign = 1 if metric.higher_is_better else -1
        for first, second in itertools.combinations(compared, 2):
            gains = sign * (scores.of(first, metric.name) - scores.of(second, metric.name))
            tests.append((metric.name, first, second, *_signed_rank(gains)))
    corrected = holm([p_value for *_, p_value in tests])
    return tuple(
        Comparison(*test, p, p < 1 - CONFIDENCE) for test, p in zip(tests, corrected, strict=True)
    )


def _signed_rank(gains: np.ndarray) -> tuple[int, float, float]:
    """Return number of images, rank-biserial correlation and p-value of paired differences."""
    from scipy.stats import rankdata, wilcoxon

    known = gains[~np.isnan(gains)]
    if not known.any():  # no images, or no differences
        return len(known), 0.0, 1.0
    ranks = rankdata(np.abs(known))
    effect = float((np.sign(known) * ranks).sum() / ranks[known != 0].sum())
    return len(known), effect, float(wilcoxon(known, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction, in the given order.

    Source: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in corrected]


def _groups(
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    metric: MetricInfo,
    compared: Sequence[str],
) -> tuple[tuple[str, ...], ...]:
    """Return the maximal sets of explainers of which no two are separated, best first."""
    from networkx import Graph, find_cliques

    sign = -1 if metric.higher_is_better else 1
    means = {r.explainer: sign * r.mean.value for r in rows if r.metric == metric.name and r.count}
    ordered = sorted((name for name in compared if name in means), key=means.__getitem__)
    graph = Graph()
    graph.add_nodes_from(ordered)
    graph.add_edges_from(
        (c.first, c.second)
        for c in comparisons
        if c.metric == metric.name and not c.is_separated and {c.first, c.second} <= set(ordered)
    )
    cliques = [sorted(clique, key=ordered.index) for clique in find_cliques(graph)]
    cliques.sort(key=lambda clique: [ordered.index(name) for name in clique])
    return tuple(map(tuple, cliques))


def _with_group(row: Row, groups: Sequence[Sequence[str]]) -> Row:
    letters = [_letter(i) for i, group in enumerate(groups) if row.explainer in group]
    return replace(row, group=" ".join(letters))


def _letter(index: int) -> str:
    """Return a, b, …, z, aa, ab, …"""
    rest, letter = divmod(index, 26)
    return (_letter(rest - 1) if rest else "") + chr(ord("a") + letter)


def _power_note(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return a note if no difference could be significant after the correction."""
    if not comparisons:
        return ()
    most = max(comparison.count for comparison in comparisons)
    # The p-value of differences that all have the same sign, the smallest that is possible.
    if len(comparisons) * 2.0 ** (1 - most) < 1 - CONFIDENCE:
        return ()
    return (
        f"With {most} images, no two explainers can be separated: Holm's correction covers "
        f"{len(comparisons)} comparisons.",
    )


# Agreement of metrics and of images


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each explainer within each image, `[images, explainers]`; NaN stays."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=1, nan_policy="omit"))


def _metric_correlations(oriented: np.ndarray) -> np.ndarray:
    """Return the rank correlations of metrics, `[metrics, metrics]`.

    Args:
        oriented: `[images, explainers, metrics]`; the larger, the better.
    """
    count = oriented.shape[2]
    result = np.full((count, count), np.nan)
    for i, j in itertools.combinations_with_replacement(range(count), 2):
        result[i, j] = result[j, i] = _rank_correlation(oriented[:, :, i], oriented[:, :, j])
    return result


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation over explainers, averaged over images `[images, explainers]`.

    Images with fewer than three scores in common, or with equal scores, do not count.
    """
    both = ~(np.isnan(a) | np.isnan(b))
    x, y = (_centered_ranks(np.where(both, values, np.nan)) for values in (a, b))
    norm = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    usable = (norm > 0) & (both.sum(axis=1) >= MIN_COMPARED)
    products = (x * y).sum(axis=1)
    return float((products[usable] / norm[usable]).mean()) if usable.any() else np.nan


def _centered_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks within each image minus their mean; 0 where a value is NaN."""
    ranks = _ranks(values)
    middles = (1 + (~np.isnan(ranks)).sum(axis=1, keepdims=True)) / 2
    return np.asarray(np.nan_to_num(ranks - middles))
