"""Reads a photo from a file: one door, and a clear reason where it stays shut."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from .errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

MAX_PIXELS = 89_000_000
"""A quarter of a gigabyte as RGB; just below where Pillow begins to warn."""
MAX_BYTES = 1 << 30

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)

END_OF_JPEG = b"\xff\xd9"
JPEG_TAIL = 1024
"""Bytes at the end of a file among which the end of its image is looked for."""

TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width."""

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
    """Read a photo from the bytes of its file, as `load_image` does; `name` is for errors."""
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
    image = _open_image(file, name)
    full = (image.height, image.width)
    turned = _orientation(image) in TURNED
    size = full[::-1] if turned else full
    wanted = least(*size)
    if image.format == "JPEG" and wanted != size and full[0] * full[1] <= MAX_PIXELS:
        height, width = wanted[::-1] if turned else wanted
        image.draft("", (width, height))
    pixels = to_rgb(image, name)
    if image.format == "PNG":
        _check_png_end(file, name)
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
    image: Any = _open_image(io.BytesIO(data), name)
    as_rgb = image.info.get("adobe_transform") == 0 or [c[0] for c in image.layer] == [*b"RGB"]
    if image.mode not in ("RGB", "L") or (image.mode == "RGB" and as_rgb):
        return None
    if not 0 < image.width * image.height <= MAX_PIXELS:
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
    image = _open_image(file, name)
    pixels = to_rgb(image, name, background=background, max_pixels=max_pixels)
    if image.format == "PNG":
        _check_png_end(file, name)
    return pixels


def to_rgb(
    image: PILImage, name: str, *, background: Colour = WHITE, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Turn a PIL image into a photo, uint8 `[h, w, 3]`, upright; it is not changed.

    `name` is what errors call it.
    """
    width, height = image.size
    if not width * height:
        raise ImageError(f"{name}: it has no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width} x {height} is more than {max_pixels:,} pixels (max_pixels)"
        )
    try:
        image.load()
        return _upright(_pixels(image, name, background), image)
    except ImageError:
        raise
    except _BROKEN as error:
        raise ImageError(f"{name}: damaged or cut short ({_reason(error)})") from error
    except _beyond_pillow() as error:
        raise ImageError(f"{name}: {_BEYOND_PILLOW} ({_reason(error)})") from error


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


def _open_image(file: IO[bytes], name: str) -> PILImage:
    """Read the header with the one decoder that the first bytes ask for.

    Not `Image.open`: it would try every decoder that is installed, and its guard against
    large images is a process-wide setting that at first only warns.
    """
    import importlib

    head = file.read(16)
    file.seek(0)
    for kind, magics, plugin in _FORMATS:
        if not head.startswith(magics) or (kind == "WebP" and head[8:12] != b"WEBP"):
            continue
        try:
            module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
            image: PILImage = getattr(module, f"{plugin}ImageFile")(file)
        except _BROKEN as error:
            raise ImageError(f"{name}: not a readable {kind} file ({_reason(error)})") from error
        except _beyond_pillow() as error:
            raise ImageError(f"{name}: {_BEYOND_PILLOW} ({_reason(error)})") from error
        return image
    raise ImageError(f"{name}: not an image of a known format ({ALLOWED})")


def _beyond_pillow() -> type[Exception]:
    """Return what some of Pillow's decoders raise, on their own, for large images."""
    from PIL.Image import DecompressionBombError

    return DecompressionBombError


def _pixels(image: PILImage, name: str, background: Colour) -> np.ndarray:
    """Convert any colour mode to uint8 `[h, w, 3]`, not yet upright."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _on_background_grey(image, _grey(image, name), background)
    if mode in ("RGBa", "La"):
        image = image.convert("RGBA" if mode == "RGBa" else "LA")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return _on_background(np.asarray(image.convert("RGBA")), background)
    try:
        return np.array(image.convert("RGB"))
    except ValueError:
        raise ImageError(f"{name}: colour mode {mode!r} cannot be shown as RGB") from None


def _on_background(rgba: np.ndarray, background: Colour) -> np.ndarray:
    """Lay `[h, w, 4]` on a colour, rounding to the nearest value."""
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + np.array(background, np.uint32) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _on_background_grey(image: PILImage, grey: np.ndarray, background: Colour) -> np.ndarray:
    """Spread `[h, w]` over three channels; one value may stand for "transparent"."""
    rgb = np.repeat(grey[..., None], 3, axis=2)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        rgb[np.asarray(image) == clear] = background
    return rgb


def _grey(image: PILImage, name: str) -> np.ndarray:
    """Scale 16-bit, 32-bit and float grey to uint8 `[h, w]`."""
    values = np.asarray(image)
    tags: Any = getattr(image, "tag_v2", {})
    is_float = image.mode == "F"
    grey = _unit_float(values, name) if is_float else _integers(values, _bits(tags), name)
    white_is_zero = tags.get(262) == 0
    return 255 - grey if white_is_zero else grey


def _bits(tags: Any) -> int:
    """How many bits of a sample are used: TIFF also has 12-bit grey."""
    bits = tags.get(258, (16,))
    bits = bits[0] if isinstance(bits, tuple) else bits
    return bits if bits < 16 else 16


def _integers(values: np.ndarray, bits: int, name: str) -> np.ndarray:
    full = (1 << bits) - 1
    wide = values.astype(np.int64)
    low, high = int(wide.min()), int(wide.max())
    if low < 0 or high > full:
        raise ImageError(
            f"{name}: integers from {low} to {high} have no agreed range; "
            "save it with 8 or 16 bits a channel"
        )
    return ((wide * 255 + full // 2) // full).astype(np.uint8)


def _unit_float(values: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ImageError(f"{name}: float pixels that are not finite")
    low, high = float(values.min()), float(values.max())
    if low < -1e-6 or high > 1 + 1e-6:
        raise ImageError(
            f"{name}: float pixels from {low:.6g} to {high:.6g}; they must lie in [0, 1]"
        )
    return np.rint(values.clip(0, 1).astype(np.float64) * 255).astype(np.uint8)


def _upright(pixels: np.ndarray, image: PILImage) -> np.ndarray:
    """Apply the EXIF orientation. A TIFF comes upright, its tag gone, from Pillow itself."""
    turn = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p[::-1].transpose(1, 0, 2),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: p.transpose(1, 0, 2)[::-1],
    }.get(_orientation(image))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _orientation(image: PILImage) -> int:
    try:
        return int(_exif_turn(image))
    except _BROKEN:  # a photo whose metadata are damaged is still a photo
        return 1


def _exif_turn(image: PILImage) -> Any:
    """Return the orientation as it is stored, 1 where there is none; None where it is damaged."""
    try:
        return image.getexif().get(0x0112, 1)
    except _BROKEN:
        return None


def _check_png_end(file: IO[bytes], name: str) -> None:
    """Refuse a PNG that stops before its end chunk, or whose chunks are damaged.

    Pillow stops reading as soon as it has all rows, so it does not notice.
    """
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


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
