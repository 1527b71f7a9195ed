"""Detection of kinds of TIFF that Pillow decodes wrongly without an error."""

from __future__ import annotations

from typing import Any

from ..errors import ImageError

SUBFILE, OLD_SUBFILE, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 258, 259, 262
SAMPLES, PLANES, TILE_WIDTH, TILE_LENGTH, SAMPLE_FORMAT = 277, 284, 322, 323, 339
"""Tags."""

REDUCED_PAGE, OLD_REDUCED_PAGE = 1, 2
UNCOMPRESSED, JPEG_COMPRESSIONS = 1, (6, 7)
YCBCR, LAB_KINDS = 6, (8, 9, 10)
SEPARATE = 2
SIGNED = 2
LZMA = 34925


def check_tiff(image: Any, name: str, max_pixels: int) -> None:
    """Raise ImageError for a TIFF whose pixels would be wrong; `image` must not be loaded yet."""
    if reason := _unsupported_kind(image.tag_v2):
        raise ImageError(
            f"{name}: {reason} are not supported; save it as an 8-bit RGB or grey TIFF"
        )
    tile = _first(image.tag_v2, TILE_WIDTH, 1) * _first(image.tag_v2, TILE_LENGTH, 1)
    if tile > max_pixels:
        raise ImageError(f"{name}: a tile of {tile:,} pixels is more than {max_pixels:,}")
    areas = [(x1 - x0) * (y1 - y0) for codec, (x0, y0, x1, y1), *_ in image.tile if codec == "raw"]
    separate = _first(image.tag_v2, PLANES, 1) == SEPARATE
    needed = image.width * image.height * (_first(image.tag_v2, SAMPLES, 1) if separate else 1)
    if areas and sum(areas) < needed:
        raise ImageError(f"{name}: the TIFF lists strips or tiles for only a part of its pixels")


def _unsupported_kind(tags: Any) -> str:
    """Return the unsupported feature of a TIFF, as a plural noun; "" if it is supported."""
    bits, photometric = _first(tags, BITS, 1), _first(tags, PHOTOMETRIC, 1)
    compression = _first(tags, COMPRESSION, UNCOMPRESSED)
    separate = _first(tags, PLANES, 1) == SEPARATE and _first(tags, SAMPLES, 1) > 1
    if _first(tags, SUBFILE, 0) & REDUCED_PAGE or _first(tags, OLD_SUBFILE, 1) == OLD_REDUCED_PAGE:
        return "files whose first page is a reduced copy (such as raw photos)"
    if _first(tags, SAMPLE_FORMAT, 1) == SIGNED and bits <= 8:
        return f"signed integers of {bits} bits"
    if bits > 16 and compression != UNCOMPRESSED and tags.prefix == b"MM":  # bytes swapped twice
        return f"compressed big-endian values of {bits} bits"
    if compression == LZMA:  # Pillow ignores corrupt data
        return "LZMA-compressed pixels"
    if photometric in LAB_KINDS:
        return "L*a*b* colours"
    if photometric == YCBCR and compression not in JPEG_COMPRESSIONS:
        return "YCbCr colours without JPEG compression"
    if separate and compression == UNCOMPRESSED and bits > 8:
        return f"separate planes of {bits} bits without compression"
    if separate and _first(tags, SAMPLES, 1) == 2:
        return "separate planes of grey and transparency"
    return ""


def _first(tags: Any, tag: int, default: int) -> int:
    value = tags.get(tag, default)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default
