"""The example of a whole data set runs from IDX files to the page, and goes on where it was."""

from __future__ import annotations

import gzip
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest

import convviz

SCRIPT = Path(__file__).parents[2] / "examples" / "fashion_mnist.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("fashion_mnist_example", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_idx(path, values, packed):
    content = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape)
    content += values.tobytes()
    path = path.with_name(path.name + ".gz") if packed else path
    path.write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture
def data(tmp_path, example):
    """Write images of two classes: bright above, and bright below."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    for which, (images, labels) in example.FILES.items():
        y = rng.integers(0, 2, 40).astype(np.uint8)
        x = rng.integers(0, 90, (40, 28, 28)).astype(np.uint8)
        for image, label in zip(x, y, strict=True):
            image[14 * label : 14 * label + 14] += 120
        write_idx(folder / images, x, packed=which == "train")
        write_idx(folder / labels, y, packed=which == "train")
    return folder


def test_from_files_to_figures_and_page(tmp_path, data, example, monkeypatch, capsys):
    monkeypatch.setattr(example, "explainers", lambda: ["neighbors", "embedding"])
    given = [str(data), "--out", str(tmp_path / "out"), "--classes", "upper,lower", "--epochs", "3"]
    example.main(given)
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    assert measures["images"] == 40
    assert measures["precision@8"] > 0.9
    assert {"test accuracy", "trustworthiness", "5-NN accuracy of features"} <= set(measures)
    assert (tmp_path / "out" / "run" / "index.html").exists()
    assert convviz.open_run(tmp_path / "out" / "run")["embedding"].result.classes == (
        "lower",
        "upper",
    )
    monkeypatch.setattr(example, "train", None)  # the network is kept
    example.main(given)
    assert json.loads((tmp_path / "out" / "measures.json").read_text()) == measures
    assert "index.html" in capsys.readouterr().out


def test_all_explainers_have_their_layers(example):
    model = convviz.Model(example.SmallResNet(10).eval(), preprocess=example.PREPROCESS)
    for explainer in example.explainers():
        assert explainer.resolve_layers(model)


def test_missing_files_are_named(tmp_path, example):
    with pytest.raises(SystemExit, match="images-idx3-ubyte"):
        example.main([str(tmp_path), "--out", str(tmp_path / "out")])
