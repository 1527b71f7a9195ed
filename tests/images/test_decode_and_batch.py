import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile, ImageOps
from torch import nn

import convviz
from convviz import ImageError, Model, ModelError, Preprocess, load_image
from convviz.authoring import make_batch
from convviz.images.affine import IDENTITY
from convviz.images.decode import MAX_PIXELS

KINDS = {
    "jpg": {},
    "png": {},
    "webp": {"lossless": True},
    "bmp": {},
    "tiff": {},
    "gif": {},
}


@pytest.fixture
def photo():
    """A smooth photo, wider than high, that differs in every corner."""
    y, x = np.mgrid[0:24, 0:37]
    return np.stack([x * 6, y * 10, 255 - x * 3 - y * 5], -1).astype(np.uint8)


@pytest.fixture
def model():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Model(net, preprocess=Preprocess(16, 12), name="tiny")


def save(path, array_or_image, **options):
    image = array_or_image
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file(tmp_path, photo, kind):
    pixels = load_image(save(tmp_path / f"a.{kind}", photo, **KINDS[kind]))
    assert (pixels.dtype, pixels.shape) == (np.uint8, photo.shape)
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous
    lossy = kind in ("jpg", "gif")
    assert np.abs(pixels.astype(int) - photo).mean() <= (8 if lossy else 0)


def test_the_kind_is_told_by_content_not_by_name(tmp_path, photo):
    path = save(tmp_path / "really.jpg", photo, format="PNG")
    assert (load_image(str(path)) == photo).all()


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path, photo, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"turned.{kind}", photo, exif=exif, **KINDS[kind])
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    assert (load_image(path) == expected).all()
    assert load_image(path).shape[:2] == (photo.shape[:2] if orientation < 5 else (37, 24))


@pytest.mark.filterwarnings("ignore:.*EXIF.*:UserWarning", "ignore:Truncated.*:UserWarning")
def test_damaged_metadata_do_not_stand_in_the_way(tmp_path, photo):
    path = save(tmp_path / "a.jpg", photo, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01junk")
    assert load_image(path).shape == photo.shape


def test_grey_one_bit_and_palette(tmp_path, photo):
    grey = photo[..., 0]
    for name in ("a.png", "a.tiff", "a.bmp"):
        assert (load_image(save(tmp_path / name, grey)) == grey[..., None]).all()
    bits = (grey > 100).astype(np.uint8) * 255
    path = save(tmp_path / "b.png", Image.fromarray(bits).convert("1"))
    assert (load_image(path) == bits[..., None]).all()
    few = (photo // 128) * 128
    palette = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE)
    assert (load_image(save(tmp_path / "c.png", palette)) == np.array(palette.convert("RGB"))).all()


def test_cmyk(tmp_path, photo):
    image = Image.fromarray(photo).convert("CMYK")
    pixels = load_image(save(tmp_path / "a.jpg", image, quality=100))
    assert np.abs(pixels.astype(int) - photo).max() < 16
    assert (load_image(save(tmp_path / "a.tiff", image)) == photo).all()


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits(tmp_path, name):
    values = np.array([[0, 257, 128 * 257, 65535], [128, 129, 40000, 65534]], np.uint16)
    pixels = load_image(save(tmp_path / name, values))
    assert pixels[..., 0].tolist() == [[0, 1, 128, 255], [0, 1, 156, 255]]
    assert (pixels == pixels[..., :1]).all()


def test_sixteen_bits_big_endian_twelve_bits_and_inverted(tmp_path):
    values = np.array([[0, 4095, 2048]])
    big = tiff(tmp_path / "big.tif", values.astype(">u2").tobytes(), 3, bits=16)
    assert load_image(big)[0, :, 0].tolist() == [0, 16, 8]
    packed = bytes([0x00, 0x0F, 0xFF, 0x80, 0x00])
    twelve = tiff(tmp_path / "twelve.tif", packed, 3, bits=12, order="<")
    assert load_image(twelve)[0, :, 0].tolist() == [0, 255, 128]
    white = tiff(tmp_path / "white.tif", values.astype("<u2").tobytes(), 3, 16, "<", zero_is=0)
    assert load_image(white)[0, :, 0].tolist() == [255, 239, 247]


def tiff(path, data, width, bits, order=">", zero_is=1):
    """Write a grey TIFF of one row by hand (photometric 0: zero is white, 1: black)."""
    tags = [
        (256, 3, width),
        (257, 3, 1),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, zero_is),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, 1),
        (279, 4, len(data)),
    ]
    data += b"\0" * (len(data) % 2)
    head = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8 + len(data))
    entries = b"".join(
        struct.pack(order + "HHI", tag, kind, 1)
        + (struct.pack(order + "I", v) if kind == 4 else struct.pack(order + "HH", v, 0))
        for tag, kind, v in tags
    )
    path.write_bytes(head + data + struct.pack(order + "H", len(tags)) + entries + b"\0" * 4)
    return path


