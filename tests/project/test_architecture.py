"""The layout of the code is the one that the documentation describes, and stays readable."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*.md")])

MAX_TOP_LEVEL_ENTRIES = 33
MAX_LINES = 400

SOURCE_FOLDERS = (
    ".ci", "benchmarks", "convviz", "csrc", "docs", "examples", "plugins", "tests", "tools",
)  # fmt: skip
SOURCE_SUFFIXES = (".cpp", ".cu", ".cuh", ".h", ".md", ".py", ".toml")

USER_PATHS = {"photos/", ".convviz-sweep/", "convviz_greyness.py", "your_module.py"}
"""Files and folders in the documentation that are a user's, not the project's."""

CODE_SPAN = re.compile(r"`([^`\n]+)`")
TABLE_ROW_OF_FOLDER = re.compile(r"^\| `([\w/-]+/)` \|(.*)$", re.MULTILINE)
SOURCE_PATH = re.compile(
    rf"(?<![\w./-])(?:{'|'.join(map(re.escape, SOURCE_FOLDERS))})/[\w./-]*[\w/](?![\w/<*-])"
)
"""Paths with a placeholder, such as `tests/explainers/test_<name>.py`, do not match."""

LAYERS_DIAGRAM = re.compile(r"^```text layers\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


# The diagram of layers


def layers_of_contract() -> list[set[str]]:
    """Return the layers of the core that import-linter enforces, highest first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (contract,) = [c for c in contracts if c.get("containers") == ["convviz"]]
    return [{name.strip() for name in layer.split(":")} for layer in contract["layers"]]


def layers_of_diagram() -> list[set[str]]:
    """Return the layers drawn in docs/architecture.md, highest first.

    The last column of a line holds a layer's packages, separated by colons. Columns are separated
    by two spaces or more.
    """
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (diagram,) = LAYERS_DIAGRAM.findall(text)
    columns = [re.split(r" {2,}", line)[-1] for line in diagram.splitlines() if line.strip()]
    return [{name.strip() for name in column.split(":")} for column in columns]


def test_diagram_shows_the_enforced_layers():
    assert layers_of_diagram() == layers_of_contract()


# Paths in the documentation


def is_source_path(span: str) -> bool:
    """Return whether a code span names a source file or a folder, perhaps without its parents."""
    return (
        re.fullmatch(r"[\w./-]+", span) is not None
        and span.endswith((*SOURCE_SUFFIXES, "/"))
        and span not in USER_PATHS
    )


def named_paths(text: str) -> set[str]:
    """Return the paths of source files and folders that a page names.

    These are paths that start with a source folder, anywhere in the page, and code spans with a
    file (`rules.py`) or folder. In the table row of a folder, files are relative to that folder.
    """
    spans = filter(is_source_path, CODE_SPAN.findall(text))
    in_rows = {
        folder + span
        for folder, cells in TABLE_ROW_OF_FOLDER.findall(text)
        for span in filter(is_source_path, CODE_SPAN.findall(cells))
        if "/" not in span
    }
    return {*spans, *in_rows, *SOURCE_PATH.findall(text)}


@pytest.fixture(scope="module")
def existing_paths() -> list[str]:
    """Return all paths of the sources, each between slashes: "/convviz/cli/main.py/"."""
    folders = [ROOT / name for name in SOURCE_FOLDERS]
    inside = [path for folder in folders for path in folder.rglob("*")]
    return [f"/{p.relative_to(ROOT).as_posix()}/" for p in [*ROOT.iterdir(), *inside]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_the_documentation_exist(page, existing_paths):
    names = named_paths(page.read_text("utf-8"))
    ends = {name: f"/{name.strip('/')}/" for name in names}
    missing = {n for n, end in ends.items() if not any(p.endswith(end) for p in existing_paths)}
    assert not missing


# Sizes


def test_top_level_of_the_core_is_short():
    entries = [
        path for path in (ROOT / "convviz").iterdir() if path.is_dir() or path.suffix == ".py"
    ]
    names = {path.name for path in entries} - {"__pycache__", "__init__.py"}
    assert len(names) <= MAX_TOP_LEVEL_ENTRIES


@pytest.mark.parametrize("folder", ["convviz", "plugins"])
def test_files_are_short(folder):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in python_files(folder)
    }
    assert not {path: length for path, length in lengths.items() if length > MAX_LINES}


# Import cycles


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, wherever the import stands.

    Imports in functions and under `if TYPE_CHECKING` count: they hide a cycle.
    """
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*parents, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """Return the modules that a file imports, or imports names from."""
    names = set(imported_names(path))
    packages = {name.rpartition(".")[0] for name in names - modules}
    return (names | packages) & modules


def test_core_has_no_import_cycle():
    paths = {module_name(path): path for path in python_files("convviz")}
    imports = {name: imported_modules(path, set(paths)) for name, path in paths.items()}
    assert sum(map(len, imports.values())) > len(imports)  # the imports were found
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
