"""A run that several tests of the command line read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz


@pytest.fixture(scope="session")
def network():
    """A small model, which no run can load again."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(5, 2),
    )  # fmt: skip
    flat = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    return convviz.Model(net, preprocess=flat, name="tiny")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, network):
    """A run over files, with all data-set explainers."""
    home = tmp_path_factory.mktemp("show")
    rng = np.random.default_rng(0)
    for i in range(8):
        (home / "photos" / f"c{i % 2}").mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / "photos" / f"c{i % 2}" / f"{i}.png")
    what = [
        convviz.explainer("patches", layers=("1",), k=4, draw=2),
        convviz.explainer("neighbors", k=2),
        convviz.explainer("embedding", method="pca"),
        convviz.explainer("statistics", layers=("1",)),
    ]
    convviz.analyze(network, home / "photos", what, home / "run", pictures=True)
    return home / "run"
