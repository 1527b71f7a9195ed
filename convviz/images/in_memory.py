"""Conversion of images in memory to photos."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from ..errors import ImageError
from .decode import load_image, to_rgb

CHANNELS = (1, 3)


def as_photo(image: Any, name: str = "image") -> np.ndarray:
    """Return an image as a photo, uint8 `[h, w, 3]`, upright.

    Args:
        image: a path, a PIL image of any mode, a uint8 array `[h, w, 3]`, `[h, w, 1]` or
            `[h, w]`, or a uint8 torch tensor `[3, h, w]`, `[1, h, w]` or `[h, w]`.
        name: identifies the image in errors.

    Raises:
        ImageError: the type is not supported, or the values have no defined meaning as colours.
    """
    if isinstance(image, str | os.PathLike):
        return load_image(image)
    if is_pil_image(image):
        return to_rgb(image, f"PIL image {name!r}")
    if is_tensor(image):
        return _photo_from_array(_channels_last(image, name), name)
    if isinstance(image, np.ndarray):
        return _photo_from_array(image, name)
    raise ImageError(
        f"{name}: an image must be a path, PIL image, uint8 array or float tensor, "
        f"not {type(image).__name__}"
    )


def is_tensor(value: Any) -> bool:
    """Return whether a value is a torch tensor, without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_pil_image(value: Any) -> bool:
    """Return whether a value is a PIL image, without importing Pillow."""
    # The class is missing while another thread is importing the module.
    image_class = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return image_class is not None and isinstance(value, image_class)


def is_grey_batch(array: np.ndarray) -> bool:
    """Return whether an array of three axes holds several grey images `[n, h, w]`.

    It does not if its last axis may hold channels, `[h, w, 3]`, or its first one, `[3, h, w]`
    (which `as_photo` refuses): a photo must not pass for hundreds of grey lines.
    """
    return array.ndim == 3 and array.shape[2] not in (*CHANNELS, 4) and array.shape[0] != 3


def channels_last(images: Any) -> np.ndarray:
    """Return a uint8 batch as an array `[n, h, w, c]` or `[n, h, w]`; tensors are `[n, c, h, w]`.

    An array `[h, w, 3]` or `[h, w, 1]` is a batch of one image.

    Raises:
        ImageError: the channel axis is ambiguous.
    """
    if not is_tensor(images) or images.ndim != 4:
        photos = np.asarray(images.detach().cpu() if is_tensor(images) else images)
        is_photo = photos.ndim == 3 and photos.shape[2] in CHANNELS and not is_tensor(images)
        return photos[None] if is_photo else photos
    first, last = images.shape[1] in CHANNELS, images.shape[3] in CHANNELS
    if first == last:
        raise ImageError(
            f"a tensor of shape {list(images.shape)}: the channel axis is ambiguous; use a uint8 "
            "array [n, h, w, 3]"
        )
    array: np.ndarray = np.asarray(images.detach().cpu())
    return array.transpose(0, 2, 3, 1) if first else array


def _channels_last(image: Any, name: str) -> np.ndarray:
    if image.is_floating_point():
        raise ImageError(
            f"{name}: a tensor cannot be mixed with photos unless it is uint8 [3, h, w]; this one "
            f"is {image.dtype} {list(image.shape)}. Remove the data set's own transform (the "
            "model's Preprocess replaces it), or pass one preprocessed float tensor [N, C, H, W]"
        )
    array: np.ndarray = np.asarray(image.detach().cpu())
    if array.ndim == 2:
        return array
    if array.ndim != 3 or array.shape[0] not in CHANNELS:
        raise ImageError(
            f"{name}: a uint8 tensor must be [3, h, w], [1, h, w] or [h, w], not "
            f"{list(image.shape)}; use an array for [h, w, 3]"
        )
    return array.transpose(1, 2, 0)


def _photo_from_array(array: np.ndarray, name: str) -> np.ndarray:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)
    if array.dtype != np.uint8 or not shaped or 0 in array.shape:
        raise ImageError(
            f"{name}: an array must be uint8 [h, w, 3] or [h, w], not {array.dtype} "
            f"{list(array.shape)}{_hint(array)}"
        )
    photo = array[..., None] if array.ndim == 2 else array
    return np.array(np.broadcast_to(photo, (*photo.shape[:2], 3)), order="C")


def _hint(array: np.ndarray) -> str:
    """Return advice for an array that is not a photo."""
    if array.dtype == np.uint16:
        return "; divide 16-bit values by 257 and round"
    if array.dtype.kind == "f":
        return "; multiply values in [0, 1] by 255, or pass preprocessed values as a float tensor"
    if array.ndim == 3 and array.shape[2] == 4:
        return "; a fourth channel may be alpha or CMYK: use a PIL image, which has a mode"
    if array.ndim == 3 and array.shape[0] in CHANNELS:
        return "; move the channels to the end, or give grey images as a list of arrays [h, w]"
    return ""
