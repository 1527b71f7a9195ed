"""Probabilities of one logit, of classes that do not exclude each other, and of a softmax."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convviz
from convviz import ModelError, ParameterError, TargetError
from convviz.occlusion import occluded_scores

SIZE = 8


class Head(nn.Module):
    """Scores that are linear in the pixels, so that all numbers can be computed by hand."""

    def __init__(self, outputs, last=None):
        super().__init__()
        generator = torch.Generator().manual_seed(outputs)
        weight = torch.randn(outputs, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(weight / 8)
        self.last = last or nn.Identity()

    def forward(self, x):
        return self.last(x.flatten(1) @ self.weight.flatten(1).T)


def images(count=3):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(count, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)


def logits(net, x):
    return torch.einsum("nchw,kchw->nk", x, net.weight.detach())


def covered_logits(net, x, boxes):
    """Logits of every covered copy, `[N, P, K]`."""
    rows = []
    for x0, y0, x1, y1 in boxes.tolist():
        copy = x.clone()
        copy[:, :, y0:y1, x0:x1] = 0
        rows.append(logits(net, copy))
    return torch.stack(rows, 1)


def occlude(model, x, **options):
    inputs = {"window": 4, "stride": 4, "fill": 0.0, **options}
    return convviz.explain(model, x, "occlusion", **inputs)


@pytest.fixture(params=["graph", "dense"])
def either_engine(request, monkeypatch):
    pixels = 0 if request.param == "graph" else 1e9
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", pixels)


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


@pytest.mark.usefixtures("either_engine")
@pytest.mark.parametrize(("label", "sign"), [("dog", 1), ("cat", -1), (1, 1), (0, -1)])
def test_one_logit_speaks_for_two_labels(label, sign):
    net, x = Head(1), images()
    model = convviz.Model(net, labels=("cat", "dog"))
    for score, expected in {
        "logit": lambda s: s,
        "prob": sigmoid,
        "logprob": lambda s: torch.log(sigmoid(s)),
    }.items():
        actual = occlude(model, x, target=label, score=score, output="value")
        want = expected(sign * covered_logits(net, x, actual["boxes"])[..., 0])
        torch.testing.assert_close(actual["grid"].flatten(1), want, rtol=1e-9, atol=1e-12)
        base = expected(sign * logits(net, x)[:, 0])
        torch.testing.assert_close(actual["baseline"], base, rtol=1e-9, atol=1e-12)


def test_the_sign_of_one_logit_decides():
    net, x = Head(1), images(6)
    model = convviz.Model(net, labels=("cat", "dog"))
    signs = logits(net, x)[:, 0]
    assert len(set((signs > 0).tolist())) == 2
    actual = occlude(model, x, output="argmax")
    want = (covered_logits(net, x, actual["boxes"])[..., 0] > 0).long()
    assert torch.equal(actual["grid"].flatten(1), want)
    assert actual.result.classes == {0: "cat", 1: "dog"}
    names = [t.label for t in actual.target]
    assert names == ["dog" if s > 0 else "cat" for s in signs]
    torch.testing.assert_close(torch.tensor([t.score for t in actual.target]).double(), signs.abs())


def test_gradients_of_the_two_classes_are_opposite():
    net, x = Head(1), images(1)
    model = convviz.Model(net, labels=("cat", "dog"))
    dog, cat = (
        convviz.explain(model, x, "saliency", target=name)["gradient"] for name in ("dog", "cat")
    )
    torch.testing.assert_close(dog[0], net.weight.detach()[0])
    assert torch.equal(cat, -dog)


def test_zeiler_preset_shows_the_probability_of_one_logit():
    net, x = Head(1), images(1)
    actual = occlude(convviz.Model(net, labels=("cat", "dog")), x, target="dog", preset="zeiler")
    want = sigmoid(covered_logits(net, x, actual["boxes"])[..., 0])
    torch.testing.assert_close(actual["grid"].flatten(1), want)


@pytest.mark.parametrize("labels", [(), ("dog",)])
def test_one_output_without_two_labels_has_no_probability_unless_told(labels):
    net, x = Head(1), images(2)
    for activation in (None, "softmax"):
        model = convviz.Model(net, labels=labels, activation=activation)
        for options in ({"score": "prob"}, {"score": "logprob"}, {"preset": "zeiler"}):
            with pytest.raises(ParameterError, match="activation"):
                occlude(model, x, target=0, **options)
        assert occlude(model, x, target=0).values.isfinite().all()
        with pytest.raises(ParameterError, match="one output"):
            occlude(model, x, output="argmax")
    model = convviz.Model(net, labels=labels, activation="sigmoid")
    actual = occlude(model, x, target=0, score="prob", output="value")
    want = sigmoid(covered_logits(net, x, actual["boxes"])[..., 0])
    torch.testing.assert_close(actual["grid"].flatten(1), want)
    with pytest.raises(TargetError, match="0 to 0"):
        occlude(model, x, target=1)


def test_two_labels_with_a_softmax_of_one_output_are_refused():
    model = convviz.Model(Head(1), labels=("cat", "dog"), activation="softmax")
    with pytest.raises(ParameterError, match="always 1"):
        occlude(model, images(1), target=0, score="prob")


def test_more_labels_than_one_output_has_are_refused():
    model = convviz.Model(Head(1), labels=("cat", "dog", "cow"))
    with pytest.raises(ModelError, match=r"one output.*3 labels"):
        model.forward(images())


def test_unknown_activations_are_refused():
    with pytest.raises(ParameterError, match=r"'tanh'.*sigmoid"):
        convviz.Model(Head(2), activation="tanh")


@pytest.mark.usefixtures("either_engine")
@pytest.mark.parametrize("outputs", [2, 4])
def test_classes_of_a_sigmoid_are_independent(outputs):
    net, x = Head(outputs), images()
    model = convviz.Model(net, activation="sigmoid")
    for k in range(outputs):
        actual = occlude(model, x, target=k, score="prob", output="value")
        want = sigmoid(covered_logits(net, x, actual["boxes"])[..., k])
        torch.testing.assert_close(actual["grid"].flatten(1), want, rtol=1e-9, atol=1e-12)
        actual = occlude(model, x, target=k, score="logprob", output="value")
        torch.testing.assert_close(actual["grid"].flatten(1), want.log(), rtol=1e-9, atol=1e-12)
    actual = occlude(model, x, output="argmax")
    want = covered_logits(net, x, actual["boxes"]).argmax(2)
    assert torch.equal(actual["grid"].flatten(1), want)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_softmax_is_over_all_classes(activation):
    net, x = Head(4), images(2)
    model = convviz.Model(net, activation=activation)
    raw = model.forward(x).output
    want = raw.exp() / raw.exp().sum(1, keepdim=True)
    torch.testing.assert_close(model.probabilities(raw), want)
    torch.testing.assert_close(model.probabilities(raw, log=True), want.log())


def test_saved_explanations_say_the_activation(tmp_path):
    x = images(1)
    messages = {
        "sigmoid": convviz.Model(Head(3), activation="sigmoid"),
        None: convviz.Model(Head(3)),
        "softmax": convviz.Model(Head(3), activation="softmax"),
    }
    for activation, model in messages.items():
        occlude(model, x).save(tmp_path)
        assert convviz.load(tmp_path).model.get("activation") == activation
    occlude(convviz.Model(Head(1), labels=("cat", "dog")), x).save(tmp_path)
    assert convviz.load(tmp_path).model["activation"] == "sigmoid"


@pytest.mark.parametrize("last", [nn.Sigmoid(), "torch"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_outputs_of_a_sigmoid_are_told(outputs, last):
    class Functional(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x)

    net = Head(outputs, Functional() if last == "torch" else last)
    model, x = convviz.Model(net), images(1)
    with pytest.warns(convviz.ConvvizWarning, match=r"probabilities already.*torch\.logit"):
        model.forward(x)
    model.forward(x)  # once
    assert convviz.Model(net, output=torch.logit).forward(x).output.shape == (1, outputs)


def test_a_probability_does_not_decide_between_two_labels():
    net, x = Head(1, nn.Sigmoid()), images()
    with pytest.raises(ModelError, match=r"torch\.logit"):
        convviz.explain(convviz.Model(net, labels=("cat", "dog")), x, "saliency")
    model = convviz.Model(net, labels=("cat", "dog"), output=torch.logit)
    actual = model.forward(x).output
    torch.testing.assert_close(actual[:, 1], logits(net, x)[:, 0])


def test_a_logit_between_0_and_1_is_no_probability():
    net = Head(1)
    x = net.weight.detach() / net.weight.detach().square().sum() / 2  # its logit is 0.5
    model = convviz.Model(net, labels=("cat", "dog"))
    torch.testing.assert_close(model.forward(x).output, torch.tensor([[-0.5, 0.5]]).double())


def test_a_source_takes_the_activation():
    model = convviz.load_model("resnet18?weights=none&activation=sigmoid")
    assert model.activation == "sigmoid"
