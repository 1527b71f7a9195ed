"""Every kind of file against a second decoder, or against pixels that the test encodes itself."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from helpers.pixels import (
    HEIGHT,
    RNG,
    WIDTH,
    blend_on_white,
    grey_to_rgb,
    largest_difference,
    random_pixels,
)
from PIL import Image

from convviz import ImageError, Preprocess
from convviz.authoring import decode_image
from convviz.sweep.input.decoder_process import ItemDecoder, UnusableItem

PASSES = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]
COLOUR_TYPES = {
    "grey": (0, 1),
    "rgb": (2, 3),
    "palette": (3, 1),
    "grey alpha": (4, 2),
    "rgba": (6, 4),
}


# PNG, encoded here


def png_rows(values: np.ndarray, bits: int) -> bytes:
    rows = values.reshape(values.shape[0], -1)
    planes = (rows[..., None] >> np.arange(bits)[::-1]) & 1
    packed = np.packbits(planes.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(values, kind, bits, interlaced=False, palette=None, transparent=None, keep=None) -> bytes:
    """Write a PNG; `keep` drops the last bytes of pixels, with all checksums right."""
    passes = PASSES if interlaced else [(0, 0, 1, 1)]
    parts = [values[y::dy, x::dx] for y, x, dy, dx in passes]
    raw = b"".join(png_rows(part, bits) for part in parts if part.size)
    size = struct.pack(">II", values.shape[1], values.shape[0])
    header = size + bytes([bits, COLOUR_TYPES[kind][0], 0, 0, interlaced])
    chunks = [png_chunk(b"IHDR", header)]
    if palette is not None:
        chunks.append(png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparent is not None:
        chunks.append(png_chunk(b"tRNS", transparent))
    pixels = zlib.compress(raw[:keep] if keep else raw)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [*chunks, png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png_of_every_depth(bits, interlaced) -> None:
    values, full = random_pixels(bits), (1 << bits) - 1
    expected = grey_to_rgb(values * 255 / full)
    assert largest_difference(decode_image(png(values, "grey", bits, interlaced)), expected) <= 0.5
    for key in range(1 << bits) if bits < 8 else [int(values[2, 3])]:
        expected = grey_to_rgb(np.where(values == key, 255, values * 255 / full))
        data = png(values, "grey", bits, interlaced, transparent=struct.pack(">H", key))
        assert largest_difference(decode_image(data), expected) <= 0.5


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_of_every_depth(bits, interlaced) -> None:
    values = random_pixels(bits)
    palette, alpha = RNG.integers(0, 256, (1 << bits, 3)), RNG.integers(0, 256, 1 << bits)
    data = png(values, "palette", bits, interlaced, palette)
    assert np.array_equal(decode_image(data), palette[values])
    short = max(1, len(alpha) // 2)  # the rest of the palette is opaque
    data = png(values, "palette", bits, interlaced, palette, bytes(alpha[:short].tolist()))
    alpha[short:] = 255
    expected = blend_on_white(palette[values] / 255, alpha[values][..., None] / 255)
    assert largest_difference(decode_image(data), expected) <= 0.5
    values[0, 0] = len(palette) - 1
    with pytest.raises(ImageError, match=f"palette index {len(palette) - 1}"):
        decode_image(png(values, "palette", bits, interlaced, palette[:-1]))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("bits", "tolerance"), [(8, 0.5), (16, 2)])
def test_colour_png_of_every_depth(bits, tolerance, interlaced) -> None:
    full = (1 << bits) - 1
    rgb, rgba, grey_alpha = (random_pixels(bits, n) for n in (3, 4, 2))
    assert (
        largest_difference(decode_image(png(rgb, "rgb", bits, interlaced)), rgb * 255 / full)
        <= tolerance
    )
    expected = blend_on_white(rgba[..., :3] / full, rgba[..., 3:] / full)
    assert (
        largest_difference(decode_image(png(rgba, "rgba", bits, interlaced)), expected) <= tolerance
    )
    expected = grey_to_rgb(blend_on_white(grey_alpha[..., 0] / full, grey_alpha[..., 1] / full))
    data = png(grey_alpha, "grey alpha", bits, interlaced)
    assert largest_difference(decode_image(data), expected) <= tolerance


def test_the_transparent_colour_of_an_rgb_png() -> None:
    values = random_pixels(8, 3)
    values[3, 3] = values[5, 5] = values[2, 2]
    key = struct.pack(">HHH", *map(int, values[2, 2]))
    expected = values.copy()
    expected[(values == values[2, 2]).all(axis=-1)] = 255
    assert np.array_equal(decode_image(png(values, "rgb", 8, transparent=key)), expected)
    with pytest.raises(ImageError, match=r"'cat\.png'.*16-bit RGB PNG with a transparent colour"):
        decode_image(png(random_pixels(16, 3), "rgb", 16, transparent=key), "image 'cat.png'")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits"), [("grey", 1), ("grey", 8), ("palette", 4), ("rgb", 16), ("rgba", 8)]
)
def test_a_png_whose_stream_ends_early_with_good_checksums(kind, bits, interlaced) -> None:
    values = random_pixels(bits, COLOUR_TYPES[kind][1]) | 1
    palette = RNG.integers(0, 256, (1 << bits, 3)) if kind == "palette" else None
    whole = png(values, kind, bits, interlaced, palette)
    expected = decode_image(whole)
    size = len(zlib.decompress(whole[whole.index(b"IDAT") + 4 : -16]))
    assert size == sum(
        1 + -(-len(range(x, WIDTH, dx)) * bits * COLOUR_TYPES[kind][1] // 8)
        for y, x, dy, dx in (PASSES if interlaced else [(0, 0, 1, 1)])
        for _ in range(y, HEIGHT, dy)
    )
    for keep in range(1, size):
        with pytest.raises(ImageError, match=r"ends early|cut short"):
            decode_image(png(values, kind, bits, interlaced, palette, keep=keep))
    black = np.zeros_like(values)
    assert decode_image(png(black, kind, bits, interlaced, palette)).shape == expected.shape


def test_pil_images_whose_key_has_an_unknown_depth() -> None:
    from convviz.images.decode import to_rgb

    data = png(random_pixels(4), "grey", 4, transparent=struct.pack(">H", 5))
    loaded = Image.open(io.BytesIO(data))
    loaded.load()
    with pytest.raises(ImageError, match="transparent value 5 has an unknown bit depth"):
        to_rgb(loaded, "x")
    assert np.array_equal(to_rgb(Image.open(io.BytesIO(data)), "x"), decode_image(data))


# JPEG


def smooth(height: int = 120, width: int = 170) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


JPEGS = {
    "baseline": {},
    "full chroma": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "grey": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},
}


def jpeg(pixels: np.ndarray, mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", JPEGS)
def test_jpeg_as_opencv_reads_it(kind) -> None:
    data = jpeg(smooth(), **JPEGS[kind])
    second = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert largest_difference(decode_image(data), second) <= (2 if kind != "cmyk" else 4)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("noisy", [False, True])
def test_a_jpeg_whose_end_marker_comes_early(kind, noisy) -> None:
    pixels = RNG.integers(0, 256, (90, 130, 3)).astype(np.uint8) if noisy else smooth()
    data = jpeg(pixels, **JPEGS[kind])
    whole, start = decode_image(data), data.index(b"\xff\xda") + 14
    last_block = 700 if noisy else 40  # bytes; what is missing of it alone is not noticed
    for cut in np.linspace(start, len(data) - last_block, 40).astype(int):
        with pytest.raises(ImageError, match=r"ends early|cut short|restart markers"):
            decode_image(data[:cut] + b"\xff\xd9")
    assert np.array_equal(decode_image(data + b"trailing bytes"), whole)


@pytest.mark.parametrize("kind", ["baseline", "progressive", "grey"])
@pytest.mark.parametrize("how", ["exact", "scaled"])
def test_workers_refuse_it_too_at_every_scale(kind, how) -> None:
    class One:
        name, ids, labels, classes = "one", ("a.jpg",), (None,), ()

        def __init__(self, data: bytes) -> None:
            self.data = data

        def read(self, index: int) -> bytes:
            return self.data

    data = jpeg(smooth(300, 400), **JPEGS[kind])
    decoded = [
        ItemDecoder(One(d), Preprocess(16, 16), how)(0) for d in (data, data[:-60] + b"\xff\xd9")
    ]
    assert not isinstance(decoded[0], UnusableItem)
    assert isinstance(decoded[1], UnusableItem)
    assert "'a.jpg'" in decoded[1].reason


def test_a_grey_photo_is_no_jpeg_that_ends_early() -> None:
    flat = np.full((40, 40, 3), 128, np.uint8)
    for options in JPEGS.values():
        assert largest_difference(decode_image(jpeg(flat, **options)), flat) <= 2


def test_restart_markers_that_are_missing() -> None:
    data = jpeg(smooth(), restart_marker_rows=1)
    first = data.index(b"\xff\xd0", data.index(b"\xff\xda"))
    second = data.index(b"\xff\xd1", first)
    with pytest.raises(ImageError, match="restart markers"):
        decode_image(data[:first] + data[second:])


def test_a_jpeg_of_twelve_bits_is_refused() -> None:
    data = bytearray(jpeg(smooth()))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ImageError, match="12"):
        decode_image(bytes(data))


# Memory


def declared(data: bytes, width: int, height: int, kind: str) -> bytes:
    """Write another size into the header of a file."""
    out = bytearray(data)
    if kind == "jpeg":
        place = out.index(b"\xff\xc0") + 5
        out[place : place + 4] = struct.pack(">HH", height, width)
    elif kind == "webp":
        bits = (width - 1) | (height - 1) << 14
        out[21:25] = struct.pack("<I", bits | int.from_bytes(out[21:25], "little") & 0xF0000000)
    elif kind == "gif":
        out[6:10] = struct.pack("<HH", width, height)
    elif kind == "bmp":
        out[18:26] = struct.pack("<ii", width, height)
    else:
        out[16:24] = struct.pack(">II", width, height)
        out[29:33] = struct.pack(">I", zlib.crc32(bytes(out[12:29])))
    return bytes(out)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp", "webp"])
@pytest.mark.parametrize("size", [(9000, 9000), (16000, 16000)])
def test_a_small_file_that_declares_a_large_size_takes_no_memory(kind, size) -> None:
    out = io.BytesIO()
    Image.fromarray(smooth(20, 20)).save(out, kind.upper(), lossless=True)
    data = declared(out.getvalue(), *size, kind)
    tracemalloc.start()
    try:
        limit = "89,000,000 pixels .*max_pixels" if size[0] > 9000 else "pixels in .* bytes"
        with pytest.raises(ImageError, match=limit):
            decode_image(data)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_large_photo_is_converted_in_bands(monkeypatch) -> None:
    values = RNG.integers(0, 256, (300, 41, 4), dtype=np.uint8)
    sixteen = RNG.integers(0, 65536, (300, 41), dtype=np.uint16)
    key = int(sixteen[200, 20])
    files = [png(v, k, b, transparent=t) for v, k, b, t in (
        (values.astype(int), "rgba", 8, None), (values[..., 0].astype(int), "grey", 8, b"\0\x07"),
        (sixteen.astype(int), "grey", 16, struct.pack(">H", key)),
    )]  # fmt: skip
    at_once = [decode_image(data) for data in files]
    monkeypatch.setattr("convviz.images.color_modes.BAND_PIXELS", 41 * 64)
    for data, expected in zip(files, at_once, strict=True):
        assert np.array_equal(decode_image(data), expected)
