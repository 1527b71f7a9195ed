"""guided_grad_cam: guided backpropagation within the region that Grad-CAM marks."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, LayerKind, MapKind, Target, hookimpl

from .grad_cam import GradCam
from .guided_backprop import GuidedBackprop, NonReLU


class GuidedGradCam(Explainer):
    """Fine structure inside the region that speaks for the class (Selvaraju et al. 2017, §3.2).

    The product of the guided gradient, which has the resolution of the image, and the map of
    `grad_cam`, which depends on the class. `values` is `[N, C, H, W]`; `map` `[N, h, w]` and
    `weights` `[N, C]` are those of grad_cam.
    """

    default_layer_kind: ClassVar[LayerKind | None] = "class_maps"
    map_kind: ClassVar[MapKind | None] = "rank"

    layer: str | None = Field(
        None,
        description="Layer of the Grad-CAM map; default: the output of the last stage, or the "
        "first norm of the last block of a transformer with a class token.",
    )
    nonrelu: NonReLU = Field(
        "clamp",
        description="Treatment of activations other than ReLU in the guided gradient, as in "
        "guided_backprop: keep positive gradients (clamp), or raise an error.",
    )
    batch_size: PositiveInt = Field(16, description="Images per backward pass.")

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer of the Grad-CAM map."""
        return self._grad_cam().layers(model)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the product of guided gradient and map for each image's target.

        Raises:
            ParameterError: the layer has no rows and columns.
            ModelError: the target does not depend on the layer, or the network has no activations
                that the guided rule can reach.
        """
        cam = self._grad_cam().explain(model, batch, target, forward)
        guided = GuidedBackprop(nonrelu=self.nonrelu, batch_size=self.batch_size).explain(
            model, batch, target, forward
        )
        return Heatmap(
            guided.values * cam.values[:, None].to(guided.values.dtype),
            arrays=cam.arrays,
            unit="guided d score / d input x Grad-CAM",
            signed=True,
            colour=True,
            measures={"layer": cam.measures["layer"]},
            notes=(*guided.notes, *cam.notes),
        )

    def _grad_cam(self) -> GradCam:
        return GradCam(layer=self.layer, batch_size=self.batch_size)


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [GuidedGradCam]
