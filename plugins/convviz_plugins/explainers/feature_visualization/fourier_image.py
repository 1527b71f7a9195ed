"""An image given by decorrelated coefficients, and random transformations of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convviz import Model, Preprocess

COLOUR_ROOT = ((0.80, 0.44, 0.36), (0.44, 0.72, 0.48), (0.36, 0.48, 0.86))
"""Symmetric square root of the covariance of red, green and blue, scaled to a mean variance of 1.

Measured on the logits of the pixels of 200 ImageNet-class photos, reduced to 32 x 32.
"""

START_DEVIATION = 0.01
"""Standard deviation of the coefficients at the start, which gives an almost grey image."""


class FourierImage:
    """An image whose pixels are computed from decorrelated coefficients.

    The coefficients of a frequency f are scaled by 1 / f, as the spectrum of photos falls, and
    colours are mixed by `COLOUR_ROOT`. So a step of the same size in each coefficient changes the
    image like a photo, not like noise (Olah et al. 2017, "Preconditioning and parameterization").
    A sigmoid keeps the pixels in the range of pixels.

    Args:
        model: the model, for the size, the channels and the normalization of its inputs.
        generator: draws the coefficients at the start.

    Attributes:
        coefficients: real and imaginary parts, `[C, H, W // 2 + 1, 2]`.
    """

    def __init__(self, model: Model, generator: torch.Generator) -> None:
        self.size = model.input_size
        scale = spectrum_scale(*self.size)
        shape = (model.input_channels, *scale.shape, 2)
        like = {"device": model.device, "dtype": torch.promote_types(model.dtype, torch.float32)}
        start = torch.randn(shape, generator=generator, dtype=torch.float64) * START_DEVIATION
        self.coefficients = start.to(**like).requires_grad_()
        self._scale = scale.to(**like)
        self._colours = torch.tensor(COLOUR_ROOT, **like) if shape[0] == 3 else None
        preprocess = model.preprocess if isinstance(model.preprocess, Preprocess) else None
        mean, std = (preprocess.mean, preprocess.std) if preprocess else (0.0, 1.0)
        self._mean, self._std = (torch.tensor(v, **like).view(-1, 1, 1) for v in (mean, std))

    def pixels(self) -> Tensor:
        """Return the pixels, `[1, C, H, W]` in the range from 0 to 1."""
        spectrum = torch.view_as_complex(self.coefficients) * self._scale
        logits = torch.fft.irfft2(spectrum, s=self.size, norm="ortho")
        if self._colours is not None:
            logits = torch.einsum("cd,dhw->chw", self._colours, logits)
        return logits.sigmoid()[None]

    def normalize(self, pixels: Tensor) -> Tensor:
        """Return pixels in the range from 0 to 1 as inputs of the model."""
        return (pixels - self._mean) / self._std


def spectrum_scale(height: int, width: int) -> Tensor:
    """Return the scale of each frequency of `rfft2`, `[H, W // 2 + 1]`, with a mean square of 1."""
    rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)[None]
    lowest = 1 / max(height, width)
    scale = 1 / torch.hypot(rows, columns).clamp(min=lowest)
    return scale / scale.square().mean().sqrt()


@dataclass(frozen=True)
class RandomTransform:
    """Random shifts, sizes and rotations of an image.

    Attributes:
        jitter: largest shift in pixels, in each direction.
        scale: largest relative change of the size.
        rotation: largest angle in degrees.
        generator: draws them.
    """

    jitter: int
    scale: float
    rotation: float
    generator: torch.Generator

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images `[N, C, H, W]`, transformed alike; the border is reflected."""
        if not (self.jitter or self.scale or self.rotation):
            return images
        height, width = images.shape[2:]
        angle, size, down, right = (2 * self._uniform() - 1 for _ in range(4))
        angle = math.radians(self.rotation) * angle
        zoom = 1 / (1 + self.scale * size)
        cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
        # Rows of the matrix give x and y in the image, in halves of its width and height.
        theta = [
            [cos, -sin * height / width, 2 * round(self.jitter * right) / width],
            [sin * width / height, cos, 2 * round(self.jitter * down) / height],
        ]
        matrix = torch.tensor(theta, device=images.device, dtype=images.dtype)
        grid = nn.functional.affine_grid(
            matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False
        )
        return nn.functional.grid_sample(
            images, grid, padding_mode="reflection", align_corners=False
        )

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self.generator, dtype=torch.float64))
