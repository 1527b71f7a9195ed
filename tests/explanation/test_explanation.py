"""Saving, loading and showing an Explanation."""

from __future__ import annotations

import json
import os
import pickle
import re

import numpy as np
import pytest
import torch
from safetensors import safe_open

import convviz
from convviz.errors import ConvvizError
from convviz.explanation import result_folder
from convviz.explanation.explanation import Explanation
from convviz.images.batch import Item
from convviz.results import json_codec
from convviz.results.types import Note, Stack
from convviz.scores.targets import Target, Unit
from convviz.storage import atomic_folder

NAN = float("nan")


def heatmap(**fields):
    values = torch.arange(2 * 6 * 6, dtype=torch.float32).reshape(2, 6, 6)
    return convviz.Heatmap(values, **{"unit": "score drop", **fields})


def explanation(result=None, **fields):
    given = {
        "explainer": convviz.explainer("saliency"),
        "name": "saliency",
        "layer": "",
        "model": {"name": "tiny", "weights_hash": "abc", "labels": ["cat", "dog"]},
        "target": (
            Target(1, None, "dog", 2.5),
            Target(None, Unit("conv", 3, (1, 2)), "conv:3@1,2", NAN),
        ),
        "items": (
            Item("a", "a b/ü.png", (1.0, 0.0, -0.5, 0.0, 1.0, 2.0), (6, 8), 1),
            Item("b", "<b>.png", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (6, 6)),
        ),
        "pixels": torch.zeros(2, 6, 6, 3, dtype=torch.uint8),
        "versions": {"convviz": "0.1.0"},
    }
    return Explanation(result=heatmap() if result is None else result, **{**given, **fields})


def saved_json(folder):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads((folder / "explanation.json").read_text("utf-8"), parse_constant=refuse)


def assert_same_fields(a, b):
    """Compare two results field by field, without the code under test."""
    assert type(a) is type(b)
    for name in a.__dataclass_fields__:
        if name == "values":
            assert_same_array(a.values, b.values)
        elif name == "arrays":
            assert list(a.arrays) == list(b.arrays)
            for key in a.arrays:
                assert_same_array(a[key], b[key])
        elif name == "files":
            assert dict(a.files) == dict(b.files)
        else:
            assert repr(getattr(a, name)) == repr(getattr(b, name)), name


