"""grad_cam: the maps of a layer, weighted by the gradient of the score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from convviz import Heatmap, Model
from convviz.authoring import Batch, Explainer, Forward, LayerKind, MapKind, Target, hookimpl

from ..shared.class_maps import Variant, class_maps

_SOURCES: Mapping[Variant, str] = {
    "grad_cam": "channels weighted by their mean gradient",
    "hires_cam": "activations times gradients",
    "layer_cam": "activations times positive gradients",
}


class GradCam(Explainer):
    """Regions whose features raise the score, at a layer (Grad-CAM, Selvaraju et al. 2017).

    Each channel of the layer is weighted by the mean gradient of the score over its positions; the
    weighted sum of the channels is the map. `map` `[N, h, w]` is this sum, with its sign;
    `values` `[N, H, W]` is its part above zero, enlarged: each position of the layer is placed at
    the center of its receptive field, and the pixels between are interpolated bilinearly.
    `weights` `[N, C]` are the weights of the channels (variant "grad_cam" only).
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "cam": "CAM is 'grad_cam', up to a factor, for networks that end with global average "
        "pooling and a linear layer",
        "hirescam": "HiResCAM is 'grad_cam' with variant='hires_cam'",
        "layercam": "LayerCAM is 'grad_cam' with variant='layer_cam'",
    }
    default_layer_kind: ClassVar[LayerKind | None] = "class_maps"
    map_kind: ClassVar[MapKind | None] = "rank"

    layer: str | None = Field(
        None,
        description="Layer with rows and columns whose maps are weighted; default: the output of "
        "the last stage, or the first norm of the last block of a transformer with a class token.",
    )
    variant: Variant = Field(
        "grad_cam",
        description="Weights: the mean gradient of each channel (grad_cam), the gradient at each "
        "position (hires_cam, Draelos & Carin 2020), or its positive part (layer_cam, Jiang et al. "
        "2021), which also suits earlier layers.",
    )
    batch_size: PositiveInt = Field(16, description="Images per backward pass.")

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer whose maps are weighted."""
        return (model.check_layer(self.layer or model.default_layers("class_maps")[0]),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Heatmap:
        """Return the map of each image's target.

        Raises:
            ParameterError: the layer has no rows and columns.
            ModelError: the target does not depend on the layer.
        """
        (layer,) = self.layers(model)
        maps = class_maps(model, batch, target, forward, layer, self.variant, self.batch_size)
        arrays = {"map": maps.signed}
        if maps.weights is not None:
            arrays["weights"] = maps.weights
        return Heatmap(
            maps.enlarged,
            arrays=arrays,
            unit=f"{_SOURCES[self.variant]}, above 0",
            measures=_measures(layer, maps.signed.shape[1:]),
            notes=maps.notes,
        )


def _measures(layer: str, size: tuple[int, ...]) -> dict[str, Any]:
    return {"layer": layer, "positions": f"{size[0]} x {size[1]}"}


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [GradCam]
