"""JPEG files decoded in batches, and cut, on the model's device: by nvJPEG, through TorchCodec."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ...errors import ConvvizError, ModelError, ParameterError
from ...images.completeness import looks_filled_up
from ...images.preprocess import TENSOR_INTERPOLATIONS, Preprocess
from ...network.model import Model
from .decoder_process import EXACT, GPU, Bad, Decoder, Jpeg, Photo

logger = logging.getLogger(__name__)

BATCH = 64
PIXELS = 1 << 26
"""Pixels of the photos of one batch, whole: 200 MB as RGB."""


class Jpegs:
    """Turns the JPEG files among decoded items into photos, in batches.

    What the device's decoder refuses, and what its memory has no room for, the CPU decodes: an
    item's pixels depend on nothing but the item, or so little that the batch does not matter.

    Args:
        decoder: decodes on the CPU.
        cut: of the model.
        device: of the model.
    """

    def __init__(self, decoder: Decoder, cut: Preprocess, device: torch.device) -> None:
        self.decoder, self.cut, self.device = decoder, cut, device
        self._warned = False

    def __getstate__(self) -> dict[str, Any]:
        # Where a pickled one arrives, the model is on the first device that is seen there.
        return {**self.__dict__, "device": torch.device(self.device.type)}

    def __call__(
        self, indices: Iterable[int], found: Iterable[Photo | Jpeg | Bad]
    ) -> Iterator[Photo | Bad]:
        """Yield the items in order, having taken a batch of them ahead."""
        batch: list[tuple[int, Photo | Jpeg | Bad]] = []
        pixels = 0
        for index, one in zip(indices, found, strict=True):
            more = one.size[0] * one.size[1] if isinstance(one, Jpeg) else 0
            if batch and (len(batch) == BATCH or pixels + more > PIXELS):
                yield from self._photos(batch)
                batch, pixels = [], 0
            batch.append((index, one))
            pixels += more
        yield from self._photos(batch)

    def _photos(self, batch: list[tuple[int, Photo | Jpeg | Bad]]) -> list[Photo | Bad]:
        jpegs = [one for _, one in batch if isinstance(one, Jpeg)]
        # All are under way before the first is waited for.
        made = [self._cut(*pair) for pair in zip(jpegs, self._decoded(jpegs), strict=True)]
        if len(made) > 1 and not any(made) and not self._warned:
            self._warned = True
            logger.warning("decode=%r: %s decodes nothing, the CPU does it all", GPU, self.device)
        cuts = iter(made)
        return [
            self._photo(index, one, next(cuts)) if isinstance(one, Jpeg) else one
            for index, one in batch
        ]

    def _photo(
        self, index: int, jpeg: Jpeg, cut: tuple[Tensor, Tensor, Tensor] | None
    ) -> Photo | Bad:
        # A file that may end early is left to the CPU, which finds out.
        if cut is None or any(map(looks_filled_up, cut[2].cpu().numpy())):
            return self.decoder.instead(index, jpeg)
        pixels, image, _ = cut
        return Photo(pixels.cpu().numpy(), jpeg.size, jpeg.content, image)

    def _cut(self, jpeg: Jpeg, photo: Tensor | None) -> tuple[Tensor, Tensor, Tensor] | None:
        """Cut and normalize a decoded photo, `[3, h, w]`; None where that is left to the CPU.

        Returns:
            Pixels, image, and the corners of the whole photo, `[4, 3]`, one of which was decoded
            last.
        """
        if photo is None or tuple(photo.shape) != (3, *jpeg.size):
            return None
        try:
            pixels = self.cut.cut_tensor(photo.permute(1, 2, 0))
            corners = photo[:, [0, 0, -1, -1], [0, -1, 0, -1]].T
            return pixels, self.cut.normalize_tensor(pixels), corners
        except RuntimeError as error:  # no memory, or a reduction too strong for CUDA's kernel
            logger.debug("a photo is cut by the CPU: %s", error)
            return None

    def _decoded(self, jpegs: Sequence[Jpeg]) -> Iterator[Tensor | None]:
        """Decode files; None stands for one that this decoder cannot."""
        if not jpegs:
            return iter(())
        try:
            return iter(decode_on(self.device, [one.data for one in jpegs]))
        except RuntimeError as error:  # of one of them, the decoder does not say which
            if len(jpegs) == 1:
                logger.debug("a JPEG file is left to the CPU: %s", error)
                return iter([None])
        return chain.from_iterable(self._decoded([one]) for one in jpegs)


def check_decode(how: str, model: Model) -> None:
    """Refuse a way to decode that does not fit a model, its device or what is installed."""
    if how == EXACT:
        return
    cut = model.preprocess
    if not isinstance(cut, Preprocess):
        raise ParameterError(
            f"decode={how!r} needs to know the size that photos get: {model.name} has a "
            "preprocess of its own, not a convviz.Preprocess"
        )
    if how != GPU:
        return
    if model.device.type != "cuda":
        raise ParameterError(
            f"decode={GPU!r} needs the model on a CUDA device, not on {str(model.device)!r}"
        )
    if cut.interpolation not in TENSOR_INTERPOLATIONS:
        raise ParameterError(
            f"decode={GPU!r} resizes by {' or '.join(TENSOR_INTERPOLATIONS)}, not by "
            f"{cut.interpolation} as {model.name} does"
        )
    try:
        [trial] = decode_on(model.device, [_lying()])
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise ModelError(f"decode={GPU!r} does not work on {model.device}: {line}") from error
    if tuple(trial.shape) != (3, 32, 16):
        raise ModelError(
            f"decode={GPU!r} needs a TorchCodec that turns photos upright as EXIF tells, on "
            f"{model.device} too: pip install -U torchcodec"
        )


def decode_on(device: torch.device, files: Sequence[bytes]) -> list[Tensor]:
    """Decode files into uint8 `[3, h, w]` each, upright; RuntimeError if one of them cannot be."""
    try:
        from torchcodec.decoders import decode_jpeg
    except ImportError as error:
        raise ConvvizError(
            f"decode={GPU!r} needs TorchCodec: pip install 'convviz[gpu]' ({error})"
        ) from error
    return list(decode_jpeg(list(files), mode="RGB", device=device))


def _lying() -> bytes:
    """Return a JPEG file of 16 x 32 pixels to be turned by a quarter."""
    from PIL import Image

    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 16)).save(out, "JPEG", exif=exif)
    return out.getvalue()
