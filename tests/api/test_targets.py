"""Targets of explain: contrasts, functions, several at once, and their records."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convviz
from convviz import Contrast, ParameterError, TargetError, Unit, UnknownNameError
from convviz.authoring import parse_target

LABELS = ("tabby", "tiger cat", "tabby - striped", "Lynx")


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 10 * 10, 4)
    ).double()


@pytest.fixture
def model(net):
    preprocess = convviz.Preprocess(resize=12, crop=12)
    return convviz.Model(net, preprocess=preprocess, labels=LABELS, name="cats")


@pytest.fixture
def images():
    return torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()


def first_score(out):
    return out[:, 0]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tabby - tiger cat", Contrast("tabby", "tiger cat")),
        ("tabby - striped", "tabby - striped"),  # the whole text is a label
        ("TABBY - STRIPED", "TABBY - STRIPED"),
        ("tabby - striped - tiger cat", Contrast("tabby - striped", "tiger cat")),
        ("tiger cat - tabby - striped", Contrast("tiger cat", "tabby - striped")),
        ("2 - 0", Contrast(2, 0)),
        ("lynx - 0", Contrast("lynx", 0)),
        ("0:1 - 0:2@3,4", Contrast(Unit("0", 1), Unit("0", 2, (3, 4)))),
        ("tabby - lion", Contrast("tabby", "lion")),
        ("lion - bear", "lion - bear"),
        ("-1", -1),
    ],
)
def test_a_contrast_is_parsed_after_whole_labels(text, target):
    assert parse_target(text, LABELS) == target


def test_a_text_that_splits_in_two_ways_is_ambiguous():
    with pytest.raises(TargetError, match=r"'a' minus 'b - c'; 'a - b' minus 'c'"):
        parse_target("a - b - c", ("a", "b - c", "a - b", "c"))


def test_a_contrast_is_the_difference_of_two_scores(model, net, images):
    contrast = convviz.explain(model, images, "saliency", target="lynx - tabby")
    x = images.clone().requires_grad_()
    scores = net(x)
    (gradient,) = torch.autograd.grad((scores[:, 3] - scores[:, 0]).sum(), x)
    assert torch.allclose(contrast["gradient"], gradient, rtol=0, atol=1e-12)
    target = contrast.target[1]
    assert (target.label, target.index, target.quantity) == (
        "Lynx - tabby",
        None,
        "score difference",
    )
    assert target.score == pytest.approx((scores[1, 3] - scores[1, 0]).item())
    assert [part.index for part in target.contrast] == [3, 0]
    assert "Lynx - tabby (score difference" in contrast.scene.targets[0]
    units = convviz.explain(model, images, "saliency", Contrast(Unit("1", 2, (1, 1)), 0))
    maps = net[:2](x)
    (gradient,) = torch.autograd.grad((maps[:, 2, 1, 1] - net(x)[:, 0]).sum(), x)
    assert torch.allclose(units["gradient"], gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("tabby - lion", UnknownNameError, "lion"),
        ("tabby - 0", TargetError, "with itself"),
        (Contrast("tabby", Contrast(0, 1)), TargetError, "not of contrasts"),
        (Contrast(9, 0), TargetError, "classes 0 to 3"),
        (2.5, TargetError, "a Contrast"),
        ([first_score, 1], TargetError, "pass it alone"),
        (lambda out: out, TargetError, r"\[2, 4\]; a target function returns one value per image"),
        (lambda out: out[:1, 0], TargetError, "1 values for 2 images"),
        (lambda out: out.sum(), TargetError, "one value per image"),
        (lambda out: out.argmax(1), TargetError, "int64"),
        (
            lambda out: out["boxes"],
            TargetError,
            r"failed on the .* float64 tensor",
        ),
    ],
)
def test_a_target_that_does_not_fit_is_an_error(model, images, target, error, words):
    with pytest.raises(error, match=words):
        convviz.explain(model, images, "saliency", target=target)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"target": 0, "targets": [1]}, "not both"),
        ({"targets": []}, "at least one"),
        ({"targets": "tabby"}, "a list"),
    ],
)
def test_targets_are_a_list_without_target(model, images, given, words):
    with pytest.raises(ParameterError, match=words):
        convviz.explain(model, images, "saliency", **given)


def test_several_targets_give_one_explanation_each(model, images):
    contrast = Contrast("tabby", "Lynx")
    targets = ["tabby", first_score, None, contrast, lambda out: out[:, 0] - out[:, 3]]
    saliency, activations = convviz.explain(
        model, images, ["saliency", "activations"], targets=targets
    )
    assert [e.target[0].label for e in saliency] == [
        "tabby",
        f"{__name__}:first_score",
        LABELS[int(model.forward(images).output[0].argmax())],
        "tabby - Lynx",
        "test_several_targets_give_one_explanation_each.<locals>.<lambda>",
    ]
    for a, b in ((0, 1), (3, 4)):
        assert torch.equal(saliency[a].values, saliency[b].values)
        assert saliency[a].target[0].score == pytest.approx(saliency[b].target[0].score)
    for explanation, target in zip(saliency, targets, strict=True):
        alone = convviz.explain(model, images, "saliency", target=target)
        assert torch.equal(alone.values, explanation.values)
        assert alone.model == explanation.model
        assert alone.model["labels"] == list(LABELS)
    # Activations do not depend on the target.
    assert [e.target for e in activations] == [()]
    with_one = convviz.explain(model, images, "saliency", targets=["tabby"])
    assert [e.target[0].label for e in with_one] == ["tabby"]


def test_a_function_has_no_probability(model, images):
    how = {"window": 6, "stride": 6, "fill": 0, "score": "prob"}
    with pytest.raises(ParameterError, match="first_score has no probability"):
        convviz.explain(model, images, "occlusion", first_score, **how)

    class Probability(convviz.authoring.Explainer):
        def explain(self, model, batch, target, forward):
            return convviz.Heatmap(model.probabilities(forward.output))

    with pytest.raises(ParameterError, match="has no probability"):
        convviz.explain(model, images, Probability(), first_score)


def test_saved_targets_can_be_computed_again(model, images, tmp_path):
    unit = Unit("1", 2, (3, 4))
    for target in ("tabby - lynx", Contrast(unit, "tabby"), [unit, "lynx"]):
        explanation = convviz.explain(model, images, "saliency", target=target)
        loaded = convviz.load(explanation.save(tmp_path / "saved"))
        assert loaded.equals(explanation)
        assert loaded.target == explanation.target
        again = convviz.explain(model, images, loaded.explainer, target=loaded.target)
        assert again.equals(explanation)


def test_a_saved_function_says_that_it_is_not_saved(model, images, tmp_path):
    functions = [first_score, lambda out: out[:, 1]]
    named, local = convviz.explain(model, images, "saliency", targets=functions)
    assert f"-t python:{__name__}:first_score" in named.result.notes[-1]
    assert "cannot be recomputed from its files alone" in local.result.notes[-1]
    loaded = convviz.load(named.save(tmp_path / "saved"))
    assert loaded.equals(named)
    assert loaded.target[0].function.name == f"{__name__}:first_score"
    with pytest.raises(TargetError, match="pass the function itself"):
        convviz.explain(model, images, "saliency", target=loaded.target)


def test_an_explainer_may_share_work_between_targets(model, images):
    class Together(convviz.authoring.Explainer):
        def explain_targets(self, model, batch, targets, forward):
            calls.append(len(targets))
            kept = targets[: 1 if len(targets) == 2 else None]
            return [convviz.Heatmap(batch.images.mean(1)) for _ in kept]

    calls: list[int] = []
    assert len(convviz.explain(model, images, Together(), targets=[0, 1, 2])) == 3
    assert calls == [3]
    with pytest.raises(convviz.PluginError, match="returned 1 results for 2 targets"):
        convviz.explain(model, images, Together(), targets=[0, 1])
