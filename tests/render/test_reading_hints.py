"""A run is read without convviz, as the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from helpers.pictures import checksums_instead_of_pictures

import convviz

DOCS = Path(__file__).parents[2] / "docs" / "analyze.md"


@checksums_instead_of_pictures()
def test_the_example_in_the_docs_reads_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = convviz.analyze("demo-digits", "demo-digits:?limit=30", "neighbors", "run")
    text = DOCS.read_text("utf-8").split("## Reading a run without convviz")[1]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (layer,) = run["neighbors"].keys()
    assert "convviz" not in code
    scope: dict[str, object] = {}
    exec(code.replace("avgpool", layer.replace("/", "%2F")), scope)
    first, *_ = run.items
    found = run["neighbors"].only
    expected = [run.items[i].id for i in found["indices"][0].tolist()]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{first.id} → {expected}", str([first.id, *expected])]
    assert scope["vectors"].shape == (30, 64)
    far = np.linalg.norm(scope["vectors"] - scope["vectors"][0], axis=1)
    np.testing.assert_allclose(np.sort(far)[1:9], found.values[0], rtol=1e-5)
    assert np.array_equal(found.result.files["vectors.npy"], scope["vectors"])
    assert found.equals(convviz.load(f"run/results/neighbors/{layer.replace('/', '%2F')}"))
