"""explain(): names and instances of explainers, one shared forward pass, attributed errors."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import pytest
import torch
from helpers.networks import counting_classifier
from torch import nn

import convviz
from convviz import ConvvizError, Heatmap, ParameterError, PluginError, Unit, UnknownNameError
from convviz.api import as_model
from convviz.authoring import Explainer


@pytest.fixture
def net():
    return counting_classifier()


@pytest.fixture
def model(net):
    pre = convviz.Preprocess(resize=12, crop=12)
    return convviz.Model(net, preprocess=pre, labels=["ant", "bee", "cat"], name="tiny")


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (14, 17, 3), dtype=np.uint8)


class Spy(Explainer):
    """Keeps what it was given, on the class, for the test to look at."""

    wanted: tuple[str, ...] = ()

    def layers(self, model):
        return self.wanted

    def explain(self, model, batch, target, forward):
        SEEN.append((batch, target, forward, model.module.training))
        return Heatmap(torch.zeros(len(batch), *batch.images.shape[2:]))


SEEN: list = []


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


def failing(error):
    """Make an explainer that raises, or returns, what is given."""

    class Failing(Explainer):
        def explain(self, model, batch, target, forward):
            if isinstance(error, BaseException):
                raise error
            return error

    return Failing()


def test_a_name_takes_parameters_and_gives_one_explanation(model, photo):
    found = convviz.explain(model, photo, "saliency", target="bee", channels="l2")
    assert isinstance(found, convviz.Explanation)
    assert found.name == "saliency"
    assert found.parameters["channels"] == "l2"
    assert found.values.shape == (1, 12, 12)
    assert [t.label for t in found.target] == ["bee"]


def test_a_list_gives_a_list_in_its_order(model, photo):
    both = [convviz.explainer("saliency", channels="signed"), "filters"]
    found = convviz.explain(model, [photo, photo[:, ::-1]], both)
    assert [one.name for one in found] == ["saliency", "filters"]
    assert found[0].values.shape == (2, 12, 12)
    assert convviz.explain(model, photo, ["saliency"])[0].values.shape == (1, 12, 12)


def test_provenance_is_filled_in(model, photo):
    found = convviz.explain(model, photo, "saliency")
    assert found.model == {
        "name": "tiny",
        "weights_hash": model.weights_hash,
        "labels": ["ant", "bee", "cat"],
    }
    assert found.versions["convviz"] == version("convviz")
    assert found.versions["torch"] == version("torch")
    assert found.versions["torchvision"] == version("torchvision")
    assert found.items[0].size == (14, 17)
    with torch.no_grad():
        scores = model.module.eval()(model.preprocess(photo)[None])[0]
    assert found.target[0].index == int(scores.argmax())
    assert found.target[0].score == pytest.approx(float(scores.max()))


def test_parameters_go_with_one_name_only(model, photo):
    for what in (["saliency"], convviz.explainer("saliency")):
        with pytest.raises(ParameterError, match="channels"):
            convviz.explain(model, photo, what, channels="l2")
    with pytest.raises(ParameterError, match="no explainer"):
        convviz.explain(model, photo, [])
    with pytest.raises(ParameterError, match="instance"):
        convviz.explain(model, photo, 3)
    with pytest.raises(UnknownNameError, match="saliency"):
        convviz.explain(model, photo, "salency")


def test_explainers_without_images(model):
    found = convviz.explain(model, None, "filters")
    assert found.values.shape == (4, 3, 3, 3)
    assert found.items == ()
    with pytest.raises(ParameterError, match="saliency"):
        convviz.explain(model, None, ["filters", "saliency"])


def test_filters_say_nothing_of_an_image_given_with_them(model, photo):
    found = convviz.explain(model, photo, "filters")
    assert (found.items, found.target, found.pixels) == ((), (), None)


def test_one_clean_forward_pass_is_shared(model, net, photo):
    convviz.explain(model, photo, Spy())  # the check of the network's behavior is remembered
    model.check_layer("0")  # listing the layers runs the network once, and is remembered
    before = net.passes
    SEEN.clear()
    convviz.explain(model, photo, [Spy(wanted=("0",)), Spy(wanted=("1",)), Spy()])
    assert net.passes == before + 1
    forwards = [forward for _, _, forward, _ in SEEN]
    for other in forwards[1:]:  # the same numbers, each explainer's its own copy
        assert torch.equal(other.output, forwards[0].output)
        assert other.output.data_ptr() != forwards[0].output.data_ptr()
    assert set(forwards[0].activations) == {"0", "1"}
    assert torch.equal(forwards[0].activations["1"], forwards[0].activations["0"].relu())


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "bee",
        0,
        "ant - cat",
        Unit("0", 2),
        [None, Unit("1", 1, (2, 3))],
        lambda out: out[:, 1],
    ],
)
def test_gradients_resolve_the_same_targets_as_a_clean_pass(model, photo, spec):
    photos = [photo, photo[:, ::-1]]
    first, second = convviz.explain(model, photos, ["saliency", "guided_backprop"], target=spec)
    _, clean, _ = convviz.explain(
        model, photos, [Spy(), "saliency", "guided_backprop"], target=spec
    )
    assert torch.equal(first.values, clean.values)
    for explanation in (first, second):
        for target, expected in zip(explanation.target, clean.target, strict=True):
            assert (target.index, target.unit) == (expected.index, expected.unit)
            assert target.score == pytest.approx(expected.score, rel=1e-5)


@pytest.mark.parametrize("spec", [None, convviz.Contrast(0, 1)])
def test_gradients_run_no_pass_of_their_own_for_the_target(model, net, photo, spec):
    photos = [photo, photo[:, ::-1]]
    convviz.explain(model, photos, "saliency")  # the check of the network's behavior is remembered
    before = net.passes
    convviz.explain(model, photos, ["saliency", "guided_backprop"], target=spec)
    assert net.passes == before + 2


def test_gradients_in_chunks_resolve_each_image(model, photo):
    photos = [photo, photo[:, ::-1], photo[::-1]]
    whole = convviz.explain(model, photos, "saliency")
    parts = convviz.explain(model, photos, "saliency", batch_size=2)
    assert [t.index for t in parts.target] == [t.index for t in whole.target]
    torch.testing.assert_close(parts.values, whole.values)
    with pytest.raises(convviz.TargetError, match="0 to 2"):
        convviz.explain(model, photos, "saliency", target=3)


class Scaled(nn.Module):
    """Scores that are equal except for rounding, apart from the last one, which is lower."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        torch.manual_seed(0)
        factors = torch.rand(16) + 0.5
        with torch.no_grad():
            self.conv.weight.copy_(torch.randn(3, 3, 3) / factors[:, None, None, None])
            self.norm.weight.copy_(factors)
            self.norm.bias.fill_(2)
            self.norm.bias[-1] = 0
        self.passes = 0

    def forward(self, x):
        self.passes += 1
        return self.norm(self.conv(x)).relu().mean((2, 3))


