"""Items of a data set made ready for a model, in order, while the model is at work on others."""

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
from .decoder_pool import Decoders, UnfitError
from .decoder_process import EXACT, GPU, Bad, Decoder, Jpeg, Photo, reason
from .gpu_jpeg import Jpegs

logger = logging.getLogger(__name__)

TIMEOUT = 60.0
MOST_WORKERS = 8
FEW = 100
"""Fewer files are decoded sooner than processes have started.

Measured on two cores, demo network: with one worker 0.91 times the images a second at 50 photos,
1.01 at 100, 1.03 at 200.
"""

AHEAD = 128
AHEAD_WHOLE = 16
"""Items decoded ahead, and the most of them where they are whole photos."""


@dataclass(frozen=True, eq=False)
class Ready:
    """An item that can be used.

    Attributes:
        index: its place in the data set.
        prepared: what the model gets.
        content: size and hash.
    """

    index: int
    prepared: PreparedImage
    content: Content


@dataclass(frozen=True)
class Skipped:
    """An item that could not be used.

    Attributes:
        index: its place in the data set.
        id: its id there.
        reason: why it was left out.
        content: size and hash, where it could be read.
    """

    index: int
    id: str
    reason: str
    content: Content | None = None


class Loader:
    """Makes the items of a data set ready for a model.

    A Preprocess cuts photos in the worker processes and normalizes them here, so that the pipe
    carries bytes, not floats, and the numbers are those of a loader without workers. A
    preprocess of the user's own is applied here. A pickled loader has not started anything.

    Args:
        dataset: where the items come from.
        preprocess: that of the model.
        workers: processes that decode; 0 decodes in this one; None chooses, see `workers_for`.
        timeout: seconds that an item may take; kept only where there are workers.
        ahead: how many items are decoded ahead; fewer where whole photos have to be kept.
        decode: as for `Decoder`.
        device: decodes JPEG files where `decode` is "gpu".
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocess: Any,
        workers: int | None = None,
        timeout: float | None = None,
        ahead: int = AHEAD,
        decode: str = EXACT,
        device: torch.device | None = None,
    ) -> None:
        self.dataset, self.preprocess, self.timeout = dataset, preprocess, timeout or TIMEOUT
        self._cut = preprocess if isinstance(preprocess, Preprocess) else None
        self._decoder = Decoder(dataset, self._cut, decode)
        self._jpegs: Jpegs | None = None
        if decode == GPU and self._cut is not None and device is not None:
            self._jpegs = Jpegs(self._decoder, self._cut, device)
            ahead = min(ahead, AHEAD)  # whole files, not cut pixels
        self._ahead = ahead if self._cut else min(ahead, AHEAD_WHOLE)
        self._chosen = workers is None
        self.workers = workers_for(dataset) if workers is None else workers
        if timeout is not None and not self.workers:
            logger.warning("timeout=%g has no effect: photos are decoded by no worker", timeout)
        self._decoders: Decoders | None = None
        self._asked: deque[tuple[int, int]] = deque()

    def load(self, indices: Sequence[int], then: Sequence[int] = ()) -> Iterator[Ready | Skipped]:
        """Yield items in order.

        Args:
            indices: their places in the data set.
            then: what will be asked for next, where that is known; it is decoded ahead.
        """
        found: Iterator[Any] = self._decoded(indices, then)
        if self._jpegs is not None:
            found = self._jpegs(indices, found)
        for index in indices:
            start = time.perf_counter()
            decoded = next(found)
            count_images(1, waited=time.perf_counter() - start)
            yield self._ready(index, decoded)

    def close(self) -> None:
        """End the worker processes."""
        decoders, self._decoders = self._decoders, None
        self._asked.clear()
        if decoders is not None:
            decoders.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # Elsewhere other loaders may be at work, so nothing is known of the cores there.
        workers = 0 if self._chosen else self.workers
        return {**self.__dict__, "_decoders": None, "_asked": deque(), "workers": workers}

    def _ready(self, index: int, found: Photo | Bad) -> Ready | Skipped:
        name = self.dataset.ids[index]
        if isinstance(found, Bad):
            return Skipped(index, name, found.reason, found.content)
        cut = self._cut
        if cut is None:
            try:
                prepared = prepare_with(self.preprocess, found.pixels, name)
            except MemoryError:
                raise
            except Exception as error:
                return Skipped(index, name, reason(error), found.content)
        else:
            image = cut.normalize(found.pixels) if found.image is None else found.image
            if self._jpegs is not None:
                image = image.to(self._jpegs.device)
            prepared = PreparedImage(image, found.pixels, cut.affine(*found.size), found.size)
        return Ready(index, prepared, found.content)

    def _decoded(self, indices: Sequence[int], then: Sequence[int]) -> Iterator[Photo | Jpeg | Bad]:
        if self.workers:
            given = 0
            try:
                for found in self._ordered(indices, then):
                    given += 1
                    yield found
                return
            except UnfitError as error:
                self.close()
                if given:
                    raise
                if not self._chosen:
                    raise ParameterError(
                        f"workers={self.workers}: the data set {self.dataset.name!r} cannot be "
                        f"opened in another process: {error}; workers=0 decodes in this one"
                    ) from error
                logger.info("decoding in this process: %s", error)
                self.workers = 0
        for index in indices:
            yield self._decoder(index)

    def _ordered(self, indices: Sequence[int], then: Sequence[int]) -> Iterator[Photo | Jpeg | Bad]:
        """Take items from the processes in order, and keep as many asked for as allowed."""
        if self._decoders is None:
            self._decoders = Decoders(self._decoder, self.workers, self.timeout)
        wanted = chain(indices, then)
        kept = list(islice(wanted, len(self._asked)))
        if kept != [index for index, _ in self._asked]:
            self._asked.clear()
            self._decoders.forget()
            wanted = chain(indices, then)
        for _ in indices:
            self._ask(self._decoders, wanted)
            found = self._decoders.take(self._asked[0][1])
            self._asked.popleft()
            yield found

    def _ask(self, decoders: Decoders, wanted: Iterator[int]) -> None:
        room = self._ahead - len(self._asked)
        if room * 4 < self._ahead and self._asked:  # in pieces, not one by one
            return
        more = list(islice(wanted, room))
        if more:
            self._asked.extend(zip(more, decoders.ask(more), strict=True))


def workers_for(dataset: Dataset) -> int:
    """Choose how many processes decode: one less than there are cores, for many files.

    A data set without `read` holds pixels, or is the user's own object, which may not survive
    in another process; it is loaded in this one.
    """
    if not hasattr(dataset, "read") or len(dataset.ids) < FEW:
        return 0
    return min(cores() - 1, MOST_WORKERS)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
