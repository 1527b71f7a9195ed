"""Reads a photo from a file: one door, and a clear reason where it stays shut."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError
from .color_modes import ORIENTATION, TURNED, Colour, rgb_pixels, upright
from .completeness import END_OF_JPEG, check_complete
from .tiff import check_tiff

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

MAX_PIXELS = 89_000_000
"""A quarter of a gigabyte as RGB; just below where Pillow begins to warn."""
MAX_BYTES = 1 << 30

PIXELS_A_BYTE = {"JPEG": 512}
"""More pixels than a byte of a file can stand for; of JPEG each block of 64 takes a bit."""
MOST_PIXELS_A_BYTE = 10_000
SMALL_PIXELS = 1 << 22
"""Up to here a wrong size in a header wastes no memory that matters."""

WHITE: Colour = (255, 255, 255)

HEAD_BYTES = 30
"""What tells the format of a file, and the size of a WebP."""

JPEG_TAIL = 1024
"""Bytes at the end of a file among which the end of its image is looked for."""

_FORMATS: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
    ("JPEG", (b"\xff\xd8\xff",), "Jpeg"),
    ("PNG", (b"\x89PNG\r\n\x1a\n",), "Png"),
    ("WebP", (b"RIFF",), "WebP"),
    ("BMP", (b"BM",), "Bmp"),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "Tiff"),
    ("GIF", (b"GIF87a", b"GIF89a"), "Gif"),
)
ALLOWED = "JPEG, PNG, WebP, BMP, TIFF and GIF"

# What Pillow's decoders raise on bytes that do not fit their format.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    AttributeError,
    struct.error,
    zlib.error,
    Warning,  # where the user made warnings errors
)
_BEYOND_PILLOW = "more pixels than PIL.Image.MAX_IMAGE_PIXELS allows"


def load_image(
    path: str | os.PathLike[str],
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> np.ndarray:
    """Read a photo, uint8 `[h, w, 3]`, upright.

    Reads JPEG, PNG, WebP, BMP, TIFF and GIF (the first frame). EXIF orientation is applied.
    Grey, palette and CMYK become RGB; colour profiles are not. 16-bit grey is divided by 257;
    float must lie in [0, 1]; 32-bit integers must fit in 16 bits and are read as such.

    Args:
        path: the file.
        background: the colour under transparent pixels.
        max_pixels: larger images are refused by their header, before they are decoded.
        max_bytes: larger files are refused unread.

    Raises:
        ImageError: the file is missing, too large, not an image, damaged or cut short; the
            message names the file and the reason.
    """
    name = f"image {os.fspath(path)!r}"
    with _open_file(path, name, max_bytes) as file:
        return _decoded(file, name, background, max_pixels)


def decode_image(
    data: bytes,
    name: str = "image",
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Read a photo from the bytes of its file, as `load_image` does; errors call it `name`."""
    if not data:
        raise ImageError(f"{name}: there are no bytes")
    return _decoded(io.BytesIO(data), name, background, max_pixels)