def test_float(tmp_path):
    values = np.array([[0.0, 0.5, 1.0], [0.1, 0.25, 0.999]], np.float32)
    pixels = load_image(save(tmp_path / "a.tiff", values))
    assert pixels[..., 0].tolist() == [[0, 128, 255], [26, 64, 255]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0, 200.0]], np.float32), r"float pixels from 0 to 200; .*\[0, 1\]"),
        (np.array([[-0.5, 1.0]], np.float32), "float pixels from -0.5 to 1"),
        (np.array([[0.5, np.nan]], np.float32), "not finite"),
        (np.array([[0, 70000]], np.int32), "integers from 0 to 70000 have no agreed range"),
        (np.array([[-3, 7]], np.int32), "integers from -3"),
    ],
)
def test_numbers_without_an_agreed_range(tmp_path, values, message):
    path = save(tmp_path / "a.tiff", values)
    with pytest.raises(ImageError, match=message):
        load_image(path)


def test_transparency_is_laid_on_a_background(tmp_path, photo):
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[:, 10:] = 255
    alpha[:, 20:] = 64
    path = save(tmp_path / "a.png", np.dstack([photo, alpha]))
    pixels = load_image(path)
    assert (pixels[:, :10] == 255).all()
    assert (pixels[:, 10:20] == photo[:, 10:20]).all()
    mixed = photo[:, 20:] * (64 / 255) + 255 * (191 / 255)
    assert np.abs(pixels[:, 20:] - mixed).max() <= 0.5
    assert (load_image(path, background=(10, 20, 30))[:, :10] == (10, 20, 30)).all()


def test_transparency_of_grey_and_palette(tmp_path, photo):
    grey = photo[..., 0].copy()
    la = save(tmp_path / "la.png", Image.merge("LA", [Image.fromarray(grey)] * 2))
    expected = grey * (grey / 255.0) + 255 - grey
    assert np.abs(load_image(la)[..., 0] - expected).max() <= 0.5
    palette = Image.fromarray((grey > 100).astype(np.uint8), "P")
    palette.putpalette([200, 0, 0, 0, 0, 200])
    for name in ("p.png", "p.gif"):
        pixels = load_image(save(tmp_path / name, palette, transparency=0))
        assert (pixels[grey <= 100] == 255).all()
        assert (pixels[grey > 100] == (0, 0, 200)).all()
    deep = save(tmp_path / "deep.png", (grey.astype(np.uint16) * 257), transparency=60 * 257)
    clear = grey == 60
    assert clear.any()
    assert (load_image(deep)[clear] == 255).all()
    assert (load_image(deep)[~clear] == grey[~clear][:, None]).all()