def test_a_class_that_is_on_top_by_rounding_alone_is_that_of_a_clean_pass():
    net = Scaled()
    model = convviz.Model(net)
    images = torch.randn(16, 3, 12, 12)
    _, clean = convviz.explain(model, images, [Spy(), "saliency"])
    before = net.passes
    together = convviz.explain(model, images, ["saliency", "guided_backprop"])
    assert net.passes == before + 4  # a discarded one, a clean one, and one per gradient
    for explanation in together:
        assert [t.index for t in explanation.target] == [t.index for t in clean.target]
    assert torch.equal(together[0].values, clean.values)


class Unread(Spy):
    """Declares that it does not read the forward pass."""

    reads_target: bool = False

    def reads_forward(self):
        return False

    def explain(self, model, batch, target, forward):
        if self.reads_target:
            target[0].index  # noqa: B018
        return super().explain(model, batch, target, forward)


def test_a_target_that_no_gradient_has_resolved(model, photo):
    assert convviz.explain(model, photo, Unread(), target="cat").target[0].label == "cat"
    with pytest.raises(PluginError, match="reads_forward"):
        convviz.explain(model, photo, Unread(reads_target=True))


def test_the_layer_of_a_unit_is_captured_and_its_position_resolved(model, photo):
    convviz.explain(model, photo, Spy(), target=Unit("0", 2))
    _, (target,), forward, _ = SEEN[0]
    chosen = forward.activations["0"][0, 2]
    assert target.index is None
    assert target.score == pytest.approx(float(chosen.max()))
    assert chosen[target.unit.position] == chosen.max()


def test_explained_in_eval_mode_and_put_back(model, net, photo):
    net.train()
    convviz.explain(model, photo, Spy())
    assert SEEN[0][3] is False
    assert net.training


@pytest.mark.parametrize("error", [ValueError("no good"), SystemExit(3), NotImplementedError("x")])
def test_an_explainers_fault_is_a_plugin_error(model, net, photo, error):
    net.train()
    with pytest.raises(PluginError, match=f"'failing'.*{type(error).__name__}") as caught:
        convviz.explain(model, photo, failing(error))
    assert caught.value.__cause__ is error
    assert net.training


def test_the_distribution_at_fault_is_named(model, photo):
    saliency = convviz.explainer("saliency")
    broken = type(saliency).model_construct(channels="nonsense", samples=None)
    with pytest.raises(PluginError, match="'saliency' of convviz"):
        convviz.explain(model, photo, broken)


@pytest.mark.parametrize("error", [ConvvizError("mine"), KeyboardInterrupt(), MemoryError()])
def test_what_is_not_the_explainers_fault_passes(model, photo, error):
    with pytest.raises(type(error)) as caught:
        convviz.explain(model, photo, failing(error))
    assert caught.value is error


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "NoneType"),
        (torch.zeros(1, 12, 12), "Tensor"),
        (Heatmap(np.zeros((1, 2, 2))), "not a tensor"),
        (Heatmap(torch.zeros(1, 2, 2), arrays={"more": [1]}), "'more' is list"),
        (Heatmap(torch.zeros(1, 2, 2, requires_grad=True)), "detached"),
        (Heatmap(torch.zeros(1, 2, 2, device="meta")), "on the CPU"),
        (Heatmap(torch.zeros(2)), r"\[2\]"),
        (Heatmap(torch.zeros(5, 2, 2)), "for 1 image"),
        (convviz.Points(torch.zeros(5, 2, 2)), "2 axes"),
    ],
)
def test_a_wrong_result_is_a_plugin_error(model, photo, returned, message):
    with pytest.raises(PluginError, match=message):
        convviz.explain(model, photo, failing(returned))


def test_a_model_is_a_model_or_a_source(net):
    with pytest.raises(ParameterError, match=r"convviz\.Model"):
        convviz.explain(net, None, "filters")
    with pytest.raises(ParameterError, match="not 3"):
        convviz.explain(3, None, "filters")
    assert as_model("squeezenet1_1?weights=none").name.startswith("squeezenet1_1")


def test_a_data_set_explainer_says_where_it_belongs(model, photo):
    with pytest.raises(ConvvizError, match="analyze"):
        convviz.explain(model, photo, "embedding")
    with pytest.raises(ParameterError, match="index=RUN"):
        convviz.explain(model, photo, "neighbors")
