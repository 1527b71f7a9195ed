"""Plugins: found without importing, imported one by one, and never able to spoil another."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field, field_validator, model_validator

import convviz
import convviz.authoring
from convviz.errors import ConvvizError, ParameterError, PluginError, UnknownNameError
from convviz.plugin import registry
from convviz.plugin.entry_points import GROUPS, discover
from convviz.plugin.explainer_field import dump_explainer, restore_explainer
from convviz.plugin.parameters import parameters
from convviz.plugin.registry import Registry
from convviz.plugin.validation import snake_case

GOOD = """
    import convviz

    class Good(convviz.authoring.Explainer):
        '''Explains well.'''

    @convviz.authoring.hookimpl
    def convviz_explainers():
        return [Good]
"""


def of(house, **options) -> Registry:
    return Registry(*discover([str(house.folder)]), **options)


def reason(found: Registry, name: str) -> str:
    rows = [row for row in found.status() if row.name == name]
    assert [row.state for row in rows] == ["broken"] * len(rows)
    assert rows
    return rows[0].reason


# Finding


def test_entries_are_found_without_importing(house):
    house.explainer("good")
    found = of(house)
    assert found.names("explainers") == ("good",)
    assert "house_dist_good" not in sys.modules


def test_asking_for_one_imports_that_one_only(house):
    house.explainer("good")
    house.explainer("other")
    assert of(house).explainer_class("good").__name__ == "Good"
    assert "house_dist_good" in sys.modules
    assert "house_dist_other" not in sys.modules


def test_the_builtins_come_through_the_same_door(fresh):
    builtin = [e for e in registry.current().entries("explainers") if e.distribution == "convviz"]
    assert {e.name for e in builtin} >= {"occlusion", "saliency", "filters", "patches"}
    assert all(e.module.startswith("convviz_plugins.") for e in builtin)


def test_every_builtin_plugin_is_ready(fresh):
    rows = [row for row in registry.current().status() if row.distribution == "convviz"]
    assert rows
    assert [(row.name, row.reason) for row in rows if row.state != "ready"] == []


def test_a_distribution_found_twice_counts_once(house, tmp_path):
    house.explainer("good")
    second = type(house)(tmp_path / "later")
    second.explainer("good")
    entries, faults = discover([str(house.folder), str(second.folder)])
    assert [e.name for e in entries] == ["good"]
    assert faults == []


def test_a_closest_name_is_offered(house):
    house.explainer("good")
    with pytest.raises(UnknownNameError, match="unknown explainer 'godo'; closest: 'good'"):
        of(house).explainer_class("godo")


def test_families_are_found_by_their_prefix(house):
    text = """
        import convviz

        class FirstOne(convviz.authoring.Explainer):
            pass

        class XRayTwo(convviz.authoring.Explainer):
            pass

        @convviz.authoring.hookimpl
        def convviz_explainers():
            return [FirstOne, XRayTwo]
    """
    house.explainer("fam.ily", text)
    found = of(house)
    assert found.names("explainers") == ("fam.ily",)
    assert found.explainer_class("fam.ily.first_one").__name__ == "FirstOne"
    assert found.explainer_class("dist-fam.ily:fam.ily.x_ray_two").__name__ == "XRayTwo"
    with pytest.raises(UnknownNameError, match=r"closest: 'fam\.ily\.first_one'"):
        found.explainer_class("fam.ily.first_on")
    with pytest.raises(UnknownNameError, match=r"fam\.ily\.first_one"):
        found.explainer_class("fam.ily")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("GuidedBackprop", "guided_backprop"), ("LIMEImage", "lime_image"), ("PCA2d", "pca2d")],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


# Broken plugins

BROKEN = {
    "import error": ("import no_such_module", "No module named 'no_such_module'"),
    "syntax error": ("def broken(:\n    pass", "SyntaxError"),
    "exit at import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "exception": ("raise RuntimeError('at import')", "RuntimeError: at import"),
    "no hook": ("x = 1", "does not implement convviz_explainers"),
    "not marked": (
        "def convviz_explainers(): return []",
        "not marked with @convviz.authoring.hookimpl",
    ),
    "other hook": (
        "import convviz\n@convviz.authoring.hookimpl\ndef convviz_metrics(): return {}",
        "does not implement convviz_explainers, which convviz.explainers requires; it implements",
    ),
    "unknown hook": (
        GOOD + "\n    @convviz.authoring.hookimpl\n    def convviz_explainer(): return []",
        "unknown hook 'convviz_explainer'",
    ),
    "wrong signature": (
        "import convviz\n@convviz.authoring.hookimpl\ndef convviz_explainers(model): return []",
        "{'model'}",
    ),
    "raising hook": (
        "import convviz\n@convviz.authoring.hookimpl\ndef convviz_explainers(): return 1 / 0",
        "ZeroDivisionError",
    ),
    "exiting hook": (
        "import convviz\n@convviz.authoring.hookimpl\ndef convviz_explainers(): raise SystemExit",
        "SystemExit",
    ),
    "returns None": (
        "import convviz\n@convviz.authoring.hookimpl\ndef convviz_explainers(): return None",
        "returned nothing",
    ),
    "returns a class": (GOOD.replace("[Good]", "Good"), "returned the class Good"),
    "returns an instance": (GOOD.replace("[Good]", "[Good()]"), "returned a Good"),
    "returns another class": (GOOD.replace("[Good]", "[int]"), "returned the class int"),
    "returns no class": (GOOD.replace("[Good]", "[]"), "returned no class"),
    "same name twice": (GOOD.replace("[Good]", "[Good, Good]"), "called 'broken.good'"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_listed_with_its_reason_and_leaves_the_others_usable(house, kind):
    text, expected = BROKEN[kind]
    house.explainer("good")
    house.explainer("broken", text)
    house.explainer("zebra")
    found = of(house)
    with pytest.raises(PluginError, match=r"plugin 'broken' of dist-broken 1\.0 is broken"):
        found.explainer_class("broken")
    assert expected in reason(found, "broken")
    assert "\n" not in reason(found, "broken")
    for name in ("good", "zebra"):
        assert found.explainer_class(name).__name__ == "Good"
    states = {row.name: row.state for row in found.status()}
    assert states == {"broken": "broken", "good": "ready", "zebra": "ready"}


@pytest.mark.parametrize("kind", ["wrong signature", "unknown hook"])
def test_a_plugin_that_fails_its_checks_is_not_left_registered(house, kind):
    house.explainer("broken", BROKEN[kind][0])
    found = of(house)
    with pytest.raises(PluginError):
        found.explainer_class("broken")
    assert found.manager.get_plugins() == set()


def test_the_cause_of_a_plugin_error_is_kept(house):
    house.explainer("broken", "import no_such_module")
    with pytest.raises(PluginError) as caught:
        of(house).explainer_class("broken")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_ctrl_c_at_import_is_not_taken_for_a_broken_plugin(house):
    house.explainer("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        of(house).explainer_class("slow")


def test_a_plugin_that_was_mended_loads(house):
    house.explainer("broken", "import no_such_module")
    found = of(house)
    with pytest.raises(PluginError):
        found.explainer_class("broken")
    (house.folder / "no_such_module.py").write_text("")
    (house.folder / "house_dist_broken.py").write_text("import no_such_module" + _dedented(GOOD))
    importlib.invalidate_caches()
    assert found.explainer_class("broken").__name__ == "Good"


def _dedented(text):
    return "\n" + "\n".join(line[4:] for line in text.splitlines())


BAD_METADATA = {
    "no name": (None, "Metadata-Version: 2.1\nVersion: 1.0\n", "it has no Name"),
    "no version": (None, "Metadata-Version: 2.1\nName: bad\n", "it has no Version"),
    "not an entry": ("[convviz.explainers]\nnonsense\n", None, "metadata cannot be read"),
    "not a module": ("[convviz.explainers]\nbad = a b/c\n", None, "not of the form 'module'"),
    "odd name": ("[convviz.explainers]\nb:ad = x\n", None, "letters, digits"),
    "odd group": ("[convviz.explainer]\nbad = x\n", None, "closest: 'convviz.explainers'"),
    "twice": ("[convviz.explainers]\nbad = x\nbad = y\n", None, "used twice, for 'x' and 'y'"),
}


@pytest.mark.parametrize("kind", BAD_METADATA)
def test_bad_metadata_is_listed_with_its_reason_and_leaves_the_others_usable(house, kind):
    entry_points, metadata, expected = BAD_METADATA[kind]
    house.add("bad", entry_points or "[convviz.explainers]\nbad = x\n", metadata=metadata)
    house.explainer("good")
    found = of(house)
    broken = [row for row in found.status() if row.state == "broken"]
    assert [row.distribution for row in broken] == ["bad"]
    assert expected in broken[0].reason
    assert found.names("explainers") == ("good",)
    assert found.explainer_class("good").__name__ == "Good"


def test_a_distribution_that_has_nothing_to_do_with_convviz_may_be_as_bad_as_it_likes(house):
    house.add("strange", "[console_scripts]\nnonsense\n", metadata="")
    (house.folder / "strange-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[x]")
    house.explainer("good")
    assert [row.name for row in of(house).status()] == ["good"]


# Names that two distributions use


def test_equal_names_are_refused_but_can_be_told_apart(house):
    house.explainer("same", distribution="dist-one")
    house.explainer("same", distribution="dist-two")
    house.explainer("good")
    found = of(house)
    with pytest.raises(PluginError) as caught:
        found.explainer_class("same")
    assert "dist-one 1.0 and dist-two 1.0" in str(caught.value)
    assert "'dist-one:same' or 'dist-two:same'" in str(caught.value)
    assert found.explainer_class("dist-one:same").__module__ == "house_dist_one"
    assert found.explainer_class("Dist_Two:same").__module__ == "house_dist_two"
    assert found.names("explainers") == ("good", "dist-one:same", "dist-two:same")
    assert "is used by dist-one" in reason(found, "same")
    assert found.explainer_class("good").__name__ == "Good"


def test_disabling_one_of_two_makes_the_name_plain_again(house):
    house.explainer("same", distribution="dist-one")
    house.explainer("same", distribution="dist-two")
    found = of(house, disabled=["dist-one"])
    assert found.explainer_class("same").__module__ == "house_dist_two"


def test_a_family_member_may_not_take_the_name_of_another_distribution(house):
    text = GOOD.replace("[Good]", "[Good, Bad]").replace(
        "    @convviz", "    class Bad(convviz.authoring.Explainer):\n        pass\n\n    @convviz"
    )
    house.explainer("fam", text)
    house.explainer("fam.good")
    found = of(house)
    assert "dist-fam.good has a 'fam.good' too" in reason(found, "fam")
    assert found.explainer_class("fam.good").__module__ == "house_dist_fam_good"


# Leaving out, strictness


@pytest.mark.parametrize("pattern", ["broken", "dist-broken", "Dist_Broken", "dist-broken:broken"])
def test_a_disabled_plugin_is_not_imported(house, pattern):
    house.explainer("good")
    house.explainer("broken", "raise RuntimeError")
    found = of(house, disabled=[pattern])
    assert found.names("explainers") == ("good",)
    assert {row.name: row.state for row in found.status()} == {
        "broken": "disabled",
        "good": "ready",
    }
    with pytest.raises(PluginError, match="'broken' is disabled"):
        found.explainer_class("broken")


def test_the_environment_disables_plugins(house, monkeypatch):
    house.explainer("good")
    house.explainer("other")
    monkeypatch.setenv("CONVVIZ_DISABLE_PLUGINS", " other, convviz ,not-installed")
    registry.reset()
    assert convviz.explainer_names() == ("good",)
    monkeypatch.setenv("CONVVIZ_DISABLE_PLUGINS", "*")
    registry.reset()
    assert convviz.explainer_names() == ()


def test_disabling_an_unknown_plugin_by_hand_is_an_error(house):
    house.explainer("good")
    with pytest.raises(UnknownNameError, match="closest: 'good'"):
        of(house).disable("goood")


def test_strict_mode_makes_any_broken_plugin_an_error(house, monkeypatch):
    house.explainer("good")
    house.explainer("broken", "import no_such_module")
    monkeypatch.setenv("CONVVIZ_STRICT_PLUGINS", "1")
    registry.reset()
    for _ in range(2):
        with pytest.raises(PluginError, match=r"'broken' of dist-broken 1\.0 .*no_such_module"):
            convviz.explainer("good")
    monkeypatch.setenv("CONVVIZ_DISABLE_PLUGINS", "broken")
    registry.reset()
    assert type(convviz.explainer("good")).__name__ == "Good"
    monkeypatch.setenv("CONVVIZ_STRICT_PLUGINS", "0")
    monkeypatch.delenv("CONVVIZ_DISABLE_PLUGINS")
    registry.reset()
    assert type(convviz.explainer("good")).__name__ == "Good"


# At run time


class Mine(convviz.authoring.Explainer):
    """Registered by a test."""

    size: int = Field(3, gt=0, le=9, description="How large.")
    pair: int | tuple[int, int] = Field(1, description="One or two.")

    @field_validator("size")
    @classmethod
    def _odd(cls, value):
        if value % 2 == 0:
            raise ValueError("it must be odd")
        return value

    @model_validator(mode="after")
    def _together(self):
        if self.size == 9 and self.pair == 2:
            raise ValueError("size 9 and pair 2 do not go together")
        return self


def test_a_class_can_be_registered(fresh):
    convviz.register(Mine)
    assert "mine" in convviz.explainer_names()
    assert convviz.explainer("mine", size=5) == Mine(size=5)
    assert registry.identify(Mine()).name == "mine"


def test_registering_again_replaces_and_an_installed_name_is_refused(fresh):
    class Other(convviz.authoring.Explainer):
        pass

    convviz.register(Mine, name="thing")
    convviz.register(Other, name="thing")
    assert type(convviz.explainer("thing")) is Other
    with pytest.raises(PluginError, match="'occlusion'; pass another name="):
        convviz.register(Mine, name="occlusion")
    with pytest.raises(PluginError, match=r"convviz\.authoring\.Metric"):
        convviz.register(int)


class Zero(convviz.authoring.Metric):
    """A score of zero."""

    factor: float = Field(1.0, gt=0, description="Factor of the score.")

    def score(self, image):
        return [0.0 for _ in image.maps]


class Twice(Zero):
    """A score of two zeros."""


def test_a_plugin_object_can_be_registered(fresh):
    class Plugin:
        @convviz.authoring.hookimpl
        def convviz_metrics(self):
            return [Zero, Twice]

    convviz.register(Plugin(), name="none")
    assert registry.metric("none.twice", factor=2) == Twice(factor=2)
    with pytest.raises(UnknownNameError, match=r"none\.twice"):
        registry.metric("none.thrice")
    with pytest.raises(PluginError, match="implements no hook"):
        convviz.register(object(), name="nothing")


def test_a_metric_class_is_registered_by_its_name(fresh):
    convviz.register(Zero)
    assert "zero" in registry.metric_names()
    assert registry.identify(Zero()) == registry.Identity("zero", registry.RUNTIME, "")
    with pytest.raises(ParameterError, match=r"zero\.factor.*> 0"):
        registry.metric("zero", factor=0)


def test_wrong_metrics_are_refused(house):
    text = "import convviz\n@convviz.authoring.hookimpl\ndef convviz_metrics(): return {returned}"
    cases = {
        "a": ("{'a': len}", "returned a dict"),
        "b": ("[convviz.authoring.Explainer]", "the class Explainer among"),
        "c": ("[]", "no class"),
    }
    for name, (returned, expected) in cases.items():
        module = f"house_metrics_{name}"
        house.add(
            f"metrics-{name}",
            f"[convviz.metrics]\n{name} = {module}\n",
            {module: text.replace("{returned}", returned)},
        )
        assert expected in reason(of(house), name)


# Identity and saving


def test_identify_finds_a_class_that_was_imported_directly(house):
    house.explainer("good")
    registry.reset()
    from house_dist_good import Good

    assert registry.identify(Good()) == registry.Identity("good", "dist-good", "1.0")


def test_identify_knows_what_no_plugin_offers(fresh):
    class NobodysOwn(convviz.authoring.Explainer):
        pass

    assert registry.identify(NobodysOwn()) == registry.Identity("nobodys_own", "", "")


class Holder(convviz.authoring.Explainer):
    """Holds another explainer."""

    source: convviz.authoring.ExplainerField = Field(
        "mine", validate_default=True, description="Another."
    )


@pytest.fixture
def holder(fresh):
    convviz.register(Mine)
    convviz.register(Holder)


@pytest.mark.parametrize(
    "given", ["mine", Mine(), {"name": "mine"}, {"name": "mine", "parameters": {"size": 3}}]
)
def test_an_explainer_field_takes_a_name_an_instance_or_what_was_saved(holder, given):
    assert Holder(source=given).source == Mine(size=3)


def test_an_explainer_field_keeps_all_parameters_of_the_inner_one(holder):
    outer = Holder(source=Mine(size=7, pair=(2, 4)))
    saved = json.loads(outer.model_dump_json())
    assert saved["source"] == {
        "name": "mine",
        "distribution": registry.RUNTIME,
        "version": "",
        "parameters": {"size": 7, "pair": [2, 4]},
    }
    assert Holder(**saved) == outer
    assert Holder(**outer.model_dump()) == outer
    assert Holder().source == Mine()


def test_an_explainer_field_refuses_what_is_none(holder):
    with pytest.raises(UnknownNameError, match="closest: 'mine'"):
        Holder(source="mini")
    with pytest.raises(ParameterError, match=r"holder\.source: .*a name"):
        convviz.explainer("holder", source=3)
    with pytest.raises(ParameterError, match=r"holder\.source: mine\.size: 4 is not allowed"):
        convviz.explainer("holder", source={"name": "mine", "parameters": {"size": 4}})
    with pytest.raises(ParameterError, match="a saved explainer has name"):
        convviz.explainer("holder", source={"nom": "mine"})


def test_saved_and_restore_are_inverse(holder):
    outer = Holder(source=Mine(size=5))
    assert restore_explainer(dump_explainer(outer)) == outer
    assert restore_explainer(json.loads(json.dumps(dump_explainer(outer, "json")))) == outer


# Parameters


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"siez": 1}, UnknownNameError, "unknown parameter of mine 'siez'; closest: 'size'"),
        (
            {"size": 0},
            ParameterError,
            r"mine.size: 0 is not allowed: .*; allowed: int > 0 and <= 9",
        ),
        ({"size": 4}, ParameterError, r"mine.size: 4 is not allowed: it must be odd; allowed"),
        ({"pair": "x"}, ParameterError, r"mine.pair: 'x' .*; allowed: int \| int,int"),
        ({"size": 9, "pair": 2}, ParameterError, "mine: size 9 and pair 2 do not go together"),
    ],
)
def test_a_wrong_parameter_names_itself_what_is_allowed_and_what_was_given(
    fresh, params, error, message
):
    convviz.register(Mine)
    with pytest.raises(error, match=message):
        convviz.explainer("mine", **params)


def test_a_missing_parameter_is_named(fresh):
    class Needy(convviz.authoring.Explainer):
        size: int = Field(gt=0, description="How large.")

    convviz.register(Needy)
    with pytest.raises(ParameterError, match=r"needy\.size is required: int > 0"):
        convviz.explainer("needy")
    assert parameters(Needy)[0].default == "(required)"


def test_parameters_are_described_from_their_declaration():
    size, pair = parameters(Mine)
    assert (size.name, size.allowed, size.default) == ("size", "int > 0 and <= 9", "3")
    assert size.description == "How large."
    assert (pair.name, pair.allowed, pair.default) == ("pair", "int | int,int", "1")


# The contract as documented


def test_every_hook_is_specified_documented_and_tested():
    from convviz.plugin import hookspecs

    specified = {name for name in dir(hookspecs) if name.startswith("convviz_")}
    extra = {"convviz_vouches_for_source", "convviz_loads_on_demand"}  # beside a group's hook
    assert specified == set(GROUPS.values()) | extra
    root = Path(__file__).parents[2]
    reference = (root / "docs" / "plugins.md").read_text("utf-8")
    tests = "".join(
        path.read_text("utf-8")
        for path in (root / "tests").rglob("test_*.py")
        if path != Path(__file__)
    )
    own = Path(__file__).read_text("utf-8")
    for group, hook in GROUPS.items():
        assert getattr(hookspecs, hook).__doc__, f"{hook} has no docstring"
        assert f"### `{hook}" in reference, f"{hook} is not in docs/plugins.md"
        assert f"`convviz.{group}`" in reference, f"convviz.{group} is not in docs/plugins.md"
        assert f"def {hook}(" in tests + own, f"no test implements {hook}"


# Laziness


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('loaded:', *sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import convviz",
        "import convviz; assert 'occlusion' in convviz.explainer_names()",
        "from convviz.cli.main import run; assert run(['explainers']) == 0",
        "from convviz.cli.main import run; assert run(['--help']) == 0",
        "from convviz.cli.main import run; assert run(['explain', '--help']) == 0",
    ],
)
def test_listing_imports_neither_torch_nor_a_plugin(code):
    loaded = modules_after(code)
    heavy = {"torch", "numpy", "matplotlib", "PIL", "convviz_plugins"}
    assert not loaded & heavy


def test_help_of_analyze_imports_neither_torch_nor_an_explainer():
    loaded = modules_after(
        "from convviz.cli.main import run; assert run(['analyze', '--help']) == 0"
    )
    assert not loaded & {"torch", "numpy", "matplotlib", "PIL"}
    explainers = {name for name in loaded if name.startswith("convviz_plugins.explainers.")}
    package = "convviz_plugins.explainers.predictions"
    assert explainers == {package, f"{package}.option_texts"}


def test_asking_for_an_explainer_imports_that_plugin_only():
    loaded = modules_after("import convviz; convviz.explainer('saliency')")
    prefix = "convviz_plugins.explainers."
    assert {name for name in loaded if name.startswith(prefix)} == {f"{prefix}saliency"}


def test_every_error_is_a_convviz_error():
    for error in (UnknownNameError, ParameterError, PluginError):
        assert issubclass(error, ConvvizError)
