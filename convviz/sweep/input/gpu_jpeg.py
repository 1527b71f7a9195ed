"""JPEG files decoded and cropped in batches on the device of the model, by nvJPEG (TorchCodec)."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ...errors import ConvvizError, ModelError, ParameterError
from ...images.preprocess import TENSOR_INTERPOLATIONS, Preprocess
from ...images.truncated_files import looks_filled_up
from ...network.model import Model
from ..decode_modes import EXACT, GPU, DecodeMode
from .decoder_process import DecodedPhoto, EncodedJpeg, ItemDecoder, UnusableItem

logger = logging.getLogger(__name__)

MAX_BATCH_SIZE = 64
MAX_BATCH_PIXELS = 1 << 26
"""Pixels of all photos of a batch before cropping: 200 MB as RGB."""


class GpuJpegDecoder:
    """Decodes the JPEG files among the items of a data set in batches.

    The CPU decodes files that the device cannot decode or has no memory for. The pixels of an item
    do not depend on the other items of its batch.

    Args:
        decoder: decodes on the CPU.
        preprocess: the preprocess of the model.
        device: the device of the model.
    """

    def __init__(self, decoder: ItemDecoder, preprocess: Preprocess, device: torch.device) -> None:
        self.decoder, self.preprocess, self.device = decoder, preprocess, device
        self._warned = False

    def __getstate__(self) -> dict[str, Any]:
        # In another process the model is on the first device that is visible there.
        return {**self.__dict__, "device": torch.device(self.device.type)}

    def __call__(
        self,
        indices: Iterable[int],
        items: Iterable[DecodedPhoto | EncodedJpeg | UnusableItem],
    ) -> Iterator[DecodedPhoto | UnusableItem]:
        """Yield the items in order; a batch of them is taken ahead."""
        batch: list[tuple[int, DecodedPhoto | EncodedJpeg | UnusableItem]] = []
        batch_pixels = 0
        for index, item in zip(indices, items, strict=True):
            pixels = item.size[0] * item.size[1] if isinstance(item, EncodedJpeg) else 0
            is_full = len(batch) == MAX_BATCH_SIZE or batch_pixels + pixels > MAX_BATCH_PIXELS
            if batch and is_full:
                yield from self._decode_batch(batch)
                batch, batch_pixels = [], 0
            batch.append((index, item))
            batch_pixels += pixels
        yield from self._decode_batch(batch)

    def _decode_batch(
        self, batch: list[tuple[int, DecodedPhoto | EncodedJpeg | UnusableItem]]
    ) -> list[DecodedPhoto | UnusableItem]:
        jpegs = [item for _, item in batch if isinstance(item, EncodedJpeg)]
        # All kernels are launched before the first result is copied to the CPU.
        photos = self._decode(jpegs)
        crops = [self._crop(*pair) for pair in zip(jpegs, photos, strict=True)]
        if len(crops) > 1 and not any(crops) and not self._warned:
            self._warned = True
            logger.warning(
                "decode=%r: %s decodes no file, the CPU decodes all of them", GPU, self.device
            )
        crop = iter(crops)
        return [
            self._to_photo(index, item, next(crop)) if isinstance(item, EncodedJpeg) else item
            for index, item in batch
        ]

    def _to_photo(
        self, index: int, jpeg: EncodedJpeg, crop: tuple[Tensor, Tensor, Tensor] | None
    ) -> DecodedPhoto | UnusableItem:
        # Only the CPU decoder can tell whether a file ends early, so it gets suspicious files.
        if crop is None or any(map(looks_filled_up, crop[2].cpu().numpy())):
            return self.decoder.decode_on_cpu(index, jpeg)
        pixels, image, _ = crop
        return DecodedPhoto(pixels.cpu().numpy(), jpeg.size, jpeg.content, image)

    def _crop(
        self, jpeg: EncodedJpeg, photo: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Crop and normalize a decoded photo, `[3, h, w]`.

        Returns:
            Pixels, image, and the corner pixels of the whole photo, `[4, 3]`, one of which is
            decoded last. None if the CPU has to decode the file.
        """
        if photo is None or tuple(photo.shape) != (3, *jpeg.size):
            return None
        try:
            pixels = self.preprocess.cut_tensor(photo.permute(1, 2, 0))
            corners = photo[:, [0, 0, -1, -1], [0, -1, 0, -1]].T
            return pixels, self.preprocess.normalize_tensor(pixels), corners
        except RuntimeError as error:  # no memory, or a reduction too strong for CUDA's kernel
            logger.debug("a photo is cropped by the CPU: %s", error)
            return None

    def _decode(self, jpegs: Sequence[EncodedJpeg]) -> Iterator[Tensor | None]:
        """Decode files; None stands for a file that the device cannot decode."""
        if not jpegs:
            return iter(())
        try:
            return iter(decode_on(self.device, [jpeg.data for jpeg in jpegs]))
        except RuntimeError as error:  # the decoder does not name the file that caused it
            if len(jpegs) == 1:
                logger.debug("a JPEG file is left to the CPU: %s", error)
                return iter([None])
        return chain.from_iterable(self._decode([jpeg]) for jpeg in jpegs)


def check_decode(mode: DecodeMode, model: Model) -> None:
    """Raise an error if a decode mode does not fit the model, its device or what is installed."""
    if mode == EXACT:
        return
    preprocess = model.preprocess
    if not isinstance(preprocess, Preprocess):
        raise ParameterError(
            f"decode={mode!r} requires a convviz.Preprocess, whose resize is known; the preprocess "
            f"of {model.name} is none"
        )
    if mode != GPU:
        return
    if model.device.type != "cuda":
        raise ParameterError(
            f"decode={GPU!r} requires a model on a CUDA device, not on {str(model.device)!r}"
        )
    if preprocess.interpolation not in TENSOR_INTERPOLATIONS:
        raise ParameterError(
            f"decode={GPU!r} supports the interpolations {', '.join(TENSOR_INTERPOLATIONS)}, not "
            f"{preprocess.interpolation} as in {model.name}"
        )
    try:
        [photo] = decode_on(model.device, [_rotated_jpeg()])
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise ModelError(f"decode={GPU!r} does not work on {model.device}: {line}") from error
    if tuple(photo.shape) != (3, 32, 16):
        raise ModelError(
            f"decode={GPU!r} requires a TorchCodec that applies the EXIF rotation on "
            f"{model.device} too: pip install -U torchcodec"
        )


def decode_on(device: torch.device, files: Sequence[bytes]) -> list[Tensor]:
    """Decode files to uint8 `[3, h, w]`, upright; raises RuntimeError if any of them fails."""
    try:
        from torchcodec.decoders import decode_jpeg
    except ImportError as error:
        raise ConvvizError(
            f"decode={GPU!r} requires TorchCodec: pip install 'convviz[gpu]' ({error})"
        ) from error
    return list(decode_jpeg(list(files), mode="RGB", device=device))


def _rotated_jpeg() -> bytes:
    """Return a JPEG file of 16 x 32 pixels with an EXIF rotation by 90 degrees."""
    from PIL import Image

    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 16)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()
