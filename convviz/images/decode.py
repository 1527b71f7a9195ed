"""Decoding of photos, with an ImageError that gives the reason if it fails."""

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
from .color_modes import ORIENTATION, TRANSPOSED, Colour, rgb_pixels, upright
from .tiff import check_tiff
from .truncated_files import END_OF_JPEG, check_complete

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

MAX_PIXELS = 89_000_000
"""A quarter of a gigabyte as RGB; just below the size at which Pillow starts to warn."""
MAX_BYTES = 1 << 30

MAX_PIXELS_PER_BYTE = {"JPEG": 512}
"""Upper limits of the pixels that one byte of a file can encode. In a JPEG, each block of 64 pixels
takes at least one bit."""
DEFAULT_PIXELS_PER_BYTE = 10_000
SMALL_PIXELS = 1 << 22
"""Images up to this size are not checked for a wrong size in the header."""

WHITE: Colour = (255, 255, 255)

HEAD_BYTES = 30
"""Number of bytes that determine the format of a file, and the size of a WebP."""

JPEG_TAIL = 1024
"""Number of bytes at the end of a file in which the end marker is searched."""

_FORMATS: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
    ("JPEG", (b"\xff\xd8\xff",), "Jpeg"),
    ("PNG", (b"\x89PNG\r\n\x1a\n",), "Png"),
    ("WebP", (b"RIFF",), "WebP"),
    ("BMP", (b"BM",), "Bmp"),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "Tiff"),
    ("GIF", (b"GIF87a", b"GIF89a"), "Gif"),
)
ALLOWED = "JPEG, PNG, WebP, BMP, TIFF and GIF"

# Exceptions of Pillow's decoders for invalid files.
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
    Warning,  # if warnings are turned into errors
)
_PILLOW_LIMIT = "more pixels than PIL.Image.MAX_IMAGE_PIXELS allows"


