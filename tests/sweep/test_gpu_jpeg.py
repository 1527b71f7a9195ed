"""JPEG files decoded in batches on the model's device, which may as well be the CPU."""

from __future__ import annotations

import io
import logging
import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import convviz
from convviz import ConvvizError, ModelError, ParameterError
from convviz.images.decode import plain_jpeg
from convviz.sweep.decode_modes import GPU
from convviz.sweep.input import gpu_jpeg
from convviz.sweep.input.decoder_process import EncodedJpeg, ItemDecoder
from convviz.sweep.input.loader import Loader, ReadyItem, SkippedItem

PREPROCESS = convviz.Preprocess(resize=40, crop=32)


class Files:
    name, classes = "files", ()

    def __init__(self, *files: bytes) -> None:
        self.files = files
        self.ids = tuple(f"{i}.jpg" for i in range(len(files)))
        self.labels = (None,) * len(files)

    def read(self, index: int) -> bytes:
        return self.files[index]


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth photo: decoders differ where colours have edges."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def file(pixels: np.ndarray, mode: str = "RGB", orientation: int = 1, **how) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).convert(mode).save(out, "JPEG", quality=95, exif=exif, **how)
    return out.getvalue()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def load(data, device: str = "cpu", preprocess=PREPROCESS, how: str = GPU, workers: int = 0):
    elsewhere = torch.device(device)
    with Loader(data, preprocess, workers, decode=how, device=elsewhere) as loader:
        return list(loader.load(range(len(data.ids))))


def check_alike(found, exact, most: int) -> None:
    """Compare items decoded both ways: pixels to some grey levels, all else exactly."""
    assert len(found) == len(exact)
    for item, other in zip(found, exact, strict=True):
        if isinstance(other, SkippedItem):
            assert item == other
            continue
        assert isinstance(item, ReadyItem)
        assert (item.index, item.content) == (other.index, other.content)
        a, b = item.prepared, other.prepared
        assert (a.affine, a.size) == (b.affine, b.size)
        assert a.pixels.shape == b.pixels.shape
        assert a.pixels.dtype == np.uint8
        assert np.abs(a.pixels.astype(int) - b.pixels).max() <= most
        level = 1 / 255 / 0.22
        assert (a.image.cpu() - b.image).abs().max() <= most * level


@pytest.fixture
def watched(monkeypatch) -> list[int]:
    """Return how many files each batch had that the device decoded."""
    sizes: list[int] = []
    decode_on = gpu_jpeg.decode_on

    def watch(device, files):
        sizes.append(len(files))
        return decode_on(device, files)

    monkeypatch.setattr(gpu_jpeg, "decode_on", watch)
    return sizes


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
def test_photos_come_out_as_the_cpu_decodes_them(device, channels, interpolation, watched):
    turned = [file(photo(61, 90, i), orientation=i) for i in range(1, 9)]
    grey = [file(photo(70, 50), "L"), file(photo(40, 40), "L")]
    odd = [file(photo(20, 300)), file(photo(33, 31)), file(photo(90, 64), progressive=True)]
    data = Files(*turned, *grey, *odd, file(photo(80, 81), subsampling=0))
    preprocess = convviz.Preprocess(
        resize=40, crop=48, interpolation=interpolation, channels=channels, mean=0.4, std=0.3
    )
    actual, exact = (load(data, device, preprocess, how) for how in (GPU, "exact"))
    check_alike(actual, exact, 2 if device == "cpu" else 12)
    assert watched == [10]  # not progressive ones, nor those turned in a way that no shape tells
    assert all(item.prepared.image.device.type == device for item in actual)


def test_what_only_a_cpu_decodes_right_comes_from_the_cpu(watched):
    whole = file(photo(60, 50))
    rgb = Image.fromarray(photo(60, 50))
    out = io.BytesIO()
    rgb.save(out, "JPEG", quality=95, keep_rgb=True)
    cut, broken = whole[:-200], b"\xff\xd8\xff\xe0 no photo \xff\xd9"
    data = Files(
        whole, png(photo(50, 60)), file(photo(50, 50), "CMYK"), out.getvalue(), cut, broken,
        b"text", b"", file(photo(44, 40)),
    )  # fmt: skip
    actual, exact = (load(data, how=how) for how in (GPU, "exact"))
    check_alike(actual, exact, 2)
    assert [type(item).__name__ for item in exact] == 4 * ["ReadyItem"] + 4 * ["SkippedItem"] + [
        "ReadyItem"
    ]
    assert watched == [2]
    for place in (1, 2, 3):
        assert np.array_equal(actual[place].prepared.pixels, exact[place].prepared.pixels)