def test_the_first_frame_of_several(tmp_path, photo):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    for name in ("a.gif", "a.tiff", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        pixels = load_image(tmp_path / name).astype(int)
        assert np.abs(pixels - photo).mean() < np.abs(pixels - (255 - photo)).mean()


@pytest.mark.parametrize("name", ["with space.png", "фото 写真.png", "two\nlines.png", "q?x=1.png"])
def test_any_file_name(tmp_path, photo, model, name):
    path = save(tmp_path / name, photo)
    assert (load_image(path) == photo).all()
    item = make_batch(path, model).items[0]
    assert item.id == str(path)
    assert item.source.isprintable()
    (tmp_path / f"bad {name}").write_text("text")
    with pytest.raises(ImageError) as caught:
        load_image(tmp_path / f"bad {name}")
    assert repr(str(tmp_path / f"bad {name}")) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_no_text(tmp_path, photo, model):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        with open(path, "wb") as file:
            Image.fromarray(photo).save(file, "PNG")
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    item = make_batch(os.fsdecode(path), model).items[0]
    item.source.encode()
    assert item.id.encode().startswith(b"/")
    assert "caf" in item.id
    assert item.id.endswith(".png")


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere_a_file_is_refused_or_whole(tmp_path, photo, kind):
    path = save(tmp_path / f"a.{kind}", photo, **KINDS[kind])
    raw, whole = path.read_bytes(), load_image(path)
    refused = 0
    for length in sorted(
        {*range(0, len(raw), 1 + len(raw) // 60), *range(len(raw) - 30, len(raw))}
    ):
        path.write_bytes(raw[:length])
        try:
            assert (load_image(path) == whole).all(), f"{length} of {len(raw)} bytes"
        except ImageError:
            refused += 1
    assert refused > 30


def test_a_png_that_pillow_takes_for_whole(tmp_path, photo):
    path = save(tmp_path / "a.png", photo)
    path.write_bytes(path.read_bytes()[:-20])
    with Image.open(path) as image:
        image.load()
    with pytest.raises(ImageError, match="cut short"):
        load_image(path)


def test_a_damaged_png(tmp_path, photo):
    path = save(tmp_path / "a.png", photo)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"IEND") - 6  # inside of the last checksum of pixels
    raw[at] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ImageError, match="damaged"):
        load_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text", "not an image of a known format .JPEG, PNG, WebP, BMP, TIFF and GIF"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not an image of a known format"),
        (b"\xff\xd8\xff\xe0 no jpeg", "not a readable JPEG file"),
        (b"GIF89a", "not a readable GIF file"),
        (b"%PDF-1.4", "not an image of a known format"),
    ],
)
def test_what_is_no_image(tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        load_image(path)
    assert repr(str(path)) in str(caught.value)


def test_formats_that_are_not_taken(tmp_path, photo):
    for kind in ("ppm", "ico", "tga", "jp2"):
        path = tmp_path / f"a.{kind}"
        Image.fromarray(photo).save(path)
        with pytest.raises(ImageError, match="not an image of a known format"):
            load_image(path)


def test_missing_folder_and_special_files(tmp_path):
    with pytest.raises(ImageError, match="there is no such file"):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="it is a folder"):
        load_image(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="not a regular file"):
        load_image(tmp_path / "pipe")
    with pytest.raises(ImageError, match="null"):
        load_image("a\0b.png")


def test_large_images_are_refused_by_their_header(tmp_path, photo):
    path = tmp_path / "bomb.png"
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            for kind, body in chunks
        )
    )
    with pytest.raises(ImageError, match=r"60000 x 60000 is more than 89,000,000 pixels"):
        load_image(path)
    small = save(tmp_path / "small.png", photo)
    with pytest.raises(ImageError, match="more than 887 pixels"):
        load_image(small, max_pixels=24 * 37 - 1)
    assert load_image(small, max_pixels=24 * 37).shape == photo.shape
    with pytest.raises(ImageError, match="larger than 50 bytes"):
        load_image(small, max_bytes=50)


