"""Models and images of speed measurements."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import numpy as np
import torch

from ..images.decode import load_image
from ..images.image_files import image_files
from ..network.model import Model

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
"""Memory formats of a network's weights that are tried."""

SIDE = 256
"""Height and width of generated images."""


def with_layout(model: Model, layout: str) -> Model:
    """Return a copy of a Model whose network has its weights in a memory format of `LAYOUTS`."""
    copied = copy.deepcopy(model)
    for tensor in itertools.chain(copied.module.parameters(), copied.module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=LAYOUTS[layout])
    return copied


def load_photos(folder: str, count: int) -> list[np.ndarray]:
    """Return `count` photos, uint8 `[h, w, 3]`.

    Args:
        folder: a folder or glob pattern of image files, which are repeated if there are fewer;
            "" for generated images.
        count: number of photos.
    """
    if not folder:
        return list(itertools.islice(_generated(), count))
    files = itertools.cycle(image_files(folder))
    return [load_image(path) for path in itertools.islice(files, count)]


def _generated() -> Iterator[np.ndarray]:
    """Yield images of coloured blots, the same in every process."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    while True:
        waves = generator.uniform(-12, 12, (3, 3, 2)), generator.uniform(0, 2 * np.pi, (3, 3))
        phase = np.tensordot(waves[0], np.stack([rows, columns]), 1) + waves[1][..., None, None]
        photo = np.sin(phase).mean(axis=1).transpose(1, 2, 0) * 127.5 + 127.5
        yield photo.astype(np.uint8)
