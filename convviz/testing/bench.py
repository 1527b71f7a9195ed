"""What the kit works on: a small network, small photos, and the ways to run an explainer."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..api import analyze, explain
from ..data.dataset import ArrayDataset, array_dataset
from ..explanation.explanation import Explanation
from ..images.affine import Affine
from ..images.batch import Batch
from ..images.preprocess import Preprocess
from ..network.inputs import make_batch
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer, Explainer, Partial
from ..plugin.registry import identify
from ..results.types import Result
from ..scores.outputs import Forward
from ..scores.targets import Target

CLASSES = ("ant", "bee", "cat", "dog", "eel")


def tiny_model(dtype: torch.dtype = torch.float64) -> Model:
    """Return a small convolutional network with random weights, always the same.

    Two convs (one with a batch norm), ReLU, max pooling, average pooling, a linear layer; it
    takes photos, resized and cropped to 32 x 32, and knows five classes. In float64, so that
    what should be equal is equal to the last digits.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential()
        module.add_module("conv1", nn.Conv2d(3, 8, 3, padding=1))
        module.add_module("bn1", nn.BatchNorm2d(8))
        module.add_module("relu1", nn.ReLU())
        module.add_module("pool1", nn.MaxPool2d(2))
        module.add_module("conv2", nn.Conv2d(8, 12, 3, padding=1))
        module.add_module("relu2", nn.ReLU())
        module.add_module("pool2", nn.AdaptiveAvgPool2d(1))
        module.add_module("flatten", nn.Flatten())
        module.add_module("fc", nn.Linear(12, len(CLASSES)))
    preprocess = Preprocess(resize=32, crop=32, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Model(
        module.eval(), preprocess=preprocess, labels=CLASSES, dtype=dtype, name="tiny model"
    )


def tiny_photos(count: int, height: int = 36, width: int = 44) -> np.ndarray:
    """Return photos of smooth coloured blobs, always the same, uint8 `[count, h, w, 3]`."""
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    size = (width, height)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in coarse]
    )


@dataclass(frozen=True, eq=False)
class Bench:
    """One explainer, and what it is tried on.

    Attributes:
        explainer: the explainer.
        model: the model.
        photos: uint8 `[n, h, w, 3]`; two for an Explainer, a data set for the other kind.
    """

    explainer: Explainer | DatasetExplainer
    model: Model
    photos: np.ndarray

    @property
    def name(self) -> str:
        """What it is called."""
        return identify(self.explainer).name

    @property
    def images(self) -> list[np.ndarray] | None:
        """The photos as `explain` takes them."""
        return list(self.photos) if self.explainer.needs_image else None

    def call(self, target: Any = None) -> Call:
        """Prepare a call of the explainer's own `explain`, as `convviz.explain` does."""
        assert isinstance(self.explainer, Explainer)
        if not self.explainer.needs_image:
            empty = torch.empty(0, 0, 0, 3, dtype=torch.uint8)
            return Call(self, Batch(torch.empty(0), empty, ()), (), Forward(torch.empty(0, 0), {}))
        batch = make_batch(list(self.photos), self.model)
        wanted = (*self.explainer.layers(self.model), *self.model.target_layers(target))
        layers = tuple(dict.fromkeys(map(self.model.check_layer, wanted)))
        forward = self.model.forward(batch.images, layers)
        return Call(self, batch, self.model.resolve(target, forward), forward)

    def explain(self, images: Any, model: Model | None = None, target: Any = None) -> Explanation:
        """Explain images as a user does."""
        explanation: Explanation = explain(model or self.model, images, self.explainer, target)
        return explanation

    def run_once(self) -> None:
        """Run all of the explainer's own methods once, with nothing of convviz around them."""
        if isinstance(self.explainer, Explainer):
            self.call().run()
        else:
            sweep = Sweep(self)
            half = len(self.photos) // 2
            sweep.finish([sweep.merged(sweep.partials([half, len(self.photos) - half]))])

    def analyze(self, model: Model | None = None, batch_size: int = 7) -> dict[str, Explanation]:
        """Analyze the photos as a user does; returns layer -> Explanation."""
        # Results are read from the run's files when they are looked at, so these stay as long as
        # the bench does.
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        out, used = Path(folder, "run"), model or self.model
        run = analyze(used, self.dataset, self.explainer, out, batch_size=batch_size)
        return dict(run[self.name])

    @cached_property
    def explanation(self) -> Explanation:
        """What `explain` gives for all photos."""
        return self.explain(self.images)

    @cached_property
    def analysis(self) -> dict[str, Explanation]:
        """What `analyze` gives."""
        return self.analyze()

    @cached_property
    def dataset(self) -> ArrayDataset:
        """The photos as a data set, each with a label."""
        labels = [i % len(CLASSES) for i in range(len(self.photos))]
        return array_dataset(self.photos, labels, CLASSES, name="blobs")


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of one call of an Explainer."""

    bench: Bench
    batch: Batch
    target: tuple[Target, ...]
    forward: Forward

    def run(self) -> Result:
        """Make the call."""
        explainer, model = self.bench.explainer, self.bench.model
        assert isinstance(explainer, Explainer)
        with model.session():
            return explainer.explain(model, self.batch, self.target, self.forward)

    def tensors(self) -> dict[str, Tensor]:
        """Return what all explainers of a user's call share, and none may write to."""
        shared = {"batch.images": self.batch.images, "batch.pixels": self.batch.pixels}
        shared["forward.output"] = self.forward.output
        return shared | {f"the output of {k}": v for k, v in self.forward.activations.items()}


class Sweep:
    """A DatasetExplainer's `reduce`, `merge` and `finish`, called by hand."""

    def __init__(self, bench: Bench, explainer: DatasetExplainer | None = None) -> None:
        assert isinstance(bench.explainer, DatasetExplainer)
        self.explainer = explainer or bench.explainer
        self.model, self.dataset, self.bench = bench.model, bench.dataset, bench

    def partials(self, sizes: Sequence[int]) -> list[Partial]:
        """Reduce the data set in batches of these sizes."""
        found, start = [], 0
        with self.model.session():
            layers = self.explainer.resolve_layers(self.model)
            for size in sizes:
                batch = make_batch(list(self.dataset.images[start : start + size]), self.model)
                forward = self.model.forward(batch.images, layers)
                found.append(self.explainer.reduce(self.model, batch, forward))
                start += size
        return found

    def merged(self, partials: Sequence[Partial]) -> Partial:
        """Merge partials one after the other, from the left."""
        whole = partials[0]
        for one in partials[1:]:
            whole = self.explainer.merge(whole, one)
        return whole

    def finish(self, shards: Sequence[Partial]) -> dict[str, Result]:
        """Make the results of these shards."""
        with self.model.session():
            needs = tuple(self._need(one) for one in self.explainer.needs())
            items = _Items(self.dataset, self.model)
            return self.explainer.finish(self.model, iter(shards), items, needs)

    def _need(self, explainer: DatasetExplainer) -> dict[str, Result]:
        sweep = Sweep(self.bench, explainer)
        return sweep.finish(sweep.partials([len(self.dataset.ids)]))


class _Items:
    """The data set as `finish` sees it."""

    def __init__(self, dataset: ArrayDataset, model: Model) -> None:
        self.ids, self.labels, self.classes = dataset.ids, dataset.labels, dataset.classes
        self._dataset, self._model = dataset, model

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, index: int) -> np.ndarray:
        return self._dataset.load(index)

    def affine(self, index: int) -> Affine:
        return make_batch([self.load(index)], self._model).items[0].affine

    def spool(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return np.zeros(shape, dtype)
