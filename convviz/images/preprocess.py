"""Preprocessing of photos: resize, centre crop, normalization, and their inverse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import ParameterError, UnknownNameError
from .affine import Affine, invert

if TYPE_CHECKING:  # worker processes that only resize and crop do not import PyTorch
    import torch
    from torch import Tensor

Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos", "box", "hamming"]
INTERPOLATIONS: tuple[str, ...] = ("bilinear", "bicubic", "nearest", "lanczos", "box", "hamming")
TENSOR_INTERPOLATIONS = ("bilinear", "bicubic")
"""Interpolations of tensors that agree with Pillow within one grey level."""

Size = int | tuple[int, int] | None


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing of a photo for a model: resize, centre crop, normalize.

    The result equals that of `torchvision.transforms` for a PIL image bit for bit. As there, a
    photo smaller than the crop is padded with black on all sides. A model of grey images gets the
    photo's luminance (ITU-R 601), computed before the resize.

    Attributes:
        resize: new length of the shorter side in pixels, or (height, width); None skips it.
        crop: size of the centre crop in pixels, or (height, width); None skips it.
        interpolation: of the resize, antialiased (except "nearest").
        mean: one value per channel, or one for all; for pixel values in [0, 1].
        std: likewise.
        channels: 3, or 1 for a model of grey images.
    """

    resize: Size = 256
    crop: Size = 224
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channels: int = 3

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.channels not in (1, 3) or isinstance(self.channels, bool):
            raise ParameterError(f"channels must be 1 or 3, not {self.channels!r}")
        put(self, "resize", _size("resize", self.resize))
        put(self, "crop", _size("crop", self.crop))
        if self.interpolation not in INTERPOLATIONS:
            raise UnknownNameError("interpolation", self.interpolation, INTERPOLATIONS)
        put(self, "mean", _per_channel("mean", self.mean, self.channels))
        put(self, "std", _per_channel("std", self.std, self.channels))
        if min(self.std) <= 0:
            raise ParameterError(f"std must be above 0, not {self.std}")
        if max(map(abs, self.mean)) > 5:
            raise ParameterError(
                f"mean is for pixel values in [0, 1], not {self.mean}: divide mean and std by 255"
            )

    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Convert a photo, uint8 `[h, w, 3]`, to the model's input `[C, H, W]`, float32."""
        return self.normalize(self.cut(pixels))

    def cut(self, pixels: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """Resize and crop a photo, uint8 `[h, w, 3]` -> uint8 `[H, W, 3]`.

        For a model of grey images the three channels are equal.

        Args:
            pixels: the photo.
            size: height and width of the original photo if `pixels` is a reduced copy of it.
        """
        from PIL import Image

        image = Image.fromarray(_check_photo(pixels))
        if self.channels == 1:
            image = image.convert("L")
        height, width = self.resized_size(*(size or pixels.shape[:2]))
        if (height, width) != pixels.shape[:2]:
            resample = Image.Resampling[self.interpolation.upper()]
            image = image.resize((width, height), resample)
        if self.crop is not None:
            x0, y0 = self._offset(height, width)
            ch, cw = _pair(self.crop)
            # Image.crop fills the area outside of the photo with 0.
            image = image.crop((x0, y0, x0 + cw, y0 + ch))
        return np.array(image.convert("RGB"))

    def normalize(self, pixels: np.ndarray) -> Tensor:
        """Scale to [0, 1] and normalize, uint8 `[H, W, 3]` -> float32 `[C, H, W]`."""
        import torch

        return self.normalize_tensor(torch.from_numpy(np.array(_check_photo(pixels))))

    def cut_tensor(self, photo: Tensor) -> Tensor:
        """Resize and crop a photo on its device, uint8 `[h, w, 3]` -> uint8 `[H, W, 3]`.

        The result agrees with that of `cut` within one grey level, due to rounding in the resize.

        Raises:
            ParameterError: the interpolation is neither bilinear nor bicubic.
        """
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2.functional import crop, resize

        if self.interpolation not in TENSOR_INTERPOLATIONS:
            raise ParameterError(
                f"tensors can be resized with {' or '.join(TENSOR_INTERPOLATIONS)}, not with "
                f"{self.interpolation}"
            )
        x = photo.permute(2, 0, 1) if self.channels == 3 else _luminance(photo)
        height, width = self.resized_size(*x.shape[1:])
        if (height, width) != x.shape[1:]:
            x = resize(x, [height, width], InterpolationMode(self.interpolation), antialias=True)
        if self.crop is not None:
            x0, y0 = self._offset(height, width)
            x = crop(x, y0, x0, *_pair(self.crop))  # the area outside of the photo becomes 0
        return x.expand(3, -1, -1).permute(1, 2, 0).contiguous()

    def normalize_tensor(self, pixels: Tensor) -> Tensor:
        """Normalize like `normalize`, on the device of the pixels."""
        import torch

        x = _luminance(pixels) if self.channels == 1 else pixels.permute(2, 0, 1).contiguous()
        mean, std = (v.to(x.device) for v in self._mean_std(torch.float32))
        return x.to(torch.float32).div(255).sub_(mean).div_(std)

    def denormalize(self, image: Tensor) -> np.ndarray:
        """Convert a model input `[C, H, W]` back to a photo, uint8 `[H, W, 3]`, with clipping."""
        if image.ndim != 3 or image.shape[0] != self.channels:
            raise ParameterError(
                f"the image must have {self.channels} channels, [C, H, W], and has the shape "
                f"{list(image.shape)}"
            )
        import torch

        mean, std = self._mean_std(torch.float64)
        x = image.detach().cpu().double().mul(std).add_(mean).mul_(255).round_().clamp_(0, 255)
        return np.array(x.byte().expand(3, -1, -1).permute(1, 2, 0).numpy())

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the model's input for a photo of this size."""
        return self.resized_size(height, width) if self.crop is None else _pair(self.crop)

    def affine(self, height: int, width: int) -> Affine:
        """Return the map from model-input pixel corners back to those of a photo of this size."""
        new_h, new_w = self.resized_size(height, width)
        x0, y0 = self._offset(new_h, new_w) if self.crop is not None else (0, 0)
        sx, sy = width / new_w, height / new_h
        return (sx, 0.0, x0 * sx, 0.0, sy, y0 * sy)

    def inverse_affine(self, height: int, width: int) -> Affine:
        """Return the map from pixel corners of a photo of this size to those of the input."""
        return invert(self.affine(height, width))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """Create a Preprocess from the result of `to_dict`; unknown names are an error."""
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise UnknownNameError("preprocess field", name, known)
        return cls(**values)

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of a photo of this size after the resize."""
        if self.resize is None:
            return height, width
        if isinstance(self.resize, tuple):
            return self.resize
        # The longer side is rounded down, as in torchvision.
        short, long = sorted((height, width))
        long = max(1, int(self.resize * long / short))
        return (self.resize, long) if height <= width else (long, self.resize)

    def _offset(self, height: int, width: int) -> tuple[int, int]:
        assert self.crop is not None
        ch, cw = _pair(self.crop)
        return _centre(width, cw), _centre(height, ch)

    def _mean_std(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        import torch

        mean, std = (torch.tensor(v, dtype=dtype).view(-1, 1, 1) for v in (self.mean, self.std))
        return mean, std


def _centre(size: int, crop: int) -> int:
    """Return the offset of a centre crop, rounded as in torchvision.

    Padding is rounded down, offsets of crops half to even.
    """
    return -((crop - size) // 2) if crop > size else round((size - crop) / 2)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _is_length(value: object) -> bool:
    integral = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return integral and 1 <= int(value) <= 1 << 16  # type: ignore[call-overload]


def _size(name: str, value: Any) -> Size:
    if value is None:
        return None
    if _is_length(value):
        return int(value)
    if isinstance(value, Sequence) and len(value) == 2 and all(map(_is_length, value)):
        return int(value[0]), int(value[1])
    raise ParameterError(
        f"{name} must be a number of pixels, a pair (height, width) or None, not {value!r}"
    )


def _per_channel(name: str, value: Any, channels: int) -> tuple[float, ...]:
    try:
        values = (value,) if isinstance(value, float | int) else tuple(value)
        numbers = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} must be numbers, not {value!r}") from None
    if not all(map(math.isfinite, numbers)):
        raise ParameterError(f"{name} must be finite, not {numbers}")
    if len(numbers) == 1:
        return numbers * channels
    if len(numbers) != channels:
        raise ParameterError(
            f"{name} must have one value for each of {channels} channels, or one for all, not "
            f"{numbers}"
        )
    return numbers


def _check_photo(pixels: Any) -> np.ndarray:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        kind = getattr(pixels, "dtype", type(pixels).__name__)
        raise ParameterError(f"a photo is a uint8 array [h, w, 3], not {kind}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ParameterError(f"a photo is a uint8 array [h, w, 3], not {list(pixels.shape)}")
    return np.ascontiguousarray(pixels)


def _luminance(x: Tensor) -> Tensor:
    """Return the ITU-R 601 luma as in PIL's mode "L", `[H, W, 3]` -> `[1, H, W]`.

    Like PIL, it uses 16-bit fixed-point weights, so the result is the same bit for bit.
    """
    import torch

    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32, device=x.device)
    luma = ((x.int() * weights).sum(-1, dtype=torch.int32) + 0x8000).bitwise_right_shift(16)
    return luma.to(torch.uint8).unsqueeze(0)
