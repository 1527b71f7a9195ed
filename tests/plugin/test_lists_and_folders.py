"""Lists, tables and folders of photos: paths, labels and what is said about missing ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import convviz
from convviz import ParameterError


def photos(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 5), 9).save(path, "PNG")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return photos(tmp_path, "a.png", "b, c.png", "d.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'path,label\na.png,x\n"b, c.png",y\nd.png,\n'),
        ("t.csv", "label;path\nx;a.png\ny;b, c.png\n;d.png\n"),
        ("t.csv", "\ufeffsep=;\nLabel;Path\nx;a.png\n\ny;b, c.png\n\n;d.png\n"),
        ("t.csv", 'PATH , LABEL\r\na.png,x\r\n"b, c.png",y\r\nd.png,\r\n'),
        ("t.csv", 'a.png,x\n"b, c.png",y\nd.png,\n'),
        ("t.tsv", "path\tlabel\na.png\tx\nb, c.png\ty\nd.png\n"),
        ("t.txt", "# a comment\na.png,x\nb, c.png,y\nd.png\n"),
        ("t.txt", "a.png\tx\nb, c.png\ty\nd.png\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lists_in_every_spelling(folder, name, text, encoding) -> None:
    if encoding == "utf-16":
        text = text.removeprefix("\ufeff")
    (folder / name).write_text(text, encoding=encoding, newline="")
    data = convviz.open_dataset(folder / name)
    assert data.ids == ("a.png", "b, c.png", "d.png")
    assert (data.labels, data.classes) == ((0, 1, None), ("x", "y"))
    assert all(int(data.load(i).max()) == 9 for i in range(3))
    assert "1 of 3 items have no label" in data.notes[0]


def test_columns_with_other_names(folder) -> None:
    (folder / "t.csv").write_text('id,File,kind\n1,a.png,3\n2,"b, c.png",0\n3,d.png,-1\n')
    data = convviz.open_dataset(f"{folder / 't.csv'}?path=file&label=kind")
    assert data.ids == ("a.png", "b, c.png", "d.png")
    assert data.labels == (3, 0, None)
    assert "1 of them with a negative label" in data.notes[0]
    assert convviz.open_dataset(f"{folder / 't.csv'}?path=File").labels == (None,) * 3
    for options, missing in (("path=nope", "nope"), ("path=file&label=nope", "nope")):
        with pytest.raises(ParameterError, match=f"columns id, file, kind, but not {missing}"):
            convviz.open_dataset(f"{folder / 't.csv'}?{options}")


def test_commas_in_names_of_photos_that_are_not_there(folder) -> None:
    (folder / "t.txt").write_text("gone, too.png\ngone.png,x\na.png,y\n")
    data = convviz.open_dataset(folder / "t.txt")
    assert data.ids == ("gone, too.png", "gone.png", "a.png")
    assert data.labels == (None, 0, 1)
    (folder / "t.csv").write_text("path,label\nb, c.png,3\n")
    with pytest.raises(ParameterError, match="row 2: 3 cells for 2 columns"):
        convviz.open_dataset(folder / "t.csv")
    (folder / "t.csv").write_text("path,label\n,3\n")
    with pytest.raises(ParameterError, match="row 2: the path is empty"):
        convviz.open_dataset(folder / "t.csv")


def test_numbers_after_spaces_and_with_fractions(folder) -> None:
    (folder / "t.txt").write_text("a.png 3\nb, c.png 0\nd.png -1\n")
    data = convviz.open_dataset(folder / "t.txt")
    assert data.ids == ("a.png", "b, c.png", "d.png")
    assert data.labels == (3, 0, None)
    (folder / "t.csv").write_text('path,label\na.png,3.0\n"b, c.png",nan\nd.png,1.0\n')
    assert convviz.open_dataset(folder / "t.csv").labels == (3, None, 1)
    (folder / "t.csv").write_text('path,label\na.png,1.5\n"b, c.png",2.0\nd.png,007\n')
    assert convviz.open_dataset(folder / "t.csv").classes == ("007", "1.5", "2.0")


def test_a_stray_photo_costs_no_other_its_label(tmp_path) -> None:
    photos(tmp_path, "cat/1.png", "cat/2.png", "dog/3.png", "stray.png", "dog/deep/4.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels.csv").write_text("x")
    data = convviz.open_dataset(tmp_path)
    assert data.ids == ("cat/1.png", "cat/2.png", "dog/3.png", "dog/deep/4.png", "stray.png")
    assert (data.labels, data.classes) == ((0, 0, 1, 1, None), ("cat", "dog"))
    text = " ".join(data.notes)
    assert "1 of 5 photos are in no class folder" in text
    assert "'stray.png'" in text
    assert "without photos are not classes: 'empty'" in text
    assert "1 '.csv'" in text


def test_sub_folders_beside_most_photos_are_no_classes(tmp_path) -> None:
    photos(tmp_path, "1.png", "2.png", "3.png", "extra/4.png")
    data = convviz.open_dataset(tmp_path)
    assert (data.labels, data.classes) == ((None,) * 4, ())
    assert "3 of 4 photos are outside of the sub-folders ('extra')" in data.notes[0]


def test_splits_are_no_classes(tmp_path) -> None:
    photos(tmp_path / "a", "train/cat/1.png", "train/dog/2.png", "val/dog/3.png")
    data = convviz.open_dataset(tmp_path / "a")
    assert (data.labels, data.classes) == ((0, 1, 1), ("cat", "dog"))
    assert "'train', 'val' are splits" in data.notes[0]
    photos(tmp_path / "b", "train/1.png", "test/2.png")
    data = convviz.open_dataset(tmp_path / "b")
    assert (data.labels, data.classes) == ((None, None), ())
    photos(tmp_path / "c", "all/cat/1.png", "all/dog/2.png")
    data = convviz.open_dataset(tmp_path / "c")
    assert data.classes == ("all",)
    assert "'all' is the only class" in data.notes[0]


@pytest.mark.parametrize("names", [("n01440764", "n02084071"), ("0", "1", "10", "2")])
def test_folders_named_by_ids_and_numbers_keep_their_order(tmp_path, names) -> None:
    data = convviz.open_dataset(photos(tmp_path, *(f"{name}/x.png" for name in names)))
    assert data.classes == names
    assert data.labels == tuple(range(len(names)))
    assert data.notes == ()
