"""RISE: which pixels matter, estimated by showing the model random parts of the image."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from convviz import Batch, Explainer, Forward, Heatmap, Model, Target, hookimpl, track


class Rise(Explainer):
    """Importance of each pixel, estimated by random masking (Petsiuk et al. 2018).

    A pixel's importance is the class's probability (or the unit's value), averaged over random
    masks that show it.
    """

    masks: int = Field(4000, gt=0, description="Random masks an image.")
    cells: int = Field(7, gt=1, description="Cells of a mask's coarse grid, down and across.")
    keep: float = Field(0.5, gt=0, lt=1, description="Share of the cells that are shown.")
    batch_size: int = Field(64, gt=0, description="Masked copies a forward pass.")
    seed: int = Field(0, ge=0, description="Seed of the masks; every image gets the same ones.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Average the masks, each weighted by the score of what it shows."""
        pairs = track(zip(batch.images, target, strict=True), "rise", total=len(batch))
        maps = [self._importance(model, image, one) for image, one in pairs]
        return Heatmap(
            torch.stack(maps).cpu(), unit="score, averaged over masks that show the pixel"
        )

    def _importance(self, model: Model, image: Tensor, target: Target) -> Tensor:
        rng = Generator().manual_seed(self.seed)
        heat = torch.zeros_like(image[0])
        for done in range(0, self.masks, self.batch_size):
            masks = self._draw(min(self.batch_size, self.masks - done), image, rng)
            scores = _scores(model, image * masks[:, None], target)
            heat += torch.einsum("m,mhw->hw", scores.to(masks), masks)
        return heat / (self.masks * self.keep)

    def _draw(self, count: int, image: Tensor, rng: Generator) -> Tensor:
        """Draw masks in [0, 1], `[count, H, W]`: coarse grids, enlarged and randomly shifted."""
        height, width = image.shape[-2:]
        cell_h, cell_w = -(-height // self.cells), -(-width // self.cells)
        grid = (torch.rand(count, 1, self.cells, self.cells, generator=rng) < self.keep).to(image)
        size = ((self.cells + 1) * cell_h, (self.cells + 1) * cell_w)
        large = interpolate(grid, size=size, mode="bilinear", align_corners=False)[:, 0]
        top = torch.randint(cell_h, (count,), generator=rng).tolist()
        left = torch.randint(cell_w, (count,), generator=rng).tolist()
        shifts = zip(large, top, left, strict=True)
        return torch.stack([mask[y : y + height, x : x + width] for mask, y, x in shifts])


def _scores(model: Model, images: Tensor, target: Target) -> Tensor:
    if target.index is None:
        return model.scores(images, [target] * len(images))
    return model.probabilities(model.forward(images).output)[:, target.index]


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Offer the explainer; the entry point in pyproject.toml names it."""
    return [Rise]
