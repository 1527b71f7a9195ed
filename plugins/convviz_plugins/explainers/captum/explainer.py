"""The code of all captum.* explainers: arguments for Captum, and maps from what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from convviz import Model, ParameterError, TargetError, Unit
from convviz.authoring import MapKind, parse_target

from ...shared.bridges.bridged import (
    BridgedExplainer,
    ImageMap,
    ImageScores,
    enlarged_map,
    maps_from,
    output_of,
)
from ...shared.bridges.network_copy import NetworkCopy, require_rebuilt
from ...shared.bridges.signatures import own_arguments
from ...shared.fills import default_window, fill_image
from .image_parts import image_parts


class CaptumExplainer(BridgedExplainer):
    """Base of the generated classes.

    Attributes:
        declared_kind: the kind of the map.
        promise: what the attributions sum to: "score", "difference" or "" (not promised).
    """

    library: ClassVar[str] = "Captum"
    declared_kind: ClassVar[MapKind | None] = None
    promise: ClassVar[str] = ""

    @property
    def map_kind(self) -> MapKind | None:
        """The kind of the map; that of a gradient without its sign is a rank."""
        if self.library_class == "Saliency":
            return "rank" if self._get("abs") else "gradient"
        if self.declared_kind == "contribution" and self._get("multiply_by_inputs") is False:
            return "gradient"
        return self.declared_kind

    def _get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or the default for a method that does not have it."""
        return getattr(self, name, default) if name in type(self).model_fields else default

    def layer_of(self, model: Model) -> str | None:
        """Return the layer that the method reads, if its map is that of a layer."""
        return None if self.library_class == "GuidedGradCam" else super().layer_of(model)

    def copy_network(self, model: Model) -> NetworkCopy:
        """Return the private copy; LRP needs sums as modules."""
        if "LRP" not in self.library_class:
            return NetworkCopy(model)
        from captum.attr._utils.custom_modules import Addition_Module

        return NetworkCopy(model, sums=Addition_Module)

    def attribute(self, image: ImageScores) -> ImageMap:
        """Return Captum's map of an image."""
        import captum.attr as library

        call = _CaptumCall(self, image)
        method = call.instance(getattr(library, self.library_class))
        attributions = method.attribute(**call.arguments(method.attribute))
        raw = attributions[0] if isinstance(attributions, tuple) else attributions
        return self._map(image, call, raw.detach())

    def _map(self, image: ImageScores, call: _CaptumCall, raw: Tensor) -> ImageMap:
        total, promised = self._sums(image, call, raw)
        layer = self.layer_of(image.model)
        if layer is not None:
            positions = call.as_maps(raw)[0].sum(0)
            values = enlarged_map(image, layer, positions).cpu()
            return ImageMap(values, {"map": positions.cpu()}, total, promised)
        values = raw[0].cpu()
        if call.parts is not None:
            return _map_of_parts(values, call.parts.cpu(), total, promised)
        if self.map_kind == "rank" and self.library_class != "GuidedGradCam":
            return ImageMap(values.abs().amax(0), {"attributions": values}, total, promised)
        return ImageMap(values, {}, total, promised)

    def _sums(
        self, image: ImageScores, call: _CaptumCall, raw: Tensor
    ) -> tuple[float | None, float]:
        """Return the sum of the attributions, if it is promised, and the promised value."""
        if not self.promise or self._get("multiply_by_inputs") is False:
            return None, 0.0
        value = call.value(image.image)
        if self.promise == "difference":
            value -= call.value(call.baselines)
        if call.parts is None:
            return float(raw.double().sum()), value
        return float(_values_of_parts(raw[0].cpu(), call.parts.cpu()).sum()), value


