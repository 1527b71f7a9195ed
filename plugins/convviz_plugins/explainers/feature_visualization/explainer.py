"""feature_visualization: an image that maximizes a score or a unit (Olah et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator
from torch import Tensor

import convviz
import convviz.authoring
from convviz import Model, ModelError, ParameterError, Preprocess, Tiles
from convviz.authoring import Batch, Explainer, Forward, Stack, Target, objective_gradient, track

from .fourier_image import FourierImage, RandomTransform
from .percentile import values_in_run

PIXELS_PER_SHIFT = 16
"""The shorter side of the image, as a multiple of the default jitter."""


class Optimized(NamedTuple):
    """The image of a target, with the target's value at the end and at the start.

    Attributes:
        image: the input of the model, `[1, C, H, W]`.
        pixels: the same as pixels, `[1, C, H, W]` from 0 to 1.
        score, start: the target's value for this image, and for the one at the start.
    """

    image: Tensor
    pixels: Tensor
    score: float
    start: float


class FeatureVisualization(Explainer):
    """Image that maximizes a class score or a unit (Erhan et al. 2009; Olah et al. 2017).

    Gradient ascent (Adam) on decorrelated Fourier coefficients, on copies of the image that are
    shifted, resized and rotated at random. `values` `[N, C, H, W]` are inputs of the model, one per
    target, `score` `[N]` the value that each target reaches and `start` `[N]` that of the first
    image, which is almost grey. It needs a target but no image.
    """

    needs_image: ClassVar[bool] = False
    aliases: ClassVar[Mapping[str, str]] = {
        "activation maximization": "images that maximize a unit are made by "
        "'feature_visualization'",
        "lucid": "images that maximize a unit are made by 'feature_visualization'",
    }

    objective: Literal["mean", "center"] = Field(
        "mean",
        description="For a channel of a map without a position: its mean over all positions, or "
        "its value at the center.",
    )
    steps: PositiveInt = Field(128, description="Steps of gradient ascent.")
    learning_rate: PositiveFloat = Field(
        0.1, description="Step size of Adam for the coefficients of the image."
    )
    jitter: NonNegativeInt | None = Field(
        None,
        description="Largest shift in pixels; default: a sixteenth of the shorter side, at least "
        "1.",
    )
    scale: float = Field(
        0.1, ge=0, lt=1, description="Largest relative change of the size, up and down."
    )
    rotation: float = Field(
        10.0, ge=0, le=180, description="Largest rotation in degrees, in both directions."
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="Seed of the start and of the transformations."
    )
    statistics: str | None = Field(
        None,
        description="Folder of a run with the statistics of the unit's layer (for a class: of the "
        "layer that computes the scores), for the percentile of the score among its values.",
    )

    @field_validator("statistics", mode="before")
    @classmethod
    def _as_text(cls, run: Any) -> Any:
        return os.fspath(run) if isinstance(run, os.PathLike) else run

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Tiles:
        """Return one image per target; the images of the batch are not used.

        Raises:
            ModelError: a target has no gradient.
            ParameterError: statistics that do not fit.
        """
        if model.input_channels not in (1, 3):
            raise ParameterError(
                "feature_visualization draws images with 1 or 3 channels; the model has "
                f"{model.input_channels}"
            )
        in_run = []  # read first, so that an error comes before the work
        if self.statistics is not None:
            in_run = [values_in_run(self.statistics, model, single) for single in target]
        optimized = [self._optimize(model, single) for single in target]
        arrays = {
            "score": _column(result.score for result in optimized),
            "start": _column(result.start for result in optimized),
            "picture": torch.stack([_picture(result.pixels) for result in optimized]),
        }
        if in_run:
            pairs = zip(in_run, optimized, strict=True)
            arrays["percentile"] = _column(run.percentile(result.score) for run, result in pairs)
        values = torch.cat([result.image for result in optimized])
        layers = {unit.layer for single in target for unit in single.units}
        return Tiles(
            values,
            arrays=arrays,
            unit="model input",
            measures={
                **({"layer": layers.pop()} if len(layers) == 1 else {}),
                "steps": self.steps,
                "objective": self.objective,
            },
            notes=self._notes(model, target),
            layout="rgb" if values.shape[1] == 3 else "grid",
            captions=_captions(target, arrays),
            stacks=(Stack(title="image that maximizes the target", pictures="picture"),),
        )

    def _optimize(self, model: Model, target: Target) -> Optimized:
        """Return the image of one target.

        Units are maximized by their value before the ReLU or a similar activation at the end of
        their layer, because a closed one has no gradient.
        """
        generator = torch.Generator().manual_seed(self.seed)
        image = FourierImage(model, generator)
        transform = RandomTransform(self._jitter(model), self.scale, self.rotation, generator)
        optimizer = torch.optim.Adam([image.coefficients], self.learning_rate, maximize=True)
        layers = tuple(unit.layer for unit in target.units)

        def value(forward: Forward) -> Tensor:
            return self._value(target, forward)

        has_gradient = False
        start = self._score(model, image, target)
        for _ in track(range(self.steps), target.label, total=self.steps):
            with torch.enable_grad():
                inputs = image.normalize(transform(image.pixels()))
            reached, gradient = objective_gradient(
                model, inputs.detach(), value, layers, opens_gates=True
            )
            if not (reached.isfinite().all() and gradient.isfinite().all()):
                raise ModelError(f"{target.label}: its value or gradient is not finite")
            has_gradient |= bool(gradient.any())
            optimizer.zero_grad()
            inputs.backward(gradient.to(inputs.dtype))
            optimizer.step()
        if not has_gradient:
            raise ModelError(
                f"{target.label} has no gradient at any of {self.steps} images, so none can "
                "maximize it: it may be dead, or constant"
            )
        pixels = image.pixels().detach()
        inputs = image.normalize(pixels).to(model.dtype).cpu()
        return Optimized(inputs, pixels.cpu(), self._score(model, image, target), start)

    def _jitter(self, model: Model) -> int:
        if self.jitter is not None:
            return self.jitter
        return max(1, min(model.input_size) // PIXELS_PER_SHIFT)

    def _score(self, model: Model, image: FourierImage, target: Target) -> float:
        """Return the target's value for the image without a transformation."""
        with torch.no_grad():
            inputs = image.normalize(image.pixels())
        layers = tuple(unit.layer for unit in target.units)
        return float(self._value(target, model.forward(inputs, layers)))

    def _value(self, target: Target, forward: Forward) -> Tensor:
        """Return the target's value for each image, `[N]`."""
        if target.contrast is not None:
            a, b = (self._value(part, forward) for part in target.contrast)
            return a - b
        unit = target.unit
        if unit is None:
            column = target.function.column if target.function else target.index
            return forward.output[:, column]
        channel = forward.activations[unit.layer][:, unit.channel]
        if channel.ndim == 1:
            return channel
        if unit.position is not None:
            return channel[:, unit.position[0], unit.position[1]]
        if self.objective == "center":
            return channel[:, channel.shape[1] // 2, channel.shape[2] // 2]
        return channel.mean((1, 2))

    def _notes(self, model: Model, target: tuple[Target, ...]) -> tuple[str, ...]:
        notes = [
            "The image shows what raises the target most, within random shifts, sizes and "
            "rotations; it is not a typical example, and another seed gives another image."
        ]
        if any(unit.position is None for single in target for unit in single.units):
            where = "mean over the positions" if self.objective == "mean" else "center"
            notes.append(f"The value of a channel is its {where}.")
        if not isinstance(model.preprocess, Preprocess):
            notes.append(
                "The model has no Preprocess, so its inputs are taken as pixels between 0 and 1."
            )
        if self.statistics is not None:
            notes.append(
                "Percentile: share of the run's values that are lower, at all positions of all "
                "images for a unit."
            )
        return tuple(notes)


def _column(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def _captions(target: tuple[Target, ...], arrays: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return a line per target: its name, the score, and the percentile if it is known."""
    lines = [f"{t.label}: {s:.3g}" for t, s in zip(target, arrays["score"].tolist(), strict=True)]
    if "percentile" in arrays:
        percentiles = arrays["percentile"].tolist()
        lines = [f"{line} (percentile {p:.4g})" for line, p in zip(lines, percentiles, strict=True)]
    return tuple(lines)


def _picture(pixels: Tensor) -> Tensor:
    """Return pixels `[1, C, H, W]` as a stack of one picture, uint8 `[1, H, W, 3]`."""
    return pixels.mul(255).round().byte().expand(1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [FeatureVisualization]
