"""The pages of public names are in step with the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def make_api():
    spec = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["api.md", "authoring.md"])
def test_pages_of_public_names_are_generated_from_the_code(name):
    text = (DOCS / name).read_text("utf-8")
    assert text == make_api().page(name), "run python docs/make_api.py"


def test_every_public_name_has_a_purpose():
    module = make_api()
    for name in module.PAGES:
        assert "|  |" not in module.page(name)
