"""rise: importance of pixels, estimated from the scores of randomly masked images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from convviz import Heatmap, Model
from convviz.authoring import (
    Batch,
    Explainer,
    Forward,
    MapKind,
    Target,
    hookimpl,
    optimized_forward,
    track,
)

from ..shared.fills import FillField, default_window, fill_image

_BATCH_PIXELS = {"cpu": 4 * 224 * 224, "cuda": 64 * 224 * 224}
"""Pixels of a batch. On a CPU, larger batches spend time on page faults: MobileNet v2 takes 1.5
times as long per image in batches of 16 as in batches of 4.
"""


class Rise(Explainer):
    """Importance of each pixel, estimated by random masking (RISE, Petsiuk et al. 2018).

    A random mask M shows about half of the image and covers the rest by the fill. The importance
    of a pixel is the mean of p M / keep over all masks, where p is the probability of the class for
    the masked image, or the activation of a unit: the mean of p over the masks that show the pixel.
    `values` is `[N, H, W]`; `error` `[N, H, W]` is its standard error, which falls with the square
    root of the number of masks.
    """

    map_kind: ClassVar[MapKind | None] = "rank"

    masks: int = Field(4000, gt=1, description="Random masks per image, each a forward pass.")
    cells: int = Field(7, gt=1, description="Rows and columns of the coarse grid of a mask.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the cells that are shown.")
    fill: FillField = Field(
        "mean",
        description='Content of the covered parts: "mean" (of the preprocessing), "image_mean", '
        '"blur", "noise", a colour as "#808080" or [128, 128, 128], or a number or tensor in '
        "model-input space.",
    )
    batch_size: PositiveInt | None = Field(
        None,
        description="Masked copies per forward pass; by default chosen by the size of the image.",
    )
    seed: int = Field(0, ge=0, description="Seed of the masks; every image gets the same ones.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the mean of the masks, weighted by the scores of the masked images."""
        images = batch.images.to(torch.promote_types(batch.images.dtype, torch.float32))
        fills = fill_image(self.fill, model, images, default_window(images.shape[-2:]), self.seed)
        masks = draw_masks(self.masks, self.cells, self.keep, images.shape[-2:], self.seed)
        size = self.batch_size or _automatic_batch(images)
        parts = range(0, self.masks, size)
        tallies = [_Tally.zeros(images.shape[-2:]) for _ in target]
        classes = sum(_is_class(single) for single in target)
        run = optimized_forward(model, images[:1], self.masks * classes)
        steps = [(i, start) for i in range(len(target)) for start in parts]
        for i, start in track(steps, "rise", total=len(steps)):
            chosen = masks.part(start, size)
            shown = chosen[:, None].to(images)
            covered = torch.lerp(fills[i].expand_as(images[i]), images[i], shown)
            tallies[i].add(_scores(model, run, covered, target[i]), chosen / self.keep)
        return self._result(tallies, target, images.dtype)

    def _result(
        self, tallies: Sequence[_Tally], target: Sequence[Target], dtype: torch.dtype
    ) -> Heatmap:
        maps = [tally.mean_and_error(self.masks) for tally in tallies]
        values, errors = (torch.stack(part).to(dtype) for part in zip(*maps, strict=True))
        arrays = {"error": errors}
        if isinstance(self.fill, Tensor):
            arrays["fill"] = self.fill.cpu()
        is_class = all(map(_is_class, target))
        return Heatmap(
            values,
            arrays=arrays,
            unit=f"{'probability' if is_class else 'value'}, mean over masks that show the pixel",
            measures={"masks": self.masks} | _noise(values, errors),
        )


class Masks(NamedTuple):
    """Random masks in compact form; `part` enlarges some of them.

    Attributes:
        grids: 0 or 1 for each cell, float64 `[M, cells, cells]`.
        shifts: of the enlarged grids in pixels, `[M, 2]`.
        rows, columns: linear interpolation of the cells, `[pixels, cells]`.
        size: height and width of a mask.
    """

    grids: Tensor
    shifts: Tensor
    rows: Tensor
    columns: Tensor
    size: tuple[int, int]

    def part(self, start: int, count: int) -> Tensor:
        """Return at most `count` masks in [0, 1], float64 `[count, H, W]`."""
        grids, shifts = self.grids[start : start + count], self.shifts[start : start + count]
        rows, columns = (
            torch.stack([weights[shift : shift + length] for shift in axis_shifts.tolist()])
            for weights, axis_shifts, length in zip(
                (self.rows, self.columns), shifts.unbind(1), self.size, strict=True
            )
        )
        return rows @ grids @ columns.mT


