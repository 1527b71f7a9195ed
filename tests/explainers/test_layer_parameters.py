"""`layer` of explainers that read one layer, `layers` of those that read several."""

from __future__ import annotations

import pytest

import convviz
from convviz import ParameterError, UnknownNameError
from convviz.authoring import DatasetExplainer
from convviz.plugin.parameter_values import build_explainers
from convviz.testing import tiny_model

ONE_LAYER = ("activations", "filters", "grad_cam", "guided_grad_cam")
SEVERAL_LAYERS = ("embedding", "neighbors", "patches", "statistics")


@pytest.mark.parametrize("name", SEVERAL_LAYERS)
def test_layers_are_a_name_or_several(name):
    for value in ("conv2", ("conv2",), ["conv2"]):
        assert convviz.explainer(name, layers=value).layers == ("conv2",)
    assert convviz.explainer(name, layers="").layers == ()


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("conv2", ("conv2",)),
        ("1", ("1",)),
        ("conv1,conv2", ("conv1", "conv2")),
        ('["conv1", "conv2"]', ("conv1", "conv2")),
        ("", ()),
    ],
)
def test_layers_on_the_command_line(text, layers):
    (patches,) = build_explainers(["patches"], [f"patches.layers={text}"])
    assert patches.layers == layers


@pytest.mark.parametrize(
    ("names", "wrong", "right"),
    [(SEVERAL_LAYERS, "layer", "layers"), (ONE_LAYER, "layers", "layer")],
)
def test_the_wrong_field_is_an_error_that_names_the_right_one(names, wrong, right):
    for name in names:
        message = f"{name} has no parameter '{wrong}'.*: {right}="
        with pytest.raises(ParameterError, match=message):
            convviz.explainer(name, **{wrong: "conv2"})
        with pytest.raises(ParameterError, match=message):
            build_explainers([name], [f"{name}.{wrong}=conv2"])
    with pytest.raises(UnknownNameError):
        convviz.explainer("saliency", layers="conv2")


@pytest.mark.parametrize("name", SEVERAL_LAYERS)
def test_default_layers_are_those_of_the_declared_kind(name):
    model, explainer = tiny_model(), convviz.explainer(name)
    assert explainer.resolve_layers(model) == model.default_layers(explainer.default_layer_kind)


def test_an_explainer_without_a_kind_needs_layers():
    with pytest.raises(ParameterError, match="layers="):
        DatasetExplainer().resolve_layers(tiny_model())
    assert DatasetExplainer(layers="conv2").resolve_layers(tiny_model()) == ("conv2",)
