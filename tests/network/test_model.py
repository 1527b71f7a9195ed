"""Model: outputs, targets, devices and dtypes, default layers, and real architectures."""

from __future__ import annotations

import copy
import pickle
import types

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import convviz
import convviz.authoring
from convviz import (
    ConvvizWarning,
    ModelError,
    ParameterError,
    Preprocess,
    TargetError,
    Unit,
    UnknownNameError,
)
from convviz.authoring import Target, parse_target

LABELS = ("ant", "bee", "cat: big, striped", "7", "crane", "crane")


def small(classes=6, channels=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, classes),
    )


@pytest.fixture
def model():
    return convviz.Model(small(), labels=LABELS)


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 7, generator=torch.Generator().manual_seed(1))


class Returns(nn.Module):
    """A network that returns its scores in some wrapping."""

    def __init__(self, wrap):
        super().__init__()
        self.net, self.wrap = small(), wrap

    def forward(self, x):
        return self.wrap(self.net(x))


# outputs


@pytest.mark.parametrize(
    ("wrap", "pick"),
    [
        (lambda s: s, None),
        (lambda s: {"logits": s, "other": 1}, "logits"),
        (lambda s: (None, s), 1),
        (lambda s: [s, s * 0], -2),
        (lambda s: types.SimpleNamespace(logits=s), "logits"),
        (lambda s: {"out": s[:, :, None, None] + torch.tensor([[-1.0, 1.0]])}, "dense"),
        (lambda s: s[:, None], lambda out: out[:, 0]),
    ],
)
def test_output_picks_the_scores(wrap, pick, images):
    if pick == "dense":
        pick = lambda out: out["out"].mean((2, 3))  # noqa: E731
    actual = convviz.Model(Returns(wrap), output=pick)
    expected = small().eval()(images).detach()
    torch.testing.assert_close(actual.forward(images).output, expected)
    assert actual.gradient(images, actual.resolve(0, actual.forward(images))).shape == images.shape


@pytest.mark.parametrize(
    ("wrap", "pick", "said"),
    [
        (
            lambda s: {"logits": s},
            None,
            r"\{'logits': a float32 tensor \[3, 6\]\}.*output=…\) selects",
        ),
        (lambda s: (s, s), None, r"a tuple \(a float32 tensor \[3, 6\], .*Model\(output=…\)"),
        (lambda s: s[:, :, None, None], None, r"tensor \[3, 6, 1, 1\] for 3 images"),
        (lambda s: s[:, 0], None, r"tensor \[3\] for 3 images"),
        (lambda s: s[:1], None, r"tensor \[1, 6\] for 3 images"),
        (lambda s: s.argmax(1, keepdim=True), None, r"a int64 tensor"),
        (lambda s: {"logits": s}, "logit", r"unknown output 'logit'; closest: 'logits'"),
        (lambda s: (s,), 3, r"output=3 is out of range for a tuple"),
        (lambda s: s, 0, r"output=0 needs a tuple"),
        (lambda s: types.SimpleNamespace(a=s), "logits", r"no such attribute"),
        (lambda s: {"logits": s, "loss": 1.0}, "loss", r"output='loss' picked a float"),
    ],
)
def test_wrong_outputs_say_what_came(wrap, pick, said, images):
    with pytest.raises(convviz.ConvvizError, match=said):
        convviz.Model(Returns(wrap), output=pick).forward(images)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_what_cannot_be_wrapped(images):
    with pytest.raises(ModelError, match="scripted or traced"):
        convviz.Model(torch.jit.trace(small().eval(), images))
    with pytest.raises(ModelError, match="scripted or traced"):
        convviz.Model(torch.jit.script(small()))
    with pytest.raises(ModelError, match=r"nn\.Module, not function"):
        convviz.Model(lambda x: x)


def test_wrappers_are_taken_off(images):
    net = small()
    for wrapped in (nn.DataParallel(net), torch.compile(net)):
        assert convviz.Model(wrapped).module is net


@pytest.mark.parametrize("bad", [torch.rand(3, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)])
def test_images_are_checked(model, bad):
    with pytest.raises(ParameterError, match=r"float tensor \[N, C, H, W\]"):
        model.forward(bad)


