"""BMP, GIF and WebP against OpenCV, or against pixels that the test encodes itself."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import cv2
import numpy as np
import pytest
from helpers.pixels import HEIGHT, RNG, WIDTH, blend_on_white, largest_difference, random_pixels
from PIL import Image

from convviz import ImageError
from convviz.authoring import decode_image


def smooth(height: int = 120, width: int = 170) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


def packed_rows(values: np.ndarray, bits: int) -> bytes:
    rows = values.reshape(values.shape[0], -1)
    planes = (rows[..., None] >> np.arange(bits)[::-1]) & 1
    packed = np.packbits(planes.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


# BMP, GIF, WebP


def bmp(size, bits, data, masks=b"", palette=b"", header=40, compression=0, colours=0) -> bytes:
    width, height = size
    info = struct.pack(
        "<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 0, 0, colours, 0
    )
    info += masks.ljust(header - 40, b"\0") + palette
    offset = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + data


def bmp_rows(values: np.ndarray) -> bytes:
    return b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in values)


def test_bmp_of_every_depth() -> None:
    rgb, alpha = random_pixels(8, 3), random_pixels(8)
    bgr = rgb[..., ::-1].astype(np.uint8)
    with_alpha = np.dstack([bgr, alpha.astype(np.uint8)])
    size, top_down = (WIDTH, HEIGHT), (WIDTH, -HEIGHT)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    assert np.array_equal(decode_image(bmp(size, 24, bmp_rows(bgr[::-1]))), rgb)
    assert np.array_equal(decode_image(bmp(top_down, 24, bmp_rows(bgr))), rgb)
    assert np.array_equal(decode_image(bmp(size, 32, bmp_rows(with_alpha[::-1]))), rgb)
    data = bmp(size, 32, bmp_rows(with_alpha[::-1]), masks, header=108, compression=3)
    assert (
        largest_difference(decode_image(data), blend_on_white(rgb / 255, alpha[..., None] / 255))
        <= 0.5
    )
    for bits in (1, 4, 8):
        palette, index = RNG.integers(0, 256, (1 << bits, 3)), random_pixels(bits)
        packed = [np.frombuffer(packed_rows(row[None], bits)[1:], np.uint8) for row in index[::-1]]
        table = np.dstack([palette[None, :, ::-1], np.zeros((1, 1 << bits, 1))]).astype(np.uint8)
        data = bmp(
            size, bits, bmp_rows(np.array(packed)), palette=table.tobytes(), colours=1 << bits
        )
        assert np.array_equal(decode_image(data), palette[index])
        second = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(second[..., ::-1], palette[index])


@pytest.mark.parametrize("greens", [5, 6])
def test_bmp_of_sixteen_bits(greens) -> None:
    values = RNG.integers(0, 1 << (10 + greens), (HEIGHT, WIDTH)).astype("<u2")
    shifts = (5 + greens, 5, 0)
    widths = (5, greens, 5)
    channels = [
        (values >> s & (1 << w) - 1) / ((1 << w) - 1) for s, w in zip(shifts, widths, strict=True)
    ]
    masks = struct.pack("<III", *((1 << w) - 1 << s for s, w in zip(shifts, widths, strict=True)))
    out = bmp((WIDTH, HEIGHT), 16, bmp_rows(values[::-1]), masks, header=52, compression=3)
    assert largest_difference(decode_image(out), np.dstack(channels) * 255) <= 1


def run_length(rows: np.ndarray) -> bytes:
    parts = [bytes(v for value in row for v in (2, int(value))) + b"\0\0" for row in rows]
    return b"".join(parts) + b"\0\1"


def test_run_length_encoded_bmp_is_whole_or_refused() -> None:
    palette, index = RNG.integers(0, 256, (256, 3)), random_pixels(8)
    table = np.dstack([palette[None, :, ::-1], np.zeros((1, 256, 1))]).astype(np.uint8).tobytes()
    size = (2 * WIDTH, HEIGHT)
    for rows in range(HEIGHT + 1):
        data = bmp(
            size, 8, run_length(index[::-1][:rows]), palette=table, compression=1, colours=256
        )
        if rows == HEIGHT:
            assert np.array_equal(decode_image(data), np.repeat(palette[index], 2, axis=1))
        else:
            with pytest.raises(ImageError, match="cut short"):
                decode_image(data)


def gif(index: np.ndarray, palette: np.ndarray, keep: int | None = None) -> bytes:
    """Write a GIF of 9-bit codes that never refer to each other."""
    codes = [
        c
        for i, v in enumerate(index.reshape(-1)[:keep])
        for c in ([256] * (i % 250 == 0) + [int(v)])
    ]
    packed = sum(code << 9 * i for i, code in enumerate([*codes, 257]))
    stream = packed.to_bytes((9 * (len(codes) + 1) + 7) // 8, "little")
    blocks = [stream[a:b] for a, b in pairwise([*range(0, len(stream), 255), len(stream)])]
    size = struct.pack("<HH", index.shape[1], index.shape[0])
    head = b"GIF89a" + size + b"\xf7\0\0" + palette.astype(np.uint8).tobytes()
    head += b"," + bytes(4) + size + b"\0\x08"
    return head + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0;"


def test_gif_is_whole_or_refused() -> None:
    palette, index = RNG.integers(0, 256, (256, 3)), RNG.integers(0, 256, (40, 50))
    assert np.array_equal(decode_image(gif(index, palette)), palette[index])
    for keep in (1999, 1500, 51, 1):
        with pytest.raises(ImageError, match="cut short"):
            decode_image(gif(index, palette, keep))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_webp_as_opencv_reads_it(mode, lossless) -> None:
    pixels = smooth(60, 80)
    image = Image.fromarray(pixels).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(pixels[..., 0]))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=lossless, exact=True)
    second = cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    expected = second[..., 2::-1].astype(float)
    if mode == "RGBA":
        expected = blend_on_white(expected / 255, second[..., 3:] / 255)
    assert largest_difference(decode_image(out.getvalue()), expected) <= 2


def test_colour_profiles_are_left_alone() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    out = io.BytesIO()
    Image.fromarray(smooth()).save(out, "PNG", icc_profile=profile)
    assert np.array_equal(decode_image(out.getvalue()), smooth())
