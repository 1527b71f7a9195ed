"""The command line: what it writes, says and exits with."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from typing import Literal

import pytest
import torch
from PIL import Image
from pydantic import Field

import convviz
import convviz.authoring
from convviz.cli.main import run
from convviz.errors import ConvvizError, ParameterError, UnknownNameError
from convviz.plugin import registry
from convviz.plugin.parameter_values import build_explainers
from convviz.storage.path_names import folder_name
from convviz.testing import tiny_model, tiny_photos


class Inner(convviz.authoring.Explainer):
    """Held by another one."""

    size: int = Field(7, gt=0, description="How large.")


class Fields(convviz.authoring.Explainer):
    """Has a field of every kind (Nobody et al. 2001)."""

    whole: int = Field(1, ge=0, description="A whole number.")
    share: float = Field(0.5, description="A number.")
    flag: bool = Field(False, description="Yes or no.")
    text: str = Field("", description="Words.")
    maybe: str | None = Field("x", description="Words or none.")
    kind: Literal["one", "none", "2"] = Field("one", description="A choice.")
    pair: int | tuple[int, int] = Field(1, description="One or two.")
    names: tuple[str, ...] = Field((), description="Some names.")
    fill: Literal["mean"] | float | tuple[int, int, int] = Field("mean", description="A fill.")
    source: convviz.authoring.ExplainerField = Field(Inner(), description="Another one.")

    def explain(self, model, batch, target, forward):
        if self.whole == 13:
            raise ConvvizError("thirteen is refused")
        if self.whole == 14:
            raise KeyError("oops")
        if self.whole == 16:
            warnings.warn("odd\nphoto", stacklevel=1)
        if self.whole == 15:
            raise KeyboardInterrupt
        heat = batch.images.mean(1) * self.whole
        return convviz.Heatmap(heat.cpu(), unit="mean")


@pytest.fixture
def house_of_two(fresh):
    convviz.register(Inner)
    convviz.register(Fields)


class Tiny:
    """A model plugin."""

    @convviz.authoring.hookimpl
    def convviz_load_model(self, source, options):
        return None if source else tiny_model()

    @convviz.authoring.hookimpl
    def convviz_vouches_for_source(self, source, options):
        return not source


@pytest.fixture
def workplace(house_of_two, tmp_path, monkeypatch):
    """A folder with photos; the model source "tiny"."""
    convviz.register(Tiny(), name="tiny")
    monkeypatch.chdir(tmp_path)
    first, second = tiny_photos(2)
    for path, photo in (("cat.png", first), ("b/cat.jpg", second), ("C/Cat.png", second)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / path)
    (tmp_path / "bad.png").write_bytes(b"no image")
    return tmp_path


def calls(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


# Parameters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("whole=32", 32),
        ("share=2", 2.0),
        ("share=1e-3", 0.001),
        ("share=-inf", float("-inf")),
        ("flag=true", True),
        ("flag=no", False),
        ("flag=1", True),
        ("text=12", "12"),
        ("text=none", "none"),
        ("text=a,b=c", "a,b=c"),
        ("text=", ""),
        ("maybe=none", None),
        ("maybe=Nine", "Nine"),
        ("kind=none", "none"),
        ("kind=2", "2"),
        ("pair=32", 32),
        ("pair=32,16", (32, 16)),
        ("pair=[32, 16]", (32, 16)),
        ("names=layer3,layer4", ("layer3", "layer4")),
        ("names=layer3", ("layer3",)),
        ("names=1,2", ("1", "2")),
        ("names=", ()),
        ("fill=mean", "mean"),
        ("fill=0.5", 0.5),
        ("fill=255,0,12", (255, 0, 12)),
    ],
)
def test_values_are_read_as_their_field_means_them(house_of_two, text, expected):
    (built,) = build_explainers(["fields"], [f"fields.{text}"])
    found = getattr(built, text.partition("=")[0])
    assert found == expected
    assert type(found) is type(expected)


def test_parameters_of_an_explainer_that_a_field_holds(house_of_two):
    (built,) = build_explainers(["fields"], ["fields.source=inner", "fields.source.size=3"])
    assert built.source == Inner(size=3)
    (built,) = build_explainers(["fields"], ["fields.source.size=4", "fields.source=inner"])
    assert built.source == Inner(size=4)
    (built,) = build_explainers(["fields"], ["fields.source.size=5"])
    assert built.source == Inner(size=5)
    deep = ["fields.source=fields", "fields.source.source.size=9", "fields.source.pair=1,2"]
    (built,) = build_explainers(["fields"], deep)
    assert built.source == Fields(source=Inner(size=9), pair=(1, 2))


def test_the_longest_explainer_name_owns_a_parameter(house_of_two):
    convviz.register(Fields, name="fields.source")
    built = build_explainers(["fields", "fields.source"], ["fields.source.whole=3"])
    assert [one.whole for one in built] == [1, 3]


@pytest.mark.parametrize(
    ("assignments", "error", "message"),
    [
        (["fields"], ParameterError, r"'fields' is not of the form NAME\.FIELD=VALUE"),
        (["fields.whole"], ParameterError, "is not of the form"),
        (["whole=3"], ParameterError, "is not of the form"),
        (["inner.size=3"], ParameterError, "'inner' is not among .*; known: 'fields'"),
        (["fields.hole=3"], UnknownNameError, "closest: 'whole'"),
        (["fields.whole=-1"], ParameterError, r"fields\.whole: -1 is not allowed: .* int >= 0"),
        (["fields.whole=true"], ParameterError, r"fields\.whole: "),
        (["fields.pair=1,x"], ParameterError, r"fields\.pair: \(1, 'x'\) is not allowed"),
        (["fields.source=iner"], UnknownNameError, "unknown explainer 'iner'; closest: 'inner'"),
        (["fields.source.sise=3"], UnknownNameError, "closest: 'size'"),
        (["fields.whole.size=3"], ParameterError, "whole holds no explainer"),
        (["fields.whole=3", "fields.whole=4"], ParameterError, "whole is given twice"),
    ],
)
def test_wrong_assignments(house_of_two, assignments, error, message):
    with pytest.raises(error, match=message):
        build_explainers(["fields"], assignments)


def test_an_explainer_can_be_asked_for_once(house_of_two):
    with pytest.raises(ParameterError, match="'inner' is given twice"):
        build_explainers(["inner", "inner"], [])


# explain


def test_explain_writes_a_folder_an_explainer_of_each_image(workplace, capsys):
    code, out, err = calls(
        capsys,
        *("explain", "cat.png", "b/cat.jpg", "C/Cat.png", "-e", "fields", "-e", "activations"),
        *("-p", "fields.whole=3", "-m", "tiny", "--out", "out", "--target", "bee"),
    )
    assert (code, err) == (0, "")
    for folder, image in (("cat", "cat.png"), ("cat-2", "b/cat.jpg"), ("Cat-3", "C/Cat.png")):
        leaf = workplace / "out" / folder / "fields"
        saved = convviz.load(leaf)
        assert saved.items[0].id == image
        assert saved.explainer == Fields(whole=3)
        assert saved.target[0].label == "bee"
        assert list(leaf.glob("*.png"))
        assert convviz.load(workplace / "out" / folder / "activations" / "relu2").layer == "relu2"
        assert f"out/{folder}/fields" in out
    assert (workplace / "out" / "index.html").exists()


def test_several_targets_have_a_folder_each_and_are_compared(workplace, capsys):
    (workplace / "scores.py").write_text("def first(out):\n    return out[:, 0] - out[:, 1]\n")
    targets = ("bee", "ant - bee", "python:scores:first")
    code, out, err = calls(
        capsys,
        *("explain", "cat.png", "-e", "saliency", "-e", "fields", "-e", "activations"),
        *(part for target in targets for part in ("-t", target)),
        *("-m", "tiny", "--out", "out", "--compare"),
    )
    assert code == 0
    assert err == "not compared, because it gives no map: activations\n"
    folder = workplace / "out" / "cat"
    saved = [convviz.load(folder / "saliency" / folder_name(target)) for target in targets]
    assert [e.target[0].label for e in saved] == ["bee", "ant - bee", "scores:first"]
    assert torch.equal(saved[1].values, saved[2].values)
    assert convviz.load(folder / "activations" / "relu2").target == ()
    with (folder / "comparison" / "comparison.csv").open() as file:
        rows = {(r["target"], r["second_target"], r["explainer"]): r for r in csv.DictReader(file)}
    same = rows["ant - bee", "scores:first", "saliency"]
    assert float(same["rank_correlation"]) == pytest.approx(1)
    assert float(same["overlap"]) == 1
    assert "saliency | fields" in out
    assert (folder / "comparison" / "comparison.png").exists()


def test_images_are_compared_in_one_picture(workplace, capsys):
    command = ("explain", "cat.png", "b/cat.jpg", "-e", "saliency", "-m", "tiny", "--compare")
    code, out, _ = calls(capsys, *command, "-e", "fields", "--out", "out")
    assert code == 0
    rows = (workplace / "out" / "comparison" / "comparison.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["image", "cat.png", "b/cat.jpg"]
    assert "comparison → out/comparison" in out
    code, _, err = calls(capsys, "explain", "cat.png", "-e", "saliency", "-m", "tiny", "--compare")
    assert code == 2
    assert "at least two maps" in err


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("python:scores", "python:module:function"),
        ("python:no_such_module:f", "cannot import 'no_such_module'"),
        ("python:math:nope", "unknown target function in math"),
        ("python:math:pi", "is float, not a function"),
        ("bee - wasp", "unknown target 'wasp'"),
    ],
)
def test_a_wrong_target_is_a_mistake_in_the_call(workplace, capsys, target, words):
    command = ("explain", "cat.png", "-e", "saliency", "-m", "tiny", "-t", target)
    code, _, err = calls(capsys, *command)
    assert code == 2
    assert words in err


def test_explain_goes_on_after_a_bad_image_and_says_which(workplace, capsys):
    code, out, err = calls(
        capsys, "explain", "bad.png", "cat.png", "none.png", "-e", "fields", "-m", "tiny"
    )
    assert code == 1
    lines = err.splitlines()
    assert len(lines) == 2
    assert "bad.png" in lines[0]
    assert "none.png" in lines[1]
    assert (workplace / "convviz-out" / "cat" / "fields" / "explanation.json").exists()
    assert "cat.png: " in out


def test_explain_saves_what_other_explainers_found_when_one_fails(workplace, capsys):
    code, _, err = calls(
        capsys,
        *("explain", "cat.png", "-e", "fields", "-e", "filters", "-e", "saliency"),
        *("-p", "fields.whole=13", "-m", "tiny", "--out", "out"),
    )
    assert code == 1
    assert err.strip() == "error: cat.png, fields: thirteen is refused"
    saved = {path.parent.name for path in (workplace / "out").rglob("explanation.json")}
    assert saved == {"conv1", "saliency"}


def test_explain_without_an_image(workplace, capsys):
    assert calls(capsys, "explain", "-e", "filters", "-m", "tiny", "--out", "out")[0] == 0
    assert (workplace / "out" / "tiny%20model" / "filters" / "conv1").is_dir()


def test_verbose_describes_the_results(workplace, capsys):
    _, out, _ = calls(capsys, "explain", "cat.png", "-e", "fields", "-m", "tiny", "-v")
    assert "fields · cat.png" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["explain", "cat.png", "-m", "tiny"], 2, "-e NAME, one of"),
        (["explain", "cat.png", "-e", "fild"], 2, "unknown explainer 'fild'; closest: 'fields'"),
        (["explain", "cat.png", "-e", "fields", "-m", "tinny:"], 2, "closest: 'tiny'"),
        (["explain", "cat.png", "-e", "fields", "-m", "tiny", "-t", "bea"], 2, "'bee'"),
        (["explain", "cat.png", "-e", "fields", "-m", "tiny", "-t", "77"], 2, "classes 0 to 4"),
        (["explain", "cat.png", "-e", "fields", "-m", "tiny", "--dtype", "f"], 2, "float32"),
        (["explain", "cat.png", "-e", "patches", "-m", "tiny"], 1, "analyze"),
        (["explain", "--wrong"], 2, "No such option"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["explainers", "fild"], 2, "closest: 'fields'"),
        (["explainers", "-x", "fild"], 2, "unknown plugin 'fild'; closest: 'fields'"),
        (["layers", "no-such-model"], 2, "no model is called 'no-such-model'"),
        (["analyze", "no-such-folder", "-e", "patches"], 2, "no data set is called"),
        (["analyze", "b", "-e", "patches", "--batch-size", "0"], 2, "batch-size"),
    ],
)
def test_a_mistake_is_one_clear_line(workplace, capsys, arguments, code, message):
    found, _, err = calls(capsys, *arguments)
    assert found == code
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err


def test_a_plugins_fault_exits_with_1_and_debug_shows_the_traceback(workplace, capsys, monkeypatch):
    wrong = ["explain", "cat.png", "-e", "fields", "-m", "tiny", "-p", "fields.whole=14"]
    code, _, err = calls(capsys, *wrong)
    assert code == 1
    assert "KeyError" in err
    assert "Traceback" not in err
    code, _, err = calls(capsys, "explainers", "fild", "--debug")
    assert code == 2
    assert "Traceback" in err


def test_a_warning_is_one_plain_line(workplace, capsys):
    call = ("explain", "cat.png", "-m", "tiny", "-e", "fields", "-p", "fields.whole=16")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert calls(capsys, *call)[::2] == (0, "warning: odd photo\n")
    with pytest.warns(UserWarning, match="odd"):  # Python shows it, with its source
        _, _, err = calls(capsys, *call, "--debug")
    assert err == ""


def test_an_interrupt_exits_with_130(workplace, capsys):
    asked = ["explain", "cat.png", "-e", "fields", "-m", "tiny", "-p", "fields.whole=15"]
    assert calls(capsys, *asked)[0] == 130


def test_ctrl_c_from_outside_exits_with_130(workplace):
    code = (
        "import signal, time\n"
        "from convviz.cli.app import command\n"
        "from convviz.cli.main import main\n"
        # A shell lets what it runs in the background ignore Ctrl-C, and children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "@command\n"
        "def wait() -> None:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "main(['wait'])\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_a_closed_pipe_is_no_error():
    code = "from convviz.cli import main; main(['explainers'])"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


# analyze


def test_analyze_writes_a_run(workplace, capsys):
    photos = workplace / "photos"
    photos.mkdir()
    for index, photo in enumerate(tiny_photos(6)):
        Image.fromarray(photo).save(photos / f"{index}.png")
    (photos / "broken.png").write_bytes(b"no image")
    code, out, err = calls(
        capsys,
        *("analyze", "photos", "-e", "patches", "-m", "tiny", "--out", "run"),
        *("-p", "patches.layers=conv1,conv2", "-p", "patches.k=2", "-p", "patches.guided=no"),
        *("--batch-size", "4"),
    )
    assert code == 0
    assert "left out broken.png" in err
    found = convviz.open_run("run")
    assert list(found["patches"]) == ["conv1", "conv2"]
    assert "6 items" in out
    code, _, err = calls(capsys, "analyze", "photos", "-e", "patches", "-m", "tiny", "--out", "run")
    assert code != 0
    assert "run" in err


def test_the_model_of_a_run_is_taken_where_none_is_asked_for(workplace, capsys):
    (workplace / "photos").mkdir()
    for index, photo in enumerate(tiny_photos(3)):
        Image.fromarray(photo).save(workplace / "photos" / f"{index}.png")
    code, _, err = calls(
        capsys,
        *("analyze", "photos", "-e", "statistics", "-e", "neighbors", "-m", "tiny", "-o", "run"),
        *("-p", "statistics.layers=conv1"),
    )
    assert code == 0, err
    of_run = {
        "activations": ("-p", "activations.layer=conv1", "-p", "activations.statistics=run"),
        "neighbors": ("-p", "neighbors.index=run"),
    }
    for name, parameters in of_run.items():
        code, out, err = calls(capsys, "explain", "cat.png", "-e", name, *parameters)
        assert code == 0, err
        assert f"{name} →" in out
        (line,) = err.splitlines()
        assert line.startswith("model: tiny, from the run 'run' (")
        assert line.endswith("); -m selects another")
    code, _, err = calls(
        capsys, "explain", "cat.png", "-m", "demo", "-e", "neighbors", *of_run["neighbors"]
    )
    assert code == 2
    assert "was computed with other weights (tiny model)" in err
    assert "that of" not in err


# What there is


def test_explainers_lists_names_and_x_leaves_one_out(house_of_two, capsys):
    _, out, _ = calls(capsys, "explainers")
    names = [line.split()[0] for line in out.splitlines()[1:]]
    assert {"fields", "inner", "occlusion", "saliency"} <= set(names)
    _, out, _ = calls(capsys, "explainers", "-x", "saliency", "-x", "fields")
    assert "saliency" not in out
    assert "occlusion" in out
    registry.reset()
    code, _, err = calls(capsys, "-x", "saliency", "explainers", "saliency")
    assert code == 1
    assert "is disabled" in err


def test_an_explainer_shows_its_declaration(house_of_two, capsys):
    code, out, _ = calls(capsys, "explainers", "fields")
    assert code == 0
    assert "Nobody et al. 2001" in out
    for field, allowed, default in (
        ("whole", "int >= 0", "1"),
        ("flag", "true | false", "false"),
        ("maybe", "text | none", "x"),
        ("kind", "one | none | 2", "one"),
        ("pair", "int | int,int", "1"),
        ("names", "text,…", "(empty)"),
        ("fill", "mean | float | int,int,int", "mean"),
        ("source", "explainer", "Inner(size=7)"),
    ):
        assert f"  {field} = {default}    [{allowed}]" in out
    assert "A whole number." in out


def test_a_family_is_shown_by_its_members(house, capsys):
    text = house.good.replace("[Good]", "[Good, Fine]").replace(
        "    @convviz", "    class Fine(convviz.authoring.Explainer):\n        pass\n\n    @convviz"
    )
    house.explainer("fam", text)
    code, out, _ = calls(capsys, "explainers", "fam")
    assert code == 0
    assert "fam.good (explains images; dist-fam 1.0)" in out
    assert "fam.fine (explains images; dist-fam 1.0)" in out


def test_layers_lists_the_models_layers(workplace, capsys):
    _, out, _ = calls(capsys, "layers", "tiny")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "Conv2d" in rows["conv2"]
    assert "12×16×16" in rows["conv2"]
    assert "8×8, every 2" in rows["conv2"]
    assert "876" in rows["conv2"]
    assert "activations" in rows["relu2"]
    _, out, _ = calls(capsys, "layers", "tiny", "--json")
    assert json.loads(out)[0]["shape"] == [8, 32, 32]


def test_plugins_lists_states_and_reasons(house, capsys, monkeypatch):
    house.explainer("good")
    house.explainer("broken", "import no_such_module")
    code, out, _ = calls(capsys, "plugins", "-x", "convviz")
    assert code == 0
    rows = {line.split()[3]: line for line in out.splitlines()[1:]}
    assert "ready" in rows["good"]
    assert "convviz_explainers" in rows["good"]
    assert "broken" in rows["broken"]
    assert "no_such_module" in rows["broken"]
    assert "disabled" in rows["saliency"]
    _, out, _ = calls(capsys, "plugins", "--json")
    (row,) = [row for row in json.loads(out) if row["name"] == "broken"]
    assert row["distribution"] == "dist-broken"
    assert row["version"] == "1.0"
    assert row["group"] == "convviz.explainers"
    assert "no_such_module" in row["reason"]


def test_strict_plugins_still_lists_them_and_exits_with_1(house, capsys, monkeypatch):
    house.explainer("broken", "import no_such_module")
    monkeypatch.setenv("CONVVIZ_STRICT_PLUGINS", "1")
    monkeypatch.setenv("CONVVIZ_DISABLE_PLUGINS", "convviz")
    code, out, err = calls(capsys, "plugins")
    assert code == 1
    assert "no_such_module" in out
    assert "CONVVIZ_STRICT_PLUGINS" in err
    registry.reset()
    assert calls(capsys, "explainers")[0] == 1
    registry.reset()
    assert calls(capsys, "--help")[0] == 0


def test_plugins_check_prints_a_line_a_check(house_of_two, capsys):
    code, out, _ = calls(capsys, "plugins", "check", "fields", "-p", "fields.whole=2")
    assert code == 0
    assert out.count("  pass  ") == 12
    code, out, _ = calls(capsys, "plugins", "check", "fields", "-p", "fields.whole=13")
    assert code == 1
    assert "  FAIL  runs: ConvvizError: thirteen is refused" in out


def test_info_tells_versions_devices_and_operators(capsys):
    code, out, _ = calls(capsys, "info", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["versions"]["torch"].startswith("2.")
    assert "threads" in found["devices"]["cpu"]
    assert "cpu: " in found["operators"]["guided_relu"]
    assert calls(capsys, "info")[1].splitlines()[0] == "convviz"


def test_info_says_when_a_folder_shadows_the_installed_package(tmp_path):
    installed = tmp_path / "site"
    (installed / "convviz").mkdir(parents=True)
    (installed / "convviz" / "__init__.py").write_text("")
    (installed / "convviz-9.dist-info").mkdir()
    (installed / "convviz-9.dist-info" / "METADATA").write_text("Name: convviz\nVersion: 9\n")
    code = (
        "import sys; from convviz.cli.version_info import installed_elsewhere\n"
        f"sys.path.insert(0, {str(installed)!r}); print(installed_elsewhere())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(installed / "convviz")


def test_version(capsys):
    from importlib.metadata import version

    assert calls(capsys, "--version")[:2] == (0, f"convviz {version('convviz')}\n")


# Commands of plugins

COMMAND = """
    'Says hello.'
    import convviz

    @convviz.authoring.hookimpl
    def convviz_commands(cli):
        @cli.command()
        def greet(name: str = "you"):
            '''Greet somebody.'''
            print("hello", name)
