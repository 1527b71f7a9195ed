"""Conversion of images to model inputs: decoding, preprocessing, stacking into a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError, ModelError, ParameterError, printable
from ..images.affine import IDENTITY, Affine
from ..images.batch import Batch, Item
from ..images.image_files import image_files
from ..images.in_memory import as_photo, is_grey_batch
from ..images.preprocess import Preprocess
from .model import Model


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """One preprocessed photo.

    Attributes:
        image: preprocessed, `[C, H, W]`, on the CPU or on the model's device.
        pixels: uint8 `[H, W, 3]`, the model's crop as a photo.
        affine, size: as in Item.
    """

    image: Tensor
    pixels: np.ndarray
    affine: Affine
    size: tuple[int, int]


def make_batch(images: Any, model: Model) -> Batch:
    """Return a batch of one or several images.

    An image is a path, a PIL image, a uint8 array `[h, w, 3]` or `[h, w]`, or a uint8 tensor
    `[3, h, w]` or `[h, w]`. Several images are a list of these, a folder or glob pattern (see
    `image_files`), an array `[n, h, w, 3]` or `[n, h, w]`, or a tensor `[n, 3, h, w]`. An array of
    three axes is one image if its last axis has the length 1 or 3, else `[n, h, w]`.

    One float tensor `[N, C, H, W]` is taken as already preprocessed: its `pixels` are restored by
    the model's Preprocess, or scaled from their minimum to their maximum if it has none.

    Raises:
        ImageError: an image cannot be read or used; the message names it and the reason.
        ParameterError: a folder without images, or a pattern that matches no file.
        ModelError: the model has no preprocess, or its preprocess function failed.
    """
    if isinstance(images, Tensor) and images.is_floating_point():
        return _tensor_batch(images, model)
    several = _several(images)
    if not several:
        raise ImageError("no images were given")
    if len(several) == 1 and isinstance(several[0], Tensor) and several[0].is_floating_point():
        return _tensor_batch(several[0], model)
    names = [_name(image, index) for index, image in enumerate(several)]
    photos = [as_photo(image, name) for image, name in zip(several, names, strict=True)]
    prepared = [prepare(p, model, name) for p, name in zip(photos, names, strict=True)]
    return collate(prepared, names, model)


def prepare(photo: np.ndarray, model: Model, name: str = "photo") -> PreparedImage:
    """Prepare a photo, uint8 `[h, w, 3]`, for a model.

    A preprocess that is not a Preprocess is called with a PIL image. The origin of its pixels is
    unknown, so boxes stay in model-input pixels. `name` identifies the photo in errors.
    """
    if model.preprocess is None:
        raise ModelError(
            f"{model.name} has no preprocess: pass Model(…, preprocess=convviz.Preprocess(…)), "
            "or one already preprocessed float tensor [N, C, H, W] as images"
        )
    return prepare_with(model.preprocess, photo, name)


def prepare_with(preprocess: Any, photo: np.ndarray, name: str = "photo") -> PreparedImage:
    """Prepare a photo like `prepare`, given the preprocess instead of the model."""
    if isinstance(preprocess, Preprocess):
        height, width = photo.shape[:2]
        pixels = preprocess.cut(photo)
        affine = preprocess.affine(height, width)
        return PreparedImage(preprocess.normalize(pixels), pixels, affine, (height, width))
    image = _call_preprocess(preprocess, photo, name)
    return PreparedImage(image, _stretch(image), IDENTITY, (image.shape[1], image.shape[2]))


def collate(
    prepared: Sequence[PreparedImage],
    ids: Sequence[str],
    model: Model,
    labels: Sequence[int | None] | None = None,
) -> Batch:
    """Stack prepared photos into a batch on the model's device.

    Repeated ids are numbered ("cat.jpg", "cat.jpg#2").
    """
    shapes = {tuple(p.image.shape) for p in prepared}
    if len(shapes) > 1:
        sizes = ", ".join("x".join(map(str, s)) for s in sorted(shapes))
        raise ImageError(
            f"the preprocessed images differ in shape ({sizes}): set `crop` in the Preprocess, "
            "or explain them one by one"
        )
    items = [
        Item(unique, printable(name), p.affine, p.size, label)
        for p, name, unique, label in zip(
            prepared, ids, _unique(ids), labels or [None] * len(prepared), strict=True
        )
    ]
    images = torch.stack([p.image for p in prepared])
    if model.device.type == "cuda" and not images.is_cuda:
        images = images.pin_memory()  # a copy from pinned memory is asynchronous
    images = images.to(model.device, model.dtype, non_blocking=True)
    pixels = torch.from_numpy(np.stack([p.pixels for p in prepared]))
    return Batch(images, pixels, tuple(items))


def _several(images: Any) -> list[Any]:
    """Return the images one by one: files of folders and patterns, parts of arrays."""
    if isinstance(images, np.ndarray | Tensor):
        several = images.ndim == 4 or (isinstance(images, np.ndarray) and is_grey_batch(images))
        return list(images) if several else [images]
    listed = images if isinstance(images, list | tuple) else [images]
    paths = [isinstance(image, str | os.PathLike) for image in listed]
    return [
        image
        for source, is_path in zip(listed, paths, strict=True)
        for image in (image_files(source) if is_path else [source])
    ]


def _name(image: Any, index: int) -> str:
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    filename = getattr(image, "filename", "")
    return os.fsdecode(filename) if filename else f"image {index}"


def _call_preprocess(preprocess: Any, photo: np.ndarray, name: str) -> Tensor:
    from PIL import Image

    try:
        image = preprocess(Image.fromarray(photo))
    except Exception as error:
        raise ModelError(
            f"the model's preprocess function failed on {name!r}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(image, Tensor) or image.ndim != 3 or not image.is_floating_point():
        shape = f"{image.dtype} {list(image.shape)}" if isinstance(image, Tensor) else type(image)
        raise ModelError(
            f"the model's preprocess function must return a float tensor [C, H, W], not {shape}"
        )
    return image.detach().cpu()


def _tensor_batch(images: Tensor, model: Model) -> Batch:
    if images.ndim != 4 or not images.is_floating_point() or 0 in images.shape:
        raise ImageError(
            f"a tensor must be preprocessed, float [N, C, H, W], not {images.dtype} "
            f"{list(images.shape)}; pass photos as uint8 arrays [h, w, 3]"
        )
    for index, image in enumerate(images):
        if not bool(torch.isfinite(image).all()):
            raise ImageError(f"image {index} of the tensor has values that are not finite")
    preprocess = model.preprocess
    show = preprocess.denormalize if isinstance(preprocess, Preprocess) else _stretch
    try:
        pixels = np.stack([show(image) for image in images])
    except ParameterError as error:
        raise ImageError(f"the tensor does not fit the model's preprocess: {error}") from None
    size = (images.shape[2], images.shape[3])
    names = [f"image {index}" for index in range(len(images))]
    # A copy, so that writes into the batch do not change the caller's tensor.
    ready = images.detach().to(model.device, model.dtype, copy=True)
    items = tuple(Item(name, name, IDENTITY, size) for name in names)
    return Batch(ready, torch.from_numpy(pixels), items)


def _stretch(image: Tensor) -> np.ndarray:
    """Scale `[C, H, W]` from its minimum to its maximum, uint8 `[H, W, 3]`.

    Three channels are shown as colours, any other number as their mean.
    """
    x = image.detach().cpu().double()
    x = x if x.shape[0] == 3 else x.mean(0, keepdim=True).expand(3, -1, -1)
    low, high = x.min(), x.max()
    scaled = (x - low) / (high - low) if high > low else torch.full_like(x, 0.5)
    return np.array((scaled * 255).round().byte().permute(1, 2, 0).numpy())


def _unique(names: Sequence[str]) -> list[str]:
    """Number repeated names, and escape characters that UTF-8 cannot encode."""
    taken: set[str] = set()
    result = []
    for name in names:
        base = name.encode("utf-8", "backslashreplace").decode()
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base}#{count}"
        taken.add(unique)
        result.append(unique)
    return result