def draw_masks(count: int, cells: int, keep: float, size: Sequence[int], seed: int) -> Masks:
    """Return random masks as Petsiuk et al. draw them.

    A grid of cells, each shown with the probability `keep`, is enlarged bilinearly by the size of a
    cell to one cell more than the image, of which a window at a random place is cut out. All masks
    are drawn at once, so that they do not depend on the size of batches.

    Args:
        count: number of masks.
        cells: rows and columns of a grid.
        keep: probability that a cell is shown.
        size: height and width of the image.
        seed: of the random numbers.
    """
    generator = Generator().manual_seed(seed)
    height, width = size
    grids = torch.rand(count, cells, cells, generator=generator, dtype=torch.float64) < keep
    cell_sizes = [-(-side // cells) for side in (height, width)]
    shifts = [torch.randint(side, (count,), generator=generator) for side in cell_sizes]
    rows, columns = (_interpolation(cells, (cells + 1) * side) for side in cell_sizes)
    return Masks(grids.double(), torch.stack(shifts, 1), rows, columns, (height, width))


def _interpolation(cells: int, pixels: int) -> Tensor:
    """Return the weights `[pixels, cells]` that enlarge a row of cells linearly.

    The row continues beyond its ends as its mirror image about the centers of the outermost cells.
    """
    position = (torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5
    before = position.floor()
    share = position - before
    weights = torch.zeros(pixels, cells, dtype=torch.float64)
    for index, weight in ((before, 1 - share), (before + 1, share)):
        mirrored = cells - 1 - (cells - 1 - index.abs()).abs()
        weights.scatter_add_(1, mirrored.long()[:, None], weight[:, None])
    return weights


class _Tally(NamedTuple):
    """Sums over masks of score times mask, and of its square, float64 `[H, W]` on the CPU."""

    total: Tensor
    squares: Tensor

    @classmethod
    def zeros(cls, size: Sequence[int]) -> _Tally:
        return cls(*(torch.zeros(tuple(size), dtype=torch.float64) for _ in range(2)))

    def add(self, scores: Tensor, weights: Tensor) -> None:
        """Add the scores `[B]` of masks `[B, H, W]`, which are divided by their mean."""
        flat = weights.flatten(1)
        self.total.view(-1).addmv_(flat.T, scores)
        self.squares.view(-1).addmv_(flat.square().T, scores.square())

    def mean_and_error(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the mean of score times mask, and the standard error of this mean."""
        mean = self.total / count
        variance = (self.squares / count - mean.square()).clamp(min=0) * count / (count - 1)
        return mean, (variance / count).sqrt()


def _automatic_batch(images: Tensor) -> int:
    """Return the number of masked copies `[C, H, W]` in a forward pass."""
    pixels = _BATCH_PIXELS.get(images.device.type, _BATCH_PIXELS["cpu"])
    height, width = images.shape[-2:]
    return max(1, min(64, pixels // max(1, height * width)))


def _noise(values: Tensor, errors: Tensor) -> dict[str, str]:
    """Return the share of the range of the values that their typical standard error is."""
    spread = float(values.amax() - values.amin()) if values.numel() else 0.0
    if not spread > 0:
        return {}
    share = float(errors.median()) / spread
    return {"typical standard error": f"{share:.0%} of the range of the map"}


def _is_class(target: Target) -> bool:
    """Return whether a target is a class, or the difference of two."""
    return not (target.units or target.function)


def _scores(
    model: Model, run: Callable[[Tensor], Tensor], images: Tensor, target: Target
) -> Tensor:
    """Return the probability of a class, or the value of another target, float64 `[B]`."""
    if not _is_class(target):
        return model.scores(images, [target] * len(images)).cpu().double()
    probabilities = model.probabilities(run(images).double()).cpu()
    if target.contrast is not None:
        a, b = target.contrast
        return probabilities[:, a.index] - probabilities[:, b.index]
    return probabilities[:, target.index]


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Rise]