def test_a_header_tells_what_any_decoder_does_right():
    assert plain_jpeg(file(photo(30, 20)), "a") == (30, 20)
    assert plain_jpeg(file(photo(30, 20), orientation=6), "a") == (20, 30)
    assert plain_jpeg(file(photo(30, 20), orientation=3), "a") is None  # no shape would tell
    assert plain_jpeg(file(photo(30, 30), orientation=6), "a") is None
    assert plain_jpeg(file(photo(30, 20), orientation=77), "a") is None
    as_byte = file(photo(30, 20), orientation=6).replace(
        b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06", b"\x01\x12\x00\x01\x00\x00\x00\x01\x06\x00"
    )
    assert plain_jpeg(as_byte, "a") is None  # for Pillow it lies as stored, for others not
    assert plain_jpeg(file(photo(30, 20)) + bytes(500), "a") == (30, 20)
    assert plain_jpeg(file(photo(30, 20)) + bytes(5000), "a") is None
    assert plain_jpeg(png(photo(30, 20)), "a") is None
    assert plain_jpeg(file(photo(30, 20), progressive=True), "a") is None
    actual = ItemDecoder(Files(file(photo(30, 20), orientation=6)), PREPROCESS, GPU)(0)
    assert isinstance(actual, EncodedJpeg)
    assert actual.size == (20, 30)


def test_batches_are_bounded_by_files_and_by_pixels(watched, monkeypatch):
    data = Files(*(file(photo(36 + i % 3, 40, i)) for i in range(70)))
    exact = load(data, how="exact")
    check_alike(load(data), exact, 2)
    assert watched == [64, 6]
    watched.clear()
    monkeypatch.setattr(gpu_jpeg, "MAX_BATCH_PIXELS", 38 * 40 * 30)
    check_alike(load(data), exact, 2)
    assert watched == [30, 30, 10]
    watched.clear()
    monkeypatch.setattr(gpu_jpeg, "MAX_BATCH_PIXELS", 100)  # one by one where each is larger
    check_alike(load(data)[:5], exact[:5], 2)
    assert watched == [1] * 70


def test_workers_give_the_same(tmp_path):
    whole = file(photo(60, 50))
    files = [whole, png(photo(50, 60)), whole[:-200], *(file(photo(50, 60, i)) for i in range(9))]
    for i, data in enumerate(files):
        (tmp_path / f"{i:02}.{'png' if i == 1 else 'jpg'}").write_bytes(data)
    folder = convviz.open_dataset(tmp_path)
    local, elsewhere = (load(folder, workers=workers) for workers in (0, 2))
    assert [type(item).__name__ for item in local[:4]] == [
        "ReadyItem",
        "ReadyItem",
        "SkippedItem",
        "ReadyItem",
    ]
    for item, other in zip(local, elsewhere, strict=True):
        if isinstance(item, SkippedItem):
            assert item == other
            continue
        assert np.array_equal(item.prepared.pixels, other.prepared.pixels)
        assert torch.equal(item.prepared.image, other.prepared.image)


def test_a_file_that_the_device_refuses_is_decoded_by_the_cpu(monkeypatch):
    files = [file(photo(60, 50, i)) for i in range(5)]
    exact = load(Files(*files), how="exact")
    decode_on, asked = gpu_jpeg.decode_on, []

    def refuse(device, given):
        asked.append(len(given))
        if files[3] in given:
            raise RuntimeError("nvjpegDecode failed: 4")
        decoded = decode_on(device, given)
        # As a decoder would that takes one file for another.
        return [x[:, :9] if f == files[1] else x // 2 for x, f in zip(decoded, given, strict=True)]

    monkeypatch.setattr(gpu_jpeg, "decode_on", refuse)
    actual = load(Files(*files))
    assert asked == [5, 1, 1, 1, 1, 1]
    for i, (item, other) in enumerate(zip(actual, exact, strict=True)):
        same = np.array_equal(item.prepared.pixels, other.prepared.pixels)
        assert same == (i in (1, 3)), i


def test_what_the_device_cannot_do_is_done_by_the_cpu(monkeypatch, caplog):
    files = Files(*(file(photo(60, 50, i)) for i in range(3)))
    exact = load(files, how="exact")

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def too_strong(*_):  # a reduction that CUDA's kernel does not do
        raise RuntimeError("Too much shared memory required")

    for place in ((gpu_jpeg, "decode_on"), (convviz.Preprocess, "cut_tensor")):
        for error in (full, too_strong):
            caplog.clear()
            with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "convviz"):
                patch.setattr(*place, error)
                actual = load(files)
            check_alike(actual, exact, 0)
            assert "cpu decodes no file" in caplog.text


