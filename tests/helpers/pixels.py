"""Small random images that tests encode, and their comparison with what was decoded."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 7, 11
"""Odd sizes, so that rows end inside a byte at 1, 2 and 4 bits per pixel."""

RNG = np.random.default_rng(0)


def random_pixels(bits: int, channels: int = 1) -> np.ndarray:
    """Return random integers below `2**bits`, `[7, 11]` or `[7, 11, channels]`."""
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return RNG.integers(0, 1 << bits, shape)


def blend_on_white(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blend colours in [0, 1] on white and return 8-bit values that are not rounded."""
    return (values * alpha + 1 - alpha) * 255


def grey_to_rgb(values: np.ndarray) -> np.ndarray:
    """Repeat grey levels `[h, w]` in three channels."""
    return np.repeat(np.asarray(values)[..., None], 3, axis=2)


def largest_difference(pixels: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of two images of equal shape."""
    assert pixels.shape == expected.shape
    return float(np.abs(pixels.astype(float) - expected).max())