"""


@pytest.fixture
def greeter(house):
    house.add("dist-greet", "[convviz.commands]\ngreet = greeter\n", {"greeter": COMMAND})
    return house


def test_a_plugins_command_is_listed_without_importing_it(greeter, capsys):
    code, out, _ = calls(capsys, "--help")
    assert code == 0
    assert "greet" in out
    assert "Says hello. (from dist-greet 1.0)" in " ".join(out.split())
    assert re.search(r"demo +Run explainers offline", out)
    assert "(from convviz" not in out  # the origin is given for plugins of others
    assert "greeter" not in sys.modules


def test_a_plugins_command_runs(greeter, capsys):
    assert calls(capsys, "greet", "--name", "us") == (0, "hello us\n", "")
    assert "Greet somebody." in calls(capsys, "greet", "--help")[1]


DEFAULT = """
    import convviz

    @convviz.authoring.hookimpl
    def convviz_analyze_options():
        return {"limit": ("N", "Most spots.")}
"""


def test_help_shows_default_explainers_without_importing_them(house, capsys):
    points = "[convviz.explainers]\nspots = spots\n[convviz.default_explainers]\nspots = switches\n"
    house.add("dist-spots", points, {"spots": "import no_such_module", "switches": DEFAULT})
    wrong = DEFAULT.replace('("N", "Most spots.")', "3")
    house.add("dist-wrong", "[convviz.default_explainers]\nwrong = wrong\n", {"wrong": wrong})
    code, out, _ = calls(capsys, "analyze", "--help")
    text = " ".join(out.split())
    assert code == 0
    for expected in (
        "--spots / --no-spots",
        "--limit N Most spots.",
        "--no-wrong",
        "--classes FILE",
    ):
        assert expected in text
    assert "spots" not in sys.modules
    assert "not (placeholder, description)" in calls(capsys, "plugins")[1]


def test_a_broken_command_does_not_spoil_the_others(house, capsys):
    modules = {"bad1": "import no_such_module", "bad2": COMMAND.replace("greet", "other")}
    house.add("dist-bad", "[convviz.commands]\none = bad1\ntwo = bad2\n", modules)
    assert calls(capsys, "--help")[0] == 0
    code, _, err = calls(capsys, "one")
    assert code == 1
    assert "no_such_module" in err
    code, _, err = calls(capsys, "two")
    assert code == 1
    assert "it adds no command 'two' (it adds: other)" in err
