"""The documentation: its links lead somewhere, and what the README shows runs."""

from __future__ import annotations

import re
import shlex
import warnings
from itertools import chain
from pathlib import Path

import pytest

import convviz
from convviz.cli.main import run
from convviz.plugin import registry

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def blocks(language):
    text = (ROOT / "README.md").read_text("utf-8")
    return [code for found, code in BLOCK.findall(text) if found == language]


def anchor(heading):
    """Name a heading as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, jump = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if jump:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert jump in map(anchor, headings), link


def test_every_explainer_has_its_section_and_picture():
    text = (ROOT / "docs" / "explainers.md").read_text("utf-8")
    entries = registry.current().entries("explainers")
    for name in (entry.name for entry in entries if entry.distribution == "convviz"):
        section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
        assert f"pictures/{name}.png" in section


def test_every_dependency_is_accounted_for():
    import tomllib

    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8").casefold()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + list(chain(*project["optional-dependencies"].values()))
    names = {re.split(r"[\[<>=]", line)[0].casefold() for line in wanted} - {"convviz"}
    assert not {name for name in names if name not in text}


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A folder with a photo in it, as the README takes for granted."""
    from importlib.resources import files

    photo = files("skimage") / "data" / "chelsea.png"
    (tmp_path / "cat.jpg").write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    return tmp_path


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_of_the_readme_runs(number, workshop):
    code = blocks("python")[number]
    # The same calls, on fewer digits and positions.
    code = code.replace('"demo-digits", [', '"demo-digits:?limit=100", [')
    code = code.replace("stride=16", "stride=64")
    names = {"__name__": "readme"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(code, f"README.md block {number}", "exec"), names)
    if "convviz.register" in code:
        try:
            found = convviz.explain(convviz.load_model("demo"), "cat.jpg", "input_gradient")
            assert tuple(found.values.shape) == (1, 224, 224)
        finally:
            registry.reset()
    if 'out="run"' in code:
        assert names["run"]["neighbors"].values.shape == (100, 8)


def test_commands_of_the_readme_exist(capsys):
    """Every subcommand and option in the README is one that its help lists."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    calls = [shlex.split(line, comments=True) for line in lines]
    calls = [c[c.index("convviz") :] for c in calls if "convviz" in c]
    assert len(calls) >= 8
    for _, command, *rest in calls:
        assert run([command, "--help"]) == 0
        shown = capsys.readouterr().out
        for option in (word for word in rest if word.startswith("-")):
            assert option in shown, (command, option)


def test_plugins_use_what_everyone_can_use():
    """Built-in plugins import `convviz` and nothing below it but what is public."""
    import ast

    public = {"convviz.authoring", "convviz.testing"}
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                for name in node.names:
                    inner = name.name.startswith("convviz.") and name.name not in public
                    assert not inner, f"{path}:{node.lineno} imports {name.name}"
            if isinstance(node, ast.ImportFrom) and not node.level:
                module = node.module or ""
                inner = module.startswith("convviz.") and module not in public
                assert not inner, f"{path}:{node.lineno} imports from {module}"
                if module == "convviz":
                    hidden = [n.name for n in node.names if n.name not in convviz.__all__]
                    assert not hidden, f"{path}:{node.lineno} imports {hidden}"