def load_image(
    path: str | os.PathLike[str],
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> np.ndarray:
    """Read a photo, uint8 `[h, w, 3]`, upright.

    Reads JPEG, PNG, WebP, BMP, TIFF and GIF (the first frame). EXIF orientation is applied.
    Grey, palette and CMYK images are converted to RGB; colour profiles are ignored. 16-bit grey is
    divided by 257. Float values must lie in [0, 1]. 32-bit integers must fit in 16 bits and are
    treated as 16-bit values.

    Args:
        path: the file.
        background: the colour behind transparent pixels.
        max_pixels: larger images raise ImageError before they are decoded.
        max_bytes: larger files raise ImageError before they are read.

    Raises:
        ImageError: the file is missing, too large, not an image, damaged or truncated; the
            message names the file and the reason.
    """
    name = f"image {os.fspath(path)!r}"
    with _open_file(path, name, max_bytes) as file:
        return _decode(file, name, background, max_pixels)


def decode_image(
    data: bytes,
    name: str = "image",
    *,
    background: Colour = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decode a photo from the bytes of its file, like `load_image`; `name` is used in errors."""
    if not data:
        raise ImageError(f"{name}: there are no bytes")
    return _decode(io.BytesIO(data), name, background, max_pixels)


def decode_scaled(
    data: bytes, name: str, least: Callable[[int, int], tuple[int, int]]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a photo like `decode_image`, but possibly reduced in size, which is faster for JPEG.

    Args:
        data, name: as for `decode_image`.
        least: returns the minimum height and width of the result for a photo of a given height
            and width, upright.

    Returns:
        The photo, reduced by a factor of 1, 2, 4 or 8 by the JPEG decoder, and its full size.
    """
    if not data:
        raise ImageError(f"{name}: there are no bytes")
    file = io.BytesIO(data)
    image = _open_image(file, name, MAX_PIXELS)
    full, draft = (image.height, image.width), None
    is_transposed = _orientation(image) in TRANSPOSED
    size = full[::-1] if is_transposed else full
    smallest = least(*size)
    # Whether a progressive JPEG is complete can be checked only at full size.
    if image.format == "JPEG" and smallest != size and not image.info.get("progressive"):
        draft = smallest if is_transposed else smallest[::-1]
        image.draft("", draft)
    pixels = to_rgb(image, name)
    _check_complete(file, image, name, draft)
    if image.format == "JPEG":
        return pixels, size
    return pixels, (pixels.shape[0], pixels.shape[1])


def plain_jpeg(data: bytes, name: str) -> tuple[int, int] | None:
    """Return the size of a JPEG that every JPEG decoder decodes with the right colours.

    Only the header and the end of the file are examined.

    Args:
        data, name: as for `decode_image`.

    Returns:
        Height and width of the photo, upright, for a complete JPEG file of grey or YCbCr pixels of
        a size that `decode_image` accepts; otherwise None.
    """
    if not data.startswith(_FORMATS[0][1]) or END_OF_JPEG not in data[-JPEG_TAIL:]:
        return None  # fast decoders may fill up missing data without an error
    image: Any = _open_image(io.BytesIO(data), name, MAX_PIXELS)
    as_rgb = image.info.get("adobe_transform") == 0 or [c[0] for c in image.layer] == [*b"RGB"]
    if image.mode not in ("RGB", "L") or (image.mode == "RGB" and as_rgb):
        return None
    if image.info.get("progressive"):  # completeness can be checked only by a second decode
        return None
    size, turn = (image.height, image.width), _exif_turn(image)
    if turn == 1:
        return size
    # Decoders interpret unusual metadata differently. For a transposing orientation, the shape of
    # the result shows whether the decoder applied it; for others nothing does.
    return size[::-1] if turn in TRANSPOSED and image.height != image.width else None


def read_image_file(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file, with the same checks as in `load_image`."""
    name = f"image {os.fspath(path)!r}"
    with _open_file(path, name, max_bytes) as file:
        try:
            return file.read()
        except OSError as error:
            raise ImageError(f"{name}: it cannot be read ({_reason(error)})") from error


def _decode(file: IO[bytes], name: str, background: Colour, max_pixels: int) -> np.ndarray:
    image = _open_image(file, name, max_pixels)
    pixels = to_rgb(image, name, background=background, max_pixels=max_pixels)
    _check_complete(file, image, name)
    return pixels


def _check_complete(file: IO[bytes], image: PILImage, name: str, draft: Any = None) -> None:
    with _convert_decoder_errors(name):
        check_complete(file, image, name, draft)


def to_rgb(
    image: PILImage, name: str, *, background: Colour = WHITE, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Convert a PIL image to a photo, uint8 `[h, w, 3]`, upright. The image is not changed.

    `name` identifies it in errors.
    """
    _check_size(image.size, name, max_pixels)
    with _convert_decoder_errors(name):
        if image.format == "TIFF" and getattr(image, "tile", None):
            check_tiff(image, name, max_pixels)
        return upright(rgb_pixels(image, name, background), _orientation(image))


@contextmanager
def _convert_decoder_errors(name: str) -> Iterator[None]:
    """Convert exceptions of Pillow's decoders to ImageError."""
    try:
        yield
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"{name}: damaged or cut short ({_reason(error)})") from error
    except _pillow_limit_error() as error:
        raise ImageError(f"{name}: {_PILLOW_LIMIT} ({_reason(error)})") from error


def _check_size(
    size: tuple[int, int], name: str, max_pixels: int, kind: str = "", file_bytes: int | None = None
) -> None:
    """Raise ImageError for a size that is too large, before memory is allocated."""
    width, height = size
    pixels = width * height
    if pixels <= 0:
        raise ImageError(f"{name}: it has no pixels ({width} x {height})")
    if pixels > max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} is more than {max_pixels:,} pixels (raise max_pixels of "
            "load_image)"
        )
    most = MAX_PIXELS_PER_BYTE.get(kind, DEFAULT_PIXELS_PER_BYTE)
    if file_bytes is not None and pixels > max(SMALL_PIXELS, most * file_bytes):
        raise ImageError(
            f"{name}: damaged or cut short ({width} x {height} pixels in {file_bytes:,} bytes; "
            f"above {SMALL_PIXELS:,} pixels at most {most:,} pixels per byte are accepted)"
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
    """Read the header with the decoder for the first bytes of the file, and check the size.

    `Image.open` is not used, because it tries all installed decoders, and its limit for large
    images is a process-wide setting that first only warns.
    """
    import importlib

    head = file.read(HEAD_BYTES)
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    for kind, magics, plugin in _FORMATS:
        if not head.startswith(magics) or (kind == "WebP" and head[8:12] != b"WEBP"):
            continue
        if kind == "WebP":  # its decoder allocates the memory when it opens the file
            _check_size(_webp_size(head), name, max_pixels, kind, file_bytes)
        try:
            module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
            image: PILImage = getattr(module, f"{plugin}ImageFile")(file)
        except _BROKEN as error:
            raise ImageError(f"{name}: not a readable {kind} file ({_reason(error)})") from error
        except _pillow_limit_error() as error:
            raise ImageError(f"{name}: {_PILLOW_LIMIT} ({_reason(error)})") from error
        _check_size(image.size, name, max_pixels, kind, file_bytes)
        return image
    raise ImageError(f"{name}: not an image of a known format ({ALLOWED})")


def _webp_size(head: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk of a WebP file; (1, 1) if unknown."""
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


def _pillow_limit_error() -> type[Exception]:
    """Return the exception that some of Pillow's decoders raise for large images."""
    from PIL.Image import DecompressionBombError

    return DecompressionBombError


def _orientation(image: PILImage) -> int:
    try:
        return int(_exif_turn(image))
    except _BROKEN:  # damaged metadata do not make the pixels unusable
        return 1


def _exif_turn(image: PILImage) -> Any:
    """Return the stored orientation, 1 if there is none; None if the metadata are damaged."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except _BROKEN:
        return None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