def test_probabilities_warn_once(images):
    model = convviz.Model(nn.Sequential(small(), nn.Softmax(1)), name="soft")
    with pytest.warns(ConvvizWarning, match="scores of soft are probabilities already"):
        model.forward(images)
    model.forward(images)  # a second warning would be an error here


# targets


def test_targets_of_every_kind(model, images):
    forward = model.forward(images, ["2"])
    scores = forward.output
    top = model.resolve(None, forward)
    assert [t.index for t in top] == scores.argmax(1).tolist()
    assert [t.score for t in top] == scores.amax(1).tolist()
    for spec in (1, "bee", "BEE", np.int64(1), torch.tensor(1), [1, "bee", 1], np.array([1] * 3)):
        actual = model.resolve(spec, forward)
        assert [(t.index, t.label, t.unit) for t in actual] == [(1, "bee", None)] * 3
    mixed = model.resolve(["ant", None, Unit("2", 1, (0, 3))], forward)
    assert [t.index for t in mixed] == [0, top[1].index, None]
    assert mixed[2].score == float(forward.activations["2"][2, 1, 0, 3])
    assert mixed[2].label == "2:1@0,3"
    assert model.resolve(list(mixed), forward) == mixed
    torch.testing.assert_close(model.scores(images, mixed), torch.tensor([t.score for t in mixed]))


def test_a_unit_without_position_takes_its_strongest(model, images):
    spec = "2:3"
    forward = model.forward(images, model.target_layers(spec))
    for target, maps in zip(model.resolve(spec, forward), forward.activations["2"], strict=True):
        y, x = np.unravel_index(int(maps[3].argmax()), maps[3].shape)
        assert target.unit == Unit("2", 3, (y, x))
        assert target.score == float(maps[3].max())
        assert target.index is None
    flat = model.forward(images, ["4"])
    assert model.resolve(Unit("4", 2), flat)[0].unit == Unit("4", 2)
    assert model.resolve(Unit("4", 2), flat)[0].score == float(flat.activations["4"][0, 2])


def test_ties_go_to_the_lowest_index(model):
    tied = convviz.authoring.Forward(torch.tensor([[0.0, 5.0, 1.0, 5.0, 5.0, 0.0]] * 2), {})
    assert [t.index for t in model.resolve(None, tied)] == [1, 1]
    maps = torch.zeros(1, 2, 3, 3)
    maps[0, 1, 1, 2] = maps[0, 1, 2, 0] = 4
    unit = model.resolve(Unit("x", 1), convviz.authoring.Forward(torch.zeros(1, 2), {"x": maps}))[
        0
    ].unit
    assert unit == Unit("x", 1, (1, 2))


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        (6, TargetError, "classes 0 to 5"),
        (-1, TargetError, "target -1: the model has classes 0 to 5"),
        ("beee", UnknownNameError, "unknown target 'beee'; closest: 'bee'"),
        ("crane", TargetError, "several classes: 4, 5"),
        ([0, 1], TargetError, "2 targets for 3 images"),
        (1.5, TargetError, "target 1.5: allowed are"),
        (True, TargetError, "target True: allowed are"),
        ([0, 1, [2]], TargetError, r"target \[2\]"),
        (Unit("2", 4), TargetError, "channels 0 to 3"),
        (Unit("2", 0, (6, 0)), TargetError, "0,0 to 5,4"),
        (Unit("2", 0, (-1, 0)), TargetError, "0,0 to 5,4"),
        (Unit("4", 0, (0, 0)), TargetError, "no positions"),
        (Unit("0", 0), TargetError, "was not captured"),
    ],
)
def test_wrong_targets(model, images, spec, error, said):
    forward = model.forward(images, ["2", "4"])
    with pytest.raises(error, match=said):
        model.resolve(spec, forward)


def test_nan_has_no_top(model):
    forward = convviz.authoring.Forward(
        torch.tensor([[0.0, torch.nan]]), {"x": torch.full((1, 1, 2, 2), torch.nan)}
    )
    with pytest.raises(TargetError, match="NaN"):
        model.resolve(None, forward)
    with pytest.raises(TargetError, match="NaN"):
        model.resolve(Unit("x", 0), forward)


