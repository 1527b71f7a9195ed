"""The base class of generated explainers: one image at a time, seeded, with checked sums."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from convviz import ConvvizError, Heatmap, Model, ModelError, ParameterError
from convviz.authoring import Batch, Explainer, Forward, Target, track

from ..class_maps import enlarge
from .network_copy import NetworkCopy, TargetScores, check_scores, require_rebuilt, require_relus

LARGE_GAP = 0.05
"""Gap, as a share of the value that a sum should have, from which a note is given."""


@dataclass(frozen=True, eq=False)
class ImageScores:
    """One image, with a private copy of the network that scores its target.

    Attributes:
        image: `[1, C, H, W]`.
        index: its position in the batch.
        model, target: as in `Explainer.explain`, of this image.
        private: the copy.
        scores: the copy with the scores of the target as output.
        maps: activations of the explainer's layer `[C, h, w]`; None without a layer.
    """

    image: Tensor
    index: int
    model: Model
    target: Target
    private: NetworkCopy
    scores: TargetScores
    maps: Tensor | None

    def score(self, images: Tensor) -> Tensor:
        """Return the target's values for images, float64 `[N]`."""
        with torch.no_grad():
            return self.scores(images)[:, self.scores.index].cpu().double()


@dataclass(frozen=True, eq=False)
class ImageMap:
    """The map of one image, on the CPU.

    Attributes:
        values: `[H, W]` or `[C, H, W]`.
        arrays: further arrays.
        total: the sum of the attributions, for methods that promise what it is; else None.
        promised: the value that the sum should have.
        measures: numbers that belong to the map.
    """

    values: Tensor
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    total: float | None = None
    promised: float = 0.0
    measures: Mapping[str, Any] = field(default_factory=dict)


class BridgedExplainer(Explainer):
    """Base of explainers that call another library for one image at a time.

    Attributes:
        library: its name.
        library_class: name of the method's class in the library.
        works_on_modules: it needs a module for each activation.
        changes_relus: it is the gradient with another rule for `nn.ReLU`.
        unit: of the values.
        error_of_sums: the error of the method that sums contain, and how to reduce it; or "".
    """

    library: ClassVar[str] = ""
    library_class: ClassVar[str] = ""
    works_on_modules: ClassVar[bool] = False
    changes_relus: ClassVar[bool] = False
    unit: ClassVar[str] = ""
    error_of_sums: ClassVar[str] = ""

    seed: int = Field(0, ge=0, description="Seed of all random generators, for every image.")

    def layer_of(self, model: Model) -> str | None:
        """Return the layer that the method reads, if it reads one."""
        if "layer" not in type(self).model_fields:
            return None
        layer: str | None = getattr(self, "layer", None)
        return model.check_layer(layer or model.default_layers("class_maps")[0])

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer that the method reads."""
        layer = self.layer_of(model)
        return () if layer is None else (layer,)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the library's map of each image.

        Raises:
            ModelError: the method cannot explain the network.
        """
        if len(batch) and model.behavior(batch.images).single:
            raise ModelError(
                f"{model.name} couples the images of a batch, and {self.library} runs several "
                "copies of an image in one batch; use a built-in explainer"
            )
        maps = [
            self._map_of_image(model, batch, target, forward, i)
            for i in track(range(len(batch)), self.library_class, total=len(batch))
        ]
        return self._result(maps, self.layer_of(model))

    def attribute(self, image: ImageScores) -> ImageMap:
        """Return the library's map of an image."""
        raise NotImplementedError

    def copy_network(self, model: Model) -> NetworkCopy:
        """Return the private copy on which the library runs."""
        return NetworkCopy(model)

    def _map_of_image(
        self,
        model: Model,
        batch: Batch,
        target: Sequence[Target],
        forward: Forward,
        i: int,
    ) -> ImageMap:
        private, layer = self.copy_network(model), self.layer_of(model)
        if self.works_on_modules:
            require_rebuilt(private, f"{self.library}'s {self.library_class}", model)
        if self.changes_relus:
            require_relus(private, f"{self.library}'s {self.library_class}", model)
        image = batch.images[i : i + 1].detach().clone()
        scores = TargetScores(private, model, target[i])
        check_scores(scores, image, target[i])
        maps = None if layer is None else forward.activations[layer][i]
        image_scores = ImageScores(image, i, model, target[i], private, scores, maps)
        with (
            _library_errors(self.library, self.library_class, model.name),
            _seed_generators(self.seed),
            _silence_output(),
            torch.enable_grad(),
        ):
            return self.attribute(image_scores)

    def _result(self, maps: Sequence[ImageMap], layer: str | None) -> Heatmap:
        values = torch.stack([image.values for image in maps])
        kind, channels = self.map_kind, values.ndim == 4
        arrays = {n: torch.stack([image.arrays[n] for image in maps]) for n in maps[0].arrays}
        measures: dict[str, Any] = {"method": f"{self.library} {self.library_class}"}
        if layer is not None:
            measures["layer"] = layer
        return Heatmap(
            values,
            arrays=arrays,
            unit=self.unit,
            signed=kind in ("gradient", "contribution") or bool((values < 0).any()),
            summed=channels and kind == "contribution",
            colour=channels and kind != "contribution",
            measures=measures | (dict(maps[0].measures) if len(maps) == 1 else {}) | _gaps(maps),
            notes=_notes(maps, self.error_of_sums),
        )


