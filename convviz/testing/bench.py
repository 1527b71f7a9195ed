"""A small network and small photos for the checks, and the ways to run an explainer on them."""

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
from ..explanation.provenance import Named
from ..explanation.shared_pass import targets_without_images
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

    It has two convs (one with a batch norm), ReLU, max pooling, average pooling and a linear layer
    with five classes; its inputs are photos resized and cropped to 32 x 32. It is in float64, so
    that results that should be equal differ by little more than 1e-16.
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
        [
            np.asarray(Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC))
            for colours in coarse
        ]
    )


@dataclass(frozen=True, eq=False)
class Bench:
    """An explainer, and the model and photos on which it is checked.

    Attributes:
        explainer: the explainer.
        model: the model.
        photos: uint8 `[n, h, w, 3]`; two for an Explainer, a data set for a DatasetExplainer.
    """

    explainer: Explainer | DatasetExplainer
    model: Model
    photos: np.ndarray

    @property
    def name(self) -> str:
        """The name of the explainer."""
        return identify(self.explainer).name

    @property
    def images(self) -> list[np.ndarray] | None:
        """The photos as an argument of `explain`."""
        return list(self.photos) if self.explainer.needs_image else None

    def call(self, target: Any = None) -> ExplainerCall:
        """Return the arguments of the explainer's `explain`, prepared as by `convviz.explain`."""
        assert isinstance(self.explainer, Explainer)
        if not self.explainer.needs_image:
            batch = Batch(torch.empty(0), torch.empty(0, 0, 0, 3, dtype=torch.uint8), ())
            named = Named(self.explainer, self.name, "", "")
            (targets,) = targets_without_images(self.model, [named], [self._target(target)])
            return ExplainerCall(self, batch, targets, Forward(torch.empty(0, 0), {}))
        batch = make_batch(list(self.photos), self.model)
        layers_read = (*self.explainer.layers(self.model), *self.model.target_layers(target))
        layers = tuple(dict.fromkeys(map(self.model.check_layer, layers_read)))
        forward = self.model.forward(batch.images, layers)
        return ExplainerCall(self, batch, self.model.resolve(target, forward), forward)

    def explain(self, images: Any, model: Model | None = None, target: Any = None) -> Explanation:
        """Return the explanation of images by `convviz.explain`."""
        explanation: Explanation = explain(
            model or self.model, images, self.explainer, self._target(target)
        )
        return explanation

    def _target(self, target: Any) -> Any:
        """Return the target; without images there is no top class, so class 0 is the default."""
        return 0 if target is None and not self.explainer.needs_image else target

    def run_once(self) -> None:
        """Run the methods of the explainer once, without `convviz.explain` or a sweep."""
        if isinstance(self.explainer, Explainer):
            self.call().run()
        else:
            sweep = ManualSweep(self)
            half = len(self.photos) // 2
            sweep.finish([sweep.merge(sweep.partials([half, len(self.photos) - half]))])

    def analyze(self, model: Model | None = None, batch_size: int = 7) -> dict[str, Explanation]:
        """Return the explanations of the photos by `convviz.analyze`, by layer."""
        # Results are read from the files of the run on demand, so these exist as long as the bench.
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        out, used = Path(folder, "run"), model or self.model
        run = analyze(used, self.dataset, self.explainer, out, batch_size=batch_size)
        return dict(run[self.name])

    @cached_property
    def explanation(self) -> Explanation:
        """The explanation of all photos."""
        return self.explain(self.images)

    @cached_property
    def analysis(self) -> dict[str, Explanation]:
        """The explanations of the data set, by layer."""
        return self.analyze()

    @cached_property
    def dataset(self) -> ArrayDataset:
        """The photos as a data set, each with a label."""
        labels = [i % len(CLASSES) for i in range(len(self.photos))]
        return array_dataset(self.photos, labels, CLASSES, name="blobs")


@dataclass(frozen=True, eq=False)
class ExplainerCall:
    """The arguments of one call of an Explainer."""

    bench: Bench
    batch: Batch
    target: tuple[Target, ...]
    forward: Forward

    def run(self) -> Result:
        """Return the result of the call."""
        explainer, model = self.bench.explainer, self.bench.model
        assert isinstance(explainer, Explainer)
        with model.session():
            return explainer.explain(model, self.batch, self.target, self.forward)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that all explainers of a call share and none may write to."""
        shared = {"batch.images": self.batch.images, "batch.pixels": self.batch.pixels}
        shared["forward.output"] = self.forward.output
        return shared | {f"the output of {k}": v for k, v in self.forward.activations.items()}


class ManualSweep:
    """Direct calls of `reduce`, `merge` and `finish` of a DatasetExplainer."""

    def __init__(self, bench: Bench, explainer: DatasetExplainer | None = None) -> None:
        assert isinstance(bench.explainer, DatasetExplainer)
        self.explainer = explainer or bench.explainer
        self.model, self.dataset, self.bench = bench.model, bench.dataset, bench

    def partials(self, sizes: Sequence[int]) -> list[Partial]:
        """Return the partials of the data set in batches of these sizes."""
        partials, start = [], 0
        with self.model.session():
            layers = self.explainer.resolve_layers(self.model)
            for size in sizes:
                batch = make_batch(list(self.dataset.images[start : start + size]), self.model)
                forward = self.model.forward(batch.images, layers)
                partials.append(self.explainer.reduce(self.model, batch, forward))
                start += size
        return partials

    def merge(self, partials: Sequence[Partial]) -> Partial:
        """Return the partials merged from left to right."""
        merged = partials[0]
        for partial in partials[1:]:
            merged = self.explainer.merge(merged, partial)
        return merged

    def finish(self, shards: Sequence[Partial]) -> dict[str, Result]:
        """Return the results of these shards."""
        with self.model.session():
            needs = tuple(self._needed_results(explainer) for explainer in self.explainer.needs())
            items = _Items(self.dataset, self.model)
            return self.explainer.finish(self.model, iter(shards), items, needs)

    def _needed_results(self, explainer: DatasetExplainer) -> dict[str, Result]:
        sweep = ManualSweep(self.bench, explainer)
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
