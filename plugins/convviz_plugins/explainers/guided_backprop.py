"""guided_backprop: the gradient with negative parts cut at every activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, Target, hookimpl


class GuidedBackprop(Explainer):
    """What in the image drives a class or a unit, in colour (Springenberg et al. 2014, Fig. 1).

    At every ReLU the backward pass keeps what is positive and came through an open gate:
    R_l = 1[x>0] · 1[R_{l+1}>0] · R_{l+1}. The result is sharp, but it is no evidence of what
    the class rests on: with the weights of the upper layers randomised it hardly changes
    (Adebayo et al. 2018). For units of inner layers it shows what they look for.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "deconv": "deconvnets are 'guided_backprop' with rule='deconv'",
        "deconvnet": "deconvnets are 'guided_backprop' with rule='deconv'",
        "deconvolution": "deconvnets are 'guided_backprop' with rule='deconv'",
    }

    rule: Literal["guided", "deconv"] = Field(
        "guided",
        description='"guided", or "deconv", which leaves out the ReLU\'s own gate (Zeiler & '
        "Fergus 2013).",
    )
    nonrelu: Literal["clamp", "error"] = Field(
        "clamp",
        description="Activations that are no ReLU (ReLU6, LeakyReLU, ELU, SiLU, GELU, Hardswish "
        "and their like): let only positive gradients into them and apply their own derivative "
        '("deconv" leaves that out), or refuse them.',
    )
    batch_size: PositiveInt = Field(16, description="Images a backward pass.")

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Run the backward pass of each image's target under the rule."""
        images, size = batch.images, self.batch_size
        notes: list[str] = []
        parts = [
            model.gradient(
                images[i : i + size], target[i : i + size], self.rule, self.nonrelu, notes
            )
            for i in range(0, len(images), size)
        ]
        gradient = torch.cat(parts).cpu()
        return Heatmap(
            gradient if gradient.dtype == torch.float64 else gradient.float(),
            unit="guided d score / d input" if self.rule == "guided" else "deconvnet signal",
            signed=True,
            colour=True,
            notes=(
                "Shows structure that drives the target; it hardly changes when the upper layers "
                "are randomised (Adebayo et al. 2018), so it is no proof of the model's reasons.",
                *notes,
            ),
        )


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Offer guided_backprop."""
    return [GuidedBackprop]
