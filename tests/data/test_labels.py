"""Labels in every form: the right class, None with a note, or an error that names the item."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

import convviz
from convviz import ParameterError
from convviz.authoring import as_labels
from convviz.plugin.sources import as_dataset
from convviz.testing import tiny_model

pytestmark = pytest.mark.usefixtures("quick_pictures")


def picture(value: int = 7) -> Image.Image:
    return Image.new("RGB", (9, 8), (value, value, value))


def encoded(value: int = 7) -> bytes:
    out = io.BytesIO()
    picture(value).save(out, "PNG")
    return out.getvalue()


ONE_HOT = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("given", "known", "classes"),
    [
        ([2, 0, -1], (2, 0, None), ("0", "1", "2")),
        ([2.0, float("nan"), 1.0], (2, None, 1), ("0", "1", "2")),
        (np.array([1.0, 0.0, 1.0]), (1, 0, 1), ("0", "1")),
        ([True, False, None], (1, 0, None), ("False", "True")),
        (["b", "a", ""], (1, 0, None), ("a", "b")),
        (ONE_HOT, (1, 2, 0), ("0", "1", "2")),
        (np.array(ONE_HOT, float), (1, 2, 0), ("0", "1", "2")),
        (torch.tensor(ONE_HOT), (1, 2, 0), ("0", "1", "2")),
        ([[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]], (None, 1, None), ("0", "1", "2", "3")),
        (np.array([[3], [0], [1]]), (3, 0, 1), ("0", "1", "2", "3")),
        ([[5], [2, 3], []], (5, None, None), tuple("012345")),
        ([torch.tensor(1), np.int64(0), None], (1, 0, None), ("0", "1")),
    ],
)
def test_forms_of_labels(given, known, classes) -> None:
    notes: list[str] = []
    assert as_labels(given, 3, (), notes) == (known, classes)
    assert bool(notes) == (None in known)


def test_notes_count_and_name_what_has_no_label() -> None:
    notes: list[str] = []
    as_labels([[1, 1], [1, 0], [1, 1], [0, 0]], 4, (), notes)
    assert "2 of 4 items have several labels" in notes[0]
    assert "item 0" in notes[0]
    assert "1 of 4 items have no label" in notes[1]
    assert "item 3" in notes[1]
    notes.clear()
    as_labels([1, -1, -1, None], 4, (), notes)
    assert "3 of 4 items have no label, 2 of them with a negative" in notes[0]
    notes.clear()
    as_labels([1, 0], 2, (), notes)
    assert notes == []


@pytest.mark.parametrize(
    ("given", "classes", "message"),
    [
        ([0, 0.5], (), r"item 1 has 0\.5"),
        ([0, 7], ("a", "b"), "item 1 has the label 7.* 2 classes"),
        (["a", "z"], ("a", "b"), "item 1 has the label 'z'"),
        ([0, "a"], (), "int, str"),
        ([0, object()], (), "item 1 has a label of type object"),
        ([0, 10**9], (), "1000000000 is not a class index"),
    ],
)
def test_labels_that_are_wrong_name_the_item(given, classes, message) -> None:
    with pytest.raises(ParameterError, match=message):
        as_labels(given, 2, classes)


def test_a_data_set_whose_label_is_beyond_its_classes_names_the_item() -> None:
    class Wrong:
        name, ids, labels, classes = "w", ("a.png", "b.png"), (0, 5), ("x", "y")

        def load(self, index):
            return np.asarray(picture())

    with pytest.raises(ParameterError, match=r"'b\.png' has label 5, and there are 2 classes"):
        as_dataset(Wrong())


# Torch data sets and sequences


class Pairs(torch.utils.data.Dataset):
    def __init__(self, items, **attributes) -> None:
        self.items = items
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_items_that_are_dicts() -> None:
    data = as_dataset(Pairs([{"image": picture(i), "label": i % 2} for i in range(4)]))
    assert data.labels == (0, 1, 0, 1)
    assert data.load(3).max() == 3
    data = as_dataset(Pairs([{"img": picture(5), "fine_label": "cat"}]))
    assert (data.labels, data.classes) == ((0,), ("cat",))
    data = as_dataset(Pairs([{"x-ray": picture(5), "age": 3}]))
    assert data.load(0).max() == 5
    data = as_dataset(Pairs([{"a": picture(), "b": picture()}]))
    with pytest.raises(convviz.ImageError, match="keys 'a', 'b'"):
        data.load(0)


def test_labels_of_detection_and_many_labels() -> None:
    data = as_dataset(Pairs([(picture(), {"boxes": [], "labels": [1]}), (picture(), {})]))
    assert data.labels == (None, None)
    assert "2 of 2 items have labels of type dict" in data.notes[0]
    data = as_dataset(Pairs([(picture(), torch.tensor([0, 1])), (picture(), torch.tensor([1, 1]))]))
    assert data.labels == (1, None)
    assert "1 of 2 items have several labels" in data.notes[0]


def test_target_transform_is_applied_as_for_the_items() -> None:
    source = Pairs([], targets=[0, 1, 2], target_transform=lambda v: 10 - v)
    source.items = [(picture(), 10 - v) for v in source.targets]
    assert as_dataset(source).labels == (10, 9, 8)
    assert as_dataset(torch.utils.data.Subset(source, [2])).labels == (8,)


def test_pairs_of_lists(tmp_path) -> None:
    data = as_dataset(([picture(1), picture(2)], ["b", "a"]))
    assert (data.labels, data.classes, len(data.ids)) == ((1, 0), ("a", "b"), 2)
    picture(3).save(tmp_path / "a.png")
    data = as_dataset(([tmp_path / "a.png"], [4]))
    assert data.labels == (4,)
    assert data.load(0).max() == 3
    two = as_dataset(([picture(1), 1], [picture(2), 0]))
    assert (two.labels, two.load(1).max()) == ((1, 0), 2)
    with pytest.raises(ParameterError, match="1 images need 1 labels, not 2"):
        as_dataset(([picture(1)], [1, 2]))


def test_a_data_set_of_hugging_faces_library(tmp_path) -> None:
    library = pytest.importorskip("datasets")
    features = library.Features(
        {"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [picture(1), picture(2), picture(3)], "label": [1, 0, -1]}
    source = library.Dataset.from_dict(rows, features=features)
    data = as_dataset(source)
    assert (data.labels, data.classes) == ((1, 0, None), ("cat", "dog"))
    assert [int(data.load(i).max()) for i in range(3)] == [1, 2, 3]
    assert "1 of 3 items have no label" in data.notes[0]
    with pytest.raises(ParameterError, match="choose one of 'train'"):
        as_dataset(library.DatasetDict({"train": source}))


# Parquet


@pytest.mark.parametrize(
    ("labels", "known", "classes"),
    [
        (pa.array([1, None, 0]), (1, None, 0), ("0", "1")),
        (pa.array(["b", None, "a"]), (1, None, 0), ("a", "b")),
        (pa.array(["b", None, "a"]).dictionary_encode(), (1, None, 0), ("a", "b")),
        (pa.array([1.0, None, 0.0]), (1, None, 0), ("0", "1")),
        (pa.array([True, None, False]), (1, None, 0), ("False", "True")),
        (pa.array([[0, 1], [1, 0], [1, 1]]), (1, 0, None), ("0", "1")),
    ],
)
def test_columns_of_labels_in_parquet(tmp_path, labels, known, classes) -> None:
    table = pa.table({"image": [encoded(), encoded(), encoded()], "label": labels})
    parquet.write_table(table, tmp_path / "p.parquet")
    data = convviz.open_dataset(tmp_path / "p.parquet")
    assert (data.labels, data.classes) == (known, classes)
    assert "1 of 3 items have" in data.notes[0]


def test_a_run_keeps_the_notes(tmp_path, caplog) -> None:
    images = np.stack([np.asarray(picture(v)) for v in (1, 60, 200)])
    data = convviz.array_dataset(images, [0, -1, 1])
    run = convviz.analyze(tiny_model(), data, "neighbors", tmp_path / "run", k=1)
    assert run.notes == data.notes
    assert "1 of 3 items have no label" in run.notes[0]
    assert "1 of 3 items have no label" in caplog.text
    assert "1 of 3 items have no label" in (tmp_path / "run" / "index.html").read_text()
    assert convviz.open_run(tmp_path / "run").notes == run.notes
