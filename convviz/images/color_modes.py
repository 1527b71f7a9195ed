"""Conversion of a loaded PIL image of any colour mode to upright RGB pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

Colour = tuple[int, int, int]

BAND_PIXELS = 1 << 22
"""Images are converted in bands of about this many pixels, to limit the memory for copies."""

LOW_BIT_STEPS = {"L;2": 85, "L;4": 17}
"""Raw modes of grey PNG with 2 and 4 bits, and the factor by which Pillow scales the samples."""

ORIENTATION = 0x0112
TRANSPOSED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width."""

_TURNS: dict[int, Any] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}


def rgb_pixels(image: PILImage, name: str, background: Colour) -> np.ndarray:
    """Load an image and convert it to uint8 `[h, w, 3]`, without applying the orientation.

    Raises:
        ImageError: the values have no defined meaning as colours.
    """
    key = _transparent_value(image, name)  # before loading: Pillow then forgets the bit depth
    image.load()
    key = _check_key(image, name, key)
    _check_palette(image, name)
    limits = _value_range(image, name) if _is_deep(image) else None
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        if limits is not None:
            grey = _grey(band, limits, _is_inverted(image))
            pixels[rows] = _apply_key(band, grey, key, background)
        elif band.mode == "L" and isinstance(key, int):
            pixels[rows] = _apply_key(band, np.asarray(band), key, background)
        else:
            pixels[rows] = _colours(band, name, background)
    return pixels


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation to `[h, w, 3]`."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _bands(image: PILImage) -> Iterator[tuple[slice, PILImage]]:
    rows = max(1, BAND_PIXELS // image.width)
    if image.height <= rows:
        yield slice(None), image
        return
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _colours(band: PILImage, name: str, background: Colour) -> np.ndarray:
    if band.mode == "LAB":  # the white point and the sign of a and b are unknown
        raise ImageError(f"{name}: colour mode 'LAB' is not supported; convert it to RGB")
    if band.mode in ("RGBa", "La"):
        band = band.convert("RGBA" if band.mode == "RGBa" else "LA")
    if band.mode in ("RGBA", "LA", "PA") or "transparency" in band.info:
        return _on_background(np.asarray(band.convert("RGBA")), background)
    try:
        return np.asarray(band if band.mode == "RGB" else band.convert("RGB"))
    except ValueError:
        raise ImageError(f"{name}: colour mode {band.mode!r} cannot be shown as RGB") from None


def _on_background(rgba: np.ndarray, background: Colour) -> np.ndarray:
    """Blend `[h, w, 4]` with a background colour, rounded to the nearest value."""
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + np.array(background, np.uint32) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _apply_key(band: PILImage, grey: np.ndarray, key: Any, background: Colour) -> np.ndarray:
    """Repeat `[h, w]` over three channels; pixels with the key value become background."""
    rgb = np.repeat(grey[..., None], 3, axis=2)
    if isinstance(key, int):
        rgb[np.asarray(band) == key] = background
    return rgb


def _transparent_value(image: PILImage, name: str) -> Any:
    """Return the transparent grey value of a PNG, scaled as Pillow scales its samples."""
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    raw_mode = tile[0][3] if tile and isinstance(tile[0][3], str) else ""
    if key is not None and raw_mode == "RGB;16B":
        raise ImageError(
            f"{name}: a 16-bit RGB PNG with a transparent colour is not supported; save it with "
            "8 bits a channel or with an alpha channel"
        )
    step = LOW_BIT_STEPS.get(raw_mode, 1)
    return key * step if isinstance(key, int) else key


def _check_key(image: PILImage, name: str, key: Any) -> Any:
    """Raise ImageError for a key of unknown bit depth, as for images that were loaded before.

    The loaded values of a grey PNG with 2 or 4 bits are multiples of 17, but its key is not scaled.
    """
    if key is None:
        key = image.info.get("transparency")  # some plugins read it during loading
    if image.mode == "L" and isinstance(key, int) and 0 < key < 16:
        values = np.asarray(image)
        if not (values % 17).any() and values.any():
            raise ImageError(
                f"{name}: the transparent value {key} has an unknown bit depth, because the image "
                "was loaded before; use the path instead"
            )
    return key


def _check_palette(image: PILImage, name: str) -> None:
    """Raise ImageError for indices that the palette does not define."""
    palette = getattr(image, "palette", None)
    if image.mode != "P" or palette is None or not palette.palette:
        return
    entries = len(palette.palette) // max(1, len(palette.mode))
    highest = image.getextrema()[1]
    if isinstance(highest, int | float) and highest >= entries:
        raise ImageError(
            f"{name}: damaged (palette index {int(highest)} with {entries} palette entries)"
        )


def _is_deep(image: PILImage) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _is_inverted(image: PILImage) -> bool:
    """Return whether 0 is white, as in some TIFFs; Pillow inverts only 8-bit values."""
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(262) == 0)


def _value_range(image: PILImage, name: str) -> int:
    """Return the value of white; raise ImageError if the values have no defined range."""
    if image.mode == "F" and not all(np.isfinite(np.asarray(b)).all() for _, b in _bands(image)):
        raise ImageError(f"{name}: float pixels that are not finite")
    arrays = (np.asarray(band) for _, band in _bands(image))
    extremes = [(array.min(), array.max()) for array in arrays]
    low, high = min(e[0] for e in extremes), max(e[1] for e in extremes)
    if image.mode == "F":
        if low < -1e-6 or high > 1 + 1e-6:
            raise ImageError(
                f"{name}: float pixels from {float(low):.6g} to {float(high):.6g}; "
                "they must lie in [0, 1]"
            )
        return 1
    full = (1 << _bits(getattr(image, "tag_v2", {}))) - 1
    if low < 0 or high > full:
        raise ImageError(
            f"{name}: integers from {int(low)} to {int(high)} have no agreed range; "
            "save it with 8 or 16 bits a channel"
        )
    return full


def _bits(tags: Any) -> int:
    """Return the number of used bits of a sample; a TIFF may have 12-bit grey."""
    bits = tags.get(258, (16,))
    bits = bits[0] if isinstance(bits, tuple) else bits
    return bits if bits < 16 else 16


def _grey(band: PILImage, white: int, inverted: bool) -> np.ndarray:
    """Scale integers or floats to uint8 `[h, w]`."""
    values = np.asarray(band)
    if values.dtype.kind == "f":
        grey = np.rint(values.clip(0, 1).astype(np.float64) * 255).astype(np.uint8)
    else:
        grey = ((values.astype(np.int64) * 255 + white // 2) // white).astype(np.uint8)
    return 255 - grey if inverted else grey