def enlarged_map(image: ImageScores, layer: str, positions: Tensor) -> Tensor:
    """Return a map `[h, w]` of a layer in the size of the image, `[H, W]`."""
    size = (image.image.shape[-2], image.image.shape[-1])
    return enlarge(positions[None], size, image.model.cell_centers(layer, size))[0]


def maps_from(raw: Tensor, maps: Tensor) -> Any:
    """Return the function that turns the output of a layer's module into maps `[N, C, h, w]`.

    Args:
        raw: the output of the module for one image.
        maps: the same as maps, `[C, h, w]`.

    Raises:
        ParameterError: the output has no rows and columns, or in an unknown order.
    """
    if maps.ndim == 3:
        height, width = maps.shape[1:]
        ways = [
            lambda out: out,
            lambda out: out.permute(0, 3, 1, 2),
            lambda out: out[:, -height * width :].mT.unflatten(2, (height, width)),
        ]
        for way in ways:
            try:
                same = way(raw)[0]
            except (RuntimeError, IndexError):
                continue
            if same.shape == maps.shape and torch.allclose(same, maps.to(same), atol=1e-3):
                return way
    raise ParameterError(
        f"the output of the layer, {list(raw.shape)}, has no rows and columns; choose a layer with "
        "maps [N, C, h, w] (`convviz layers` lists the layers)"
    )


def output_of(module: nn.Module, scores: nn.Module, image: Tensor) -> Tensor:
    """Return the output of a module in a forward pass."""
    outputs: list[Tensor] = []
    handle = module.register_forward_hook(lambda *args: outputs.append(args[2].detach()))
    try:
        with torch.no_grad():
            scores(image)
    finally:
        handle.remove()
    return outputs[0]


@contextmanager
def _seed_generators(seed: int) -> Iterator[None]:
    """Seed the generators of torch, NumPy and Python, and restore them at the end."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


@contextmanager
def _silence_output() -> Iterator[None]:
    """Leave out the warnings and progress bars of libraries."""
    with warnings.catch_warnings(), redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _library_errors(library: str, method: str, network: str) -> Iterator[None]:
    """Convert errors of a library to a ModelError that names the method and the network."""
    try:
        yield
    except (ConvvizError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        if "alloc" in str(error).lower() and "memory" in str(error).lower():
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"{library}'s {method} cannot explain {network} with these parameters: {reason:.300}"
        ) from error


def _gaps(maps: Sequence[ImageMap]) -> dict[str, Any]:
    """Return how far sums are from their promised values, the largest of several images."""
    known = [image for image in maps if image.total is not None]
    if not known:
        return {}
    worst = max(known, key=lambda image: abs(float(image.total or 0) - image.promised))
    assert worst.total is not None
    largest = "largest " if len(known) > 1 else ""
    return {
        f"{largest}completeness gap": abs(worst.total - worst.promised),
        "sum of the attributions": worst.total,
        "sum expected": worst.promised,
    }


def _notes(maps: Sequence[ImageMap], error_of_sums: str) -> tuple[str, ...]:
    """Return a note for each image with a map of zeros, or with a sum that is not as promised."""
    cause = f" The gap includes {error_of_sums}." if error_of_sums else ""
    notes = []
    for i, image in enumerate(maps):
        where = f"Image {i + 1}: the" if len(maps) > 1 else "The"
        if not image.values.any():
            notes.append(f"{where} library's map is zero everywhere.")
        if image.total is None:
            continue
        gap = abs(image.total - image.promised)
        if not gap <= LARGE_GAP * abs(image.promised):
            notes.append(
                f"{where} attributions sum to {image.total:.3g} instead of {image.promised:.3g}, "
                f"which this method promises: here they are not complete.{cause}"
            )
    return tuple(notes)
