"""Statistics have known answers: published examples, closed forms, and scipy one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr, wilcoxon

from convviz.evaluation.krippendorff import ordinal_alpha
from convviz.evaluation.scores import MetricInfo, Scores
from convviz.evaluation.statistics import bootstrap_means, holm, summarize

UP, DOWN, NONE = (MetricInfo("up", "Up", True), MetricInfo("down", "Down", False),
                  MetricInfo("none", "None"))  # fmt: skip
NAN = float("nan")


def make_scores(values, metrics=(UP,), explainers=("a", "b", "random"), **more):
    values = np.asarray(values, dtype=float)
    values = values[:, :, None] if values.ndim == 2 else values
    return Scores(
        values=values,
        images=tuple(map(str, range(len(values)))),
        explainers=explainers,
        metrics=metrics,
        controls=frozenset({"random"}),
        **more,
    )


# Krippendorff's example: four observers, twelve units


EXAMPLE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def test_alpha_of_the_published_example():
    assert ordinal_alpha(EXAMPLE) == pytest.approx(0.815, abs=5e-4)


def test_alpha_depends_on_the_order_of_values_only_and_has_known_ends():
    assert ordinal_alpha(np.exp(EXAMPLE)) == pytest.approx(ordinal_alpha(EXAMPLE))
    assert ordinal_alpha(np.array([[1.0, 2, 3], [1, 2, 3]])) == 1
    # Squared distances are 4 and 16: observed 2·2·16, expected (4·4·4 + 2·4·16) / (6 - 1).
    assert ordinal_alpha(np.array([[1.0, 2, 3], [3, 2, 1]])) == pytest.approx(-2 / 3)
    assert np.isnan(ordinal_alpha(np.ones((3, 4))))
    assert np.isnan(ordinal_alpha(np.array([[1.0, NAN], [NAN, 2.0]])))


# Bootstrap


def test_interval_of_the_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(3, 2, (400, 1))
    mean, low, high = bootstrap_means(values)[0]
    half = 1.96 * values.std() / 20
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(mean - half, abs=0.1 * half)
    assert high == pytest.approx(mean + half, abs=0.1 * half)


def test_undefined_scores_do_not_count():
    values = np.array([[1.0, NAN, NAN], [2, 5, NAN], [3, NAN, NAN], [6, 7, NAN]])
    result = bootstrap_means(values)
    assert result[:2, 0].tolist() == [3, 6]
    assert result[1, 1:].tolist() == [5, 7]
    assert np.isnan(result[2]).all()
    assert np.isnan(bootstrap_means(values[:1])[:, 1:]).all()  # one image has no spread


def test_all_columns_use_the_same_resamples_in_one_chunk_or_many(monkeypatch):
    values = np.random.default_rng(0).normal(size=(30, 1))
    pair = bootstrap_means(np.hstack([values, values + 1]))
    assert pair[1] == pytest.approx(pair[0] + 1)
    whole = bootstrap_means(values, seed=3)
    monkeypatch.setattr("convviz.evaluation.statistics._CHUNK_ELEMENTS", 1000)
    assert bootstrap_means(values, seed=3) == pytest.approx(whole)
    assert bootstrap_means(values, seed=4)[0, 1] != whole[0, 1]


# Rows


def test_rows_count_and_compare_with_the_baseline():
    values = np.array(
        [[[3, 1], [NAN, 2], [1, 2]], [[4, 1], [2, 5], [1, 2]], [[1, 2], [0, 1], [1, 2]]]
    )
    summary = summarize(make_scores(values, (UP, DOWN)))
    row = summary.row("a", "up")
    assert (row.mean.value, row.count, row.undefined) == (pytest.approx(8 / 3), 3, 0)
    assert row.difference.value == pytest.approx(5 / 3)
    assert row.win_rate == pytest.approx(2.5 / 3)
    assert (summary.row("b", "up").count, summary.row("b", "up").undefined) == (2, 1)
    assert summary.row("b", "up").difference.value == 0
    assert summary.row("a", "down").win_rate == pytest.approx(2.5 / 3)
    assert summary.row("random", "up").difference.value == 0
    assert summary.row("random", "up").is_control


def test_without_a_baseline_there_are_no_differences():
    summary = summarize(make_scores(np.ones((4, 2)), explainers=("a", "random"), baseline="noise"))
    assert summary.baseline == ""
    assert np.isnan(summary.row("a", "up").difference.value)
    assert np.isnan(summary.row("a", "up").win_rate)


# Comparisons


def test_holm_follows_the_definition():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_comparisons_are_those_of_scipy_over_pairs_and_ranking_metrics():
    values = np.random.default_rng(0).normal(size=(40, 3, 3)) + np.array([1, 0.2, 0])[:, None]
    summary = summarize(make_scores(values, (UP, DOWN, NONE)))
    assert [(c.metric, c.first, c.second) for c in summary.comparisons] == [
        (metric, *pair)
        for metric in ("up", "down")
        for pair in itertools.combinations(("a", "b", "random"), 2)
    ]
    first = summary.comparisons[0]
    expected = wilcoxon(values[:, 0, 0], values[:, 1, 0])
    assert first.p_value == pytest.approx(expected.pvalue)
    # Of the 820 ranks, those of one sign and those of the other.
    assert abs(first.effect) == pytest.approx(1 - 2 * expected.statistic / 820)
    assert first.effect > 0 > summary.comparisons[3].effect
    assert [c.corrected for c in summary.comparisons] == holm(
        [c.p_value for c in summary.comparisons]
    )


def test_equal_explainers_are_not_separated():
    summary = summarize(make_scores(np.repeat(np.arange(30.0)[:, None], 3, 1)))
    assert {c.p_value for c in summary.comparisons} == {1.0}
    assert summary.groups == {"up": (("a", "b", "random"),)}


@pytest.mark.parametrize(("metric", "best"), [(UP, "c"), (DOWN, "random")])
def test_groups_are_sets_without_a_separated_pair(metric, best):
    noise = np.random.default_rng(0).normal(size=(60, 4))
    values = noise + np.array([1.0, 1.45, 1.9, -2.0])
    names = ("a", "b", "c", "random")
    summary = summarize(make_scores(values, (metric,), names))
    (groups,) = summary.groups.values()
    assert groups[0][0] == best
    letters = {name: set(summary.row(name, metric.name).group.split()) for name in names}
    for c in summary.comparisons:
        assert c.is_separated == (not letters[c.first] & letters[c.second])
    assert ("random",) in groups
    assert len(groups) == 3  # a and b, b and c, and random alone


def test_too_few_images_are_said_to_separate_nothing():
    values = np.array([[3.0, 2, 1]] * 6)
    (note,) = summarize(make_scores(values)).notes
    assert "With 6 images" in note
    assert not summarize(make_scores(np.repeat(values, 2, 0))).notes


# Agreement


def test_metric_correlations_are_means_of_spearman_over_images():
    values = np.random.default_rng(0).normal(size=(5, 4, 2))
    values[2, 1, 0] = NAN
    names = ("a", "b", "c", "random")
    summary = summarize(make_scores(values, (UP, DOWN), names))
    of_images = [
        spearmanr(image[:3, 0], -image[:3, 1])[0] for i, image in enumerate(values) if i != 2
    ]
    assert summary.correlations[0, 1] == pytest.approx(np.mean(of_images))
    assert summary.correlations.diagonal() == pytest.approx(1)
    assert np.isnan(summarize(make_scores(values[:, 2:], (UP, DOWN), names[2:])).correlations).all()


def test_alpha_is_one_where_all_images_agree_and_zero_by_chance():
    order = np.arange(4.0)
    names = ("a", "b", "c", "random")
    agreeing = order * np.random.default_rng(0).uniform(1, 2, (50, 1))
    assert summarize(make_scores(agreeing, explainers=names)).alphas["up"] == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=(2000, 4))
    assert abs(summarize(make_scores(noise, explainers=names)).alphas["up"]) < 0.01
