"""guided_backprop: the gradient without its negative parts at every activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, MapKind, Target, hookimpl

NonReLU = Literal["clamp", "error"]


class GuidedBackprop(Explainer):
    """Image structure that drives a class or a unit, in colour (Springenberg et al. 2014, Fig. 1).

    At every ReLU the backward pass keeps positive gradients of active units only:
    R_l = 1[x>0] · 1[R_{l+1}>0] · R_{l+1}. The result is sharp, but it is no evidence for the
    reasons of a classification: it hardly changes if the weights of the upper layers are
    randomized (Adebayo et al. 2018). For units of inner layers it shows the pattern they detect.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "deconv": "deconvnets are 'guided_backprop' with rule='deconv'",
        "deconvnet": "deconvnets are 'guided_backprop' with rule='deconv'",
        "deconvolution": "deconvnets are 'guided_backprop' with rule='deconv'",
    }

    map_kind: ClassVar[MapKind | None] = "gradient"

    rule: Literal["guided", "deconv"] = Field(
        "guided",
        description='"guided", or "deconv", which ignores whether the unit was active (Zeiler & '
        "Fergus 2013).",
    )
    nonrelu: NonReLU = Field(
        "clamp",
        description="Treatment of other activations (ReLU6, LeakyReLU, ELU, SiLU, GELU, Hardswish "
        'and so on): keep positive gradients and apply their derivative, which "deconv" ignores '
        "(clamp), or raise an error.",
    )
    batch_size: PositiveInt = Field(16, description="Images per backward pass.")

    def reads_forward(self) -> bool:
        """Return False: the targets are only passed on to `Model.gradient`."""
        return False

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the modified gradient of each image's target."""
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
                "Shows structure that drives the target. It hardly changes if the upper layers are "
                "randomized (Adebayo et al. 2018), so it is no evidence for the model's reasons.",
                *notes,
            ),
        )


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [GuidedBackprop]
