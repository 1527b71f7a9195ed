"""A small ConvNet trained on the digits of scikit-learn, included in convviz: "demo-digits"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convviz import Model, Preprocess
from convviz.authoring import hookimpl

from . import _checkpoint, _options

WEIGHTS = Path(__file__).with_name("demo_digits.safetensors")

PREPROCESS = {
    "resize": 32,
    "crop": 32,
    "interpolation": "bicubic",
    "mean": (0.3,),
    "std": (0.35,),
    "channels": 1,
}

DIGITS = 1797
TEST = 360


class DigitNet(nn.Module):
    """Four convolutions, the first with 7 x 7 kernels, which are large enough to be interpreted."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = _stage(1, 16, 7)
        self.stage2 = _stage(16, 32, 3)
        self.stage3 = _stage(32, 64, 3)
        self.stage4 = _stage(64, 64, 3, shrink=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(64, 10)

    @property
    def first_kernels(self) -> nn.Parameter:
        """The weights of the first convolution, `[16, 1, 7, 7]`."""
        weight: nn.Parameter = self.stage1.get_submodule("conv").weight
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the ten digits, `[N, 10]`, for images `[N, 1, 32, 32]`."""
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        scores: Tensor = self.classify(self.pool(x).flatten(1))
        return scores


def _stage(channels: int, out: int, kernel: int, shrink: bool = True) -> nn.Sequential:
    layers = nn.Sequential()
    layers.add_module("conv", nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False))
    layers.add_module("norm", nn.BatchNorm2d(out))
    layers.add_module("relu", nn.ReLU())
    if shrink:
        layers.add_module("shrink", nn.MaxPool2d(2))
    return layers


def split() -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training digits and of the test digits."""
    order = np.random.default_rng(0).permutation(DIGITS)
    return np.sort(order[TEST:]), np.sort(order[:TEST])


@hookimpl
def convviz_load_model(source: str, options: Mapping[str, Any]) -> Model | None:
    """Load the network trained by `train_demo_digits.py`."""
    if source:
        return None
    _options.check(options)
    with torch.random.fork_rng(devices=[]):
        module = DigitNet()
    _checkpoint.load_into(module, _checkpoint.read(WEIGHTS), "demo-digits")
    return _options.make_model(
        module,
        options,
        name="demo-digits",
        preprocess=Preprocess.from_dict(PREPROCESS),
        labels=[str(digit) for digit in range(10)],
        classes=10,
    )


@hookimpl
def convviz_vouches_for_source(source: str, options: Mapping[str, Any]) -> bool:
    """Return True for the weights of this plugin."""
    return not source and _options.are_harmless(options)


def metadata() -> dict[str, Any]:
    """Return the training settings and accuracies of the included weights."""
    from safetensors import safe_open

    with safe_open(WEIGHTS, "pt") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["convviz"])
    return facts
