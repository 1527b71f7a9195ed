"""The conformance kit accepts the built-in metrics, and finds metrics that break the contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convviz
from convviz.authoring import Measure, Metric, MetricCost
from convviz.cli.main import run
from convviz.testing import ConformanceError, check_metric

FAST = {
    "srg": {"segments": 5},
    "insertion": {"steps": 5},
    "deletion": {"steps": 5},
    "max_sensitivity": {"samples": 2},
}


@pytest.mark.parametrize("name", convviz.metric_names())
def test_built_in_metrics_keep_the_contract(name):
    check_metric(convviz.metric(name, **FAST.get(name, {})))


class Good(Metric):
    """The largest value of a map."""

    def score(self, image):
        return [single.values.max() for single in image.maps]


class RandomMetric(Good):
    def score(self, image):
        return np.random.rand(len(image.maps))


class Writes(Good):
    def score(self, image):
        image.maps[0].values[0, 0] += 1
        return super().score(image)


class Infinite(Good):
    def score(self, image):
        return [np.inf for _ in image.maps]


class TooFew(Good):
    def score(self, image):
        return [1.0]


class OutOfRange(Good):
    value_range = (0.0, 1e-3)


class Compares(Good):
    def score(self, image):
        best = max(super().score(image))
        return [value / best for value in super().score(image)]


class ChangesTheModel(Good):
    def score(self, image):
        with torch.no_grad():
            next(image.model.module.parameters()).add_(1)
        return super().score(image)


class NoTitle(Good):
    def measures(self):
        return (Measure(""),)


class HidesRepeats(Good):
    def cost(self):
        return MetricCost(explanations=1)


class Fails(Good):
    def score(self, image):
        raise RuntimeError("on purpose")


@pytest.mark.parametrize(
    ("metric", "fact"),
    [
        (RandomMetric, "second call"),
        (Writes, "writes to the maps"),
        (Infinite, "infinite"),
        (TooFew, "numbers for"),
        (OutOfRange, "outside of the range"),
        (Compares, "other maps"),
        (ChangesTheModel, "changed"),
        (NoTitle, "no title"),
        (HidesRepeats, "repeats"),
        (Fails, "on purpose"),
    ],
)
def test_broken_metrics_are_found(metric, fact):
    with pytest.raises(ConformanceError, match=fact):
        check_metric(metric)


def test_a_good_metric_passes_and_is_checked_by_the_command_line(capsys):
    check_metric(Good)
    assert run(["plugins", "check", "gini"]) == 0
    assert "pass  scores maps" in capsys.readouterr().out
    assert run(["plugins", "check", "no_such_thing"]) == 2
