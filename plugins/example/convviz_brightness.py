"""Which parts of an image the score reacts to if they get brighter, by finite differences."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, MapKind, Target, hookimpl, track


class Brightness(Explainer):
    """How strongly the score reacts to the brightness of each part of the image.

    Each cell of a grid is made slightly brighter and slightly darker. Its value is the difference
    of the two scores divided by the difference of the two brightnesses, without its sign. It needs
    forward passes only, so that it also explains networks without gradients.
    """

    map_kind: ClassVar[MapKind | None] = "rank"

    cells: int = Field(14, gt=0, description="Rows and columns of the grid.")
    step: float = Field(0.1, gt=0, description="Change of the brightness, in units of the input.")
    batch_size: int = Field(64, gt=0, description="Changed copies per forward pass.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the reaction of each image's target, as a map in the size of the images."""
        pairs = track(zip(batch.images, target, strict=True), "brightness", total=len(batch))
        maps = [self._slopes(model, image, of_image).abs() for image, of_image in pairs]
        return Heatmap(torch.stack(maps).cpu(), unit="|d score / d brightness of the part|")

    def _slopes(self, model: Model, image: Tensor, target: Target) -> Tensor:
        cells = torch.eye(self.cells**2).view(-1, 1, self.cells, self.cells)
        masks = interpolate(cells, size=image.shape[-2:], mode="nearest").to(image)
        slopes = [self._differences(model, image, part, target) for part in self._parts(masks)]
        return torch.einsum("m,mhw->hw", torch.cat(slopes), masks[:, 0])

    def _parts(self, masks: Tensor) -> tuple[Tensor, ...]:
        return masks.split(max(1, self.batch_size // 2))

    def _differences(self, model: Model, image: Tensor, masks: Tensor, target: Target) -> Tensor:
        """Return the central differences for masks `[m, 1, H, W]`."""
        copies = torch.cat([image + self.step * masks, image - self.step * masks])
        brighter, darker = model.scores(copies, [target] * len(copies)).chunk(2)
        return (brighter - darker).to(image) / (2 * self.step)


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer, whose name is that of the entry point in pyproject.toml."""
    return [Brightness]
