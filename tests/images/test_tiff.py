"""Every kind of TIFF as tifffile and OpenCV know it: the same pixels, or a clear refusal."""

from __future__ import annotations

import io
import struct

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

from convviz import ImageError
from convviz.authoring import decode_image

tifffile = pytest.importorskip("tifffile")


# TIFF, written and read by tifffile


def tiff(values: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **options)
    assert np.array_equal(tifffile.imread(io.BytesIO(out.getvalue())), values)
    return out.getvalue()


LAYOUTS = [
    {"compression": c, "byteorder": o, "tile": t, "predictor": p}
    for c in (None, "deflate") for o in "<>" for t in (None, (16, 16)) for p in (None, True)
    if c or not p
]  # fmt: skip


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_grey_tiff(options) -> None:
    eight, sixteen, real = (
        random_pixels(8).astype("u1"),
        random_pixels(16).astype("u2"),
        RNG.random((HEIGHT, WIDTH)),
    )
    for photometric in ("minisblack", "miniswhite"):
        for values, full in ((eight, 255), (sixteen, 65535), (real.astype("f4"), 1)):
            if full == 1 and options["predictor"]:
                continue
            data = tiff(values, photometric=photometric, **options)
            expected = values / full if photometric == "minisblack" else 1 - values / full
            swapped = options["byteorder"] == ">" and (
                (full == 1 and options["compression"])
                or (full == 65535 and photometric == "miniswhite")
            )
            if swapped:
                with pytest.raises(ImageError, match=r"big-endian|not a readable TIFF"):
                    decode_image(data)
            else:
                assert largest_difference(decode_image(data), grey_to_rgb(expected * 255)) <= 1


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_colour_tiff_is_right_or_refused(options, planes) -> None:
    """Red, green, blue; with alpha of both kinds; an unknown fourth channel; CMYK."""
    read = 0
    for kind, channels, extra in (
        ("rgb", 3, None), ("rgb", 4, "unassalpha"), ("rgb", 4, "assocalpha"),
        ("rgb", 4, "unspecified"), ("separated", 4, None),
    ):  # fmt: skip
        for dtype, full in (("u1", 255), ("u2", 65535)):
            values = random_pixels(8 if full == 255 else 16, channels).astype(dtype)
            if extra == "assocalpha":
                values[..., :3] = values[..., :3] * (values[..., 3:] / full)
            share = values / full
            expected = share[..., :3] * 255
            if extra == "unassalpha":
                expected = blend_on_white(share[..., :3], share[..., 3:])
            elif extra == "assocalpha":
                expected = (share[..., :3] + 1 - share[..., 3:]) * 255
            if kind == "separated":
                expected = (1 - share[..., :3]) * (1 - share[..., 3:]) * 255
            stored = values if planes == "contig" else np.moveaxis(values, -1, 0)
            given = {"extrasamples": [extra]} if extra else {}
            data = tiff(stored, photometric=kind, planarconfig=planes, **options, **given)
            try:
                pixels = decode_image(data)
            except ImageError:
                assert planes == "separate"
                assert options["compression"] is None
                continue
            read += 1
            assert largest_difference(pixels, expected) <= (1.01 if full == 255 else 3.5)
    assert read >= (10 if planes == "contig" or options["compression"] else 3)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (random_pixels(8).astype("i1"), {"photometric": "minisblack"}, "signed integers of 8 bits"),
        (random_pixels(16, 3).astype("u2").transpose(2, 0, 1),
         {"photometric": "rgb", "planarconfig": "separate"}, "separate planes of 16 bits"),
        (random_pixels(8, 2).astype("u1").transpose(2, 0, 1),
         {"photometric": "minisblack", "planarconfig": "separate", "extrasamples": [2],
          "compression": "deflate"}, "separate planes of grey and transparency"),
        (random_pixels(8, 3).astype("u1"), {"photometric": "cielab"}, r"L\*a\*b\*"),
        (random_pixels(8, 3).astype("u1"), {"photometric": "ycbcr"}, "YCbCr"),
        (random_pixels(8, 3).astype("u1"), {"photometric": "rgb", "subfiletype": 1}, "reduced"),
        (random_pixels(15).astype("i2") - 20000, {"photometric": "minisblack"}, "no agreed range"),
    ],
)  # fmt: skip
def test_kinds_of_tiff_that_are_refused(values, options, message) -> None:
    with pytest.raises(ImageError, match=f"'scan.tif'.*{message}"):
        decode_image(tiff(np.ascontiguousarray(values), **options), "image 'scan.tif'")


def test_tiff_of_few_bits_palette_pages_and_missing_strips() -> None:
    bits = RNG.random((HEIGHT, WIDTH)) > 0.5
    assert (
        largest_difference(
            decode_image(tiff(bits, photometric="minisblack")), grey_to_rgb(bits * 255)
        )
        == 0
    )
    assert (
        largest_difference(
            decode_image(tiff(bits, photometric="miniswhite")), grey_to_rgb(255 - bits * 255)
        )
        == 0
    )
    index, colours = random_pixels(8).astype("u1"), RNG.integers(0, 65536, (3, 256)).astype("u2")
    data = tiff(index, photometric="palette", colormap=colours)
    assert largest_difference(decode_image(data), colours.T[index] / 257) <= 1
    pages = random_pixels(8, 3).astype("u1"), random_pixels(8, 3).astype("u1")
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for page in pages:
            writer.write(page, photometric="rgb")
    assert np.array_equal(decode_image(out.getvalue()), pages[0])
    data = tiff(pages[0], photometric="rgb", rowsperstrip=2)
    place = data.index(struct.pack("<HHI", 278, 4, 1)) + 8
    assert data[place] == 2
    fewer = data[:place] + b"\1" + data[place + 1 :]  # the last rows belong to no strip
    with pytest.raises(ImageError, match="strips or tiles for only a part"):
        decode_image(fewer)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_compressed_tiff_as_opencv_reads_it(compression, mode) -> None:
    image = Image.fromarray(random_pixels(8, 3).astype(np.uint8)).convert(mode)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression)
    pixels = decode_image(out.getvalue())
    if mode == "CMYK":
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))
        return
    flag = cv2.IMREAD_UNCHANGED if mode == "RGBA" else cv2.IMREAD_COLOR
    second = cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), flag)
    if second is None:
        pytest.skip(f"OpenCV does not read {compression}")
    assert np.array_equal(pixels, second[..., 2::-1])
