"""The documentation: its links work, and its commands and code run."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import pytest
from helpers.pictures import checksums_instead_of_pictures

import convviz
from convviz.cli.main import run
from convviz.plugin import registry
from convviz.testing import check_explainer, check_metric, tiny_photos

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/**/*.md")])
CODE_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")

PUBLIC_MODULES = {"convviz.authoring", "convviz.testing"}
"""Modules that plugins may import, apart from `convviz` itself."""


def code_blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return [code for block_language, code in CODE_BLOCK.findall(text) if block_language == language]


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# Links and completeness


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_work(page):
    text = CODE_BLOCK.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), link


def test_every_explainer_has_its_section_and_picture():
    text = (ROOT / "docs" / "explainers.md").read_text("utf-8")
    entries = registry.current().entries("explainers")
    for name in (entry.name for entry in entries if entry.distribution == "convviz"):
        section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
        assert f"pictures/{name}.png" in section


def test_every_dependency_is_documented():
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8").casefold()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[\[<>=]", requirement)[0].casefold() for requirement in requirements}
    assert not {name for name in names - {"convviz"} if name not in text}


# Code and commands of the README


@pytest.fixture
def folder_with_photo(tmp_path, monkeypatch):
    """A current folder with the photo `cat.jpg`, which the README uses."""
    from importlib.resources import files

    photo = files("skimage") / "data" / "chelsea.png"
    (tmp_path / "cat.jpg").write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    return tmp_path


@pytest.mark.parametrize("number", range(len(code_blocks("README.md", "python"))))
def test_python_of_the_readme_runs(number, folder_with_photo):
    code = code_blocks("README.md", "python")[number]
    # The same calls, on fewer digits and positions, and a run without pictures.
    code = code.replace('"demo-digits", [', '"demo-digits:?limit=40", [')
    code = code.replace('"occlusion", target=', '"occlusion", stride=64, target=')
    assert ("occlusion" in code) == ("stride=64" in code)
    drawing = checksums_instead_of_pictures() if 'out="run"' in code else nullcontext()
    names = {"__name__": "readme"}
    with warnings.catch_warnings(), drawing:
        warnings.simplefilter("error")
        exec(compile(code, f"README.md block {number}", "exec"), names)
    if "convviz.register" in code:
        try:
            explanation = convviz.explain(convviz.load_model("demo"), "cat.jpg", "input_gradient")
            assert tuple(explanation.values.shape) == (1, 224, 224)
        finally:
            registry.reset()
    if 'out="run"' in code:
        assert names["run"]["neighbors"].values.shape == (40, 8)


def test_commands_of_the_readme_exist(capsys):
    """Every subcommand and option in the README is listed by `--help`."""
    lines = [line for block in code_blocks("README.md", "sh") for line in block.splitlines()]
    calls = [shlex.split(line, comments=True) for line in lines]
    calls = [call[call.index("convviz") :] for call in calls if "convviz" in call]
    assert len(calls) >= 8
    for _, command, *arguments in calls:
        words = [command, *arguments[:1]] if command == "bench" else [command]
        assert run([*words, "--help"]) == 0
        help_text = capsys.readouterr().out
        for option in (argument for argument in arguments if argument.startswith("-")):
            assert option in help_text, (command, option)


# Plugins


def explainers_of_the_plugin_page() -> list[str]:
    """Return the code blocks of docs/plugins.md that are complete plugins with explainers."""
    blocks = code_blocks("docs/plugins.md", "python")
    return [code for code in blocks if "Explainer):" in code and "convviz_explainers" in code]


@pytest.mark.parametrize("code", explainers_of_the_plugin_page(), ids=lambda code: "explainer")
def test_explainers_of_the_plugin_page_keep_the_contract(code):
    names = {"__name__": "plugin_page"}
    exec(compile(code, "docs/plugins.md", "exec"), names)
    (explainer,) = names["convviz_explainers"]()
    try:
        convviz.register(explainer)
        photos = tiny_photos(12) if hasattr(explainer, "reduce") else None
        with checksums_instead_of_pictures():
            check_explainer(explainer, photos=photos)
    finally:
        registry.reset()


def test_the_metric_of_the_benchmark_page_keeps_the_contract():
    (code,) = [code for code in code_blocks("docs/benchmarks.md", "python") if "Metric" in code]
    names = {"__name__": "benchmark_page"}
    exec(compile(code, "docs/benchmarks.md", "exec"), names)
    (metric,) = names["convviz_metrics"]()
    try:
        convviz.register(metric)
        check_metric(metric)
    finally:
        registry.reset()


def imports_of_plugins() -> Iterator[tuple[str, str, list[str]]]:
    """Yield place, module and names of every absolute import below `plugins/`."""
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            place = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from ((place, alias.name, []) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield place, node.module or "", [alias.name for alias in node.names]


def test_plugins_import_only_public_names():
    for place, module, names in imports_of_plugins():
        if module.startswith("convviz."):
            assert module in PUBLIC_MODULES, f"{place} imports {module}"
        if module == "convviz":
            private = set(names) - set(convviz.__all__)
            assert not private, f"{place} imports {private}"
