"""Detection of PNG and JPEG files whose data do not cover the whole image.

If a stream ends properly but early, decoders fill up the missing pixels without an error. The
checks cost little for complete files: the bytes are counted, or the file is decoded a second time,
only if the last pixels look filled up. In a baseline JPEG, missing data that affect only the very
last block (at most 16 x 16 pixels) are therefore not detected.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

END_OF_JPEG = b"\xff\xd9"
FILL_GREY = 128
"""Value of the pixels of JPEG blocks without data."""
NEAR_GREY = 3

JPEG_PADDING = bytes([0x5A, 0xA5, 0x3C, 0xC3, 0x69, 0x96, 0x0F, 0xF0]) * 8
JPEG_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_JPEG_MARKER = re.compile(rb"\xff(?=[^\x00\xff])")
_SEGMENT = re.compile(rb"\xff[^\x00\xff\xd0-\xd9]")

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""First row, first column, row step and column step of the passes of an interlaced PNG."""


def check_complete(file: IO[bytes], image: PILImage, name: str, draft: Any = None) -> None:
    """Raise ImageError if a file lacks data for some of its pixels.

    Args:
        file: the whole file.
        image: the loaded PIL image of the file.
        name: identifies the file in errors.
        draft: the size given to `image.draft`, if any.
    """
    if image.format == "PNG":
        _check_png(file, image, name)
    elif image.format == "JPEG":
        file.seek(0)
        _check_jpeg(file.read(), image, name, draft)


def looks_filled_up(pixels: np.ndarray) -> bool:
    """Return whether a pixel, `[channels]`, has the grey that replaces missing JPEG data."""
    values = np.atleast_1d(pixels).astype(float)
    luma = values[0] if len(values) == 1 else values[:3] @ (0.299, 0.587, 0.114)
    return bool(abs(luma - FILL_GREY) <= NEAR_GREY)


# PNG


def _check_png(file: IO[bytes], image: PILImage, name: str) -> None:
    """Check chunks and their checksums up to the end chunk, and count the bytes of pixels.

    Pillow does not do that: it stops reading after the last row or the end of the stream.
    """
    header, count = b"", 0
    inflate: Any = zlib.decompressobj() if _png_may_lack_rows(image) else None
    for kind, body in _png_chunks(file, name):
        if kind == b"IHDR":
            header = body
        if kind == b"IDAT" and inflate is not None:
            count += _inflated_size(inflate, body)
    if inflate is not None and count < (needed := _png_bytes(header)):
        raise ImageError(f"{name}: the PNG ends early ({count:,} of {needed:,} bytes of pixels)")


def _png_may_lack_rows(image: PILImage) -> bool:
    """Return whether the last row is zero, as Pillow leaves rows without data."""
    last = image.crop((0, image.height - 1, image.width, image.height))
    return bool(image.info.get("interlace")) or not np.asarray(last).any()


def _png_chunks(file: IO[bytes], name: str) -> Iterator[tuple[bytes, bytes]]:
    file.seek(8)
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        kind = head[4:]
        body = file.read(length) if length < 1 << 31 else b""
        crc = file.read(4)
        if len(head) < 8 or len(body) < length or len(crc) < 4:
            raise ImageError(f"{name}: the PNG is cut short")
        critical = not kind[0] & 0x20
        if critical and zlib.crc32(kind + body) != int.from_bytes(crc, "big"):
            raise ImageError(f"{name}: the PNG is damaged (checksum of {kind.decode('latin1')})")
        yield kind, body


def _inflated_size(inflate: Any, body: bytes, step: int = 1 << 20) -> int:
    """Return the number of decompressed bytes, without storing them."""
    count = 0
    try:
        while body and not inflate.eof:
            count += len(inflate.decompress(body, step))
            body = inflate.unconsumed_tail
    except zlib.error:  # after the last row; otherwise Pillow would have raised
        pass
    return count