class _CaptumCall:
    """The arguments of Captum's method for one image.

    Args:
        explainer: the explainer, whose parameters they are.
        image: the image.

    Attributes:
        parts: index of the part that each pixel belongs to, `[H, W]`; None for other methods.
        baselines: `[B, C, H, W]`.
    """

    def __init__(self, explainer: CaptumExplainer, image: ImageScores) -> None:
        self._explainer, self._image = explainer, image
        fields = type(explainer).model_fields
        self.parts: Tensor | None = None
        if "features" in fields:
            self.parts = image_parts(
                image.image[0], explainer._get("features"), explainer._get("feature_count")
            )
        self.baselines = self._baselines()
        self._unit = self._neuron() if "neuron" in fields else None
        self._module = self._layer_module()
        self.as_maps: Any = lambda raw: raw
        if self._module is not None and image.maps is not None:
            raw = output_of(self._module, image.scores, image.image)
            if explainer.library_class != "LayerLRP" or raw.shape[1:] != image.maps.shape:
                self.as_maps = maps_from(raw, image.maps)

    def instance(self, method: Any) -> Any:
        """Return Captum's object."""
        import captum.attr as library

        known: dict[str, Any] = {
            "forward_func": self._image.scores,
            "model": self._image.scores,
            "layer": self._module,
        }
        if self._explainer.library_class == "NoiseTunnel":
            inner = {name.lower(): name for name in library.__all__}
            name = inner[self._explainer._get("inner").replace("_", "")]
            require_rebuilt(self._image.private, f"Captum's {name}", self._image.model)
            return method(getattr(library, name)(self._image.scores))
        names = inspect.signature(method.__init__).parameters
        own_values = own_arguments(self._explainer, method.__init__)
        return method(**own_values | {n: v for n, v in known.items() if n in names})

    def arguments(self, function: Any) -> dict[str, Any]:
        """Return the arguments of Captum's `attribute`."""
        image, size = self._image.image, self._explainer._get("batch_size")
        known: dict[str, Any] = {
            "inputs": image.clone().requires_grad_(),
            "target": self._image.scores.index,
            "baselines": self.baselines,
            "feature_mask": self._feature_mask(),
            "perturbations_per_eval": size,
            "internal_batch_size": size,
            "nt_samples_batch_size": size,
            "neuron_selector": self._selector(),
            **self._windows(),
        }
        names = {*inspect.signature(function).parameters}
        if self._explainer.library_class == "NoiseTunnel":
            names.add("target")  # passed on to the inner method
        own_values = own_arguments(self._explainer, function)
        return own_values | {n: v for n, v in known.items() if n in names}

    def _feature_mask(self) -> Tensor | None:
        if self.parts is None:
            return None
        return self.parts[None, None].expand_as(self._image.image).contiguous()

    def value(self, images: Tensor) -> float:
        """Return the mean value of what is explained, over some images."""
        if self._unit is None:
            return float(self._image.score(images).mean())
        assert self._module is not None
        outputs = output_of(self._module, self._image.scores, images).double()
        return float(outputs[(slice(None), *self._selector())].mean())

    def _baselines(self) -> Tensor:
        """Return the baselines; zeros for a method without them."""
        image, explainer = self._image.image, self._explainer
        fields = type(explainer).model_fields
        several: Sequence[Any] = explainer._get("baselines", ())
        if "baselines" in fields and len(several) < 2:
            raise ParameterError(f"baselines: give at least two, not {len(several)}")
        fills = several or [explainer._get("baseline", 0.0)]
        window = default_window(image.shape[-2:])
        images = [
            fill_image(_of_image(fill, self._image.index), self._image.model, image, window, seed)
            for seed, fill in enumerate(fills, explainer.seed)
        ]
        return torch.cat([part.expand_as(image) for part in images]).contiguous()

    def _windows(self) -> dict[str, Any]:
        """Return the shape and the steps of the window of occlusion."""
        if "window" not in type(self._explainer).model_fields:
            return {}
        image = self._image.image
        size = _pair(self._explainer._get("window")) or default_window(image.shape[-2:])
        if size[0] > image.shape[2] or size[1] > image.shape[3]:
            raise ParameterError(
                f"window {size[0]} x {size[1]} is larger than the image, "
                f"{image.shape[2]} x {image.shape[3]}"
            )
        steps = _pair(self._explainer._get("stride")) or tuple(max(1, side // 4) for side in size)
        channels = image.shape[1]
        return {"sliding_window_shapes": (channels, *size), "strides": (channels, *steps)}

    def _neuron(self) -> Unit:
        """Return the unit that is explained: that of the parameter, or the target."""
        text, model = self._explainer._get("neuron"), self._image.model
        unit = self._image.target.unit if text is None else parse_target(text)
        if not isinstance(unit, Unit):
            raise TargetError(
                f"Captum's {self._explainer.library_class} explains a unit: pass "
                'neuron="layer:channel" or "layer:channel@y,x", or a unit as target'
            )
        model.check_layer(unit.layer)
        if unit.position is None:
            forward = model.forward(self._image.image, [unit.layer])
            (resolved,) = model.resolve(unit, forward)
            assert resolved.unit is not None
            unit = resolved.unit
        return unit

    def _selector(self) -> Any:
        if self._unit is None:
            return None
        return (self._unit.channel, *(self._unit.position or ()))

    def _layer_module(self) -> nn.Module | None:
        if self._unit is not None:
            return self._image.private.layer(self._unit.layer)
        if "layer" not in type(self._explainer).model_fields:
            return None
        name = BridgedExplainer.layer_of(self._explainer, self._image.model)
        if name is None:
            return None
        # Captum has no relevance of activations, which is that of their input.
        before = self._explainer.library_class == "LayerLRP"
        return self._image.private.layer(name, before_activation=before)


def _of_image(fill: Any, index: int) -> Any:
    """Return the part of a fill `[N, C, H, W]` that belongs to an image."""
    return fill[index : index + 1] if isinstance(fill, Tensor) and fill.ndim == 4 else fill


def _pair(side: Any) -> tuple[int, int] | None:
    return (side, side) if isinstance(side, int) else side


def _map_of_parts(values: Tensor, parts: Tensor, total: float | None, promised: float) -> ImageMap:
    """Return a map in which the pixels of a part share the attribution of the part.

    Captum gives every pixel the attribution of its whole part. Divided by the number of pixels, the
    map can be summed over a region.
    """
    sizes = torch.bincount(parts.flatten())
    of_parts = _values_of_parts(values, parts)
    shared = of_parts / sizes
    arrays = {"parts": parts, "part_values": of_parts}
    return ImageMap(shared[parts], arrays, total, promised, {"parts": len(sizes)})


def _values_of_parts(values: Tensor, parts: Tensor) -> Tensor:
    """Return the attribution of each part, `[K]`, from that of each pixel `[C, H, W]`."""
    result = values.new_zeros(int(parts.max()) + 1)
    result[parts.flatten()] = values[0].flatten()
    return result