def assert_same_array(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.contiguous().numpy().tobytes() == b.numpy().tobytes()


def results():
    """One result of every kind, with every kind of field filled."""
    big = torch.arange(48.0).reshape(4, 12)
    shared = torch.zeros(2, 3)
    odd = {
        "nan": torch.tensor([NAN, float("inf"), -float("inf"), -0.0], dtype=torch.float64),
        "flags": torch.tensor([[True, False]]),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "big": torch.tensor([2**62], dtype=torch.int64),
        "half": torch.ones(3, dtype=torch.float16),
        "view": big[:, ::3],
        "transposed": big.T,
        "one": shared,
        "again": shared,
        "empty": torch.zeros(0, 4),
        "scalar": torch.tensor(3.5),
        "pixels": torch.ones(2),
        "with/slash": torch.ones(1),
    }
    pictures = torch.zeros(3, 2, 4, 4, 3, dtype=torch.uint8)
    return [
        heatmap(
            arrays=odd,
            measures={"KL": NAN, "n": 3, "word": "nan", "ok": True, "none": None, "nested": (1, 2)},
            notes=("a <note>",),
            files={"index.faiss": b"\x00\xff"},
            signed=True,
            panels=("ü", "b"),
            classes={281: "tabby", 3: "shark"},
            window=(3, 4),
        ),
        convviz.Tiles(
            torch.zeros(3, 2),
            arrays={"p": pictures},
            layout="matrix",
            scale="tile",
            captions=("a", "b", "c"),
            order=((2, 0, 1), (0, 1, 2)),
            stacks=(Stack(title="photo patches", pictures="p"),),
            overlays=((0, 1), (2,)),
            table={"norm": (1.0, NAN, 2.0), "dead": (True, False, False)},
        ),
        convviz.Points(torch.zeros(3, 2), classes=("x", "y"), axes=("a", "b")),
        convviz.Matches(torch.zeros(3, 2), names=("i", "j", "k"), show=(0, 2)),
        convviz.Mask(torch.zeros(1, 4, 4, dtype=torch.bool)),
        convviz.Table(torch.zeros(2, 2), columns=("a", "b"), rows=("c", "d")),
    ]


@pytest.fixture
def undrawn(monkeypatch):
    """Leave drawing aside: these tests are about what is kept."""
    picture = convviz.render.Picture("map", b"\x89PNG", "a <caption>")
    monkeypatch.setattr("convviz.explanation.content.render", lambda result, scene: [picture])


@pytest.mark.parametrize("result", results(), ids=lambda result: result.kind)
def test_what_was_saved_loads_back(result, tmp_path, undrawn):
    before = explanation(result)
    before.save(tmp_path / "leaf")
    after = convviz.load(tmp_path / "leaf")
    assert_same_fields(before.result, after.result)
    assert repr(after.target) == repr(before.target)
    assert after.items == before.items
    assert after.model == {**before.model, "labels": ("cat", "dog")}
    assert after.versions == before.versions
    assert after.explainer == before.explainer
    assert after.parameters == before.parameters
    assert_same_array(before.pixels, after.pixels)
    assert before.equals(after)
    assert after.equals(before)


def test_equals_sees_a_changed_bit_a_parameter_and_a_note(undrawn):
    one = explanation()
    values = one.values.clone()
    values[0, 0, 0] = -0.0
    assert one.equals(explanation())
    assert not one.equals(explanation(convviz.Heatmap(values, unit="score drop")))
    assert not one.equals(explanation(heatmap(notes=("new",))))
    assert not one.equals(explanation(explainer=convviz.explainer("saliency", channels="l2")))
    assert not one.equals(explanation(pixels=None))


def test_saving_twice_and_after_loading_writes_the_same_bytes(tmp_path, undrawn):
    explanation(results()[0]).save(tmp_path / "a")
    explanation(results()[0]).save(tmp_path / "b")
    convviz.load(tmp_path / "a").save(tmp_path / "c")
    for name in ("explanation.json", "arrays.safetensors", "map.png", "index.faiss"):
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert content == (tmp_path / "c" / name).read_bytes()


def test_the_json_is_strict_and_says_how(tmp_path, undrawn):
    explanation(results()[0]).save(tmp_path)
    document = saved_json(tmp_path)
    assert document["schema"] == 4
    assert document["explainer"]["name"] == "saliency"
    assert document["explainer"]["distribution"] == "convviz"
    assert document["explainer"]["parameters"]["channels"] == "max"
    assert document["explainer"]["summary"].startswith("Sensitivity of the score to each pixel")
    assert document["model"]["weights_hash"] == "abc"
    of_class = {"unit": None, "contrast": None, "function": None}
    assert document["target"][0] == {"index": 1, "label": "dog", "score": 2.5, **of_class}
    assert document["target"][1]["score"] == {"$float": "nan"}
    assert [item["source"] for item in document["items"]] == ["a b/ü.png", "<b>.png"]
    assert document["result"]["measures"]["KL"] == {"$float": "nan"}
    assert document["pictures"] == {"map.png": "a <caption>"}
    assert document["arrays"]["flags"] == {"dtype": "bool", "shape": [1, 2]}


def test_arrays_open_in_safetensors_by_their_names(tmp_path, undrawn):
    explanation(heatmap(arrays={"grid": torch.ones(2, 3)})).save(tmp_path)
    with safe_open(tmp_path / "arrays.safetensors", framework="np") as file:
        assert sorted(file.keys()) == ["@pixels", "grid", "values"]
        np.testing.assert_array_equal(file.get_tensor("grid"), np.ones((2, 3)))


def test_a_subclass_comes_back_as_its_closed_type(tmp_path, undrawn):
    class Special(convviz.Heatmap):
        pass

    result = Special(torch.ones(2, 6, 6), unit="mine")
    explanation(result).save(tmp_path)
    loaded = convviz.load(tmp_path).result
    assert type(loaded) is convviz.Heatmap
    assert loaded.unit == "mine"
    assert_same_array(loaded.values, result.values)


def test_an_explainer_that_is_not_installed_leaves_the_rest(tmp_path, rewrite, undrawn):
    explanation().save(tmp_path)
    gone = {"name": "gone", "distribution": "convviz-gone", "version": "9"}
    document = rewrite(tmp_path / "explanation.json", lambda d: d["explainer"].update(gone))
    loaded = convviz.load(tmp_path)
    assert loaded.explainer is None
    assert "gone" in loaded.missing
    assert_same_array(loaded.values, heatmap().values)
    assert loaded.parameters["channels"] == "max"
    assert "not loaded" in loaded.describe()
    loaded.save(tmp_path / "again")
    assert saved_json(tmp_path / "again")["explainer"] == document["explainer"]


def test_parameters_that_no_longer_hold_leave_the_rest(tmp_path, rewrite, undrawn):
    explanation().save(tmp_path)
    odd = {"channels": "sideways"}
    rewrite(tmp_path / "explanation.json", lambda d: d["explainer"]["parameters"].update(odd))
    loaded = convviz.load(tmp_path)
    assert loaded.explainer is None
    assert "channels" in loaded.missing


def damage_schema(folder, rewrite):
    rewrite(folder / "explanation.json", lambda document: document.update(schema=5))


def older_schema(folder, rewrite):
    rewrite(folder / "explanation.json", lambda document: document.update(schema=1))


def cut_json(folder, rewrite):
    path = folder / "explanation.json"
    path.write_bytes(path.read_bytes()[:-20])


def drop_key(folder, rewrite):
    rewrite(folder / "explanation.json", lambda document: document["result"].pop("kind"))


def edit_by_hand(folder, rewrite):
    path = folder / "explanation.json"
    path.write_text(path.read_text("utf-8").replace('"layer": ""', '"layer": "conv"'), "utf-8")


def cut_arrays(folder, rewrite):
    path = folder / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


def foreign_json(folder, rewrite):
    (folder / "explanation.json").write_text("[1]", "utf-8")


def escape(folder, rewrite):
    rewrite(folder / "explanation.json", lambda document: document.update(files=["../secret"]))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_schema, "schema 5"),
        (older_schema, "schema 1, this convviz reads schema 4"),
        (edit_by_hand, r"explanation.json has changed since it was written"),
        (cut_json, "cannot be read"),
        (drop_key, "damaged"),
        (cut_arrays, "arrays.safetensors is damaged"),
        (foreign_json, "not written by convviz"),
        (escape, "not a plain file name"),
        (lambda folder, _: (folder / "explanation.json").unlink(), "saved there.*open_run"),
    ],
)
def test_what_cannot_be_loaded_says_why_and_where(damage, words, tmp_path, rewrite, undrawn):
    (tmp_path / "secret").write_text("x")
    folder = explanation().save(tmp_path / "leaf")
    damage(folder, rewrite)
    with pytest.raises(ConvvizError, match=words) as caught:
        convviz.load(folder)
    assert "leaf" in str(caught.value) or "secret" in str(caught.value)


