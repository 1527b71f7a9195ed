"""Decodes and preprocesses the items of a data set, in order, while the model is running."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch

from ...data.dataset import Dataset
from ...data.fingerprint import Content
from ...errors import ParameterError
from ...images.preprocess import Preprocess
from ...network.inputs import PreparedImage, prepare_with
from ...progress import count_images
from ..decode_modes import EXACT, GPU, DecodeMode
from .decoder_pool import DataSetNotPortableError, DecoderPool
from .decoder_process import DecodedPhoto, EncodedJpeg, ItemDecoder, UnusableItem, one_line_reason
from .gpu_jpeg import GpuJpegDecoder

logger = logging.getLogger(__name__)

TIMEOUT_S = 60.0
MAX_WORKERS = 8
MIN_FILES_FOR_WORKERS = 100
"""For fewer files, starting processes takes longer than it saves.

Measured on two cores, demo network: with one worker 0.91 times the images a second at 50 photos,
1.01 at 100, 1.03 at 200.
"""

LOOKAHEAD = 128
"""Items decoded ahead."""

MAX_LOOKAHEAD_WHOLE = 16
"""Limit of the items decoded ahead if they are whole photos, which need more memory."""


@dataclass(frozen=True, eq=False)
class ReadyItem:
    """An item that can be used.

    Attributes:
        index: its index in the data set.
        prepared: the input of the model.
        content: its size and hash.
    """

    index: int
    prepared: PreparedImage
    content: Content


@dataclass(frozen=True)
class SkippedItem:
    """An item that could not be used.

    Attributes:
        index: its index in the data set.
        id: its id there.
        reason: why it was skipped.
        content: its size and hash, if it could be read.
    """

    index: int
    id: str
    reason: str
    content: Content | None = None


class Loader:
    """Decodes and preprocesses the items of a data set.

    With a `Preprocess`, photos are cropped in the worker processes and normalized in this process:
    the pipes carry bytes instead of floats, and the numbers do not depend on the workers. Any other
    preprocess is applied in this process. An unpickled loader has no running processes.

    Args:
        dataset: the data set.
        preprocess: the preprocess of the model.
        workers: processes that decode; 0 decodes in this one; None chooses, see `workers_for`.
        timeout: seconds that an item may take; without effect if there are no workers.
        lookahead: number of items decoded ahead; fewer if they are whole photos.
        decode: the mode of `ItemDecoder`.
        device: the device that decodes JPEG files if `decode` is "gpu".
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocess: Any,
        workers: int | None = None,
        timeout: float | None = None,
        lookahead: int = LOOKAHEAD,
        decode: DecodeMode = EXACT,
        device: torch.device | None = None,
    ) -> None:
        self.dataset, self.preprocess, self.timeout = dataset, preprocess, timeout or TIMEOUT_S
        # A `Preprocess` crops in the workers. Any other preprocess is applied in `_prepare`.
        self._preprocess = preprocess if isinstance(preprocess, Preprocess) else None
        self._decoder = ItemDecoder(dataset, self._preprocess, decode)
        self._gpu_decoder: GpuJpegDecoder | None = None
        if decode == GPU and self._preprocess is not None and device is not None:
            self._gpu_decoder = GpuJpegDecoder(self._decoder, self._preprocess, device)
            lookahead = min(lookahead, LOOKAHEAD)  # these are whole files, not crops
        self._lookahead = lookahead if self._preprocess else min(lookahead, MAX_LOOKAHEAD_WHOLE)
        self._chooses_workers = workers is None
        self.workers = workers_for(dataset) if workers is None else workers
        if timeout is not None and not self.workers:
            logger.warning("timeout=%g has no effect without worker processes", timeout)
        self._pool: DecoderPool | None = None
        self._pending: deque[tuple[int, int]] = deque()

    def load(
        self, indices: Sequence[int], next_items: Sequence[int] = ()
    ) -> Iterator[ReadyItem | SkippedItem]:
        """Yield items in order.

        Args:
            indices: their indices in the data set.
            next_items: the items of the next call, if they are known; they are decoded ahead.
        """
        decoded: Iterator[Any] = self._decode(indices, next_items)
        if self._gpu_decoder is not None:
            decoded = self._gpu_decoder(indices, decoded)
        for index in indices:
            start = time.perf_counter()
            item = next(decoded)
            count_images(1, waited=time.perf_counter() - start)
            yield self._prepare(index, item)

    def close(self) -> None:
        """End the worker processes."""
        pool, self._pool = self._pool, None
        self._pending.clear()
        if pool is not None:
            pool.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # Other loaders may run in the other process's machine, so its free cores are unknown.
        workers = 0 if self._chooses_workers else self.workers
        return {**self.__dict__, "_pool": None, "_pending": deque(), "workers": workers}

    def _prepare(self, index: int, item: DecodedPhoto | UnusableItem) -> ReadyItem | SkippedItem:
        """Return a decoded item as the input of the model."""
        item_id = self.dataset.ids[index]
        if isinstance(item, UnusableItem):
            return SkippedItem(index, item_id, item.reason, item.content)
        preprocess = self._preprocess
        if preprocess is None:
            try:
                prepared = prepare_with(self.preprocess, item.pixels, item_id)
            except MemoryError:
                raise
            except Exception as error:
                return SkippedItem(index, item_id, one_line_reason(error), item.content)
        else:
            image = preprocess.normalize(item.pixels) if item.image is None else item.image
            if self._gpu_decoder is not None:
                image = image.to(self._gpu_decoder.device)
            prepared = PreparedImage(image, item.pixels, preprocess.affine(*item.size), item.size)
        return ReadyItem(index, prepared, item.content)

    def _decode(
        self, indices: Sequence[int], next_items: Sequence[int]
    ) -> Iterator[DecodedPhoto | EncodedJpeg | UnusableItem]:
        """Yield the decoded items in order, from the worker processes if there are any."""
        if self.workers:
            is_first = True
            try:
                for item in self._decode_in_pool(indices, next_items):
                    is_first = False
                    yield item
                return
            except DataSetNotPortableError as error:
                self.close()
                if not is_first:
                    raise
                if not self._chooses_workers:
                    raise ParameterError(
                        f"workers={self.workers}: the data set {self.dataset.name!r} cannot be "
                        f"opened in another process: {error}; workers=0 decodes in this one"
                    ) from error
                logger.info("decoding in this process: %s", error)
                self.workers = 0
        for index in indices:
            yield self._decoder(index)

    def _decode_in_pool(
        self, indices: Sequence[int], next_items: Sequence[int]
    ) -> Iterator[DecodedPhoto | EncodedJpeg | UnusableItem]:
        """Yield items from the pool in order, while up to `lookahead` items are pending."""
        if self._pool is None:
            self._pool = DecoderPool(self._decoder, self.workers, self.timeout)
        upcoming = chain(indices, next_items)
        # Items that an earlier call requested ahead are used only if they are the next ones.
        already_requested = list(islice(upcoming, len(self._pending)))
        if already_requested != [index for index, _ in self._pending]:
            self._pending.clear()
            self._pool.forget()
            upcoming = chain(indices, next_items)
        for _ in indices:
            self._request(self._pool, upcoming)
            item = self._pool.result(self._pending[0][1])
            self._pending.popleft()
            yield item

    def _request(self, pool: DecoderPool, upcoming: Iterator[int]) -> None:
        free = self._lookahead - len(self._pending)
        if free * 4 < self._lookahead and self._pending:  # request in groups, not one by one
            return
        indices = list(islice(upcoming, free))
        if indices:
            self._pending.extend(zip(indices, pool.request(indices), strict=True))


def workers_for(dataset: Dataset) -> int:
    """Return the number of processes that decode: for many files, one less than the cores.

    A data set without `read` holds pixels, or is an object of the user that may not work in
    another process, so it is loaded in this one.
    """
    if not hasattr(dataset, "read") or len(dataset.ids) < MIN_FILES_FOR_WORKERS:
        return 0
    return min(cores() - 1, MAX_WORKERS)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
