"""Sources of models and data sets find the plugin that knows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import convviz
import convviz.authoring
from convviz.errors import ParameterError, PluginError, UnknownNameError
from convviz.plugin import registry
from convviz.plugin.entry_points import Entry
from convviz.plugin.registry import Registry
from convviz.plugin.validation import BrokenPluginError
from convviz.testing import tiny_model


class Zoo:
    """A plugin that knows some models and data sets, and writes down what it was asked."""

    def __init__(self, *known: str, missing: str = "none") -> None:
        self.known, self.missing, self.asked = known, missing, []

    def answer(self, source, options, found):
        self.asked.append((source, dict(options)))
        if source in self.known:
            return found
        if self.missing == "raises":
            raise UnknownNameError("zoo model", source, self.known)
        return None

    @convviz.authoring.hookimpl
    def convviz_load_model(self, source, options):
        return self.answer(source, options, tiny_model())

    @convviz.authoring.hookimpl
    def convviz_open_dataset(self, source, options):
        photos = np.zeros((2, 8, 8, 3), np.uint8)
        return self.answer(source, options, convviz.array_dataset(photos))


class EagerZoo(Zoo):
    """Wants to be asked before others."""

    @convviz.authoring.hookimpl(tryfirst=True)
    def convviz_load_model(self, source, options):
        return self.answer(source, options, tiny_model())


def installed(monkeypatch, *plugins) -> None:
    """Make a registry of (distribution, name, plugin), and no others, the current one."""
    entries = [
        Entry(group, name, name, distribution, "1.0", lambda plugin=plugin: plugin)
        for distribution, name, plugin in plugins
        for group in ("models", "datasets")
    ]
    monkeypatch.setattr(registry, "_current", Registry(entries))


def test_a_scheme_goes_to_its_plugin_with_the_rest_and_the_query(monkeypatch):
    zoo, other = Zoo("net@v1"), Zoo("net@v1")
    installed(monkeypatch, ("a", "zoo", zoo), ("a", "other", other))
    model = convviz.load_model("zoo:net@v1?weights=none&empty=", dtype="float64", labels=["x"])
    assert isinstance(model, convviz.Model)
    expected = {
        "device": "auto",
        "dtype": torch.float64,
        "labels": ["x"],
        "weights": "none",
        "empty": "",
    }
    assert zoo.asked == [("net@v1", expected)]
    assert other.asked == []


def test_a_keyword_wins_over_the_query_and_data_sets_get_no_device(monkeypatch):
    zoo = Zoo("set")
    installed(monkeypatch, ("a", "zoo", zoo))
    assert len(convviz.open_dataset("zoo:set?n=1&m=2", n=3).ids) == 2
    assert zoo.asked == [("set", {"n": 3, "m": "2"})]


def test_a_bare_entry_name_goes_to_its_plugin(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("zoo").mkdir()  # an entry's name comes before a path
    zoo, file = Zoo(""), Zoo("")
    installed(monkeypatch, ("a", "zoo", zoo), ("a", "file", file))
    convviz.load_model("zoo")
    convviz.load_model("zoo?x=1")
    assert [source for source, _ in zoo.asked] == ["", ""]
    assert zoo.asked[1][1]["x"] == "1"
    assert file.asked == []


@pytest.mark.parametrize("name", ["w.safetensors", "what?.pt", "a:b.pt", "猫 \n.pt"])
def test_a_path_that_exists_goes_to_the_plugin_of_paths(monkeypatch, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    file, zoo = Zoo(str(path)), Zoo()
    installed(monkeypatch, ("a", "file", file), ("a", "zoo", zoo))
    convviz.load_model(str(path))
    convviz.load_model(path)
    assert [source for source, _ in file.asked] == [str(path)] * 2
    assert zoo.asked == []


def test_a_path_of_a_data_set_is_offered_in_order(monkeypatch, tmp_path):
    path = tmp_path / "a:b.set"
    path.write_bytes(b"")
    first, second, third = Zoo(), Zoo(str(path)), Zoo(str(path))
    installed(monkeypatch, ("a", "c", third), ("a", "b", second), ("a", "a", first))
    convviz.open_dataset(path)
    convviz.open_dataset(str(path))
    convviz.open_dataset(f"{path}?limit=3")
    assert [len(zoo.asked) for zoo in (first, second, third)] == [3, 3, 0]
    assert second.asked[2] == (str(path), {"limit": "3"})


def test_a_path_may_have_a_query(monkeypatch, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    file = Zoo(str(path))
    installed(monkeypatch, ("a", "file", file))
    convviz.load_model(f"{path}?arch=resnet18")
    assert file.asked[0][0] == str(path)
    assert file.asked[0][1]["arch"] == "resnet18"


def test_a_bare_name_is_offered_in_order_until_one_knows_it(monkeypatch):
    first, second, third, eager = Zoo(), Zoo("net", missing="raises"), Zoo("net"), EagerZoo("no")
    installed(
        monkeypatch, ("a", "b2", second), ("a", "c3", third), ("a", "a1", first), ("a", "z", eager)
    )
    convviz.load_model("net")
    assert [len(zoo.asked) for zoo in (eager, first, second, third)] == [1, 1, 1, 0]
    convviz.load_model("no")
    assert [len(zoo.asked) for zoo in (eager, first, second, third)] == [2, 1, 1, 0]


def test_an_unknown_bare_name_names_schemes_and_the_closest_names(monkeypatch):
    installed(monkeypatch, ("a", "zoo", Zoo("resnet50", missing="raises")), ("a", "other", Zoo()))
    with pytest.raises(UnknownNameError) as caught:
        convviz.load_model("resnet5")
    assert "no model is called 'resnet5'" in str(caught.value)
    assert "closest: 'resnet50'" in str(caught.value)
    assert "schemes: zoo, other" in str(caught.value)


def test_an_unknown_name_inside_of_a_known_source_is_not_swallowed(monkeypatch):
    class Picky(Zoo):
        @convviz.authoring.hookimpl
        def convviz_load_model(self, source, options):
            raise UnknownNameError("weights", "V9", ["V1"])

    installed(monkeypatch, ("a", "picky", Picky()), ("a", "zoo", Zoo("net")))
    with pytest.raises(UnknownNameError, match="unknown weights 'V9'"):
        convviz.load_model("net")


def test_an_unknown_scheme_is_offered_to_nobody(monkeypatch):
    zoo = Zoo("foo:bar")
    installed(monkeypatch, ("a", "zoo", zoo))
    with pytest.raises(UnknownNameError, match=r"'zo:bar'.*closest: 'zoo'"):
        convviz.load_model("zo:bar")
    with pytest.raises(UnknownNameError):
        convviz.load_model("foo:bar")
    assert zoo.asked == []


def test_a_scheme_whose_plugin_does_not_know_the_rest(monkeypatch):
    installed(monkeypatch, ("a", "zoo", Zoo()), ("a", "raises", Zoo("net", missing="raises")))
    with pytest.raises(UnknownNameError, match="unknown zoo model 'net'"):
        convviz.load_model("zoo:net")
    with pytest.raises(UnknownNameError, match="closest: 'net'"):
        convviz.load_model("raises:nett")


def test_two_plugins_of_one_scheme_are_told_apart_by_their_distributions(monkeypatch):
    one, two = Zoo("net", ""), Zoo("net", "")
    installed(monkeypatch, ("dist-one", "zoo", one), ("dist-two", "zoo", two))
    with pytest.raises(PluginError, match="'dist-one:zoo' or 'dist-two:zoo'"):
        convviz.load_model("zoo:net")
    convviz.load_model("dist-two:zoo:net?x=1")
    convviz.load_model("dist-two:zoo")
    assert [source for source, _ in two.asked] == ["net", ""]
    assert one.asked == []


def test_a_disabled_scheme_says_so(monkeypatch):
    installed(monkeypatch, ("a", "zoo", Zoo("net")))
    registry.current().disable("zoo")
    with pytest.raises(PluginError, match="'zoo' is disabled"):
        convviz.load_model("zoo:net")


def test_a_broken_plugin_is_passed_over(monkeypatch):
    def broken():
        raise ImportError("no such thing")

    zoo = Zoo("net")
    entries = [
        Entry("models", "bad", "bad", "a", "1.0", broken),
        Entry("models", "zoo", "zoo", "a", "1.0", lambda: zoo),
    ]
    monkeypatch.setattr(registry, "_current", Registry(entries))
    convviz.load_model("net")
    with pytest.raises(PluginError, match=r"'bad' of a 1\.0 is broken: ImportError: no such thing"):
        convviz.load_model("bad:net")


@pytest.mark.parametrize("returned", [3, torch.nn.Identity(), tiny_model])
def test_what_is_no_model_or_data_set_is_the_plugins_fault(monkeypatch, returned):
    class Wrong(Zoo):
        def answer(self, source, options, found):
            return returned

    installed(monkeypatch, ("a", "zoo", Wrong()))
    with pytest.raises(BrokenPluginError, match=r"not a convviz\.Model"):
        convviz.load_model("zoo:net")
    with pytest.raises(BrokenPluginError, match="without name, ids"):
        convviz.open_dataset("zoo:set")


@pytest.mark.parametrize("fault", [RuntimeError("boom"), SystemExit(2)])
def test_what_a_plugin_raises_names_the_plugin(monkeypatch, fault):
    class Raises(Zoo):
        def answer(self, source, options, found):
            raise fault

    installed(monkeypatch, ("a", "zoo", Raises()))
    with pytest.raises(PluginError, match=r"plugin 'zoo' of a 1\.0") as caught:
        convviz.load_model("zoo:net")
    assert caught.value.__cause__ is fault


def test_a_query_that_is_none_and_an_unknown_dtype(monkeypatch):
    installed(monkeypatch, ("a", "zoo", Zoo("net")))
    with pytest.raises(ParameterError, match="name=value"):
        convviz.load_model("zoo:net?oops")
    with pytest.raises(UnknownNameError, match="unknown dtype 'float46'; closest: 'float64'"):
        convviz.load_model("zoo:net", dtype="float46")


def test_resnet_without_a_scheme_is_torchvisions(fresh):
    model = convviz.load_model("squeezenet1_1?weights=none")
    assert type(model.module).__module__ == "torchvision.models.squeezenet"
