"""From a photo's pixels to the model's input, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .images import Affine


@dataclass(frozen=True)
class Preprocess:
    """How a photo becomes a model's input.

    Attributes:
        resize: the shorter side becomes this many pixels, or (height, width); None keeps it.
        crop: the centre crop, pixels or (height, width); None takes all.
        interpolation: of the resize.
        mean, std: per channel, of pixel values in [0, 1].
        channels: 3, or 1 for a model of grey images.
    """

    resize: int | tuple[int, int] | None = 256
    crop: int | tuple[int, int] | None = 224
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channels: int = 3

    def __call__(self, pixels: np.ndarray) -> Tensor:
        """Turn a photo, uint8 `[h, w, 3]`, into the model's input `[C, H, W]`, float32."""
        return self.normalize(self.cut(pixels))

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """Resize and crop a photo, uint8 `[h, w, 3]` -> uint8 `[H, W, 3]`."""
        from PIL import Image

        image = Image.fromarray(pixels)
        modes = {
            "bilinear": Image.Resampling.BILINEAR,
            "bicubic": Image.Resampling.BICUBIC,
            "nearest": Image.Resampling.NEAREST,
        }
        if self.resize is not None:
            w, h = image.size
            if isinstance(self.resize, int):
                s = self.resize / min(w, h)
                size = (round(w * s), round(h * s))
            else:
                size = (self.resize[1], self.resize[0])
            image = image.resize(size, modes[self.interpolation])
        if self.crop is not None:
            ch, cw = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop
            left, top = (image.width - cw) // 2, (image.height - ch) // 2
            image = image.crop((left, top, left + cw, top + ch))
        return np.array(image)

    def normalize(self, pixels: np.ndarray) -> Tensor:
        """Scale to [0, 1] and normalise, uint8 `[H, W, 3]` -> float32 `[C, H, W]`."""
        x = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)
        if self.channels == 1:
            x = x.mean(0, keepdim=True)
        mean = torch.tensor(self.mean).view(-1, 1, 1)
        std = torch.tensor(self.std).view(-1, 1, 1)
        return (x - mean) / std

    def denormalize(self, image: Tensor) -> np.ndarray:
        """Bring a model input `[C, H, W]` back to a photo, uint8 `[H, W, 3]`."""
        mean = torch.tensor(self.mean).view(-1, 1, 1)
        std = torch.tensor(self.std).view(-1, 1, 1)
        x = (image.detach().cpu().float() * std + mean).clamp(0, 1)
        return (x.expand(3, -1, -1).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)

    def affine(self, height: int, width: int) -> Affine:
        """Map model-input pixel corners back to those of a photo of this size."""
        raise NotImplementedError