def test_targets_without_labels(images):
    model = convviz.Model(small())
    forward = model.forward(images)
    assert model.resolve(2, forward)[0].label == "class 2"
    with pytest.raises(TargetError, match="no class names"):
        model.resolve("tabby", forward)


def test_units_must_be_resolved_before_they_are_explained(model, images):
    unit = Unit("2", 0)
    for use in (model.scores, model.gradient):
        with pytest.raises(TargetError, match="no position yet"):
            use(images, (Target(None, unit, str(unit), 0.0),) * 3)
    with pytest.raises(ParameterError, match="1 targets for 3 images"):
        model.scores(images, (Target(0, None, "", 0.0),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("281", 281),
        ("-1", -1),
        ("tabby", "tabby"),
        ("7", "7"),
        ("cat: big, striped", "cat: big, striped"),
        ("layer4.1:17", Unit("layer4.1", 17)),
        ("layer4.1:17@3,5", Unit("layer4.1", 17, (3, 5))),
        ("layer1.0.relu:2:17@0,0", Unit("layer1.0.relu:2", 17, (0, 0))),
        ("block/add:9", Unit("block/add", 9)),
        ("layer4.1:17@3", "layer4.1:17@3"),
    ],
)
def test_targets_of_the_command_line(text, expected):
    assert parse_target(text, LABELS) == expected
    if isinstance(expected, Unit):
        assert str(expected) == text


def test_target_layers(model):
    assert model.target_layers([None, 3, "bee", "2:1", Unit("4", 0), Unit("2", 0)]) == ("2", "4")
    assert model.target_layers(None) == ()
    with pytest.raises(UnknownNameError, match="unknown layer 'conv'"):
        model.target_layers("conv:1")


# device, dtype, shapes, weights


def test_the_module_stays_as_it_is_unless_asked(images):
    net = small().double()
    model = convviz.Model(net)
    assert model.module is net
    assert model.dtype == torch.float64
    assert model.device == torch.device("cpu")
    assert model.forward(images).output.dtype == torch.float64
    asked = convviz.Model(net, dtype=torch.float32, device="cpu")
    assert asked.dtype == net[0].weight.dtype == torch.float32
    assert convviz.Model(nn.Flatten()).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(images, dtype):
    model = convviz.Model(small(), dtype=dtype)
    forward = model.forward(images, ["0"])
    assert forward.output.dtype == torch.float32
    assert forward.activations["0"].dtype == dtype
    torch.testing.assert_close(
        forward.output, convviz.Model(small()).forward(images).output, atol=0.02, rtol=0
    )
    assert model.gradient(images, model.resolve(None, forward), "guided").dtype == dtype


def test_autocast_outside_is_left_outside(model, images):
    expected = model.forward(images).output
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.forward(images).output, expected)


def test_input_shape():
    known = convviz.Model(small(), preprocess=Preprocess(crop=(20, 30)))
    assert (known.input_channels, known.input_size) == (3, (20, 30))
    grey = convviz.Model(small(channels=1))
    assert (grey.input_channels, grey.input_size) == (1, (224, 224))
    grey.forward(torch.zeros(1, 1, 9, 8))
    assert grey.input_size == (9, 8)
    fixed = convviz.Model(nn.Sequential(nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(1152, 3)))
    assert fixed.input_size == (28, 28)
    assert fixed.layer_names() == ("0", "1", "2")
    odd = convviz.Model(nn.Sequential(nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(7, 3)))
    with pytest.raises(ModelError, match=r"does not run on zeros of shape \[1, 224, 224\].*crop"):
        odd.layer_names()


def test_models_can_be_copied_and_sent(model, images):
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other.forward(images).output, model.forward(images).output)


def test_submodule(model):
    assert model.submodule("0") is model.module[0]
    with pytest.raises(UnknownNameError, match="unknown layer '9'"):
        model.submodule("9")


# real architectures