@pytest.mark.parametrize("kind", KINDS)
def test_between_pillows_limits_nothing_warns(tmp_path, photo, kind, monkeypatch):
    path = save(tmp_path / f"a.{kind}", photo, **KINDS[kind])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # Pillow warns above, raises at twice
    if kind == "tiff":  # whose decoder keeps the limit by itself
        with pytest.raises(ImageError, match="exceeds limit"):
            load_image(path)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
        with pytest.raises(ImageError, match=r"more pixels than PIL\.Image\.MAX_IMAGE_PIXELS"):
            load_image(path)
    else:
        assert load_image(path).shape == photo.shape


def test_the_cap_is_below_where_pillow_warns():
    assert MAX_PIXELS < Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_bombs_of_kinds_that_are_read_at_once(tmp_path, photo, kind):
    path = save(tmp_path / f"a.{kind}", photo)
    if kind == "gif":
        raw = bytearray(path.read_bytes())
        raw[6:10] = struct.pack("<HH", 65535, 65535)
        path.write_bytes(raw)
    with pytest.raises(ImageError, match="more than 500 pixels"):
        load_image(path, max_pixels=500)


def test_one_or_several_of_every_kind(tmp_path, photo, model):
    path = save(tmp_path / "a.png", photo)
    image = Image.fromarray(photo)
    one = make_batch(path, model)
    assert one.images.shape == (1, 3, 12, 12)
    assert (one.pixels.dtype, one.pixels.shape) == (torch.uint8, (1, 12, 12, 3))
    assert torch.equal(one.images[0], model.preprocess(photo))
    assert (one.pixels[0].numpy() == model.preprocess.cut(photo)).all()
    for images in (str(path), photo, image, [photo], (path,), photo[None]):
        assert torch.equal(make_batch(images, model).images, one.images)
    many = make_batch([path, str(path), image, photo, photo[..., 0]], model)
    assert len(many) == 5
    assert [i.id for i in many.items] == [
        str(path),
        f"{path}#2",
        "image 2",
        "image 3",
        "image 4",
    ]
    assert (many.pixels[4, ..., 0] == many.pixels[4, ..., 2]).all()
    assert many.items[0].size == (24, 37)
    assert many.items[0].affine == model.preprocess.affine(24, 37)


