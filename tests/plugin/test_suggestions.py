"""The names that errors about unknown names suggest."""

import pytest

import convviz
from convviz import PluginError, UnknownNameError
from convviz.errors import closest
from convviz.plugin.entry_points import discover
from convviz.plugin.method_names import method_hint
from convviz.plugin.registry import Registry

ANIMALS = ("tench", "tabby", "tiger cat", "Egyptian cat", "catamaran", "cattle dog", "crate")
LAYERS = ("conv1", "layer4", "layer4.1", "layer4.1.conv1", "layer4.1.relu:2", "fc")


def names(text: str) -> list[str]:
    return text.replace("closest: ", "").replace("'", "").split(", ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cat", ["tiger cat", "Egyptian cat", "catamaran", "cattle dog"]),
        ("CAT", ["tiger cat", "Egyptian cat", "catamaran", "cattle dog"]),
        ("egyptian_cat", ["Egyptian cat"]),
        ("egyptian", ["Egyptian cat"]),
        ("a tabby", ["tabby"]),
        ("tabbby", ["tabby"]),
    ],
)
def test_labels_are_found_by_word_then_by_part_then_by_spelling(given, expected):
    assert names(closest(given, ANIMALS)) == expected


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ("layer4/1", "layer4.1"),
        ("layer4_1", "layer4.1"),
        ("Layer4.1", "layer4.1"),
        ("module.layer4.1", "layer4.1"),
        ("layer4.1.conv2", "layer4.1.conv1"),
        ("relu", "layer4.1.relu:2"),
        ("conv", "conv1"),
    ],
)
def test_layers_are_found_in_other_spellings(given, first):
    assert names(closest(given, LAYERS))[0] == first


def test_a_long_list_of_layers_names_the_command_that_lists_all():
    many = tuple(f"stage{i}" for i in range(100))
    assert "convviz layers" in str(UnknownNameError("layer", "zebra", many))
    assert "convviz layers" not in str(UnknownNameError("layer", "zebra", LAYERS))
    assert "convviz layers" not in str(UnknownNameError("target", "zebra", many))


def test_what_is_like_nothing_lists_what_there_is():
    assert closest("zebra", LAYERS).count("'") == 2 * len(LAYERS)
    assert "and 88 more" in closest("zebra", tuple(f"unit {i}" for i in range(100)))
    assert closest("zebra", ()) == "there are none"
    assert "'unit 5'" in closest("5", tuple(f"unit {i}" for i in range(100)))


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ("smooth_grad", ["saliency", "samples"]),
        ("t-SNE", ["embedding"]),
        ("umap", ["UMAP is not included", "embedding"]),
        ("knn", ["neighbors"]),
        ("deconvnet", ["guided_backprop", "rule='deconv'"]),
        ("lime", ["LIME is 'captum.lime'"]),
        ("SHAP", ["captum.kernel_shap"]),
        ("lrp", ["zennit.epsilon_plus_flat"]),
        ("DeepLift", ["captum.deep_lift"]),
        ("xrai", ["XRAI is not included yet"]),
        ("filter", ["'filters'"]),
    ],
)
def test_methods_of_similar_tools_are_known(given, facts):
    with pytest.raises(UnknownNameError) as caught:
        convviz.explainer(given)
    assert all(fact in str(caught.value) for fact in facts)


def test_a_method_that_a_plugin_offers_is_not_called_missing():
    assert method_hint("gradcam", ("grad_cam", "saliency"), ()) == ""
    assert "Grad-CAM is not included yet" in method_hint("gradcam", ("saliency",), ())
    assert "Grad-CAM++ is not" in method_hint("Grad-CAM++", ("grad_cam",), ())
    aliases = [{"other": "another one"}, {"Smooth-Grad": "see 'saliency'"}]
    assert method_hint("smooth_grad", ("saliency",), aliases) == "see 'saliency'"


def message(registry: Registry, name: str) -> str:
    with pytest.raises(UnknownNameError) as caught:
        registry.explainer_class(name)
    return str(caught.value)


def test_aliases_come_from_the_explainers_that_are_installed(fresh):
    assert "saliency" in message(Registry(*discover()), "smoothgrad")
    disabled = Registry(*discover(), disabled=["saliency"])
    assert "saliency" not in message(disabled, "smoothgrad")


def test_broken_plugins_hide_neither_aliases_nor_the_error(house):
    text = """
        import convviz

        class Good(convviz.authoring.Explainer):
            aliases = {"well": "what goes well is 'good'"}

        @convviz.authoring.hookimpl
        def convviz_explainers():
            return [Good]
    """
    house.explainer("broken", "raise RuntimeError('at import')")
    house.explainer("good", text)
    found = Registry(*discover([str(house.folder)]))
    assert message(found, "Well") == "unknown explainer 'Well'; what goes well is 'good'"
    assert "known: 'broken', 'good'" in message(found, "zebra")


def test_aliases_of_another_type_are_a_broken_plugin(house):
    text = """
        import convviz

        class Good(convviz.authoring.Explainer):
            aliases = ["well"]

        @convviz.authoring.hookimpl
        def convviz_explainers():
            return [Good]
    """
    house.explainer("good", text)
    found = Registry(*discover([str(house.folder)]))
    with pytest.raises(PluginError, match="aliases"):
        found.explainer_class("good")


def test_parameters_come_with_those_of_the_explainer():
    with pytest.raises(UnknownNameError, match="closest: 'samples'"):
        convviz.explainer("saliency", n_samples=3)
    with pytest.raises(UnknownNameError, match=r"known: .*'samples'"):
        convviz.explainer("saliency", zebra=3)


def test_sources_come_with_the_schemes():
    with pytest.raises(UnknownNameError, match="closest: 'torchvision'"):
        convviz.load_model("torch_vision:resnet18")
    with pytest.raises(UnknownNameError, match="closest: 'folder'"):
        convviz.open_dataset("folders:photos")
