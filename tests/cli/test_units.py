"""`convviz units` prints the ranking of `Run.units`."""

from __future__ import annotations

import json

import pytest

import convviz
from convviz.cli.main import run as convviz_cli


@pytest.fixture
def units(run_folder, capsys):
    """Call `convviz units RUN -l 1`, and return its exit code, its output and its errors."""

    def call(*arguments):
        code = convviz_cli(["units", str(run_folder), "-l", "1", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_the_table_is_that_of_python(units, run_folder):
    code, out, _ = units("-c", "c0")
    ranking = convviz.open_run(run_folder).units("1", "c0")
    assert code == 0
    assert out == f"{ranking}\n"


def test_some_units_as_json(units, run_folder):
    code, out, _ = units("-c", "c0", "-c", "c1", "-e", "statistics", "--top", "2", "--json")
    ranking = convviz.open_run(run_folder).units("1", ["c0", "c1"], "statistics")
    assert code == 0
    assert [row["unit"] for row in json.loads(out)] == [unit.unit for unit in ranking[:2]]


def test_a_limit_says_how_many_are_left_out(units, run_folder):
    count = len(convviz.open_run(run_folder).units("1", "c0"))
    _, out, _ = units("-c", "c0", "--top", "1")
    assert f"… {count - 1} more" in out


@pytest.mark.parametrize(
    ("arguments", "message"), [(["-c", "dog"], "dog"), (["-c", "c0", "-e", "occlusion"], "patches")]
)
def test_unknown_names_are_errors_that_list_the_known_ones(units, arguments, message):
    code, out, err = units(*arguments)
    assert code == 2
    assert out == ""
    assert message in err