def test_names_that_leave_the_folder_are_refused(tmp_path, undrawn):
    reserved = ("arrays.safetensors", "explanation.json", "items.parquet")
    for name in ("../x", "a/b", "", "..", *reserved):
        with pytest.raises(ConvvizError):
            explanation(heatmap(files={name: b""})).save(tmp_path / "leaf")
    for name in ("values", "@pixels"):
        with pytest.raises(ConvvizError, match="may not be called"):
            explanation(heatmap(arrays={name: torch.ones(1)})).save(tmp_path / "leaf")
    assert not list(tmp_path.glob("leaf/*"))


def test_saving_again_replaces_its_own_files_only(tmp_path, monkeypatch):
    def draws(*names):
        pictures = [convviz.render.Picture(name, name.encode()) for name in names]
        monkeypatch.setattr("convviz.explanation.content.render", lambda result, scene: pictures)

    draws("old", "kept")
    explanation(heatmap(files={"old.bin": b"1"})).save(tmp_path)
    (tmp_path / "mine.txt").write_text("notes of the user")
    (tmp_path / "mine.png").write_text("picture of the user")
    draws("kept", "new")
    explanation().save(tmp_path)
    names = {"explanation.json", "arrays.safetensors", "kept.png", "new.png"}
    assert set(os.listdir(tmp_path)) == names | {"mine.txt", "mine.png"}


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch, step, count=0):
    """End the process (as far as this save goes) at the n-th call of an os-level step."""
    owner, name = step
    original, calls = getattr(owner, name), []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) > count:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, dies)


STEPS = [
    ("write_text", 0),
    ("write_bytes", 0),
    ("write_bytes", 1),
    ("rename", 0),
    ("replace", 0),
    ("replace", 1),
    ("replace", 2),
    ("unlink", 0),
    ("rmdir", 0),
]


@pytest.mark.parametrize(("step", "count"), STEPS)
def test_an_interrupted_save_is_all_old_or_all_new(step, count, tmp_path, monkeypatch, undrawn):
    old = explanation(heatmap(files={"old.bin": b"old"}))
    new = explanation(convviz.Heatmap(torch.ones(2, 6, 6), files={"new.bin": b"new"}))
    old.save(tmp_path)
    with monkeypatch.context() as patch:
        kill_at(patch, (atomic_folder.Path, step), count)
        with pytest.raises(Killed):
            new.save(tmp_path)
    loaded = convviz.load(tmp_path)
    assert loaded.equals(old) != loaded.equals(new)
    new.save(tmp_path)
    assert convviz.load(tmp_path).equals(new)
    names = {"explanation.json", "arrays.safetensors", "map.png", "new.bin"}
    assert set(os.listdir(tmp_path)) == names


