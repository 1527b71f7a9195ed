"""Images for explain() and analyze(): files, folders, patterns, arrays of one or of several."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz
from convviz import ImageError, ParameterError
from convviz.cli.main import run as convviz_cli


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return convviz.Model(net, preprocess=convviz.Preprocess(resize=None, crop=None), name="tiny")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with two photos and other things."""
    folder = tmp_path / "photos"
    (folder / "inner.png").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 9, 3), dtype=np.uint8)
    names = ("10.png", "2.JPG", ".hidden.png", "inner.png/3.png")
    for name, photo in zip(names, pixels, strict=True):
        Image.fromarray(photo).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def ids(model, images):
    return [item.id for item in convviz.explain(model, images, "saliency").items]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_stands_for_its_image_files_in_natural_order(model, photos, kind):
    assert ids(model, kind("photos")) == ["photos/2.JPG", "photos/10.png"]
    assert ids(model, [kind("photos"), kind("photos/10.png")]) == [
        "photos/2.JPG", "photos/10.png", "photos/10.png#2",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [str, Path])
def test_a_pattern_stands_for_the_files_that_match(model, photos, kind):
    assert ids(model, kind("photos/*.png")) == ["photos/10.png"]
    assert ids(model, kind("photos/**/[0-9]*.png")) == ["photos/10.png", "photos/inner.png/3.png"]


def test_an_existing_file_is_no_pattern(model, photos):
    os.rename("photos/10.png", "photos/[2].png")
    assert ids(model, "photos/[2].png") == ["photos/[2].png"]


def test_each_image_of_a_folder_is_explained_as_alone(model, photos):
    together = convviz.explain(model, "photos", "saliency")
    alone = convviz.explain(model, "photos/10.png", "saliency")
    torch.testing.assert_close(together.result.values[1], alone.result.values[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [("empty", "folder 'empty' holds no images"), ("photos/*.gif", r"pattern 'photos/\*\.gif'")],
)
def test_nothing_to_explain_is_an_error_in_python_and_on_the_command_line(
    model, photos, images, message, capsys
):
    with pytest.raises(ParameterError, match=message):
        convviz.explain(model, images, "saliency")
    assert convviz_cli(["explain", images, "-e", "saliency", "-m", "demo-digits"]) == 2
    assert message.replace("\\", "") in capsys.readouterr().err


def test_a_missing_file_is_an_image_error(model, photos):
    with pytest.raises(ImageError, match=r"none\.png"):
        convviz.explain(model, "photos/none.png", "saliency")


def test_the_command_line_explains_every_image_of_a_folder(photos, capsys):
    arguments = ["photos", "photos/inner.png/*", "-e", "saliency", "-m", "demo-digits", "-o", "out"]
    assert convviz_cli(["explain", *arguments]) == 0
    saved = {path.parent.parent.name for path in Path("out").rglob("explanation.json")}
    assert saved == {"2", "10", "3"}


# Arrays

GREY = np.random.default_rng(1).integers(0, 256, (5, 8, 9), dtype=np.uint8)


@pytest.mark.parametrize("axis", [None, -1])
def test_grey_images_in_one_array_are_explained_one_by_one(model, axis):
    images = GREY if axis is None else GREY[..., None]
    together = convviz.explain(model, images, "saliency")
    assert len(together.items) == 5
    alone = convviz.explain(model, GREY[3], "saliency")
    torch.testing.assert_close(together.result.values[3], alone.result.values[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_three_axes_with_channels_last_are_one_image(model, channels, tmp_path):
    photo = np.random.default_rng(2).integers(0, 256, (8, 9, channels), dtype=np.uint8)
    assert len(convviz.explain(model, photo, "saliency").items) == 1
    run = convviz.analyze(model, photo, "statistics", tmp_path, layers=["1"])
    assert len(run.items) == 1


def test_grey_images_are_a_data_set(model, tmp_path):
    run = convviz.analyze(model, GREY, "statistics", tmp_path, layers=["1"])
    assert len(run.items) == 5


@pytest.mark.parametrize(
    ("shape", "hint"), [((3, 8, 9), "channels to the end"), ((8, 9, 4), "alpha")]
)
def test_arrays_that_may_be_a_photo_of_another_layout_are_refused(model, shape, hint):
    with pytest.raises(ImageError, match=hint):
        convviz.explain(model, np.zeros(shape, np.uint8), "saliency")


def test_labels_of_one_image_are_counted(model, tmp_path):
    with pytest.raises(ParameterError, match="labels"):
        convviz.analyze(model, (np.zeros((8, 9, 3), np.uint8), [0] * 8), "neighbors", tmp_path)
