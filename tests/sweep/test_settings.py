"""The options of `analyze`: one declaration for Python, the command line, the plan and the docs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import convviz
from convviz import ParameterError, UnknownNameError
from convviz.cli import analyze as command_module
from convviz.plugin.parameters import Parameter, parameters
from convviz.sweep.settings import SweepSettings, make_settings

DOCS = Path(__file__).parents[2] / "docs" / "analyze.md"
FIELDS = SweepSettings.model_fields


def test_the_python_signature_has_every_setting_with_its_default() -> None:
    signature = inspect.signature(convviz.analyze)
    options = {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert options == {name: field.default for name, field in FIELDS.items()}
    assert list(signature.parameters)[:4] == ["model", "dataset", "what", "out"]
    assert signature.parameters["params"].kind is inspect.Parameter.VAR_KEYWORD


def test_the_docstring_describes_every_setting() -> None:
    text = " ".join((convviz.analyze.__doc__ or "").split())
    assert "{settings}" not in text
    for name, field in FIELDS.items():
        assert f" {name}: {field.description}" in text


def test_the_command_line_has_every_setting_with_its_default() -> None:
    options = {option.name: option for option in command_module.command().params}
    for name, field in FIELDS.items():
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].help == field.description
        assert options[name].default == field.default
    assert options["decode"].metavar == "exact|scaled|gpu"


def row(setting: Parameter) -> str:
    values = ", ".join(value for value in setting.allowed.split(" | ") if value != "none")
    option = f"--{setting.name.replace('_', '-')}"
    cells = (f"`{setting.name}`", f"`{option}`", values, setting.default, setting.description)
    return f"| {' | '.join(cells)} |\n"


def test_the_documentation_has_the_table_of_the_settings() -> None:
    table = "".join(map(row, parameters(SweepSettings)))
    assert table in DOCS.read_text(encoding="utf-8"), f"docs/analyze.md needs these rows:\n{table}"


@pytest.mark.parametrize("name", ["batch_size", "shard_size", "threads"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "4", True])
def test_sizes_are_positive_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=rf"analyze\.{name}: {value!r}"):
        make_settings({name: value})


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "5"])
def test_a_timeout_is_a_positive_number(value: object) -> None:
    with pytest.raises(ParameterError, match=r"analyze\.timeout"):
        make_settings({"timeout": value})


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [("engine", "rya", "ray"), ("decode", "scald", "scaled"), ("precision", "bf61", "bf16")],
)
def test_an_unknown_choice_names_a_close_one(name: str, value: str, known: str) -> None:
    with pytest.raises(UnknownNameError, match=f"{name} '{value}'.*'{known}'"):
        make_settings({name: value})


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"timeout=3\.0.*workers"):
        make_settings({"timeout": 3.0, "workers": 0})
    with pytest.raises(ParameterError, match=r"address='auto'.*engine='ray'"):
        make_settings({"address": "auto"})
    assert make_settings({"address": "auto", "engine": "ray"}).address == "auto"


def test_a_plan_fills_in_sizes_and_threads() -> None:
    settings = make_settings({"batch_size": 3})
    filled = settings.fill_from({"batch_size": 2, "shard_size": 7, "threads": 5, "decode": "gpu"})
    assert (filled.batch_size, filled.shard_size, filled.threads) == (3, 7, 5)
    assert filled.decode == "exact"
    assert list(filled.plan_record()) == list(SweepSettings.PLAN_FIELDS)


def test_help_needs_neither_torch_nor_pydantic() -> None:
    program = (
        "import sys\nfrom convviz.cli.main import run\ncode = run(['--help'])\n"
        "print(code, [m for m in ('torch', 'pydantic', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "analyze" in done.stdout


def test_the_help_of_the_command_lists_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    from convviz.cli.main import run

    assert run(["analyze", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "resumes a sweep" in shown
    assert all(f"--{name.replace('_', '-')}" in shown for name in FIELDS)
    assert isinstance(command_module.command(), typer.core.TyperCommand)