def decode_scaled(
    data: bytes, name: str, least: Callable[[int, int], tuple[int, int]]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Read a photo as `decode_image` does, but a JPEG may come out smaller, which is faster.

    Args:
        data, name: as for `decode_image`.
        least: from height and width of the photo, upright, to the least that is wanted of them.

    Returns:
        The photo, halved no, one, two or three times by its decoder, and its full size.
    """
    if not data:
        raise ImageError(f"{name}: there are no bytes")
    file = io.BytesIO(data)
    image = _open_image(file, name, MAX_PIXELS)
    full, draft = (image.height, image.width), None
    turned = _orientation(image) in TURNED
    size = full[::-1] if turned else full
    wanted = least(*size)
    # Of a progressive one only all pixels show whether it ends early.
    if image.format == "JPEG" and wanted != size and not image.info.get("progressive"):
        draft = wanted if turned else wanted[::-1]
        image.draft("", draft)
    pixels = to_rgb(image, name)
    _check_complete(file, image, name, draft)
    if image.format == "JPEG":
        return pixels, size
    return pixels, (pixels.shape[0], pixels.shape[1])


def plain_jpeg(data: bytes, name: str) -> tuple[int, int] | None:
    """Look at the header of a photo for whether any JPEG decoder gives its right colours.

    Args:
        data, name: as for `decode_image`.

    Returns:
        Height and width of the photo, upright, for a whole JPEG file of grey or YCbCr pixels of
        a size that `decode_image` takes; else None.
    """
    if not data.startswith(_FORMATS[0][1]) or END_OF_JPEG not in data[-JPEG_TAIL:]:
        return None  # a decoder for speed may fill up what is missing
    image: Any = _open_image(io.BytesIO(data), name, MAX_PIXELS)
    as_rgb = image.info.get("adobe_transform") == 0 or [c[0] for c in image.layer] == [*b"RGB"]
    if image.mode not in ("RGB", "L") or (image.mode == "RGB" and as_rgb):
        return None
    if image.info.get("progressive"):  # only a second decode shows whether it ends early
        return None
    size, turn = (image.height, image.width), _exif_turn(image)
    if turn == 1:
        return size
    # Decoders read odd metadata differently: whether one turns it too, only the shape tells.
    return size[::-1] if turn in TURNED and image.height != image.width else None


def read_image_file(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file, refused for the same reasons as by `load_image`."""
    name = f"image {os.fspath(path)!r}"
    with _open_file(path, name, max_bytes) as file:
        try:
            return file.read()
        except OSError as error:
            raise ImageError(f"{name}: it cannot be read ({_reason(error)})") from error


def _decoded(file: IO[bytes], name: str, background: Colour, max_pixels: int) -> np.ndarray:
    image = _open_image(file, name, max_pixels)
    pixels = to_rgb(image, name, background=background, max_pixels=max_pixels)
    _check_complete(file, image, name)
    return pixels


def _check_complete(file: IO[bytes], image: PILImage, name: str, draft: Any = None) -> None:
    with _damage_reported(name):
        check_complete(file, image, name, draft)


def to_rgb(
    image: PILImage, name: str, *, background: Colour = WHITE, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Turn a PIL image into a photo, uint8 `[h, w, 3]`, upright; it is not changed.

    `name` is what errors call it.
    """
    _check_size(image.size, name, max_pixels)
    with _damage_reported(name):
        if image.format == "TIFF" and getattr(image, "tile", None):
            check_tiff(image, name, max_pixels)
        return upright(rgb_pixels(image, name, background), _orientation(image))


@contextmanager
def _damage_reported(name: str) -> Iterator[None]:
    """Turn whatever Pillow's decoders raise into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"{name}: damaged or cut short ({_reason(error)})") from error
    except _beyond_pillow() as error:
        raise ImageError(f"{name}: {_BEYOND_PILLOW} ({_reason(error)})") from error


def _check_size(
    size: tuple[int, int], name: str, max_pixels: int, kind: str = "", file_bytes: int | None = None
) -> None:
    """Refuse a size before any memory is taken for it."""
    width, height = size
    pixels = width * height
    if pixels <= 0:
        raise ImageError(f"{name}: it has no pixels ({width} x {height})")
    if pixels > max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} is more than {max_pixels:,} pixels (max_pixels, which "
            "load_image can raise)"
        )
    most = PIXELS_A_BYTE.get(kind, MOST_PIXELS_A_BYTE)
    if file_bytes is not None and pixels > max(SMALL_PIXELS, most * file_bytes):
        raise ImageError(
            f"{name}: damaged or cut short ({width} x {height} pixels in {file_bytes:,} bytes; "
            f"more than {most:,} pixels a byte are refused above {SMALL_PIXELS:,} pixels)"
        )


def _open_file(path: str | os.PathLike[str], name: str, max_bytes: int) -> IO[bytes]:
    try:
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            raise ImageError(f"{name}: it is a folder")
        if not stat.S_ISREG(info.st_mode):
            raise ImageError(f"{name}: it is not a regular file")
        if info.st_size == 0:
            raise ImageError(f"{name}: the file is empty")
        if info.st_size > max_bytes:
            raise ImageError(f"{name}: the file is larger than {max_bytes:,} bytes (max_bytes)")
        return Path(path).open("rb")
    except FileNotFoundError:
        raise ImageError(f"{name}: there is no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{name}: it cannot be read ({_reason(error)})") from error


def _open_image(file: IO[bytes], name: str, max_pixels: int) -> PILImage:
    """Read the header with the one decoder that the first bytes ask for, and check the size.

    Not `Image.open`: it would try every decoder that is installed, and its guard against
    large images is a process-wide setting that at first only warns.
    """
    import importlib

    head = file.read(HEAD_BYTES)
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    for kind, magics, plugin in _FORMATS:
        if not head.startswith(magics) or (kind == "WebP" and head[8:12] != b"WEBP"):
            continue
        if kind == "WebP":  # whose decoder takes its memory as it opens the file
            _check_size(_webp_size(head), name, max_pixels, kind, file_bytes)
        try:
            module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
            image: PILImage = getattr(module, f"{plugin}ImageFile")(file)
        except _BROKEN as error:
            raise ImageError(f"{name}: not a readable {kind} file ({_reason(error)})") from error
        except _beyond_pillow() as error:
            raise ImageError(f"{name}: {_BEYOND_PILLOW} ({_reason(error)})") from error
        _check_size(image.size, name, max_pixels, kind, file_bytes)
        return image
    raise ImageError(f"{name}: not an image of a known format ({ALLOWED})")


def _webp_size(head: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk of a WebP file; (1, 1) where it has none."""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = (int.from_bytes(head[i : i + 2], "little") & 0x3FFF for i in (26, 28))
        return width, height
    return 1, 1


def _beyond_pillow() -> type[Exception]:
    """Return what some of Pillow's decoders raise, on their own, for large images."""
    from PIL.Image import DecompressionBombError

    return DecompressionBombError


def _orientation(image: PILImage) -> int:
    try:
        return int(_exif_turn(image))
    except _BROKEN:  # a photo whose metadata are damaged is still a photo
        return 1


def _exif_turn(image: PILImage) -> Any:
    """Return the orientation as it is stored, 1 where there is none; None where it is damaged."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except _BROKEN:
        return None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
