"""One way from every kind of image in memory to a photo."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz import ImageError, Model, Preprocess
from convviz.authoring import make_batch
from convviz.plugin.sources import as_dataset

pytestmark = pytest.mark.usefixtures("quick_pictures")

MODEL = Model(torch.nn.Conv2d(3, 2, 3), preprocess=Preprocess(None, None))
PHOTO = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
GREY = PHOTO[..., 0]


def rotated() -> Image.Image:
    image = Image.fromarray(PHOTO)
    image.getexif()[0x0112] = 6
    return image


def from_file(image: Image.Image, **options) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return Image.open(io.BytesIO(out.getvalue()))


def with_palette() -> Image.Image:
    image = Image.fromarray(GREY // 128, "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    return image


def three(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values)[..., None], 3, axis=2)


ALPHA = Image.fromarray(GREY)
SIXTEEN = GREY.astype(np.uint16) * 257
IMAGES = {
    "RGB": (Image.fromarray(PHOTO), PHOTO),
    "turned": (rotated(), np.rot90(PHOTO, -1)),
    "L": (Image.fromarray(GREY), three(GREY)),
    "1": (Image.fromarray(GREY > 99), three((GREY > 99) * 255)),
    "I;16": (Image.fromarray(SIXTEEN), three(GREY)),
    "I;16B": (Image.frombytes("I;16B", (9, 8), SIXTEEN.astype(">u2").tobytes()), three(GREY)),
    "I": (Image.fromarray(SIXTEEN.astype(np.int32)), three(GREY)),
    "F": (Image.fromarray((GREY / 255).astype(np.float32)), three(GREY)),
    "RGBA": (
        Image.merge("RGBA", [*Image.fromarray(PHOTO).split(), ALPHA]),
        PHOTO * (GREY / 255)[..., None] + 255 - GREY[..., None],
    ),
    "LA": (Image.merge("LA", [ALPHA, ALPHA]), three(GREY * (GREY / 255.0) + 255 - GREY)),
    "P": (with_palette(), np.array([[10, 20, 30], [40, 50, 60]])[GREY // 128]),
    "P, transparent": (
        from_file(with_palette(), transparency=0),
        np.array([[255, 255, 255], [40, 50, 60]])[GREY // 128],
    ),
    "CMYK": (
        Image.frombytes("CMYK", (9, 8), np.dstack([PHOTO, GREY]).tobytes()),
        (255 - PHOTO) * ((255 - GREY) / 255)[..., None],
    ),
    "array": (PHOTO, PHOTO),
    "grey array": (GREY, three(GREY)),
    "array of one channel": (GREY[..., None], three(GREY)),
    "tensor": (torch.from_numpy(PHOTO).permute(2, 0, 1), PHOTO),
    "grey tensor": (torch.from_numpy(GREY)[None], three(GREY)),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_explain_and_data_sets_read_the_same(kind) -> None:
    image, expected = IMAGES[kind]
    direct = make_batch([image], MODEL).pixels[0].numpy()
    assert np.abs(direct - expected.astype(float)).max() <= 0.51 + (kind == "CMYK")
    for item in (image, (image, 1), {"image": image, "label": 1}):
        assert np.array_equal(as_dataset([item, item, item]).load(1), direct)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
def test_other_colour_spaces(mode) -> None:
    pixels = make_batch(Image.fromarray(PHOTO).convert(mode), MODEL).pixels[0].numpy()
    assert np.abs(pixels.astype(int) - PHOTO).max() <= 8


def test_batches_of_tensors() -> None:
    several = torch.from_numpy(np.stack([PHOTO, 255 - PHOTO])).permute(0, 3, 1, 2)
    assert np.array_equal(make_batch(several, MODEL).pixels[1].numpy(), 255 - PHOTO)
    assert np.array_equal(as_dataset((several, [0, 1])).load(1), 255 - PHOTO)
    assert np.array_equal(as_dataset(several.permute(0, 2, 3, 1)).load(1), 255 - PHOTO)
    with pytest.raises(ImageError, match="channel axis is ambiguous"):
        as_dataset(torch.zeros(2, 3, 5, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (PHOTO / 255, "float64.*multiply values"),
        (PHOTO.astype(np.uint16), "uint16.*divide 16-bit values by 257"),
        (PHOTO > 3, "bool"),
        (np.dstack([PHOTO, GREY]), r"\[8, 9, 4\].*alpha or CMYK"),
        (PHOTO.transpose(2, 0, 1), r"\[3, 8, 9\].*move the channels"),
        (torch.rand(3, 8, 9), "float32.*Remove the data set's own transform"),
        (torch.from_numpy(PHOTO), r"not \[8, 9, 3\]"),
        (Image.fromarray(PHOTO).convert("LAB"), "LAB"),
        (Image.fromarray((GREY + 2.0).astype(np.float32)), r"\[0, 1\]"),
        (Image.fromarray(GREY.astype(np.int32) * 1000), "no agreed range"),
        ("no such file.png", "no such file"),
        (object(), "not object"),
    ],
)
def test_what_has_no_defined_colours_is_refused_everywhere(image, message) -> None:
    with pytest.raises(ImageError, match=message):
        as_dataset([(image, 0), (image, 1)]).load(1)
    if not (isinstance(image, torch.Tensor) and image.is_floating_point()):
        with pytest.raises(ImageError, match=message):
            make_batch([image], MODEL)


def test_a_sweep_lists_them_with_the_reason(tmp_path) -> None:
    from convviz.testing import tiny_model

    items = [(Image.fromarray(PHOTO), 0), (PHOTO / 255, 1), (rotated(), 1)]
    run = convviz.analyze(tiny_model(), items, "neighbors", tmp_path / "run", k=1)
    assert [item.size for item in run.items] == [(8, 9), (9, 8)]
    assert "float64" in run.skipped[0].reason


def test_photos_are_recognised_while_another_thread_imports_pillow(monkeypatch):
    import types

    from convviz.images.in_memory import is_pil_image

    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))  # as yet empty
    assert not is_pil_image(np.zeros((4, 4, 3), np.uint8))
