"""occlusion: what happens to a score while a window slides over the image and hides it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BeforeValidator, Field, PositiveInt, WithJsonSchema, model_validator
from torch import Tensor

from convviz import Heatmap, Model, Unit
from convviz.authoring import Batch, Explainer, Forward, Occluded, Target, hookimpl, occluded

from .fills import Colour, fill_image, parse_fill
from .outputs import Output, Reading, Score
from .sliding_window import Aggregate, Edge, Windows, slide

MIN_WINDOW = 3
"""Side in pixels of the smallest window that is chosen by itself."""

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

_SCORE_WORDS = {"logit": "score", "prob": "probability", "logprob": "log probability"}

_READING = {
    "drop": "Above 0: covering this part lowers the {score}; below 0: it raises it.",
    "value": "The {score} that is left when this part is covered: low where the part mattered.",
    "argmax": "The class that wins when this part is covered.",
}


def _parse_json_list(given: Any) -> Any:
    """Read "[16, 24]" or "16,24" of a command line; anything else stays as it is."""
    if not isinstance(given, str):
        return given
    text = given.strip()
    if text.startswith("["):
        return json.loads(text)
    return [part.strip() for part in text.split(",")] if "," in text else given


def _parse_targets(given: Any) -> Any:
    """Bring one target or several to a tuple; a text may hold a JSON list."""
    if isinstance(given, str) and given.strip().startswith("["):
        given = json.loads(given)
    return (given,) if given is None or isinstance(given, str | int | Unit) else tuple(given)


Spec = int | str | Unit | None
Pair = Annotated[
    PositiveInt | tuple[PositiveInt, PositiveInt],
    BeforeValidator(_parse_json_list),
]
FillField = Annotated[
    str | float | Colour | Tensor,
    BeforeValidator(parse_fill),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array"}]}),
]


class Occlusion(Explainer):
    """How the score changes while a window of the image is covered (Zeiler & Fergus 2013, §4.2).

    A window slides over the image and is replaced by a fill; each position costs a forward
    pass, of which only what the window changes is computed. `grid` holds one number a position,
    `values` brings them to the pixels; pixels that no window covers are NaN. `boxes` are the
    windows, row by row: (x0, y0, x1, y1), half-open, cut off at the image's border. All sizes
    and boxes are in pixels of the model's input.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "occlude": "covering parts of the image is 'occlusion'",
        "sensitivity": "covering parts of the image is 'occlusion'",
    }

    layer: ClassVar[str] = ""  # it is about the image, whatever layers its targets are in

    window: Pair | None = Field(
        None,
        description="Height and width of the covered window in pixels; one number or a pair.",
        json_schema_extra={"default_meaning": "a seventh of the shorter side, at least 3"},
    )
    stride: Pair | None = Field(
        None,
        description="Step of the window in pixels, down and across; one number or a pair.",
        json_schema_extra={"default_meaning": "a quarter of the window"},
    )
    edge: Edge = Field(
        "partial",
        description="Where the last window overhangs the image: cut it off, shift it back "
        "inside, or drop it.",
    )
    fill: FillField = Field(
        "mean",
        description='What covers the window: "mean" (of the preprocessing), "image_mean", '
        '"blur", "noise", a colour as "#808080" or [128, 128, 128], or a number or tensor in '
        "model-input space.",
    )
    score: Score = Field(
        "logit",
        description="The raw score, the probability of the class (by the model's activation: "
        "softmax, or sigmoid), or the logarithm of that.",
    )
    output: Output = Field(
        "drop",
        description="How much the score drops, the score itself, or the most probable class at "
        "each position.",
    )
    aggregate: Aggregate = Field(
        "mean",
        description="What a pixel gets: mean or sum over the windows that cover it, or the one "
        "whose centre is nearest; argmax always takes the nearest.",
    )
    preset: Literal["captum", "xplique", "zeiler"] | None = Field(
        None, description="Settings of a peer; parameters that are given win over it."
    )
    targets: Annotated[tuple[Spec | tuple[Spec, ...], ...], BeforeValidator(_parse_targets)] = (
        Field(
            (),
            description="Several targets for the same windows, as a list; the results get an axis "
            "for them. Each is a class, a unit, or a list with one an image.",
        )
    )
    batch_size: PositiveInt | None = Field(
        None, description="Covered copies a forward pass; chosen by the image's size if not given."
    )
    engine: Literal["auto", "dense"] = Field(
        "auto",
        description="auto computes only what each window changes, where the network allows it; "
        "dense runs a full forward pass a window. The numbers are the same but for rounding.",
    )
    precision: Literal["model", "bf16"] = Field(
        "model",
        description="bf16 runs the covered passes in bfloat16, where the processor is fast at "
        "it; the result says how far that is from exact.",
    )
    approximate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Cut what a window changes to at most this share of each map's height and "
        "width, rounded up; the result says how far that is from exact. None follows all of it.",
    )
    memory: PositiveInt = Field(
        512,
        description="MiB for what is computed at a time, whatever the number of windows; "
        "batch_size, where given, wins.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise fill.")

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        """Fill in the preset's values, so that saved parameters are complete."""
        if isinstance(given, Mapping) and isinstance(given.get("preset"), str):
            return {**PRESETS.get(given["preset"], {}), **given}
        return given

    @model_validator(mode="after")
    def _check_argmax(self) -> Occlusion:
        if self.output == "argmax" and self.targets:
            raise ValueError(
                'output="argmax" tells the most probable class and has no target; leave out targets'
            )
        return self

    @model_validator(mode="after")
    def _check_approximate(self) -> Occlusion:
        if self.approximate is not None and self.engine == "dense":
            raise ValueError(
                f'approximate={self.approximate} leaves out what engine="dense" computes; '
                'take engine="auto"'
            )
        return self

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers of those targets that are units of a layer."""
        layers = (layer for target in self.targets for layer in model.target_layers(target))
        return tuple(dict.fromkeys(layers))

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Cover each window in turn and read the score of the target, held fixed."""
        height, width = batch.images.shape[-2:]
        window, stride = self._sizes(height, width)
        windows = slide((height, width), window, stride, self.edge)
        targets = tuple(model.resolve(t, forward) for t in self.targets) or (target,)
        read = Reading(self.score, self.output, targets, model)
        layers = read.layers
        if not all(layer in forward.activations for layer in layers):
            forward = model.forward(batch.images, layers)
        everyone = torch.arange(len(batch.images), device=batch.images.device)
        baseline = read(forward, everyone).cpu()  # [N, K]
        found = occluded(
            model,
            batch.images,
            windows.boxes,
            fill_image(self.fill, model, batch.images, window, self.seed),
            read,
            layers,
            self.batch_size,
            self.engine,
            self.memory << 20,
            self.precision,
            self.approximate,
        )
        scores = self._wanted(found.scores, baseline)  # [N, P, K]
        measures = {"window": _format_size(window), "stride": _format_size(stride)}
        measures |= self._measures(found, baseline)
        grid = scores.movedim(1, -1).unflatten(-1, (len(windows.rows), len(windows.columns)))
        if not self.targets:
            grid, baseline = grid[:, 0], baseline[:, 0]
        panels = _panels(targets, bool(self.targets))
        result = self._result(model, windows, grid, baseline, panels, measures)
        return replace(result, window=window, notes=(*result.notes, *self._describe_chosen()))

    def _sizes(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return window and stride for images of this size, (height, width) each."""
        side = min(height, width)
        default = min(side, max(MIN_WINDOW, round(side / 7)))
        window = _pair(default if self.window is None else self.window)
        if self.stride is not None:
            return window, _pair(self.stride)
        return window, (max(1, round(window[0] / 4)), max(1, round(window[1] / 4)))

    def _describe_chosen(self) -> tuple[str, ...]:
        """Name the sizes that were chosen here; the measures give their values."""
        chosen = " and ".join(name for name in ("window", "stride") if getattr(self, name) is None)
        return (f"Chosen for images of this size: {chosen}.",) if chosen else ()

    def _wanted(self, scores: Tensor, baseline: Tensor) -> Tensor:
        """Turn scores `[N, P, K]` into drops from the baseline `[N, K]`, where those are wanted."""
        return baseline[:, None] - scores if self.output == "drop" else scores

    def _measures(self, found: Occluded, baseline: Tensor) -> dict[str, Any]:
        """Return how the scores were computed, and how far they are from exact ones."""
        measures: dict[str, Any] = {"positions": found.scores.shape[1], "computed": found.how}
        if self.approximate is not None and found.plan is not None:
            measures["MACs saved"] = 1 - 1 / found.plan.saving
        if found.sample is None or found.exact is None:
            return measures
        got, exact = found.scores[:, found.sample], found.exact
        if self.output == "argmax":
            deviation: float | str = float((got != exact).double().mean())
        else:
            got, exact = self._wanted(got, baseline), self._wanted(exact, baseline)
            deviation = _deviation(got.double(), exact.double())
        return measures | {"deviation from exact": deviation, "windows checked": len(found.sample)}

    def _result(
        self,
        model: Model,
        windows: Windows,
        grid: Tensor,
        baseline: Tensor,
        panels: tuple[str, ...],
        measures: dict[str, Any],
    ) -> Heatmap:
        classes = self.output == "argmax"
        dtype = torch.float64 if baseline.dtype == torch.float64 else torch.float32
        values = windows.spread(grid, "center" if classes else self.aggregate)
        arrays = {
            "grid": grid.long() if classes else grid.to(dtype),
            "baseline": baseline.long() if classes else baseline.to(dtype),
            "boxes": windows.boxes,
        }
        if isinstance(self.fill, Tensor):
            arrays["fill"] = self.fill.cpu()
        return Heatmap(
            values.to(torch.float32 if classes else dtype),
            arrays=arrays,
            unit=self._unit(),
            signed=self.output == "drop",
            panels=panels,
            classes=_names(model, arrays["grid"], arrays["baseline"]) if classes else {},
            measures=measures,
            notes=self._notes(windows),
        )

    def _unit(self) -> str:
        if self.output == "argmax":
            return "most probable class"
        word = _SCORE_WORDS[self.score]
        unit = f"{word} drop" if self.output == "drop" else word
        return f"{unit}, summed over windows" if self.aggregate == "sum" else unit

    def _notes(self, windows: Windows) -> tuple[str, ...]:
        notes = [_READING[self.output].format(score=_SCORE_WORDS[self.score])]
        bare = int((windows.covered == 0).sum())
        if bare:
            share = bare / (windows.height * windows.width)
            notes.append(f"{share:.1%} of the pixels lie under no window.")
        return tuple(notes)


def _deviation(got: Tensor, exact: Tensor) -> float | str:
    """Return the largest difference as a share of the largest exact value.

    Where all exact values are 0, it is the difference itself.
    """
    same = (got == exact) | (got.isnan() & exact.isnan())
    difference = float(torch.where(same, 0.0, (got - exact).abs()).max())
    if not math.isfinite(difference):
        return "not finite"
    scale = float(exact.nan_to_num(0, 0, 0).abs().max())
    return difference / scale if scale else difference


def _format_size(size: tuple[int, int]) -> str:
    """Write a size, height first where it is no square."""
    return str(size[0]) if size[0] == size[1] else f"{size[0]} x {size[1]}"


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _panels(targets: tuple[tuple[Target, ...], ...], several: bool) -> tuple[str, ...]:
    """Name each target: by its label where all images share it."""
    if not several:
        return ()
    shared = [{t.label for t in row} for row in targets]
    return tuple(
        next(iter(labels)) if len(labels) == 1 else f"target {k + 1}"
        for k, labels in enumerate(shared)
    )


def _names(model: Model, *indices: Tensor) -> dict[int, str]:
    """Name the classes that occur in tensors of class indices."""
    found = sorted({i for some in indices for i in some.flatten().tolist()})
    names = {i: model.labels[i] if i < len(model.labels) else f"class {i}" for i in found}
    return names | ({-1: "undefined (NaN)"} if -1 in names else {})


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Offer occlusion."""
    return [Occlusion]
