"""A run is read without convviz, as the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import convviz

DOCS = Path(__file__).parents[1] / "docs" / "analyze.md"


def test_the_example_in_the_docs_reads_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = convviz.analyze("demo-digits", "demo-digits:?limit=30", "neighbors", "run")
    text = DOCS.read_text("utf-8").split("## Reading a run without convviz")[1]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (layer,) = run["neighbors"].keys()
    assert "convviz" not in code
    exec(code.replace("avgpool", layer.replace("/", "%2F")), {})
    first, *_ = run.items
    expected = [run.items[i].id for i in run["neighbors"].only["indices"][0].tolist()]
    assert capsys.readouterr().out.strip() == f"{first.id} → {expected}"
    vectors = np.load("vectors.npy")
    assert vectors.shape == (30, 64)
    far = np.linalg.norm(vectors - vectors[0], axis=1)
    np.testing.assert_allclose(np.sort(far)[1:9], run["neighbors"].only.values[0], rtol=1e-5)
