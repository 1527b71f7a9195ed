"""Conversion of torchvision transforms and timm configurations to a Preprocess."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ParameterError
from .preprocess import Preprocess

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def as_preprocess(preprocess: Any) -> Preprocess | Callable[[Any], Any] | None:
    """Return the equivalent Preprocess if there is one; otherwise return the argument.

    Converted are dicts of fields, torchvision's weights, presets and `Compose`d transforms, and
    the transforms that timm builds.
    """
    if isinstance(preprocess, Mapping):
        return Preprocess.from_dict(preprocess)
    if preprocess is None or isinstance(preprocess, Preprocess):
        return preprocess
    try:
        return preprocess_from_torchvision(preprocess)
    except ParameterError:
        pass
    if not callable(preprocess):
        raise ParameterError(
            "preprocess must be a convviz.Preprocess, a dict of its fields, or a function from "
            f"a PIL image to a tensor [C, H, W], not {preprocess!r}"
        )
    function: Callable[[Any], Any] = preprocess
    return function


def preprocess_from_torchvision(transforms: Any) -> Preprocess:
    """Return the Preprocess of torchvision's transforms, or of weights that include them.

    Raises:
        ParameterError: there is no equivalent Preprocess.
    """
    if type(transforms).__module__.startswith("torchvision.models"):  # an entry of an enum
        transforms = transforms.transforms()
    kind = _kind(transforms)
    if kind == "ImageClassification":
        return _preset(transforms, transforms.resize_size, transforms.crop_size)
    if kind == "SemanticSegmentation":
        return _preset(transforms, transforms.resize_size, None)
    if kind in ("Compose", "Sequential"):
        return _steps(list(getattr(transforms, "transforms", transforms)))
    raise ParameterError(f"{_name(transforms)} cannot be written as a Preprocess")


def preprocess_from_timm(config: Any) -> Preprocess:
    """Return the Preprocess of a timm model or of the dict of `timm.data.resolve_data_config`.

    Raises:
        ParameterError: there is no equivalent Preprocess.
    """
    if not isinstance(config, Mapping):
        config = getattr(config, "pretrained_cfg", None)
    if not isinstance(config, Mapping):
        raise ParameterError("the argument must be a timm model or its data config (a dict)")
    channels, height, width = config.get("input_size") or (3, 224, 224)
    percent = config.get("crop_pct") or 0.875
    scaled = (math.floor(height / percent), math.floor(width / percent))
    mode = config.get("crop_mode") or "center"
    if mode == "border" or (mode == "center" and scaled[0] != scaled[1]):
        raise ParameterError(
            f"timm's crop mode {mode!r} for {height} x {width} cannot be written as a Preprocess"
        )
    return Preprocess(
        resize=scaled if mode == "squash" else scaled[0],
        crop=(height, width),
        interpolation=_interpolation(config.get("interpolation") or "bicubic"),
        mean=config.get("mean") or _IMAGENET["mean"],
        std=config.get("std") or _IMAGENET["std"],
        channels=channels,
    )


def _preset(preset: Any, resize: Any, crop: Any) -> Preprocess:
    return Preprocess(
        resize=_unwrap(resize),
        crop=_unwrap(crop),
        interpolation=_interpolation(preset.interpolation),
        mean=preset.mean,
        std=preset.std,
    )


def _steps(steps: list[Any]) -> Preprocess:
    """Convert [Grayscale] [Resize] [CenterCrop] to-tensor [Normalize], in this order only."""
    fields: dict[str, Any] = {"resize": None, "crop": None, "mean": (0.0,), "std": (1.0,)}
    order = ["Grayscale", "Resize", "CenterCrop", "tensor", "Normalize"]
    at, scaled = 0, False
    for step in steps:
        kind = _kind(step)
        scaled |= kind in _SCALING or (kind == "ToDtype" and bool(getattr(step, "scale", False)))
        rank = order.index("tensor" if kind in _TO_TENSOR else kind) if _known(kind, order) else -1
        if rank < at or (rank == at and kind not in _TO_TENSOR and at > 0 and step is not steps[0]):
            raise ParameterError(f"{_name(step)} at this place cannot be written as a Preprocess")
        at = rank
        _read(step, kind, fields)
    if not scaled:
        raise ParameterError(
            "transforms that do not scale pixels to [0, 1] cannot be written as a Preprocess"
        )
    return Preprocess(**fields)


_SCALING = ("ToTensor", "MaybeToTensor", "ConvertImageDtype")
_TO_TENSOR = (*_SCALING, "PILToTensor", "ToImage", "ToDtype", "ToPureTensor", "MaybePILToTensor")


def _known(kind: str, order: list[str]) -> bool:
    return kind in order or kind in _TO_TENSOR


def _read(step: Any, kind: str, fields: dict[str, Any]) -> None:
    if kind == "Grayscale":
        if step.num_output_channels != 1:
            raise ParameterError("a Grayscale of 3 channels cannot be written as a Preprocess")
        fields["channels"] = 1
    elif kind == "Resize":
        if getattr(step, "max_size", None) is not None:
            raise ParameterError("a Resize with max_size cannot be written as a Preprocess")
        fields["resize"] = _unwrap(step.size)
        fields["interpolation"] = _interpolation(step.interpolation)
    elif kind == "CenterCrop":
        fields["crop"] = _unwrap(step.size)
    elif kind == "Normalize":
        fields["mean"], fields["std"] = _numbers(step.mean), _numbers(step.std)


def _kind(transform: Any) -> str:
    """Return the class name of a transform of torchvision, timm or torch; "" for others."""
    module = type(transform).__module__.split(".")[0]
    return type(transform).__name__ if module in ("torchvision", "timm", "torch") else ""


def _name(transform: Any) -> str:
    return getattr(transform, "__name__", None) or type(transform).__name__


def _numbers(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values


def _unwrap(size: Any) -> Any:
    """Return the number in a list of one, as torchvision stores single sizes; others as tuples."""
    if isinstance(size, list | tuple):
        return size[0] if len(size) == 1 else tuple(size)
    return size


def _interpolation(value: Any) -> Any:
    name = str(getattr(value, "value", value)).lower()
    # For PIL images, torchvision's two nearest modes are the same.
    return "nearest" if name == "nearest-exact" else name
