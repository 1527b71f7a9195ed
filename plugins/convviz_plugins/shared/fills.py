"""Fills of covered windows and baselines: parsing, and the image that a fill stands for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BeforeValidator, WithJsonSchema
from torch import Tensor
from torch.nn import functional

from convviz import ConvvizError, Model, ParameterError, Preprocess

MIN_WINDOW = 3
"""Smallest side of the default window, in pixels."""

NAMES = ("mean", "image_mean", "blur", "noise")
Colour = tuple[int, int, int]
Fill = str | float | Colour | Tensor

_ALLOWED = (
    'fill must be "mean", "image_mean", "blur", "noise", a colour ("#808080" or three whole '
    "numbers from 0 to 255), a number or a tensor in model-input space"
)


def parse_fill(value: Any) -> Fill:
    """Return the fill that a Python value or a text of the command line stands for.

    Raises:
        ValueError: the value is not a fill.
    """
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, str):
        return _parse_word(value.strip())
    if isinstance(value, list | tuple):
        return _parse_colour(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{_ALLOWED}; got {value!r}")


FillField = Annotated[
    str | float | Colour | Tensor,
    BeforeValidator(parse_fill),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array"}]}),
]
"""Type of a parameter that is a fill."""


def default_window(size: Sequence[int]) -> tuple[int, int]:
    """Return height and width of a window: a seventh of the shorter side of an image, at least 3.

    Args:
        size: height and width of the image.
    """
    side = min(size)
    window = min(side, max(MIN_WINDOW, round(side / 7)))
    return window, window


def fill_image(
    fill: Fill, model: Model, images: Tensor, window: tuple[int, int], seed: int
) -> Tensor:
    """Return the content of covered windows, `[N, C, H, W]` (broadcast), for preprocessed images.

    Args:
        fill: the fill.
        model: whose preprocessing has the mean colour and converts colours.
        images: `[N, C, H, W]`.
        window: height and width of a window; blur is strong enough to hide its content.
        seed: of the noise.

    Raises:
        ConvvizError: the fill needs a Preprocess, and the model has none.
        ParameterError: the shape of a tensor does not fit the images.
    """
    if isinstance(fill, Tensor):
        return _tensor_image(fill, images)
    if isinstance(fill, tuple):
        return _colour_image(fill, model, images)
    if isinstance(fill, float):
        return images.new_full((1, 1, 1, 1), fill).expand(images.shape)
    if fill == "mean":
        _check_mean(model)
        return images.new_zeros(1, 1, 1, 1).expand(images.shape)
    if fill == "image_mean":
        return images.mean((2, 3), keepdim=True).expand(images.shape)
    return _blurred_image(images, window) if fill == "blur" else _noise_image(images, seed)


def _parse_word(word: str) -> Fill:
    if word in NAMES:
        return word
    if re.fullmatch(r"#[0-9a-fA-F]{6}", word):
        return (int(word[1:3], 16), int(word[3:5], 16), int(word[5:7], 16))
    try:
        value = json.loads(word if word.startswith("[") or "," not in word else f"[{word}]")
    except json.JSONDecodeError:
        raise ValueError(f"{_ALLOWED}; got {word!r}") from None
    if isinstance(value, str | dict | bool) or value is None:
        raise ValueError(f"{_ALLOWED}; got {word!r}")
    return parse_fill(value)


def _parse_colour(numbers: list[Any] | tuple[Any, ...]) -> Colour:
    whole = [v for v in numbers if isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255]
    if len(numbers) != 3 or len(whole) != 3:
        raise ValueError(f"{_ALLOWED}; got {numbers!r}")
    return (whole[0], whole[1], whole[2])


def _check_mean(model: Model) -> None:
    """Raise if the mean of the preprocessing is unknown; without preprocessing it is 0."""
    if model.preprocess is not None and not isinstance(model.preprocess, Preprocess):
        raise ConvvizError(
            'fill="mean" needs the mean of the model\'s Preprocess, but its preprocess is a '
            f"{type(model.preprocess).__name__}: give the model a convviz.Preprocess, or use "
            'fill="image_mean" or a number in model-input space (fill=0)'
        )


def _colour_image(colour: Colour, model: Model, images: Tensor) -> Tensor:
    if not isinstance(model.preprocess, Preprocess):
        raise ConvvizError(
            f"fill={colour} is a colour in pixel space, which only a convviz.Preprocess converts "
            "to model-input space: give the model one, or use a number in model-input space"
        )
    pixel = np.array(colour, dtype=np.uint8).reshape(1, 1, 3)
    return model.preprocess.normalize(pixel).to(images)[None].expand(images.shape)


def _tensor_image(fill: Tensor, images: Tensor) -> Tensor:
    shaped = fill.reshape(-1, 1, 1) if fill.dim() == 1 else fill
    try:
        return shaped.to(images).expand(images.shape)
    except RuntimeError:
        raise ParameterError(
            f"fill has the shape {tuple(fill.shape)}, which does not fit images of "
            f"{tuple(images.shape)}: give [C], [C, H, W] or [N, C, H, W]"
        ) from None


def _blurred_image(images: Tensor, window: tuple[int, int]) -> Tensor:
    """Return the images blurred by a Gaussian with a sigma of half the window's longer side.

    This is strong enough to hide the content of the window.
    """
    sigma = max(window) / 2
    for axis in (2, 3):
        radius = max(1, math.ceil(2 * sigma))
        at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        weights = torch.exp(-(at**2) / (2 * sigma**2))
        weights = (weights / weights.sum()).expand(images.shape[1], 1, -1)
        pad = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        images = functional.conv2d(
            functional.pad(images, pad, mode="replicate"),
            weights.unsqueeze(5 - axis),
            groups=images.shape[1],
        )
    return images


def _noise_image(images: Tensor, seed: int) -> Tensor:
    """Return noise with the mean and deviation of each image and channel, from one random field."""
    generator = torch.Generator().manual_seed(seed)
    field = torch.randn(images.shape[1:], generator=generator, dtype=torch.float64).to(images)
    mean, std = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True, correction=0)
    return mean + std * field
