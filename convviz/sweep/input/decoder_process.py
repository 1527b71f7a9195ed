"""From an item of a data set to pixels; also the main program of a process that does only this.

Such a process is told by its parent what the data set is, then gets lists of items, and answers
each item by itself. It ends when the parent does.
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

DECODE = EXACT, SCALED, GPU = "exact", "scaled", "gpu"
"""Ways to decode: each JPEG file whole, no larger than the resize needs, or in batches on a GPU."""

PR_SET_PDEATHSIG = 1
HERE, READY = "here", "ready"
"""What a process says once it can be told what to open, and once it has opened it."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded item.

    Attributes:
        pixels: uint8 `[h, w, 3]`: what a Preprocess cuts out, or else the whole photo.
        size: height and width of the whole photo.
        content: of the item.
        image: what a Preprocess makes of the pixels, on the device that decoded the item.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    content: Content
    image: Any = None


@dataclass(frozen=True)
class Jpeg:
    """An item that the model's device shall decode.

    Attributes:
        data: the file.
        size: height and width of the photo, upright.
        content: of the item.
    """

    data: bytes
    size: tuple[int, int]
    content: Content


@dataclass(frozen=True)
class Bad:
    """An item that cannot be used.

    Attributes:
        reason: why, in one line.
        content: of the item, where it could be read.
    """

    reason: str
    content: Content | None = None


@dataclass(frozen=True)
class Decoder:
    """Decodes the items of a data set; may be sent to other processes.

    Attributes:
        dataset: where they come from.
        preprocess: cuts photos, where it is given.
        how: "scaled" lets the JPEG decoder halve photos, once or more, as long as they stay at
            least as large as the resize of the preprocess makes them; "gpu" leaves JPEG files to
            the model's device, but for those that only a CPU decodes right.
    """

    dataset: Dataset
    preprocess: Preprocess | None
    how: str = EXACT

    def __call__(self, index: int) -> Photo | Jpeg | Bad:
        """Decode an item, or leave it to the model's device."""
        content = None
        try:
            data = encoded_bytes(self.dataset, index)
            if data is None:
                photo, content = photo_of(self.dataset, index)
                return self._cut(photo, (photo.shape[0], photo.shape[1]), content)
            content = content_of_bytes(data)
            if self.how == GPU and (size := plain_jpeg(data, self._name(index))):
                return Jpeg(data, size, content)
            return self._decoded(index, data, content)
        except MemoryError:
            raise
        except Exception as error:  # a bad file must not end the run; it is listed instead
            return Bad(reason(error), content)

    def instead(self, index: int, jpeg: Jpeg) -> Photo | Bad:
        """Decode here what the model's device could not."""
        try:
            return self._decoded(index, jpeg.data, jpeg.content)
        except MemoryError:
            raise
        except Exception as error:
            return Bad(reason(error), jpeg.content)

    def _decoded(self, index: int, data: bytes, content: Content) -> Photo:
        return self._cut(*decode_scaled(data, self._name(index), self._least), content)

    def _cut(self, photo: np.ndarray, size: tuple[int, int], content: Content) -> Photo:
        cut = self.preprocess
        return Photo(photo if cut is None else cut.cut(photo, size), size, content)

    def _name(self, index: int) -> str:
        return f"image {self.dataset.ids[index]!r}"

    def _least(self, height: int, width: int) -> tuple[int, int]:
        """Return the size below which a photo of this size must not be decoded."""
        if self.preprocess is None or self.how != SCALED:
            return height, width
        return self.preprocess.resized_size(height, width)


def reason(error: Exception) -> str:
    """Say in one line why an item cannot be used."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ConvvizError) else f"{type(error).__name__}: {text}"


def send(connection: Connection, ticket: int, found: Photo | Jpeg | Bad) -> None:
    """Send what became of an item; pixels go as they are, not pickled."""
    if not isinstance(found, Photo):
        connection.send((ticket, found, None, None))
        return
    connection.send((ticket, found.pixels.shape, found.size, tuple(found.content)))
    connection.send_bytes(np.ascontiguousarray(found.pixels).data.cast("B"))


def receive(connection: Connection) -> tuple[int, Photo | Jpeg | Bad]:
    """Receive what `send` sent."""
    ticket, found, size, content = connection.recv()
    if isinstance(found, Jpeg | Bad):
        return ticket, found
    pixels = np.empty(found, np.uint8)
    connection.recv_bytes_into(pixels.data.cast("B"))
    return ticket, Photo(pixels, size, Content(*content))


def main() -> None:
    """Decode for the process that started this one, over the connection it names."""
    descriptor, parent = map(int, sys.argv[1:3])
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    # The parent has ended, or wants no more.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _serve(connection)


def _serve(connection: Connection) -> None:
    connection.send(HERE)
    try:
        decoder = pickle.loads(connection.recv_bytes())
    except EOFError:
        raise
    except Exception as error:
        connection.send(reason(error))
        return
    connection.send(READY)
    while True:
        for ticket, index in connection.recv():
            send(connection, ticket, _decoded(decoder, index))


def _decoded(decoder: Decoder, index: int) -> Photo | Jpeg | Bad:
    try:
        return decoder(index)
    except MemoryError as error:  # of this process; there is nothing that the parent could free
        return Bad(reason(error))


def _end_with(parent: int) -> None:
    """Let the system kill this process when its parent ends, also where it hangs (Linux)."""
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before that
        sys.exit()
