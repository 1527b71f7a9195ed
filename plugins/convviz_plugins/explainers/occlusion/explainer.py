"""occlusion: the change of a score while a window of the image is covered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BeforeValidator, Field, PositiveInt, model_validator
from torch import Tensor

from convviz import Heatmap, Model
from convviz.authoring import (
    Batch,
    Explainer,
    Forward,
    MapKind,
    Occluded,
    Occluder,
    Target,
    hookimpl,
)

from ...shared.fills import FillField, default_window, fill_image
from .outputs import Output, Reading, Score
from .sliding_window import Aggregate, Edge, SlidingWindows, slide
from .superpixels import Superpixels, find_superpixels

PRESETS: dict[str, dict[str, Any]] = {
    "captum": {
        "edge": "partial",
        "fill": 0.0,
        "score": "logit",
        "output": "drop",
        "aggregate": "mean",
    },
    "xplique": {
        "edge": "drop",
        "fill": 0.0,
        "score": "logit",
        "output": "drop",
        "aggregate": "sum",
    },
    "zeiler": {"score": "prob", "output": "value"},
}

_SCORE_WORDS = {"prob": "probability", "logprob": "log probability"}

_READING = {
    "drop": "Above 0: covering this part lowers the {score}; below 0: it raises it.",
    "value": "The {score} with this part covered: low where the part matters.",
    "argmax": "The most probable class with this part covered.",
}


def _parse_json_list(value: Any) -> Any:
    """Return the list in "[16, 24]" or "16,24"; other values are returned unchanged."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return json.loads(text)
    return [part.strip() for part in text.split(",")] if "," in text else value


Pair = Annotated[
    PositiveInt | tuple[PositiveInt, PositiveInt],
    BeforeValidator(_parse_json_list),
]