def test_an_interrupt_while_drawing_leaves_the_former_save(tmp_path, monkeypatch, undrawn):
    old = explanation()
    old.save(tmp_path)

    def interrupted(result, scene):
        raise KeyboardInterrupt

    monkeypatch.setattr("convviz.explanation.content.render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explanation(heatmap(notes=("new",))).save(tmp_path)
    assert convviz.load(tmp_path).equals(old)


def test_a_picture_that_fails_does_not_cost_the_numbers(tmp_path, monkeypatch):
    def fails(result, scene):
        raise RuntimeError("no ink")

    monkeypatch.setattr("convviz.explanation.content.render", fails)
    with pytest.warns(UserWarning, match="no ink"):
        explanation().save(tmp_path)
    assert saved_json(tmp_path)["undrawn"] == "RuntimeError: no ink"
    assert_same_array(convviz.load(tmp_path).values, heatmap().values)


def test_tensors_among_parameters_become_side_arrays():
    arrays = {}
    given = {"fill": torch.tensor([1.0, NAN]), "source": {"layers": ("a", np.int64(3))}}
    encoded = json_codec.encode(given, arrays, "@parameters")
    assert encoded["fill"] == {"$array": "@parameters.fill"}
    decoded = json_codec.decode(json.loads(json.dumps(encoded)), arrays)
    assert_same_array(decoded["fill"], given["fill"])
    assert decoded["source"] == {"layers": ("a", 3)}


def test_odd_values_survive_and_unknown_types_are_named():
    odd = {"$float": "x", "k": {1: "a", (2, 3): b"\x00"}, "s": {"b", "a"}, "n": np.float32(0.5)}
    decoded = json_codec.decode(json.loads(json.dumps(json_codec.encode(odd, {}, "here"))), {})
    assert decoded == {**odd, "s": ("a", "b")}
    with pytest.raises(ConvvizError, match=r"here\.x is a object"):
        json_codec.encode({"x": object()}, {}, "here")


def test_describe_names_everything_that_counts(undrawn):
    text = explanation(results()[0]).describe()
    for words in ("saliency", "ü.png", "dog", "tiny", "channels=max", "score drop", "KL: nan"):
        assert words in text
    assert "2 of 4" not in text
    assert re.search(r"nan: \[4\] float64, from -0 to -0, 3 not finite", text)
    assert re.search(r"flags: \[1, 2\] bool, 1 of 2 true", text)
    assert repr(explanation()).startswith("<Explanation saliency · ")


def test_html_escapes_what_it_did_not_write(undrawn):
    page = explanation(heatmap(notes=("a <note>",)))._repr_html_()
    assert "&lt;note&gt;" in page
    assert "&lt;b&gt;.png" in page
    assert "<b>" not in page
    assert 'alt="a &lt;caption&gt;"' in page
    assert "data:image/png;base64,iVBORw==" in page


def test_show_without_a_screen_writes_a_page_and_says_where(monkeypatch, capsys, undrawn):
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    explanation().show()
    path = re.search(r"open (\S+\.html) in a browser", capsys.readouterr().out).group(1)
    with open(path, encoding="utf-8") as file:
        assert "data:image/png" in file.read()


def test_show_in_a_notebook_displays_itself(monkeypatch, undrawn):
    from types import ModuleType, SimpleNamespace

    shown = []
    module, display = ModuleType("IPython"), ModuleType("IPython.display")
    module.get_ipython = lambda: SimpleNamespace(kernel=object())
    display.display = shown.append
    monkeypatch.setitem(__import__("sys").modules, "IPython", module)
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", display)
    one = explanation()
    one.show()
    assert shown == [one]


def test_png_of_a_real_heatmap(tmp_path):
    one = explanation()
    assert one._repr_png_().startswith(b"\x89PNG\r\n")
    one.save(tmp_path)
    pictures = saved_json(tmp_path)["pictures"]
    assert pictures
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert result_folder.read_json(tmp_path)["pictures"] == pictures


def test_notes_keep_their_subjects(tmp_path, undrawn):
    result = heatmap(notes=("On all.", Note("2 of 5 units.", "units")))
    saved = explanation(result)
    saved.save(tmp_path / "a")
    assert saved_json(tmp_path / "a")["result"]["notes"] == [
        "On all.", {"$note": ["2 of 5 units.", "units"]},
    ]  # fmt: skip
    loaded = convviz.load(tmp_path / "a").result.notes
    assert loaded == result.notes
    assert [type(note) for note in loaded] == [str, Note]
    assert loaded[1].about == "units"
    copied = pickle.loads(pickle.dumps(loaded))
    assert copied[1].about == "units"
    assert copied == loaded


@pytest.mark.parametrize("note", [{"$note": ["text"]}, {"$note": 5}, {"note": ["a", "b"]}, 5])
def test_notes_of_another_form_are_damage(tmp_path, rewrite, undrawn, note):
    explanation(heatmap(notes=("On all.",))).save(tmp_path / "a")
    rewrite(
        tmp_path / "a/explanation.json", lambda document: document["result"].update(notes=[note])
    )
    with pytest.raises(ConvvizError, match="notes"):
        convviz.load(tmp_path / "a")
