"""Photos decoded at a part of their size, photos left out that change, and time limits."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz import ParameterError
from convviz.errors import UnknownNameError
from convviz.sweep.decode_modes import EXACT, SCALED
from convviz.sweep.input.decoder_process import DecodedPhoto, ItemDecoder
from convviz.sweep.input.loader import Loader

PREPROCESS = convviz.Preprocess(resize=16, crop=16)


class Encoded:
    name, classes = "encoded", ()

    def __init__(self, *files: bytes) -> None:
        self.files = files
        self.ids = tuple(str(i) for i in range(len(files)))
        self.labels = (None,) * len(files)

    def read(self, index: int) -> bytes:
        return self.files[index]


def ramp(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 128)], axis=2).astype(np.uint8)


def jpeg(pixels: np.ndarray, orientation: int = 1, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "exif": exif} if kind == "JPEG" else {}
    Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes, preprocess: convviz.Preprocess, how: str) -> DecodedPhoto:
    actual = ItemDecoder(Encoded(data), preprocess, how)(0)
    assert isinstance(actual, DecodedPhoto)
    return actual


def size_decoded(data: bytes, preprocess: convviz.Preprocess, monkeypatch) -> tuple[int, int]:
    """Return the size of the pixels before they are cut."""
    seen: list[tuple[int, ...]] = []
    cut = convviz.Preprocess.cut

    def watched(self, pixels, size=None):
        seen.append(pixels.shape)
        return cut(self, pixels, size)

    with monkeypatch.context() as patch:
        patch.setattr(convviz.Preprocess, "cut", watched)
        decoded(data, preprocess, SCALED)
    return seen[0][:2]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((31, 47), (31, 47)),  # a half would be 15, less than 16
        ((33, 65), (17, 33)),
        ((64, 64), (16, 16)),
        ((200, 131), (25, 17)),
        ((900, 700), (113, 88)),  # an eighth is the least that there is
    ],
)
def test_no_photo_comes_out_smaller_than_the_resize(size, expected, monkeypatch) -> None:
    assert size_decoded(jpeg(ramp(*size)), PREPROCESS, monkeypatch) == expected
    assert size_decoded(jpeg(ramp(*size), 6), PREPROCESS, monkeypatch) == expected[::-1]
    assert size_decoded(jpeg(ramp(*size), kind="PNG"), PREPROCESS, monkeypatch) == size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scaled_photo_shows_the_same_and_keeps_its_full_size(orientation) -> None:
    data = jpeg(ramp(201, 133), orientation)
    exact, scaled = (decoded(data, PREPROCESS, how) for how in (EXACT, SCALED))
    assert scaled.size == exact.size == ((201, 133) if orientation < 5 else (133, 201))
    assert scaled.content == exact.content
    assert np.abs(scaled.pixels.astype(int) - exact.pixels).max() < 12
    assert not np.array_equal(scaled.pixels, exact.pixels)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_kinds_of_jpeg_are_scaled_too(mode) -> None:
    data = jpeg(ramp(130, 130), mode=mode)
    exact, scaled = (decoded(data, PREPROCESS, how) for how in (EXACT, SCALED))
    assert np.abs(scaled.pixels.astype(int) - exact.pixels).max() < 12


def test_without_a_resize_nothing_is_scaled() -> None:
    data = jpeg(ramp(130, 130))
    plain = convviz.Preprocess(resize=None, crop=16)
    exact, scaled = (decoded(data, plain, how) for how in (EXACT, SCALED))
    assert np.array_equal(scaled.pixels, exact.pixels)


@pytest.fixture(scope="module")
def model() -> convviz.Model:
    return convviz.load_model("demo-digits")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.jpg").write_bytes(jpeg(ramp(80 + i, 100)))
    (folder / "bad.jpg").write_bytes(b"no photo")
    return folder


def swept(model: convviz.Model, photos: Path, **given) -> convviz.Run:
    out = photos.parent / "run"
    return convviz.analyze(model, photos, "statistics", out, layers=("stage1.conv",), **given)


def test_the_plan_keeps_how_photos_were_decoded(model, photos) -> None:
    run = swept(model, photos, decode="scaled")
    assert run.plan["decode"] == "scaled"
    assert [item.size for item in run.items] == [(80 + i, 100) for i in range(4)]
    with pytest.raises(ParameterError, match="decode: scaled → exact"):
        swept(model, photos)
    with pytest.raises(UnknownNameError, match=r"decode 'half'; known: 'exact', 'scaled', 'gpu'"):
        swept(model, photos, decode="half")
    custom = convviz.Model(model.module, preprocess=lambda image: image)
    with pytest.raises(ParameterError, match=r"decode='scaled' .*convviz\.Preprocess"):
        convviz.analyze(custom, photos, "statistics", photos.parent / "own", decode="scaled")


def test_verify_sees_that_a_photo_left_out_has_changed(model, photos) -> None:
    run = swept(model, photos)
    [skipped] = run.skipped
    assert skipped.id == "bad.jpg"
    assert skipped.content is not None
    assert skipped.content.bytes == 8
    swept(model, photos, verify=True)
    (photos / "bad.jpg").write_bytes(jpeg(ramp(80, 80)))
    swept(model, photos)
    with pytest.raises(ParameterError, match=r"1 items have changed .*'bad\.jpg'"):
        swept(model, photos, verify=True)
    assert json.loads((run.folder / "run.json").read_text())["skipped"] == 1


def test_a_time_limit_without_workers_is_refused_or_told(model, photos, caplog) -> None:
    with pytest.raises(ParameterError, match=r"timeout=5\.0 .*workers"):
        swept(model, photos, workers=0, timeout=5.0)
    with caplog.at_level(logging.WARNING, "convviz"):
        Loader(convviz.open_dataset(photos), PREPROCESS, timeout=5.0)
    assert "timeout=5 has no effect" in caplog.text
