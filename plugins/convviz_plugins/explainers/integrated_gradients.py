"""integrated_gradients: contributions of the pixels to a difference of two scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from convviz import Heatmap, Model
from convviz.authoring import (
    Batch,
    Explainer,
    Forward,
    MapKind,
    Target,
    hookimpl,
    track,
)

from ..shared.fills import FillField, default_window, fill_image

LARGE_GAP = 0.05
"""Gap, as a share of the difference of the scores, from which a note is given."""

TINY_DIFFERENCE = 1e-3
"""Difference of the scores, as a share of the larger one, below which no share is stated."""

_BATCH_PIXELS = {"cpu": 16 * 224 * 224, "cuda": 64 * 224 * 224}
"""Pixels per backward pass."""


class IntegratedGradients(Explainer):
    """Contributions of pixels to the score, relative to a baseline (Sundararajan et al. 2017).

    (x - x0) times the mean gradient of the score S on the straight line from the baseline x0 to
    the image x. The contributions sum to S(x) - S(x0), up to the error of the sum over `steps`
    midpoints of the line, which the result states. `values` is `[N, C, H, W]`, in units of the
    score; the picture shows its sum over the colour channels. `sum` `[N]` is the sum of an image's
    contributions, `score_difference` `[N]` is S(x) - S(x0).
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "ig": "IG is 'integrated_gradients'",
    }
    map_kind: ClassVar[MapKind | None] = "contribution"

    steps: PositiveInt = Field(
        50, description="Points on the line between baseline and image, each a backward pass."
    )
    baseline: FillField = Field(
        "mean",
        description='Image with which the line begins: "mean" (of the preprocessing), '
        '"image_mean", "blur", "noise", a colour as "#808080" or [128, 128, 128], or a number or '
        "tensor in model-input space.",
    )
    batch_size: PositiveInt | None = Field(
        None,
        description="Points per backward pass; by default chosen by the size of the image. It "
        "is halved if memory runs out.",
    )
    seed: int = Field(0, ge=0, description="Seed of the noise baseline.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the contributions to the score of each image's target."""
        images = batch.images.to(torch.promote_types(batch.images.dtype, torch.float32))
        window = default_window(images.shape[-2:])
        baseline = fill_image(self.baseline, model, images, window, self.seed).contiguous()
        size = self.batch_size or _automatic_batch(images)
        line = _Line(model, images, baseline, target, self.steps)
        values = (images - baseline).cpu().double() * line.mean_gradient(size)
        gaps = _Gaps(
            sums=values.sum((1, 2, 3)),
            clean=torch.tensor([t.score for t in target], dtype=torch.float64),
            baseline=line.baseline_scores(size),
        )
        return self._result(values.to(images.dtype), gaps)

    def _result(self, values: Tensor, gaps: _Gaps) -> Heatmap:
        arrays = {"sum": gaps.sums, "score_difference": gaps.differences}
        if isinstance(self.baseline, Tensor):
            arrays["baseline_image"] = self.baseline.cpu()
        return Heatmap(
            values,
            arrays=arrays,
            unit="contribution to the score, summed over the colour channels",
            signed=True,
            summed=True,
            measures=gaps.measures(),
            notes=gaps.notes(self.steps),
        )


@dataclass(frozen=True, eq=False)
class _Line:
    """The straight lines from the baselines to the images, `[N, C, H, W]` each."""

    model: Model
    images: Tensor
    baseline: Tensor
    target: Sequence[Target]
    steps: int

    def baseline_scores(self, batch_size: int) -> Tensor:
        """Return the targets' scores at the baselines, float64 `[N]`."""
        starts = range(0, len(self.images), batch_size)
        scores = [
            self.model.scores(self.baseline[i : i + batch_size], self.target[i : i + batch_size])
            for i in starts
        ]
        return torch.cat(scores).cpu().double()

    def mean_gradient(self, batch_size: int) -> Tensor:
        """Return the mean gradient at the midpoints of equal steps, float64 `[N, C, H, W]`."""
        total = torch.zeros(self.images.shape, dtype=torch.float64)
        # The points of all images, image by image, so that a batch may hold those of several.
        points = torch.arange(len(self.images) * self.steps).split(batch_size)
        for chunk in track(points, "integrated_gradients", total=len(points)):
            owners = chunk // self.steps
            shares = ((chunk % self.steps).double() + 0.5) / self.steps
            shares = shares.to(self.images).view(-1, 1, 1, 1)
            at = torch.lerp(self.baseline[owners], self.images[owners], shares)
            gradient = self.model.gradient(at, [self.target[i] for i in owners.tolist()])
            total.index_add_(0, owners, gradient.cpu().double())
        return total / self.steps


@dataclass(frozen=True, eq=False)
class _Gaps:
    """The gaps between the sums of contributions and the differences of the scores.

    Attributes:
        sums: of the contributions of each image, `[N]`.
        clean, baseline: scores of the images and of their baselines, `[N]`.
    """

    sums: Tensor
    clean: Tensor
    baseline: Tensor

    @property
    def differences(self) -> Tensor:
        """Score of each image minus that of its baseline."""
        return self.clean - self.baseline

    @property
    def absolute(self) -> Tensor:
        """The gap of each image, in units of the score."""
        return (self.sums - self.differences).abs()

    @property
    def relative(self) -> Tensor:
        """The gap as a share of the difference of the scores; NaN where that is tiny."""
        scale = torch.maximum(self.clean.abs(), self.baseline.abs())
        is_tiny = self.differences.abs() <= TINY_DIFFERENCE * scale
        return torch.where(is_tiny, torch.nan, self.absolute / self.differences.abs())

    def measures(self) -> dict[str, Any]:
        """Return the gap of the image, or the largest gap of several."""
        if not len(self.sums):
            return {}
        largest = "largest " if len(self.sums) > 1 else ""
        measures: dict[str, Any] = {f"{largest}completeness gap": float(self.absolute.amax())}
        known = self.relative[~self.relative.isnan()]
        if len(known):
            name = f"{largest}gap as a share of the score difference"
            measures[name] = f"{float(known.amax()):.2%}"
        if len(self.sums) == 1:
            measures["score of image minus baseline"] = float(self.differences[0])
        return measures

    def notes(self, steps: int) -> tuple[str, ...]:
        """Return a note for each image with a large gap, or with the score of its baseline."""
        notes = ["Red raises the score relative to the baseline, blue lowers it."]
        for i, (total, difference, relative) in enumerate(
            zip(self.sums.tolist(), self.differences.tolist(), self.relative.tolist(), strict=True)
        ):
            where = f"Image {i + 1}: the" if len(self.sums) > 1 else "The"
            if relative != relative:
                notes.append(f"{where} score of the baseline is that of the image, almost.")
            elif relative > LARGE_GAP:
                notes.append(
                    f"{where} contributions sum to {total:.3g}, the scores differ by "
                    f"{difference:.3g}: a gap of {relative:.0%}. More than {steps} steps reduce it."
                )
        return tuple(notes)


def _automatic_batch(images: Tensor) -> int:
    height, width = images.shape[-2:]
    pixels = _BATCH_PIXELS.get(images.device.type, _BATCH_PIXELS["cpu"])
    return max(1, min(64, pixels // max(1, height * width)))


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [IntegratedGradients]
