"""RISE: importance of pixels, estimated from scores of randomly masked images."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, Target, hookimpl, track


class Rise(Explainer):
    """Importance of each pixel, estimated by random masking (Petsiuk et al. 2018).

    The importance of a pixel is the mean probability of the class, or activation of the unit, over
    the random masks that show the pixel.
    """

    masks: int = Field(4000, gt=0, description="Random masks per image.")
    cells: int = Field(7, gt=1, description="Rows and columns of the coarse grid of a mask.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the cells that are shown.")
    batch_size: int = Field(64, gt=0, description="Masked copies per forward pass.")
    seed: int = Field(0, ge=0, description="Seed of the masks; every image gets the same ones.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the mean of the masks, weighted by the scores of the masked images."""
        pairs = track(zip(batch.images, target, strict=True), "rise", total=len(batch))
        maps = [self._importance(model, image, unit_or_class) for image, unit_or_class in pairs]
        return Heatmap(
            torch.stack(maps).cpu(), unit="score, averaged over masks that show the pixel"
        )

    def _importance(self, model: Model, image: Tensor, target: Target) -> Tensor:
        drawn = self._draw(*image.shape[-2:])
        heat = torch.zeros_like(image[0])
        for parts in zip(*(tensor.split(self.batch_size) for tensor in drawn), strict=True):
            masks = self._enlarge(*parts, image)
            scores = _scores(model, image * masks[:, None], target)
            heat += torch.einsum("m,mhw->hw", scores.to(masks), masks)
        return heat / (self.masks * self.keep)

    def _draw(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the random grids of all masks `[M, 1, c, c]` and their shifts in pixels `[M, 2]`.

        They are drawn at once, so that the masks do not depend on the batch size.
        """
        rng = Generator().manual_seed(self.seed)
        grids = torch.rand(self.masks, 1, self.cells, self.cells, generator=rng) < self.keep
        cell = -(-height // self.cells), -(-width // self.cells)
        shifts = [torch.randint(side, (self.masks,), generator=rng) for side in cell]
        return grids, torch.stack(shifts, 1)

    def _enlarge(self, grids: Tensor, shifts: Tensor, image: Tensor) -> Tensor:
        """Return masks in [0, 1], `[count, H, W]`: grids enlarged bilinearly and shifted."""
        height, width = image.shape[-2:]
        cell_h, cell_w = -(-height // self.cells), -(-width // self.cells)
        size = ((self.cells + 1) * cell_h, (self.cells + 1) * cell_w)
        large = interpolate(grids.to(image), size=size, mode="bilinear", align_corners=False)[:, 0]
        places = zip(large, shifts.tolist(), strict=True)
        return torch.stack([mask[y : y + height, x : x + width] for mask, (y, x) in places])


def _scores(model: Model, images: Tensor, target: Target) -> Tensor:
    if target.index is None:
        return model.scores(images, [target] * len(images))
    return model.probabilities(model.forward(images).output)[:, target.index]


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer, whose name is that of the entry point in pyproject.toml."""
    return [Rise]