def _png_bytes(header: bytes) -> int:
    """Return the number of bytes of the rows of a PNG, computed from its header."""
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * PNG_CHANNELS[header[9]]
    passes = ADAM7 if header[12] else ((0, 0, 1, 1),)
    count = 0
    for row, column, row_step, column_step in passes:
        rows = max(0, -(-(height - row) // row_step))
        columns = max(0, -(-(width - column) // column_step))
        count += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return count


# JPEG


def _check_jpeg(data: bytes, image: PILImage, name: str, draft: Any) -> None:
    """Check the number of restart markers, and decode again if blocks may have been filled up.

    For the second decode, padding is inserted before each marker after the first scan. A decoder
    does not read it if the data of the scan are complete, so the pixels are the same.
    """
    segments, start = _jpeg_headers(data)
    end = data.find(END_OF_JPEG, start)
    end = len(data) if end < 0 else end
    restarts, expected = _restarts(data, segments, start, end)
    if restarts != expected:
        raise ImageError(f"{name}: the JPEG is damaged ({restarts} of {expected} restart markers)")
    progressive = 0xC2 in segments or 0xCA in segments
    several_scans = data.find(b"\xff\xda", start, end) >= 0
    if (progressive or several_scans) and not _all_scans(data, segments, start, end):
        raise ImageError(f"{name}: the JPEG ends early (scans are missing)")
    if not (progressive or several_scans or looks_filled_up(_last_pixel(image))):
        return
    tail = _JPEG_MARKER.sub(JPEG_PADDING + b"\xff", data[start : end + 2])
    if not _same_pixels(data[:start] + tail, image, draft):
        raise ImageError(f"{name}: the JPEG ends early (its end marker comes before all pixels)")


def _jpeg_headers(data: bytes) -> tuple[dict[int, bytes], int]:
    """Return the segments up to the first scan, by marker, and the offset of the scan's data."""
    segments: dict[int, bytes] = {}
    place = 2
    while place + 4 <= len(data):
        marker = data[place + 1]
        if data[place] != 0xFF or marker == 0xFF:
            place += 1
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        segments[marker] = data[place + 4 : place + 2 + length]
        place += 2 + length
        if marker == 0xDA:
            break
    return segments, place


def _all_scans(data: bytes, segments: dict[int, bytes], start: int, end: int) -> bool:
    """Return whether the scans contain all coefficients of all components in full precision."""
    frame = next((segments[m] for m in JPEG_FRAMES if m in segments), b"")
    missing = {(c, k) for c in frame[6::3] for k in range(64)}
    for header in _scan_headers(data, segments[0xDA], start, end):
        components = header[1 : 1 + 2 * header[0] : 2]
        first, last, precision = header[1 + 2 * header[0] :][:3]
        if not precision & 15:
            missing -= {(c, k) for c in components for k in range(first, last + 1)}
    return not missing


def _scan_headers(data: bytes, first: bytes, start: int, end: int) -> Iterator[bytes]:
    yield first
    place = start
    while (marker := _SEGMENT.search(data, place, end)) is not None:
        place = marker.end()
        length = int.from_bytes(data[place : place + 2], "big")
        if marker[0][1] == 0xDA:
            yield data[place + 2 : place + length]
        place += length


def _restarts(data: bytes, segments: dict[int, bytes], start: int, end: int) -> tuple[int, int]:
    """Return the actual and the expected number of restart markers of a baseline JPEG."""
    interval = int.from_bytes(segments.get(0xDD, b"")[:2], "big")
    frame = segments.get(0xC0) or segments.get(0xC1)
    if not interval or frame is None or segments[0xDA][0] != frame[5]:
        return 0, 0
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    factors = [frame[7 + 3 * i] for i in range(frame[5])]
    across = 8 * max(f >> 4 for f in factors) if len(factors) > 1 else 8
    down = 8 * max(f & 15 for f in factors) if len(factors) > 1 else 8
    blocks = -(-width // across) * -(-height // down)
    restarts = sum(data.count(b"\xff" + bytes([0xD0 + i]), start, end) for i in range(8))
    return restarts, (blocks - 1) // interval


def _last_pixel(image: PILImage) -> np.ndarray:
    return np.atleast_1d(np.array(image.getpixel((image.width - 1, image.height - 1))))


def _same_pixels(data: bytes, image: PILImage, draft: Any) -> bool:
    from PIL.JpegImagePlugin import JpegImageFile

    again = JpegImageFile(BytesIO(data))
    if draft is not None:
        again.draft("", draft)
    try:
        again.load()
    except OSError:
        return False
    return again.size == image.size and np.array_equal(np.asarray(again), np.asarray(image))
