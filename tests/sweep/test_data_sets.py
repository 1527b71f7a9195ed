"""analyze(): the kinds of data sets that it accepts."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
import torch
from helpers.spy import Spy, photos, tiny_model
from PIL import Image

import convviz
from convviz import (
    ConvvizError,
    ImageError,
    ParameterError,
)
from convviz.plugin.sources import as_dataset


@pytest.fixture
def model():
    return tiny_model()


def test_sub_folders_become_classes(tmp_path):
    for name in ("zebra/1.png", "ant/2.png", "ant/more/3.JPG", ".hidden/4.png", "zebra/.5.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photos(1)[0]).save(path)
    (tmp_path / "zebra" / "notes.txt").write_text("silently skipped")
    data = convviz.open_dataset(tmp_path)
    assert data.ids == ("ant/2.png", "ant/more/3.JPG", "zebra/1.png")
    assert data.labels == (0, 0, 1)
    assert data.classes == ("ant", "zebra")
    Image.fromarray(photos(1)[0]).save(tmp_path / "flat.png")
    data = convviz.open_dataset(tmp_path)
    assert (data.ids[2], data.labels) == ("flat.png", (0, 0, None, 1))


def test_odd_names_work_from_folder_to_run(model, tmp_path):
    folder = tmp_path / "a folder: ünï"
    folder.mkdir()
    names = ["with space.png", "猫と犬.png", "new\nline.png", "100%.png", "кот.png"]
    for name, photo in zip(names, photos(5), strict=True):
        Image.fromarray(photo).save(folder / name)
    Image.fromarray(photos(1)[0]).save(os.fsencode(folder) + b"/latin-\xe9.png", format="png")
    run = convviz.analyze(model, folder, Spy(), tmp_path / "rün 1")
    assert {item.id for item in run.items} == {*names, r"latin-\xe9.png"}
    assert not run.skipped


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(photos(1)[0]).save(tmp_path / "in" / "1.png")
    (tmp_path / "in" / "back").symlink_to(tmp_path)
    assert convviz.open_dataset(tmp_path).ids == ("in/1.png",)


def test_a_run_inside_the_folder_is_no_data(model, tmp_path):
    for i, photo in enumerate(photos(2)):
        Image.fromarray(photo).save(tmp_path / f"{i}.png")
    convviz.analyze(model, tmp_path, "neighbors", tmp_path / "run", k=1, pictures=True)
    assert list((tmp_path / "run").rglob("*.png"))
    assert convviz.open_dataset(tmp_path).ids == ("0.png", "1.png")


def test_an_empty_folder_and_a_missing_one(tmp_path):
    with pytest.raises(ParameterError, match="no images"):
        convviz.open_dataset(tmp_path)
    with pytest.raises(ConvvizError):
        convviz.open_dataset(tmp_path / "not there")


def test_the_demo_digits():
    from sklearn.datasets import load_digits

    data = convviz.open_dataset("demo-digits")
    digits = load_digits()
    assert len(data.ids) == len(set(data.ids)) == 1797
    assert data.labels == tuple(digits.target.tolist())
    assert data.classes == tuple("0123456789")
    photo = data.load(5)
    assert photo.shape == (8, 8, 3)
    assert np.abs(photo[..., 1] / 255 * 16 - digits.images[5]).max() < 0.05
    assert len(convviz.open_dataset("demo-digits?limit=10").ids) == 10


class TorchData:
    """Like a torchvision data set: PIL images with labels."""

    classes = ("no", "yes")

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return Image.fromarray(photos(3)[index]), index % 2


def test_everything_that_is_a_data_set(tmp_path):
    data = photos(3)
    for i, photo in enumerate(data):
        Image.fromarray(photo).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.iterdir())
    options = {
        "folder": str(tmp_path),
        "paths": [str(paths[0]), *paths[1:]],
        "array": data,
        "tensor": torch.from_numpy(data),
        "pair": (data, ["b", "a", "b"]),
        "torch": TorchData(),
        "own": as_dataset(data),
    }
    for source in options.values():
        opened = as_dataset(source)
        assert len(opened.ids) == 3
        for i in range(3):
            assert np.array_equal(opened.load(i), data[i])
    assert as_dataset(options["pair"]).labels == (1, 0, 1)
    assert as_dataset(options["pair"]).classes == ("a", "b")
    assert as_dataset(options["torch"]).labels == (0, 1, 0)
    assert as_dataset(options["torch"]).classes == ("no", "yes")
    assert as_dataset(photos(2)[..., 0]).load(1).shape == (14, 17, 3)


def test_a_torch_data_set_with_an_item_that_cannot_be_read(model, tmp_path):
    class Broken(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            if index == 1:
                raise OSError("image file is truncated")
            return photos(1)[0], index % 2

    dataset = convviz.plugin.sources.as_dataset(Broken())
    assert dataset.labels == (0, None, 0, 1)
    run = convviz.analyze(model, Broken(), Spy(), tmp_path / "run")
    assert len(run.items) == 3
    (skipped,) = run.skipped
    assert "truncated" in skipped.reason
    part = convviz.plugin.sources.as_dataset(torch.utils.data.Subset(Broken(), [3, 2]))
    assert part.labels == (1, 0)


def test_the_labels_of_a_subset_are_not_decoded():
    class Known(list):
        targets = torch.tensor([2, 0, 1])
        classes = ("a", "b", "c")

        def __getitem__(self, index):
            raise AssertionError("decoded")

    subset = torch.utils.data.Subset
    part = convviz.plugin.sources.as_dataset(subset(subset(Known(range(3)), [1, 0, 2]), [1, 2]))
    assert part.labels == (2, 1)
    assert part.classes == ("a", "b", "c")


def test_a_subset_that_changes_its_items_is_asked_for_them():
    class Other(torch.utils.data.Subset):
        def __getitem__(self, index):
            photo, label = super().__getitem__(index)
            return photo, 2 - label

        def __getitems__(self, indices):
            return [self[i] for i in indices]

    reads = []

    class Plain(list):
        def __getitem__(self, index):
            reads.append(index)
            return photos(1)[0], index % 3

    plain = Plain(range(1000))
    assert convviz.plugin.sources.as_dataset(Other(plain, [0, 3, 2])).labels == (2, 2, 0)
    reads.clear()
    assert convviz.plugin.sources.as_dataset(torch.utils.data.Subset(plain, [5, 7])).labels == (
        2,
        1,
    )
    assert set(reads) == {5, 7}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"labels": (np.int64(0), None)}, "labels of type int64; allowed are int"),
        ({"ids": ("a", 7)}, "has the id 7; ids are strings"),
    ],
)
def test_what_a_data_set_of_ones_own_holds_is_checked(given, words):
    dataset = convviz.plugin.sources.as_dataset(photos(2))
    custom = dataclasses.replace(dataset, labels=(0, None), classes=("a",))
    with pytest.raises(ParameterError, match=words):
        convviz.plugin.sources.as_dataset(dataclasses.replace(custom, **given))


def test_what_is_no_data_set():
    for wrong, message in [
        (3, "not a data set"),
        (np.zeros((2, 4, 4, 3), np.float32), "uint8"),
        ((photos(2), [0, 1, 2]), "2 labels"),
        ((photos(2), [0.5, 1.0]), "labels"),
        ([], "empty"),
        (["a.png", "a.png"], "twice"),
    ]:
        with pytest.raises(ParameterError, match=message):
            as_dataset(wrong)
    with pytest.raises(ImageError, match="transform"):
        as_dataset([torch.zeros(3, 4, 4)]).load(0)
