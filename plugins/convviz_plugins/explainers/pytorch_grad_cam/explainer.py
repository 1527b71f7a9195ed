"""The code of all pytorch_grad_cam.* explainers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from convviz import Model, ParameterError, TargetError
from convviz.authoring import LayerKind, MapKind

from ...shared.bridges.bridged import (
    BridgedExplainer,
    ImageMap,
    ImageScores,
    maps_from,
    output_of,
)
from ...shared.bridges.signatures import own_arguments

BASE_METHODS: Mapping[str, str] = {
    "grad_cam": "GradCAM",
    "hires_cam": "HiResCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "layer_cam": "LayerCAM",
    "x_grad_cam": "XGradCAM",
    "eigen_cam": "EigenCAM",
}
"""Value of the parameter `base` -> class of the library."""


class CamExplainer(BridgedExplainer):
    """Base of the generated classes."""

    library: ClassVar[str] = "pytorch-grad-cam"
    map_kind: ClassVar[MapKind | None] = "rank"
    default_layer_kind: ClassVar[LayerKind | None] = "class_maps"
    unit: ClassVar[str] = "strength, scaled to [0, 1]"

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers that the method reads."""
        if self.library_class == "RefineCAM":
            return model.default_layers("patches")
        return super().layers(model)

    def attribute(self, image: ImageScores) -> ImageMap:
        """Return the library's map of an image."""
        import pytorch_grad_cam as library
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        method = getattr(library, self.library_class)
        modules = [image.private.layer(name) for name in self.layers(image.model)]
        cam = method(**self._construction(method, modules, image))
        pixels = image.image.clone().requires_grad_()
        options = own_arguments(self, method.forward)
        if self.library_class != "FinerCAM":
            options["targets"] = [ClassifierOutputTarget(image.scores.index)]
        else:
            options |= {"target_idx": self._class_index(image)}
        if "aug_smooth" in inspect.signature(method.__call__).parameters:
            options |= own_arguments(self, method.__call__)
        values = torch.from_numpy(cam(pixels, **options))[0].to(image.image.dtype)
        if values.isnan().any():
            raise ParameterError(
                f"{self.library_class} gave NaN, because no value of the layer is above zero for "
                "this target; choose another layer"
            )
        several = self.layers(image.model) if self.library_class == "RefineCAM" else ()
        return ImageMap(values, measures={"layers": ", ".join(several)} if several else {})

    def _construction(
        self, method: Any, modules: list[nn.Module], image: ImageScores
    ) -> dict[str, Any]:
        """Return the arguments of the constructor of a class of the library."""
        import pytorch_grad_cam as library

        names = inspect.signature(method.__init__).parameters
        own_values = own_arguments(self, method.__init__)
        known: dict[str, Any] = {"model": image.scores, "target_layers": modules}
        if image.maps is not None:
            raw = output_of(modules[0], image.scores, image.image)
            known["reshape_transform"] = maps_from(raw, image.maps)
        if "base_method" in names:
            known["base_method"] = getattr(library, BASE_METHODS[getattr(self, "base")])  # noqa: B009
        if "ablation_layer" in names:  # the default is one object for all calls
            known["ablation_layer"] = library.AblationLayer()
        if getattr(self, "use_softmax_scores", False):
            self._class_index(image)
        if self.library_class == "FullGrad":
            known["target_layers"] = []
        return own_values | {n: v for n, v in known.items() if n in names}

    def _class_index(self, image: ImageScores) -> int:
        """Return the class that is explained; raises TargetError for another kind of target."""
        if not image.scores.has_classes or image.target.function is not None:
            raise TargetError(
                f"pytorch-grad-cam's {self.library_class} compares the class with other classes; "
                f"{image.target.label} is not a class"
            )
        return image.scores.index
