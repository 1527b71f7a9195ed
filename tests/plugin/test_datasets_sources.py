"""Sources of data sets: lists, Parquet, tar files, saved data sets; what they say when wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.pictures import checksums_instead_of_pictures
from PIL import Image
from pyarrow import parquet

import convviz
import convviz.authoring
from convviz import ParameterError, UnknownNameError
from convviz.data.fingerprint import content_of, photo_of, verify
from convviz.testing import tiny_model

NAMES = ["a.png", "sub folder/b.jpg", "猫.webp", "with, comma.png"]
FORMATS = ["PNG", "JPEG", "WebP", "PNG"]


def photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)


def encoded(seed: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(photo(seed)).save(out, kind)
    return out.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, (name, kind) in enumerate(zip(NAMES, FORMATS, strict=True)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(i, kind))
    return tmp_path


def same_photos(data: convviz.authoring.Dataset, expected: list[bytes]) -> None:
    """Both ways to a photo, in any order, and again from a pickled copy."""
    copy = pickle.loads(pickle.dumps(data))
    for opened in (data, copy):
        for i in reversed(range(len(expected))):
            assert opened.read(i) == expected[i]
            assert np.array_equal(opened.load(i), decoded(expected[i]))
    assert pickle.loads(pickle.dumps(data)).ids == data.ids


# Lists


def test_a_list_with_labels_after_tabs_and_commas(folder):
    text = "a.png\tcat\nsub folder/b.jpg\tdog\r\n\n猫.webp,cat\nwith, comma.png\n"
    (folder / "photos.txt").write_text(text, encoding="utf-8")
    data = convviz.open_dataset(folder / "photos.txt")
    assert data.ids == tuple(NAMES)
    assert data.classes == ("cat", "dog")
    assert data.labels == (0, 1, 0, None)
    same_photos(data, [encoded(i, kind) for i, kind in enumerate(FORMATS)])


def test_a_list_of_bare_paths_and_absolute_ones(folder):
    absolute = str(folder / NAMES[0])
    (folder / "photos").write_text(f"{absolute}\n{NAMES[2]}\n", encoding="utf-8")
    data = convviz.open_dataset(f"list:{folder / 'photos'}")
    assert data.ids == (absolute, NAMES[2])
    assert data.labels == (None, None)
    assert data.classes == ()
    assert np.array_equal(data.load(0), photo(0))


def test_a_table_with_columns_in_any_order_and_quoted_commas(folder):
    text = 'note,label,path\nx,3,a.png\ny,1,"with, comma.png"\nz,,猫.webp\n'
    (folder / "photos.csv").write_text(text, encoding="utf-8")
    data = convviz.open_dataset(str(folder / "photos.csv"))
    assert data.ids == ("a.png", "with, comma.png", "猫.webp")
    assert data.labels == (3, 1, None)
    assert data.classes == ("0", "1", "2", "3")
    same_photos(data, [encoded(0), encoded(3), encoded(2, "WebP")])


def test_numbers_that_are_names_stay_names(folder):
    (folder / "l.txt").write_text("a.png\t01440764\nsub folder/b.jpg\t02110341\n")
    assert convviz.open_dataset(folder / "l.txt").classes == ("01440764", "02110341")


def test_lists_that_are_none(folder):
    (folder / "wrong.csv").write_text("file,kind\na.png,1\n")
    with pytest.raises(ParameterError, match=r"columns file, kind, but not path"):
        convviz.open_dataset(folder / "wrong.csv")
    (folder / "empty.txt").write_text("\n\n")
    with pytest.raises(ParameterError, match="contains no photos"):
        convviz.open_dataset(folder / "empty.txt")
    (folder / "huge.txt").write_text("a.png,5000000000\n")
    with pytest.raises(ParameterError, match="5000000000 is not a class index"):
        convviz.open_dataset(folder / "huge.txt")
    with pytest.raises(UnknownNameError, match=r"a\.png' is not a data set that a plugin knows"):
        convviz.open_dataset(folder / "a.png")
    with pytest.raises(UnknownNameError, match="is no list data set: it is of another kind"):
        convviz.open_dataset(f"list:{folder / 'a.png'}")
    with pytest.raises(UnknownNameError, match="is no list data set: there is no such path"):
        convviz.open_dataset("list:not-there.txt")
    with pytest.raises(ParameterError, match="a list takes path, label, not colour"):
        convviz.open_dataset(f"{folder / 'empty.txt'}?colour=1")


# Parquet


def test_parquet_with_bytes_ids_and_labels(tmp_path):
    data = [encoded(i) for i in range(7)]
    table = pa.table({"image": data, "id": [f"ü/{i}" for i in range(7)], "label": list("bacabca")})
    parquet.write_table(table, tmp_path / "p.parquet", row_group_size=3)
    opened = convviz.open_dataset(tmp_path / "p.parquet")
    assert opened.ids == tuple(f"ü/{i}" for i in range(7))
    assert opened.classes == ("a", "b", "c")
    assert opened.labels == (1, 0, 2, 0, 1, 2, 0)
    same_photos(opened, data)


def hugging_face_table(rows: list[tuple[bytes, str | None, int]], names: list[str]) -> pa.Table:
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = pa.array([{"bytes": b, "path": p} for b, p, _ in rows], kind)
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"image": images, "label": pa.array([label for *_, label in rows])})
    return table.replace_schema_metadata(metadata)


def test_parquet_as_hugging_face_writes_it_in_several_files(tmp_path):
    data = [encoded(i) for i in range(5)]
    rows = [(d, f"{i}.png", i % 2) for i, d in enumerate(data)]
    for part, piece in (("0", rows[:2]), ("1", rows[2:])):
        table = hugging_face_table(piece, ["cat", "dog", "never"])
        parquet.write_table(table, tmp_path / f"train-{part}.parquet", row_group_size=2)
    for source in (tmp_path, tmp_path / "train-*.parquet", tmp_path / "train-{0..1}.parquet"):
        opened = convviz.open_dataset(str(source))
        assert opened.ids == ("0.png", "1.png", "2.png", "3.png", "4.png")
        assert opened.labels == (0, 1, 0, 1, 0)
        assert opened.classes == ("cat", "dog", "never")
        same_photos(opened, data)


def test_parquet_whose_paths_repeat_or_lack_gets_numbers(tmp_path):
    for paths in (["x.png", "x.png"], ["x.png", None]):
        table = hugging_face_table([(encoded(i), p, -1) for i, p in enumerate(paths)], [])
        parquet.write_table(table, tmp_path / "p.parquet")
        opened = convviz.open_dataset(f"parquet:{tmp_path / 'p.parquet'}")
        assert opened.ids == ("0", "1")
        assert opened.labels == (None, None)


def test_parquet_columns_by_name(tmp_path):
    columns = {"thumb": [encoded(0)], "full": [encoded(1)], "kind": ["x"], "key": ["k"]}
    parquet.write_table(pa.table(columns), tmp_path / "p.parquet")
    source = f"{tmp_path / 'p.parquet'}?image=full&label=kind&id=key"
    opened = convviz.open_dataset(source)
    assert (opened.ids, opened.classes) == (("k",), ("x",))
    same_photos(opened, [encoded(1)])
    with pytest.raises(ParameterError, match=r"no column 'image' .* thumb \(binary\), full"):
        convviz.open_dataset(tmp_path / "p.parquet")
    with pytest.raises(ParameterError, match=r"no column 'nope'; it has thumb \(binary\)"):
        convviz.open_dataset(f"{tmp_path / 'p.parquet'}?image=full&label=nope")


def test_parquet_that_is_wrong(tmp_path):
    parquet.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(ParameterError, match=r"it has a \(int64\), b \(string\)"):
        convviz.open_dataset(tmp_path / "a.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:100])
    with pytest.raises(ParameterError, match="not a readable Parquet file"):
        convviz.open_dataset(tmp_path / "cut.parquet")
    parquet.write_table(pa.table({"image": [encoded(0)]}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"picture": [encoded(0)]}), tmp_path / "1.parquet")
    with pytest.raises(ParameterError, match=r"1\.parquet' has picture \(binary\)"):
        convviz.open_dataset(str(tmp_path / "{0,1}.parquet"))
    with pytest.raises(ParameterError, match=r"'.*7\.parquet', which does not exist"):
        convviz.open_dataset(str(tmp_path / "{0,7}.parquet"))


# Tar files


def tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_tars_with_labels_in_cls_and_json(tmp_path):
    tar(
        tmp_path / "shard-00.tar",
        [
            ("./d.x/猫.cls", b"1\n"),
            ("./d.x/猫.jpg", encoded(0, "JPEG")),
            ("./d.x/猫.txt", b"a caption"),
            ("b.json", json.dumps({"label": 0, "more": [1]}).encode()),
            ("b.seg.png", encoded(1)),
        ],
    )
    tar(tmp_path / "shard-01.tar", [("c.png", encoded(2)), ("only.cls", b"4")])
    opened = convviz.open_dataset(str(tmp_path / "shard-{00..01}.tar"))
    assert opened.ids == ("d.x/猫", "b", "c")
    assert opened.labels == (1, 0, None)
    assert opened.classes == ("0", "1")
    same_photos(opened, [encoded(0, "JPEG"), encoded(1), encoded(2)])
    assert convviz.open_dataset(str(tmp_path / "shard-*.tar")).ids == opened.ids
    assert convviz.open_dataset(tmp_path / "shard-01.tar").ids == ("c",)


def test_tars_whose_keys_repeat_name_the_file(tmp_path):
    for part in "ab":
        tar(tmp_path / f"{part}.tar", [("0.png", encoded(0)), ("0.cls", b"cat")])
    opened = convviz.open_dataset(f"webdataset:{tmp_path}/{{a,b}}.tar")
    assert opened.ids == ("a/0", "b/0")
    assert opened.classes == ("cat",)


def test_tars_that_are_wrong(tmp_path):
    tar(tmp_path / "a.tar", [("0.txt", b"no photo")])
    with pytest.raises(ParameterError, match=r"'a\.tar' contains no photos"):
        convviz.open_dataset(tmp_path / "a.tar")
    tar(tmp_path / "b.tar", [("0.png", encoded(0)), ("1.png", encoded(1) * 50)])
    (tmp_path / "cut.tar").write_bytes((tmp_path / "b.tar").read_bytes()[:3000])
    with pytest.raises(ParameterError, match="not a readable tar file"):
        convviz.open_dataset(tmp_path / "cut.tar")
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.tar", "0.png")
    with pytest.raises(ParameterError, match="compressed"):
        convviz.open_dataset(tmp_path / "c.tar.gz")
    with pytest.raises(ParameterError, match=r"no-00\.tar', which does not exist"):
        convviz.open_dataset(str(tmp_path / "no-{00..02}.tar"))


# Saved data sets


def saved(path: Path, **splits: list[bytes]) -> None:
    library = pytest.importorskip("datasets")
    features = library.Features(
        {"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])}
    )
    result = {}
    for name, photos in splits.items():
        rows = {
            "image": [{"bytes": data, "path": f"{i}-ü.png"} for i, data in enumerate(photos)],
            "label": [i % 2 for i in range(len(photos))],
        }
        result[name] = library.Dataset.from_dict(rows, features=features)
    whole = library.DatasetDict(result)
    (whole if len(result) > 1 else next(iter(result.values()))).save_to_disk(str(path))


def test_a_saved_data_set(tmp_path):
    data = [encoded(0), encoded(1, "JPEG"), encoded(2, "WebP")]
    saved(tmp_path / "set", train=data)
    opened = convviz.open_dataset(tmp_path / "set")
    assert opened.ids == ("0-ü.png", "1-ü.png", "2-ü.png")
    assert opened.labels == (0, 1, 0)
    assert opened.classes == ("cat", "dog")
    same_photos(opened, data)


def test_splits_of_a_saved_data_set(tmp_path):
    saved(tmp_path / "set", train=[encoded(0), encoded(1)], test=[encoded(2)])
    with pytest.raises(ParameterError, match=r"several splits: \?split= one of test, train"):
        convviz.open_dataset(tmp_path / "set")
    with pytest.raises(ParameterError, match=r"no split 'dev'"):
        convviz.open_dataset(f"hf:{tmp_path / 'set'}?split=dev")
    same_photos(convviz.open_dataset(f"hf:{tmp_path / 'set'}?split=test"), [encoded(2)])


def test_columns_of_a_saved_data_set(tmp_path):
    library = pytest.importorskip("datasets")
    (tmp_path / "out.png").write_bytes(encoded(3))
    rows = {"picture": [str(tmp_path / "out.png"), None], "n": [1, 2], "key": ["a", "b"]}
    library.Dataset.from_dict(rows).cast_column("picture", library.Image()).save_to_disk(
        str(tmp_path / "set")
    )
    opened = convviz.open_dataset(f"{tmp_path / 'set'}?id=key&label=n")
    assert (opened.ids, opened.labels) == (("a", "b"), (1, 2))
    assert np.array_equal(opened.load(0), photo(3))
    with pytest.raises(convviz.ImageError, match="'b': the row has no bytes"):
        opened.load(1)
    with pytest.raises(ParameterError, match=r"no column 'n' of images.*picture.*n \(int64\)"):
        convviz.open_dataset(f"{tmp_path / 'set'}?image=n")
    with pytest.raises(ParameterError, match="no column 'kind'; it has picture, n, key"):
        convviz.open_dataset(f"{tmp_path / 'set'}?label=kind")


def test_a_missing_library_names_its_extra(tmp_path, monkeypatch):
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "state.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ParameterError, match=r"pip install 'convviz\[hf\]'"):
        convviz.open_dataset(tmp_path)


# Content


def test_content_is_that_of_the_bytes_or_of_the_pixels(folder):
    data = convviz.open_dataset(folder)
    place = data.ids.index("a.png")
    result, content = photo_of(data, place)
    assert np.array_equal(result, photo(0))
    assert content == (len(encoded(0)), hashlib.sha256(encoded(0)).hexdigest())
    assert content_of(data, place) == content
    arrays = convviz.array_dataset(np.stack([photo(0), photo(1)]))
    assert content_of(arrays, 1) == (324, hashlib.sha256(photo(1).tobytes()).hexdigest())


def test_verify_finds_what_has_changed(folder):
    data = convviz.open_dataset(folder)
    rows = []
    for i, name in enumerate(data.ids):
        size, sha256 = content_of(data, i)
        rows.append({"index": i, "id": name, "bytes": size, "sha256": sha256})
    assert verify(data, rows) == []
    (folder / "a.png").write_bytes(encoded(7))
    os.remove(folder / "猫.webp")
    assert sorted(verify(data, rows)) == ["a.png", "猫.webp"]
    unknown = [{**row, "bytes": None, "sha256": None} for row in rows]
    assert verify(data, unknown) == []


@pytest.mark.parametrize("kind", ["list", "parquet", "webdataset", "hf"])
@checksums_instead_of_pictures()
def test_bad_photos_are_listed_and_the_rest_is_swept(kind, tmp_path):
    good, bad = [encoded(i) for i in range(3)], [b"no photo", encoded(5)[:50]]
    photos = [good[0], bad[0], good[1], bad[1], good[2]]
    names = [f"{i}.png" for i in range(5)]
    source = tmp_path / "source"
    if kind == "list":
        for name, data in zip(names, photos, strict=True):
            (tmp_path / name).write_bytes(data)
        source.write_text("\n".join([*names, "gone.png"]))
    elif kind == "parquet":
        parquet.write_table(pa.table({"image": photos, "path": names}), source)
    elif kind == "webdataset":
        tar(source, list(zip(names, photos, strict=True)))
        names = [str(i) for i in range(5)]
    else:
        saved(source, train=photos)
        names = [f"{i}-ü.png" for i in range(5)]
    model = tiny_model()
    run = convviz.analyze(model, source, "neighbors", tmp_path / "run", k=1)
    assert [item.id for item in run.items] == [names[i] for i in (0, 2, 4)]
    expected = [names[1], names[3], *(["gone.png"] if kind == "list" else [])]
    assert [s.id for s in run.skipped] == expected
    assert "not an image of a known format" in run.skipped[0].reason
    rows = parquet.read_table(tmp_path / "run" / "items.parquet").to_pylist()
    assert [row["bytes"] for row in rows] == [len(data) for data in good]
    assert [row["sha256"] for row in rows] == [hashlib.sha256(d).hexdigest() for d in good]