class Occlusion(Explainer):
    """Change of the score while a window of the image is covered (Zeiler & Fergus 2013, §4.2).

    A window slides over the image and is replaced by a fill. Each position takes a forward pass,
    of which only the part that the window changes is computed. `grid` has one number per
    position and `values` one per pixel, NaN for pixels that no window covers. `boxes` are the
    windows, row by row: (x0, y0, x1, y1), half-open, clipped at the border of the image. All sizes
    and boxes are in pixels of the model's input. With `segments`, superpixels are covered instead:
    `segments` has the number of the segment of each pixel, and `grid` `[N, segments]` one value per
    segment, NaN for numbers that an image does not have.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "occlude": "covering parts of the image is 'occlusion'",
        "sensitivity": "covering parts of the image is 'occlusion'",
    }

    layer: ClassVar[str] = ""  # the result belongs to the image, also if the target is a unit

    window: Pair | None = Field(
        None,
        description="Height and width of the covered window in pixels; one number or a pair.",
        json_schema_extra={"default_meaning": "a seventh of the shorter side, at least 3"},
    )
    stride: Pair | None = Field(
        None,
        description="Vertical and horizontal step of the window in pixels; one number or a pair.",
        json_schema_extra={"default_meaning": "a quarter of the window"},
    )
    segments: int | None = Field(
        None,
        ge=2,
        description="Cover each of at most this many superpixels (SLIC) instead of windows; "
        "requires scikit-image.",
    )
    edge: Edge = Field(
        "partial",
        description="Treatment of a last window that overhangs the image: clip it (partial), move "
        "it back inside (shift), or leave it out (drop).",
    )
    fill: FillField = Field(
        "mean",
        description='Content of the covered window: "mean" (of the preprocessing), "image_mean", '
        '"blur", "noise", a colour as "#808080" or [128, 128, 128], or a number or tensor in '
        "model-input space.",
    )
    score: Score = Field(
        "logit",
        description="The raw score, the probability of the class (by the activation of the model, "
        "softmax or sigmoid), or the logarithm of the probability.",
    )
    output: Output = Field(
        "drop",
        description="The drop of the score, the score itself, or the most probable class at each "
        "position.",
    )
    aggregate: Aggregate = Field(
        "mean",
        description="Value of a pixel: the mean or sum over the windows that cover it, or that of "
        "the window with the nearest centre; argmax always uses the nearest.",
    )
    preset: Literal["captum", "xplique", "zeiler"] | None = Field(
        None, description="Settings of another library or paper; given parameters override them."
    )
    batch_size: PositiveInt | None = Field(
        None,
        description="Covered copies per forward pass; by default chosen by the size of the image.",
    )
    engine: Literal["auto", "dense"] = Field(
        "auto",
        description="auto computes only what each window changes, if the network allows it; dense "
        "runs a full forward pass per window. The results are equal up to rounding.",
    )
    precision: Literal["model", "bf16"] = Field(
        "model",
        description="bf16 runs the covered passes in bfloat16, on processors that are fast at it; "
        "the deviation from the exact result is measured and reported.",
    )
    approximate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Limit the region that a window changes to this share of each map's height and "
        "width, rounded up; the deviation from the exact result is measured and reported. None is "
        "exact.",
    )
    memory: PositiveInt | None = Field(
        None,
        description="Memory for the copies computed at a time, in MiB; None is 512, and on CUDA "
        "half of the free memory. batch_size, if given, takes precedence.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise fill.")

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, parameters: Any) -> Any:
        """Add the values of the preset, so that saved parameters are complete."""
        if isinstance(parameters, Mapping) and isinstance(parameters.get("preset"), str):
            return {**PRESETS.get(parameters["preset"], {}), **parameters}
        return parameters

    @model_validator(mode="after")
    def _check_segments(self) -> Occlusion:
        if self.segments is not None and (self.window is not None or self.stride is not None):
            raise ValueError("segments replaces the windows: leave out window and stride")
        return self

    @model_validator(mode="after")
    def _check_approximate(self) -> Occlusion:
        if self.approximate is not None and self.engine == "dense":
            raise ValueError(
                f'approximate={self.approximate} has no effect with engine="dense"; '
                'use engine="auto"'
            )
        return self

    @property
    def map_kind(self) -> MapKind | None:
        """A drop is a contribution; remaining scores and classes do not rank pixels."""
        return "contribution" if self.output == "drop" else None

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the change of the score of the fixed targets for each covered window."""
        (result,) = self.explain_targets(model, batch, [target], forward)
        return result

    def explain_targets(
        self, model: Model, batch: Batch, targets: Sequence[tuple[Target, ...]], forward: Forward
    ) -> tuple[Heatmap, ...]:
        """Return the results of several targets, all from the same covered copies."""
        height, width = batch.images.shape[-2:]
        window, stride = self._sizes(height, width)
        regions: SlidingWindows | Superpixels
        if self.segments is None:
            regions = slide((height, width), window, stride, self.edge)
            sizes = {"window": _format_size(window), "stride": _format_size(stride)}
        else:
            regions = find_superpixels(batch.pixels, self.segments)
            sizes = {"segments": _format_range(regions.present.sum(1).tolist())}
        read = Reading(self.score, self.output, tuple(targets), model)
        owners = torch.arange(len(batch.images), device=batch.images.device)
        baseline = read(forward, owners).cpu()  # [N, K]
        fill = fill_image(self.fill, model, batch.images, window, self.seed)
        occlusion = regions.occlude(self._occluder(model, batch.images, fill, read))
        results = [
            self._result(model, regions, _of_target(occlusion, k), baseline[:, k], target, sizes)
            for k, target in enumerate(targets)
        ]
        if self.segments is not None:
            return tuple(results)
        return tuple(
            replace(result, window=window, notes=(*result.notes, *self._size_notes()))
            for result in results
        )

    def _occluder(self, model: Model, images: Tensor, fill: Tensor, read: Reading) -> Occluder:
        return Occluder(
            *(model, images, fill, read, read.layers, self.batch_size, self.engine),
            None if self.memory is None else self.memory << 20,
            self.precision,
            self.approximate,
        )

    def _sizes(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return window and stride for images of this size, (height, width) each."""
        window = default_window((height, width)) if self.window is None else _pair(self.window)
        if self.stride is not None:
            return window, _pair(self.stride)
        return window, (max(1, round(window[0] / 4)), max(1, round(window[1] / 4)))

    def _size_notes(self) -> tuple[str, ...]:
        """Return a note on sizes that were chosen by default; the measures have their values."""
        chosen = " and ".join(name for name in ("window", "stride") if getattr(self, name) is None)
        return (f"Chosen for images of this size: {chosen}.",) if chosen else ()

    def _convert_scores(self, scores: Tensor, baseline: Tensor) -> Tensor:
        """Return the scores `[N, P]`, or for output="drop" their drop from the baseline `[N]`."""
        return baseline[:, None] - scores if self.output == "drop" else scores

    def _measures(self, occlusion: Occluded, baseline: Tensor) -> dict[str, Any]:
        """Return how the scores were computed and their deviation from exact ones."""
        measures: dict[str, Any] = {"computed": occlusion.how}
        if self.segments is None:
            measures = {"positions": occlusion.scores.shape[1], **measures}
        if self.approximate is not None and occlusion.plan is not None:
            measures["MACs saved"] = 1 - 1 / occlusion.plan.saving
        if occlusion.sample is None or occlusion.exact is None:
            return measures
        scores, exact = occlusion.scores[:, occlusion.sample], occlusion.exact
        if self.output == "argmax":
            deviation: float | str = float((scores != exact).double().mean())
        else:
            scores, exact = (
                self._convert_scores(scores, baseline),
                self._convert_scores(exact, baseline),
            )
            deviation = _deviation(scores.double(), exact.double())
        return measures | {
            "deviation from exact": deviation,
            "windows checked": len(occlusion.sample),
        }

    def _result(
        self,
        model: Model,
        regions: SlidingWindows | Superpixels,
        occlusion: Occluded,
        baseline: Tensor,
        target: tuple[Target, ...],
        sizes: dict[str, str],
    ) -> Heatmap:
        """Return the result of one target, from its scores `[N, P]` and clean scores `[N]`."""
        scores = self._convert_scores(occlusion.scores, baseline)
        grid = regions.arrange(scores)
        word = self._word(target)
        classes = self.output == "argmax"
        dtype = torch.float64 if baseline.dtype == torch.float64 else torch.float32
        values = regions.to_pixels(grid, "center" if classes else self.aggregate)
        arrays = {
            "grid": grid.long() if classes else grid.to(dtype),
            "baseline": baseline.long() if classes else baseline.to(dtype),
            **regions.arrays,
        }
        if isinstance(self.fill, Tensor):
            arrays["fill"] = self.fill.cpu()
        return Heatmap(
            values.to(torch.float32 if classes else dtype),
            arrays=arrays,
            unit=self._unit(word),
            signed=self.output == "drop",
            classes=_names(model, arrays["grid"], arrays["baseline"]) if classes else {},
            measures=sizes | self._measures(occlusion, baseline),
            notes=self._notes(regions.uncovered_share, word),
        )

    def _word(self, target: tuple[Target, ...]) -> str:
        """Return what is measured: the quantity of the targets, or their probability."""
        quantities = {t.quantity for t in target}
        if self.score == "logit":
            return quantities.pop() if len(quantities) == 1 else "score"
        word = _SCORE_WORDS[self.score]
        return f"{word} difference" if quantities == {"score difference"} else word

    def _unit(self, word: str) -> str:
        if self.output == "argmax":
            return "most probable class"
        unit = f"{word} drop" if self.output == "drop" else word
        is_sum = self.aggregate == "sum" and self.segments is None
        return f"{unit}, summed over windows" if is_sum else unit

    def _notes(self, uncovered: float, word: str) -> tuple[str, ...]:
        notes = [_READING[self.output].format(score=word)]
        if uncovered:
            notes.append(f"{uncovered:.1%} of the pixels are covered by no window.")
        return tuple(notes)


def _deviation(scores: Tensor, exact: Tensor) -> float | str:
    """Return the largest difference as a share of the largest exact value.

    If all exact values are 0, return the difference itself.
    """
    same = (scores == exact) | (scores.isnan() & exact.isnan())
    difference = float(torch.where(same, 0.0, (scores - exact).abs()).max())
    if not math.isfinite(difference):
        return "not finite"
    scale = float(exact.nan_to_num(0, 0, 0).abs().max())
    return difference / scale if scale else difference


def _format_size(size: tuple[int, int]) -> str:
    """Return a size as text, height first; a square as one number."""
    return str(size[0]) if size[0] == size[1] else f"{size[0]} x {size[1]}"


def _format_range(counts: list[int]) -> str:
    """Return the least and the largest of some counts as text."""
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _of_target(occlusion: Occluded, k: int) -> Occluded:
    """Return the scores `[N, P]` of one of several targets."""
    exact = None if occlusion.exact is None else occlusion.exact[..., k]
    return replace(occlusion, scores=occlusion.scores[..., k], exact=exact)


def _names(model: Model, *indices: Tensor) -> dict[int, str]:
    """Return the names of the classes in tensors of class indices."""
    present = {i for tensor in indices for i in tensor.flatten().tolist() if i >= -1}
    names = {i: model.label(i) for i in sorted(present)}
    return names | ({-1: "undefined (NaN)"} if -1 in names else {})


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Occlusion]
