"""input_x_gradient: the gradient of a score, multiplied by the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, MapKind, Target, hookimpl


class InputXGradient(Explainer):
    """First-order contribution of each input value, x · dS/dx (Shrikumar et al. 2016).

    `values` is `[N, C, H, W]`, in units of the score; the picture shows its sum over the colour
    channels. For a network that is linear in its input, the values sum to the score of the image
    minus that of an input of zeros, which is the mean colour of the preprocessing.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "gradient x input": "the product is 'input_x_gradient'",
        "gradient times input": "the product is 'input_x_gradient'",
    }
    map_kind: ClassVar[MapKind | None] = "contribution"

    batch_size: PositiveInt = Field(16, description="Images per backward pass.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the product of each image and the gradient of its target."""
        images, size = batch.images, self.batch_size
        parts = [
            model.gradient(images[i : i + size], target[i : i + size])
            for i in range(0, len(images), size)
        ]
        gradient = torch.cat(parts)
        precise = torch.promote_types(gradient.dtype, torch.float32)
        return Heatmap(
            (gradient.to(precise) * images.to(precise)).cpu(),
            unit="input x d score / d input, summed over the colour channels",
            signed=True,
            summed=True,
            notes=(
                "Pixels of the mean colour of the preprocessing are zeros of the input, so their "
                "value is 0 whatever the gradient.",
            ),
        )


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [InputXGradient]