def test_a_loader_that_has_decoded_can_be_sent_elsewhere():
    data = Files(*(file(photo(60, 50, i)) for i in range(3)))
    loader = Loader(data, PREPROCESS, 0, decode=GPU, device=torch.device("cpu"))
    first = list(loader.load(range(3)))
    elsewhere = pickle.loads(pickle.dumps(loader))
    check_alike(list(elsewhere.load(range(3))), first, 0)
    far = Loader(data, PREPROCESS, 0, decode=GPU, device=torch.device("cuda:1"))
    # The second device here is the only one where a process is given no other.
    assert pickle.loads(pickle.dumps(far))._gpu_decoder.device == torch.device("cuda")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(9):
        (folder / f"{i}.jpg").write_bytes(file(photo(80 + i, 100, i), orientation=1 + i % 8))
    (folder / "bad.jpg").write_bytes(file(photo(80, 100))[:-100])
    (folder / "x.png").write_bytes(png(photo(50, 60)))
    return folder


LAYERS = ("stage1", "stage4")


def test_a_sweep_finds_the_same(device, photos, tmp_path, monkeypatch):
    if device == "cpu":
        monkeypatch.setattr("convviz.sweep.plan.check_decode", lambda *_: None)
    model = convviz.load_model("demo-digits", device=device)
    exact, actual = (
        convviz.analyze(
            model, photos, "statistics", tmp_path / how, decode=how, batch_size=4, layers=LAYERS
        )
        for how in ("exact", "gpu")
    )
    assert actual.plan["decode"] == "gpu"
    assert [item.id for item in actual.items] == [item.id for item in exact.items]
    assert [(s.id, s.reason) for s in actual.skipped] == [(s.id, s.reason) for s in exact.skipped]
    assert [item.affine for item in actual.items] == [item.affine for item in exact.items]
    for layer in exact["statistics"]:
        a, b = (run["statistics"][layer]["mean"].numpy() for run in (actual, exact))
        assert np.allclose(a, b, atol=0.03 * np.abs(b).max())


def test_what_does_not_fit_is_refused(photos, tmp_path, monkeypatch):
    def refused(model, error, words):
        with pytest.raises(error, match=words):
            convviz.analyze(model, photos, "statistics", tmp_path / "run", decode="gpu")
        assert not (tmp_path / "run").exists()

    model = convviz.load_model("demo-digits", device="cpu")
    refused(model, ParameterError, r"decode='gpu' .* CUDA device, not on 'cpu'")
    custom = convviz.Model(model.module, preprocess=lambda image: image)
    refused(custom, ParameterError, r"decode='gpu' .*convviz\.Preprocess")
    # What would be refused on a CUDA device only.
    monkeypatch.setattr(convviz.Model, "device", torch.device("cuda"))
    lanczos = convviz.Preprocess(interpolation="lanczos")
    elsewhere = convviz.Model(model.module, preprocess=lanczos)
    with pytest.raises(ParameterError, match=r"bilinear.*bicubic.*lanczos"):
        gpu_jpeg.check_decode(GPU, elsewhere)
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="decode='gpu' does not work on cuda: "):
            gpu_jpeg.check_decode(GPU, model)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    with pytest.raises(ConvvizError, match=r"TorchCodec: pip install 'convviz\[gpu\]'"):
        gpu_jpeg.check_decode(GPU, model)


def test_a_photo_is_cut_where_it_lies_as_pillow_cuts_it():
    for size in ((100, 60), (32, 47), (20, 33)):
        pixels = photo(*size).copy()
        for crop in (None, 24, (40, 16)):
            for resize in (None, 32, (30, 50)):
                cut = convviz.Preprocess(resize=resize, crop=crop)
                actual = cut.cut_tensor(torch.from_numpy(pixels)).numpy()
                expected = cut.cut(pixels)
                assert actual.shape == expected.shape
                assert np.abs(actual.astype(int) - expected).max() <= 1
    with pytest.raises(ParameterError, match="hamming"):
        convviz.Preprocess(interpolation="hamming").cut_tensor(torch.zeros(300, 300, 3))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_file_that_ends_early_is_left_out_here_too(orientation) -> None:
    whole = file(photo(90, 120), orientation=orientation)
    cut = whole[: len(whole) * 2 // 3] + b"\xff\xd9"
    first, second = load(Files(whole, cut))
    assert isinstance(first, ReadyItem)
    assert isinstance(second, SkippedItem)
    assert second == load(Files(whole, cut), how="exact")[1]