def test_pil_images_take_the_same_door(model, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(photo)
    turned.getexif()[0x0112] = 6
    assert make_batch(turned, model).items[0].size == (37, 24)
    deep = Image.fromarray(np.full((20, 20), 128 * 257, np.uint16))
    assert (make_batch(deep, model).pixels == 128).all()
    with pytest.raises(ImageError, match=r"PIL image 'image 0'.*\[0, 1\]"):
        make_batch(Image.fromarray(np.full((20, 20), 7.0, np.float32)), model)


def test_a_lazily_opened_pil_image_that_is_cut_short(tmp_path, photo, model):
    path = save(tmp_path / "a.jpg", photo)
    path.write_bytes(path.read_bytes()[:-20])
    with Image.open(path) as image, pytest.raises(ImageError, match=r"a\.jpg.*cut short"):
        make_batch(image, model)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_preprocessed_tensor(photo, model):
    ready = model.preprocess(photo)[None]
    batch = make_batch(ready, model)
    assert torch.equal(batch.images, ready)
    assert batch.images.data_ptr() != ready.data_ptr()
    assert (batch.pixels[0].numpy() == model.preprocess.cut(photo)).all()
    assert batch.items[0].affine == IDENTITY
    assert batch.items[0].size == (12, 12)
    assert len(make_batch([ready], model)) == 1
    free = Model(model.module)
    stretched = make_batch(torch.arange(24.0).view(1, 3, 2, 4), free).pixels
    assert (int(stretched.min()), int(stretched.max())) == (0, 255)
    five = make_batch(torch.rand(2, 5, 4, 4), free).pixels
    assert five.shape == (2, 4, 4, 3)
    assert torch.equal(five[..., 0], five[..., 1])
    assert (make_batch(torch.ones(1, 3, 2, 2), free).pixels == 128).all()


def test_the_models_dtype_is_taken(photo):
    net = nn.Conv2d(1, 2, 3).double()
    model = Model(net, preprocess=Preprocess(16, 12, mean=0.5, std=0.5, channels=1))
    batch = make_batch(photo, model)
    assert batch.images.dtype == torch.float64
    assert batch.images.shape == (1, 1, 12, 12)
    assert (batch.pixels[..., 0] == batch.pixels[..., 1]).all()
    assert make_batch(torch.rand(1, 1, 9, 9), model).images.dtype == torch.float64


def test_inputs_are_not_changed(photo, model):
    array, tensor, image = photo.copy(), torch.rand(1, 3, 9, 9), Image.fromarray(photo)
    retained = tensor.clone().requires_grad_()
    make_batch([array, image], model).images.zero_()
    make_batch(retained, model).images.zero_()
    assert (array == photo).all()
    assert torch.equal(retained, tensor)
    assert retained.requires_grad
    assert (np.asarray(image) == photo).all()


def test_a_preprocess_of_the_users_own(photo):
    def halve(image):
        assert isinstance(image, Image.Image)
        small = image.resize((image.width // 2, image.height // 2))
        return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 127.5 - 1

    batch = make_batch(photo, Model(nn.Conv2d(3, 2, 3), preprocess=halve))
    assert batch.images.shape == (1, 3, 12, 18)
    assert batch.items[0].affine == IDENTITY
    assert batch.items[0].size == (12, 18)
    assert batch.pixels.shape == (1, 12, 18, 3)
    for wrong, message in [
        (lambda image: 1 / 0, "failed on 'image 0': ZeroDivisionError"),
        (lambda image: torch.zeros(1, 3, 4, 4), r"must return a float tensor \[C, H, W\], not"),
        (lambda image: "no", "must return a float tensor"),
    ]:
        with pytest.raises(ModelError, match=message):
            make_batch(photo, Model(nn.Conv2d(3, 2, 3), preprocess=wrong))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images were given"),
        (3, "a path, PIL image, uint8 array or float tensor, not int"),
        ([None], "not NoneType"),
        (np.zeros((4, 4, 3)), r"uint8 \[h, w, 3\] or \[h, w\], not float64 \[4, 4, 3\]"),
        (np.zeros((4, 4, 4), np.uint8), r"not uint8 \[4, 4, 4\]"),
        (np.zeros((0, 4), np.uint8), r"not uint8 \[0, 4\]"),
        (torch.zeros(3, 4, 4), r"float \[N, C, H, W\], not torch.float32 \[3, 4, 4\]"),
        (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), r"not \[4, 4, 3\]; .*array"),
        (torch.full((2, 3, 4, 4), float("nan")), "image 0 of the tensor .* not finite"),
        (torch.zeros(1, 1, 4, 4), "does not fit the model's preprocess: .* 3 channels"),
        ([torch.zeros(1, 3, 4, 4), "a.png"], "a tensor cannot be mixed"),
    ],
)
def test_what_is_no_image_in_a_batch(model, images, message):
    with pytest.raises(ImageError, match=message):
        make_batch(images, model)


def test_a_model_without_preprocess_says_what_it_needs(photo):
    with pytest.raises(ModelError, match=r"tiny has no preprocess.*convviz\.Preprocess"):
        make_batch(photo, Model(nn.Conv2d(3, 2, 3), name="tiny"))


def test_photos_of_different_sizes_need_a_crop(photo):
    model = Model(nn.Conv2d(3, 2, 3), preprocess=Preprocess(16, None))
    with pytest.raises(ImageError, match=r"differ in shape \(3x16x16, 3x16x24\): set `crop`"):
        make_batch([photo, photo[:, :24]], model)


def test_loading_is_public():
    assert convviz.load_image is load_image
    assert {"ImageError", "Preprocess", "load_image"} <= set(convviz.__all__)
    assert convviz.authoring.make_batch is make_batch
