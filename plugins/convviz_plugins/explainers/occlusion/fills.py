"""What a covered pixel shows: how it may be written, and the picture it means."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from convviz import ConvvizError, Model, ParameterError, Preprocess

NAMES = ("mean", "image_mean", "blur", "noise")
Colour = tuple[int, int, int]
Fill = str | float | Colour | Tensor

_ALLOWED = (
    'fill must be "mean", "image_mean", "blur", "noise", a colour ("#808080" or three whole '
    "numbers from 0 to 255), a number or a tensor in model-input space"
)


def parse_fill(given: Any) -> Fill:
    """Read a fill as it is written in Python or on a command line.

    Raises:
        ValueError: saying what is allowed and what was given.
    """
    if isinstance(given, Tensor):
        return given.detach().clone()
    if isinstance(given, np.ndarray):
        return torch.from_numpy(given.copy())
    if isinstance(given, str):
        return _parse_word(given.strip())
    if isinstance(given, list | tuple):
        return _parse_colour(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    raise ValueError(f"{_ALLOWED}; got {given!r}")


def fill_image(
    fill: Fill, model: Model, images: Tensor, window: tuple[int, int], seed: int
) -> Tensor:
    """Return what lies under the window, `[N, C, H, W]` (broadcast), for preprocessed images.

    Raises:
        ConvvizError: where a fill needs the model's Preprocess and it has none.
        ParameterError: where a tensor does not fit the images.
    """
    if isinstance(fill, Tensor):
        return _given(fill, images)
    if isinstance(fill, tuple):
        return _colour(fill, model, images)
    if isinstance(fill, float):
        return images.new_full((1, 1, 1, 1), fill).expand(images.shape)
    if fill == "mean":
        _check_mean(model)
        return images.new_zeros(1, 1, 1, 1).expand(images.shape)
    if fill == "image_mean":
        return images.mean((2, 3), keepdim=True).expand(images.shape)
    return _blurred(images, window) if fill == "blur" else _noise(images, seed)


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


def _parse_colour(given: list[Any] | tuple[Any, ...]) -> Colour:
    whole = [v for v in given if isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255]
    if len(given) != 3 or len(whole) != 3:
        raise ValueError(f"{_ALLOWED}; got {given!r}")
    return (whole[0], whole[1], whole[2])


def _check_mean(model: Model) -> None:
    """Refuse the mean where nobody knows it; without any preprocessing it is 0."""
    if model.preprocess is not None and not isinstance(model.preprocess, Preprocess):
        raise ConvvizError(
            'fill="mean" needs the mean of the model\'s Preprocess, but its preprocess is a '
            f"{type(model.preprocess).__name__}: give the model a convviz.Preprocess, or take "
            'fill="image_mean" or a number in model-input space (fill=0)'
        )


def _colour(colour: Colour, model: Model, images: Tensor) -> Tensor:
    if not isinstance(model.preprocess, Preprocess):
        raise ConvvizError(
            f"fill={colour} is a colour in pixel space, which only a convviz.Preprocess brings to "
            "the model's input: give the model one, or take a number in model-input space"
        )
    pixel = np.array(colour, dtype=np.uint8).reshape(1, 1, 3)
    return model.preprocess.normalize(pixel).to(images)[None].expand(images.shape)


def _given(fill: Tensor, images: Tensor) -> Tensor:
    shaped = fill.reshape(-1, 1, 1) if fill.dim() == 1 else fill
    try:
        return shaped.to(images).expand(images.shape)
    except RuntimeError:
        raise ParameterError(
            f"fill has the shape {tuple(fill.shape)}, which does not fit images of "
            f"{tuple(images.shape)}: give [C], [C, H, W] or [N, C, H, W]"
        ) from None


def _blurred(images: Tensor, window: tuple[int, int]) -> Tensor:
    """Blur by a Gaussian of half the window's longer side, strong enough to hide its content."""
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


def _noise(images: Tensor, seed: int) -> Tensor:
    """Draw noise of each image's own mean and spread by channel, the same field for all images."""
    generator = torch.Generator().manual_seed(seed)
    field = torch.randn(images.shape[1:], generator=generator, dtype=torch.float64).to(images)
    mean, std = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True, correction=0)
    return mean + std * field