STAGES = {
    "alexnet": ("features.1", "features.4", "features.11"),
    "vgg16": tuple(f"features.{i}" for i in (3, 8, 15, 22, 29)),
    "resnet18": tuple(f"layer{i}.1" for i in (1, 2, 3, 4)),
    "resnet50": tuple(f"layer{i}" for i in ("1.2", "2.3", "3.5", "4.2")),
    "googlenet": ("conv3", "inception3b", "inception4e", "inception5b"),
    "inception_v3": ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    "densenet121": (*(f"features.denseblock{i}" for i in (1, 2, 3)), "/relu"),
    "squeezenet1_0": ("features.5", "features.10", "features.12"),
    "mobilenet_v2": tuple(f"features.{i}" for i in (1, 3, 6, 13, 18)),
    "mobilenet_v3_small": tuple(f"features.{i}" for i in (1, 3, 8, 12)),
    "efficientnet_b0": tuple(f"features.{i}" for i in ("1.0", "2.1", "3.1", "5.2", "8")),
    "convnext_tiny": tuple(f"features.{i}" for i in ("1.2", "3.2", "5.8", "7.2")),
    "vit_b_16": ("encoder.layers.encoder_layer_11",),
    "tf_efficientnet_lite0": (*(f"blocks.{i}" for i in ("0.0", "1.1", "2.1", "4.2")), "bn2"),
}
FEATURES = {
    "alexnet": "classifier.5",
    "vgg16": "classifier.5",
    "resnet18": "/flatten",
    "resnet50": "/flatten",
    "googlenet": "dropout",
    "inception_v3": "/flatten",
    "densenet121": "/flatten",
    "squeezenet1_0": "classifier.0",
    "mobilenet_v2": "classifier.0",
    "mobilenet_v3_small": "classifier.2",
    "efficientnet_b0": "classifier.0",
    "convnext_tiny": "classifier.1",
    "vit_b_16": "/getitem",
    "tf_efficientnet_lite0": "global_pool",
}


def architecture(name):
    """Return a network with random weights, quicker than its own initialisation, and a size."""
    options = {"num_classes": 10}
    if name in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "transform_input": True}
    if name == "vit_b_16":
        options |= {"image_size": 64}
    with torch.device("meta"):
        if name == "tf_efficientnet_lite0":
            net = pytest.importorskip("timm").create_model(name, num_classes=10)
        else:
            net = torchvision.models.get_model(name, weights=None, **options)
    net.to_empty(device="cpu")
    for buffer_name, buffer in net.named_buffers():
        buffer.fill_(1 if buffer_name.endswith("var") else 0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            bound = (6 * p.shape[0] / p.numel()) ** 0.5 if p.ndim > 1 else 1
            p.uniform_(-bound, bound, generator=generator) if p.ndim > 1 else p.fill_(0.5)
    return net, 96 if name == "inception_v3" else 64


@pytest.mark.parametrize("name", STAGES)
def test_architectures(name):
    net, size = architecture(name)
    model = convviz.Model(net, preprocess=Preprocess(resize=size, crop=size))
    stages = model.default_layers("patches")
    assert stages == STAGES[name]
    (features,) = model.default_layers("features")
    assert features == FEATURES[name]
    (first,) = model.default_layers("filters")
    assert model.submodule(first).in_channels == 3
    (last,) = model.default_layers("activations")
    images = torch.rand(1, 3, size, size)
    forward = model.forward(images, (*stages, features, last))
    head = [m for m in net.modules() if isinstance(m, nn.Linear)]
    if name != "squeezenet1_0":
        assert forward.activations[features].shape == (1, head[-1].in_features)
    assert last == stages[-1]
    (info,) = (call for call in model.calls() if call.name == last)
    assert forward.activations[last].shape == (1, *info.layout.shape(info.shape))
    assert forward.activations[last].shape[2] == forward.activations[last].shape[3]
    target = model.resolve(None, forward)
    torch.testing.assert_close(
        model.scores(images, target), forward.output.amax(1), atol=1e-5, rtol=1e-5
    )
    for rule in ("plain", "guided", "deconv"):
        gradient = model.gradient(images, target, rule)
        assert gradient.shape == images.shape
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0
