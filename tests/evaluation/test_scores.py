"""Scores hold together: shapes, names and lengths are checked when they are made."""

from __future__ import annotations

import numpy as np
import pytest

from convviz.errors import ParameterError
from convviz.evaluation.scores import Curve, MetricInfo, Scores

METRICS = (MetricInfo("srg", "SRG", True), MetricInfo("gini", "Gini"))


def make(**changes):
    values = np.arange(12.0).reshape(3, 2, 2)
    return Scores(
        **{
            "values": values,
            "images": ("a", "b", "c"),
            "explainers": ("saliency", "random"),
            "metrics": METRICS,
            **changes,
        }
    )


def test_scores_are_found_by_name():
    scores = make(marks={("saliency", "srg"): ("circular",), ("saliency", ""): ("failed",)})
    assert scores.of("random", "srg").tolist() == [2, 6, 10]
    assert scores.marks_of("saliency", "srg") == ("circular", "failed")
    assert scores.marks_of("saliency", "gini") == ("failed",)
    assert scores.marks_of("random", "srg") == ()


def test_scores_that_were_not_computed_are_not_undefined():
    values = np.full((3, 2, 2), np.nan)
    measured = np.ones((3, 2, 2), bool)
    measured[:, :, 1] = False
    assert make(values=values).undefined.sum() == 12
    assert make(values=values, measured=measured).undefined.sum(axis=(0, 1)).tolist() == [6, 0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": np.zeros((3, 2, 1))}, r"\(3, 2, 1\), not \(3, 2, 2\)"),
        ({"values": np.zeros((3, 2, 2), np.float32)}, "float32"),
        ({"values": np.full((3, 2, 2), np.inf)}, "srg of saliency for a is infinite"),
        ({"measured": np.zeros((3, 2, 2), bool)}, "not measured must be NaN"),
        ({"measured": np.ones((3, 2), bool)}, r"shape \(3, 2, 2\)"),
        ({"explainers": ("saliency", "saliency")}, "'saliency' occurs more than once"),
        ({"controls": frozenset({"sobel"})}, "'sobel' is not among random, saliency"),
        ({"marks": {("saliency", "sds"): ("x",)}}, "'sds'"),
        ({"seconds": {"saliency": np.zeros(2)}}, "seconds of saliency: 2 images instead of 3"),
        ({"curves": {("sds", "random"): Curve(np.zeros(2), np.zeros((3, 2)))}}, "'sds'"),
        ({"curves": {("srg: a", "random"): Curve(np.zeros(2), np.zeros((1, 2)))}}, "1 images"),
    ],
)
def test_contradictions_are_refused(changes, words):
    with pytest.raises(ParameterError, match=words):
        make(**changes)


def test_a_curve_has_a_value_per_step():
    with pytest.raises(ParameterError, match=r"\(2,\) and \(3, 4\)"):
        Curve(np.zeros(2), np.zeros((3, 4)))
