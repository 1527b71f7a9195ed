"""Decoding an item of a data set to pixels, and the main program of a decoder process.

A decoder process receives the data set from its parent, then lists of items, and sends an answer
for each item. It ends when its parent ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ...data.dataset import Dataset
from ...data.fingerprint import Content, content_of_bytes, encoded_bytes, photo_of
from ...errors import ConvvizError
from ...images.decode import decode_scaled, plain_jpeg
from ...images.preprocess import Preprocess
from ..decode_modes import EXACT, GPU, SCALED, DecodeMode

PR_SET_PDEATHSIG = 1
STARTED, READY = "here", "ready"
"""Messages of a process when it can receive the data set, and when it has opened it."""


@dataclass(frozen=True, eq=False)
class DecodedPhoto:
    """A decoded item.

    Attributes:
        pixels: uint8 `[h, w, 3]`: the crop of the Preprocess, or the whole photo without one.
        size: height and width of the whole photo.
        content: size and hash of the item.
        image: the normalized pixels, if a GPU decoded the item.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    content: Content
    image: Any = None


@dataclass(frozen=True)
class EncodedJpeg:
    """An item that is left to the device of the model to decode.

    Attributes:
        data: the content of the file.
        size: height and width of the photo, upright.
        content: size and hash of the item.
    """

    data: bytes
    size: tuple[int, int]
    content: Content


@dataclass(frozen=True)
class UnusableItem:
    """An item that cannot be used.

    Attributes:
        reason: the reason, in one line.
        content: size and hash of the item, if it could be read.
    """

    reason: str
    content: Content | None = None


@dataclass(frozen=True)
class ItemDecoder:
    """Decodes the items of a data set. It can be pickled and sent to other processes.

    Attributes:
        dataset: the data set.
        preprocess: crops photos; None returns whole photos.
        mode: "scaled" lets the JPEG decoder halve photos, once or more, as long as they stay at
            least as large as the resize of the preprocess; "gpu" leaves JPEG files to the device
            of the model, except for those that only a CPU decodes correctly.
    """

    dataset: Dataset
    preprocess: Preprocess | None
    mode: DecodeMode = EXACT

    def __call__(self, index: int) -> DecodedPhoto | EncodedJpeg | UnusableItem:
        """Decode an item, or leave it to the device of the model."""
        content = None
        try:
            data = encoded_bytes(self.dataset, index)
            if data is None:
                photo, content = photo_of(self.dataset, index)
                return self._crop(photo, (photo.shape[0], photo.shape[1]), content)
            content = content_of_bytes(data)
            if self.mode == GPU and (size := plain_jpeg(data, self._name(index))):
                return EncodedJpeg(data, size, content)
            return self._decode_bytes(index, data, content)
        except MemoryError:
            raise
        except Exception as error:  # an unreadable file does not end the sweep; it is skipped
            return UnusableItem(one_line_reason(error), content)

    def decode_on_cpu(self, index: int, jpeg: EncodedJpeg) -> DecodedPhoto | UnusableItem:
        """Decode a file that the device of the model could not decode."""
        try:
            return self._decode_bytes(index, jpeg.data, jpeg.content)
        except MemoryError:
            raise
        except Exception as error:
            return UnusableItem(one_line_reason(error), jpeg.content)

    def _decode_bytes(self, index: int, data: bytes, content: Content) -> DecodedPhoto:
        return self._crop(*decode_scaled(data, self._name(index), self._minimum_size), content)

    def _crop(self, photo: np.ndarray, size: tuple[int, int], content: Content) -> DecodedPhoto:
        pixels = photo if self.preprocess is None else self.preprocess.cut(photo, size)
        return DecodedPhoto(pixels, size, content)

    def _name(self, index: int) -> str:
        return f"image {self.dataset.ids[index]!r}"

    def _minimum_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the smallest size at which a photo of this size may be decoded."""
        if self.preprocess is None or self.mode != SCALED:
            return height, width
        return self.preprocess.resized_size(height, width)


def one_line_reason(error: Exception) -> str:
    """Return the message of an error in one line; with its type if it is not of convviz."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ConvvizError) else f"{type(error).__name__}: {text}"


def send(
    connection: Connection, ticket: int, item: DecodedPhoto | EncodedJpeg | UnusableItem
) -> None:
    """Send the answer for an item; pixels are sent as raw bytes, not pickled."""
    if not isinstance(item, DecodedPhoto):
        connection.send((ticket, item, None, None))
        return
    connection.send((ticket, item.pixels.shape, item.size, tuple(item.content)))
    connection.send_bytes(np.ascontiguousarray(item.pixels).data.cast("B"))


def receive(connection: Connection) -> tuple[int, DecodedPhoto | EncodedJpeg | UnusableItem]:
    """Receive the answer that `send` sent."""
    ticket, item_or_shape, size, content = connection.recv()
    if isinstance(item_or_shape, EncodedJpeg | UnusableItem):
        return ticket, item_or_shape
    pixels = np.empty(item_or_shape, np.uint8)
    connection.recv_bytes_into(pixels.data.cast("B"))
    return ticket, DecodedPhoto(pixels, size, Content(*content))


def main() -> None:
    """Decode for the parent process, over the connection given on the command line."""
    descriptor, parent = map(int, sys.argv[1:3])
    _end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    # These errors mean that the parent has ended or closed the pool.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _serve(connection)


def _serve(connection: Connection) -> None:
    connection.send(STARTED)
    try:
        decoder = pickle.loads(connection.recv_bytes())
    except EOFError:
        raise
    except Exception as error:
        connection.send(one_line_reason(error))
        return
    connection.send(READY)
    while True:
        for ticket, index in connection.recv():
            send(connection, ticket, _decode(decoder, index))


def _decode(decoder: ItemDecoder, index: int) -> DecodedPhoto | EncodedJpeg | UnusableItem:
    try:
        return decoder(index)
    except MemoryError as error:  # this process has nothing to free, so the item is skipped
        return UnusableItem(one_line_reason(error))


def _end_with_parent(parent: int) -> None:
    """Request that the system kills this process when its parent ends, even if it hangs (Linux)."""
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the request
        sys.exit()
