"""Fixtures for all tests: fabricated distributions with plugins in them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from textwrap import dedent

# Each worker process of pytest-xdist computes with its share of the cores; PyTorch reads this
# variable when it is imported, here and in the programs that tests start.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

if os.environ.get("CONVVIZ_WITHOUT_KERNELS"):  # as where nothing could be compiled
    sys.modules["convviz._C"] = sys.modules["convviz._cuda"] = None  # type: ignore[assignment]

import pytest
import torch
from helpers.pictures import checksums_instead_of_pictures

from convviz.plugin import registry


def pytest_configure() -> None:
    """Undo what a shell does to commands in its background: they, and theirs, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_flush_to_disk():
    """An os.fsync that does nothing: flushing matters after a power cut only, and takes minutes.

    tests/sweep/test_store.py kills other processes at every fsync, which are not affected.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(
    scope="session",
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
            ],
        ),
    ],
)
def device(request: pytest.FixtureRequest) -> str:
    """Every device that operators run on."""
    return str(request.param)


GOOD = """
    import convviz

    class Good(convviz.authoring.Explainer):
        '''Explains well.'''

    @convviz.authoring.hookimpl
    def convviz_explainers():
        return [Good]
"""


class House:
    """A folder of fabricated distributions: a `.dist-info` and modules each, nothing to build."""

    good = GOOD

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        distribution: str,
        entry_points: str,
        modules: dict[str, str] | None = None,
        metadata: str | None = None,
    ) -> None:
        """Add a distribution; `entry_points` is the text of its entry_points.txt."""
        info = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(dedent(entry_points))
        for name, text in (modules or {}).items():
            (self.folder / f"{name}.py").write_text(dedent(text))

    def explainer(self, name: str, text: str = GOOD, distribution: str = "") -> None:
        """Add a distribution with one explainer entry, in a module of its own."""
        distribution = distribution or f"dist-{name}"
        module = "house_" + distribution.replace("-", "_").replace(".", "_")
        self.add(distribution, f"[convviz.explainers]\n{name} = {module}\n", {module: text})

    def forget(self) -> None:
        """Take the modules out of Python's memory."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.folder)):
                del sys.modules[name]


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An empty House on Python's path, and a registry that has not looked for plugins yet."""
    house = House(tmp_path / "site")
    monkeypatch.syspath_prepend(str(house.folder))
    registry.reset()
    yield house
    house.forget()
    registry.reset()


@pytest.fixture
def rewrite():
    """Change a sealed JSON file as one would who knows how its checksum is made."""

    def change(path, edit):
        document = json.loads(path.read_text("utf-8"))
        edit(document)
        document.pop("sha256", None)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(document), "utf-8")
        return document

    return change


@pytest.fixture
def fresh():
    """A registry of this test's own."""
    registry.reset()
    yield
    registry.reset()


@pytest.fixture(scope="module")
def quick_pictures():
    """Write checksums of the data instead of pictures, which are tested in tests/render."""
    with checksums_instead_of_pictures():
        yield
