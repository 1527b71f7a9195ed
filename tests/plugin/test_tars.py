"""Tar files: keys, labels that lie apart, links, several photos a sample; what is left out."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import checksums_instead_of_pictures
from PIL import Image

import convviz
import convviz.authoring
from convviz import ImageError, ParameterError


def encoded(value: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (9, 8), value).save(out, "PNG")
    return out.getvalue()


def tar(path: Path, members: list[tuple[str, bytes | str]]) -> Path:
    """Write a tar file; a text is the target of a link."""
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
                continue
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def values(data: convviz.authoring.Dataset) -> list[int]:
    return [int(data.load(i).max()) for i in range(len(data.ids))]


def test_names_with_dots_are_as_many_items_as_photos(tmp_path) -> None:
    members = [(f"IMG_2020.01.{i:02}.png", encoded(i)) for i in range(12)]
    members += [(f"IMG_2020.01.{i:02}.cls", str(i % 3).encode()) for i in range(12)]
    path = tar(tmp_path / "a.tar", members)
    data = convviz.open_dataset(path)
    assert data.ids == tuple(f"IMG_2020.01.{i:02}" for i in range(12))
    assert values(data) == list(range(12))
    assert data.labels == tuple(i % 3 for i in range(12))
    assert "12 photos would share 1 keys, such as 'IMG_2020'" in data.notes[0]
    first = convviz.open_dataset(f"{path}?key=first")
    assert first.ids == ("IMG_2020",)
    assert "11 photos are not read" in " ".join(first.notes)
    words = tar(tmp_path / "w.tar", [(f"x.{c}.png", encoded(1)) for c in "abcdefghijkl"])
    assert len(convviz.open_dataset(words).ids) == 12


def test_several_photos_a_sample_are_no_names_with_dots(tmp_path) -> None:
    members = [
        (f"{i}.{side}.png", encoded(10 * i + k))
        for i in range(4) for k, side in enumerate(("left", "right"))
    ]  # fmt: skip
    path = tar(tmp_path / "a.tar", [*members, *((f"{i}.cls", b"1") for i in range(4))])
    data = convviz.open_dataset(path)
    assert (data.ids, values(data)) == (("0", "1", "2", "3"), [0, 10, 20, 30])
    assert data.labels == (1, 1, 1, 1)
    assert "4 photos are not read" in data.notes[0]
    assert "4 'right.png'" in data.notes[0]
    assert values(convviz.open_dataset(f"{path}?image=right.png")) == [1, 11, 21, 31]
    assert len(convviz.open_dataset(f"{path}?key=last").ids) == 8
    with pytest.raises(ParameterError, match="key must be first or last"):
        convviz.open_dataset(f"{path}?key=middle")


def test_labels_that_lie_apart_from_their_photos(tmp_path) -> None:
    photos = [(f"d/{i}.png", encoded(i)) for i in range(5)]
    labels = [(f"d/{i}.cls", str(i % 2).encode()) for i in reversed(range(5))]
    for order in ([*photos, *labels], [*labels, *photos]):
        data = convviz.open_dataset(tar(tmp_path / "a.tar", order))
        assert dict(zip(data.ids, data.labels, strict=True)) == {f"d/{i}": i % 2 for i in range(5)}
        assert data.notes == ()
    data = convviz.open_dataset(tar(tmp_path / "b.tar", [*photos[:2], *labels]))
    assert "3 samples have no photo" in data.notes[0]
    data = convviz.open_dataset(tar(tmp_path / "c.tar", [*photos, *labels[:2]]))
    assert data.labels == (None, None, None, 1, 0)
    assert "3 of 5 items have no label" in data.notes[0]


@pytest.mark.parametrize(
    ("contents", "options", "known", "classes"),
    [
        ({"cls": [b"cat", b"dog", b"cat"]}, "", (0, 1, 0), ("cat", "dog")),
        ({"cls": [b"2.0", b"0", b"nan"]}, "", (2, 0, None), ("0", "1", "2")),
        ({"json": [3, 0, 1]}, "", (3, 0, 1), ("0", "1", "2", "3")),
        ({"json": [{"label": 1.0}, {"cls": "0"}, {"x": 1}]}, "", (1, 0, None), ("0", "1")),
        ({"json": [{"label": [0, 1]}, {"label": [1, 0]}, {"label": [1, 1]}]}, "",
         (1, 0, None), ("0", "1")),
        ({"json": [{"label": True}, {"label": False}, {"label": None}]}, "",
         (1, 0, None), ("False", "True")),
        ({"json": [{"kind": "b"}, {"kind": "a"}, {}]}, "?label=kind", (1, 0, None), ("a", "b")),
        ({"txt": [b"b", b"a", b"a"]}, "?label=txt", (1, 0, 0), ("a", "b")),
        ({"txt": [b"a caption", b"another", b"x"]}, "", (None, None, None), ()),
    ],
)  # fmt: skip
def test_forms_of_labels(tmp_path, contents, options, known, classes) -> None:
    members = [(f"{i}.png", encoded(i)) for i in range(3)]
    for suffix, argument in contents.items():
        for i, value in enumerate(argument):
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            members.append((f"{i}.{suffix}", data))
    data = convviz.open_dataset(f"{tar(tmp_path / 'a.tar', members)}{options}")
    assert (data.labels, data.classes) == (known, classes)


def test_labels_that_cannot_be_read_are_counted(tmp_path) -> None:
    members = [
        ("0.png", encoded(0)),
        ("0.json", b"{"),
        ("1.png", encoded(1)),
        ("1.json", b"[" * 99999),
    ]
    data = convviz.open_dataset(tar(tmp_path / "a.tar", members))
    assert "2 labels cannot be read, for example '0.json'" in data.notes[0]


def test_links_devices_and_names_that_are_there_twice(tmp_path) -> None:
    members = [
        ("x/0.png", encoded(5)), ("x/1.png", "0.png"), ("2.png", "x/../x/0.png"),
        ("3.png", "/etc/passwd"), ("4.png", encoded(1)), ("4.png", encoded(9)),
    ]  # fmt: skip
    path = tar(tmp_path / "a.tar", members)
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("5.png")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
        info = tarfile.TarInfo("6.png")
        info.type, info.linkname = tarfile.LNKTYPE, "x/0.png"
        archive.addfile(info)
    data = convviz.open_dataset(path)
    assert data.ids == ("x/0", "x/1", "2", "3", "4", "5", "6")
    assert [int(data.load(i).max()) for i in (0, 1, 2, 4, 6)] == [5, 5, 5, 9, 5]
    for index, reason in ((3, "link to '/etc/passwd'"), (5, "not a regular file")):
        with pytest.raises(ImageError, match=f"{data.ids[index]}.*{reason}"):
            data.load(index)
    assert "1 names occur twice" in data.notes[0]
    assert "'4.png'" in data.notes[0]


def test_keys_that_repeat_over_files_of_the_same_name(tmp_path) -> None:
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        tar(tmp_path / part / "0.tar", [("x.png", encoded(1))])
    data = convviz.open_dataset(str(tmp_path / "*" / "0.tar"))
    assert data.ids == ("a/0/x", "b/0/x")


def test_tars_that_end_early_or_are_joined(tmp_path) -> None:
    whole = tar(tmp_path / "a.tar", [(f"{i}.png", encoded(i)) for i in range(3)]).read_bytes()
    member = 512 + -(-len(encoded(0)) // 512) * 512
    (tmp_path / "short.tar").write_bytes(whole[: 2 * member])  # between two members
    data = convviz.open_dataset(tmp_path / "short.tar")
    assert len(data.ids) == 2
    assert "'short.tar' has no end mark" in data.notes[0]
    (tmp_path / "joined.tar").write_bytes(whole + whole)
    with pytest.raises(ParameterError, match=r"joined\.tar' has data after its end"):
        convviz.open_dataset(tmp_path / "joined.tar")
    with tarfile.open(tmp_path / "z-0.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.tar", "0.png")
    with pytest.raises(ParameterError, match="compressed"):
        convviz.open_dataset(str(tmp_path / "z-*.tar.gz"))


@checksums_instead_of_pictures()
def test_photos_without_bytes_become_rows_of_the_run(tmp_path) -> None:
    from convviz.testing import tiny_model

    photo = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(photo, "PNG")
    members = [("0.png", photo.getvalue()), ("1.png", "gone.png"), ("2.png", photo.getvalue())]
    path = tar(tmp_path / "a.tar", members)
    run = convviz.analyze(tiny_model(), path, "neighbors", tmp_path / "run", k=1)
    assert [(s.id, "link to 'gone.png'" in s.reason) for s in run.skipped] == [("1", True)]
