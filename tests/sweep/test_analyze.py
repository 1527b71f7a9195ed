"""analyze(): data sets, one shared sweep, bad files, the run folder and its way back."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.networks import counting_classifier
from PIL import Image
from torch import nn

import convviz
from convviz import (
    ConvvizError,
    ImageError,
    ModelError,
    ParameterError,
    PluginError,
    Table,
    UnknownNameError,
)
from convviz.authoring import DatasetExplainer, Features, Pixels
from convviz.explanation.provenance import named
from convviz.plugin.sources import as_dataset
from convviz.storage.path_names import folder_name, layer_name
from convviz.sweep.plan import make_plan


@pytest.fixture
def model():
    net = counting_classifier()
    pre = convviz.Preprocess(resize=12, crop=12)
    model = convviz.Model(net.double(), preprocess=pre, name="tiny")
    model.layer_names()  # runs the network once, and is remembered
    net.passes = 0
    return model


def photos(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 14, 17, 3), dtype=np.uint8)


class Spy(DatasetExplainer):
    """Collects pooled activations and labels; `needs` two that are equal to another's."""

    pool: str = "avg"

    def default_layers(self, model):
        return ("0", "1")

    def needs(self):
        return (Features(layers=("3",)), Pixels(size=8))

    def reduce(self, model, batch, forward):
        labels = [-1 if item.label is None else item.label for item in batch.items]
        sums = {f"{n}/sum": forward.activations[n].sum((2, 3)) for n in self.resolve_layers(model)}
        return {"labels": torch.tensor(labels), **sums}

    def merge(self, a, b):
        return {name: torch.cat([a[name], b[name]]) for name in a}

    def finish(self, model, partials, items, needs):
        whole = list(partials)
        sizes = torch.tensor([[float(len(p["labels"]))] for p in whole])
        photo = torch.from_numpy(items.load(len(items) - 1).astype(float).mean(axis=2))
        arrays = {
            "labels": torch.cat([p["labels"] for p in whole]),
            "features": needs[0]["3"].values,
            "pictures": needs[1][""]["thumbnails"],
            "sizes": sizes,
            "photo": photo,
        }
        return {
            name: Table(torch.cat([p[f"{name}/sum"] for p in whole]), arrays=arrays)
            for name in self.resolve_layers(model)
        }


class Other(Spy):
    """A second explainer with the same needs."""


def sweep(model, data, who, batch_size, shard_size, out):
    """Sweep with shards of any size."""
    return convviz.analyze(model, data, who, out, batch_size=batch_size, shard_size=shard_size)


# The sweep


def test_results_are_those_of_a_plain_loop(model, tmp_path):
    data, labels = photos(5), [0, 1, 2, 1, 0]
    run = convviz.analyze(model, (data, labels), Spy(), tmp_path / "run", batch_size=2)
    with torch.no_grad():
        x = torch.stack([model.preprocess(p) for p in data]).double()
        conv = model.module[0](x)
    found = run["spy"]
    assert list(found) == ["0", "1"]
    assert torch.allclose(found["0"].values, conv.sum((2, 3)), rtol=0, atol=1e-9)
    assert torch.allclose(found["1"].values, conv.relu().sum((2, 3)), rtol=0, atol=1e-9)
    assert torch.allclose(found["1"]["features"], conv.relu().mean((2, 3)), rtol=0, atol=1e-12)
    assert found["0"]["labels"].tolist() == labels
    assert torch.equal(found["0"]["photo"], torch.from_numpy(data[4].mean(axis=2)))


def test_one_forward_pass_a_batch_and_equal_needs_swept_once(model, tmp_path):
    convviz.analyze(model, photos(5), Spy(), tmp_path / "first")  # also measures the network
    before = model.module.passes
    run = convviz.analyze(model, photos(5), [Spy(), Other()], tmp_path / "run", batch_size=2)
    assert model.module.passes == before + 3
    assert run.explainers == ("other", "spy")
    plan = make_plan(model, as_dataset(photos(2)), named([Spy(), Other()], {}))
    kinds = [type(step.explainer).__name__ for step in plan.steps]
    assert kinds == ["Features", "Pixels", "Spy", "Other"]
    assert plan.layers == ("3", "0", "1")


@pytest.mark.parametrize(("batch_size", "shard_size"), [(1, 7), (3, 2), (4, 3), (7, 1)])
def test_batches_and_shards_change_nothing(model, batch_size, shard_size, tmp_path):
    data = (photos(7), [0, 1, 2, 0, 1, 2, 0])
    whole = sweep(model, data, Spy(), 7, 7, tmp_path / "whole")["spy"]
    parts = sweep(model, data, Spy(), batch_size, shard_size, tmp_path / "parts")["spy"]
    for layer in ("0", "1"):
        assert torch.allclose(parts[layer].values, whole[layer].values, rtol=0, atol=1e-10)
        assert torch.allclose(
            parts[layer]["features"], whole[layer]["features"], rtol=0, atol=1e-12
        )
        for name in ("labels", "pictures", "photo"):
            assert torch.equal(parts[layer][name], whole[layer][name])
    sizes = parts["0"]["sizes"].flatten().tolist()
    assert sizes == [min(shard_size, 7 - i) for i in range(0, 7, shard_size)]


def test_images_of_different_sizes_need_no_crop(model, tmp_path):
    model.preprocess = convviz.Preprocess(resize=None, crop=None)
    for i, (h, w) in enumerate([(9, 9), (9, 9), (12, 10), (9, 9)]):
        Image.fromarray(photos(1, i)[0][:h, :w]).save(tmp_path / f"{i}.png")
    run = convviz.analyze(model, tmp_path, Spy(layers=("0",)), tmp_path / ".run")
    assert run["spy"].values.shape == (4, 4)
    assert [item.size for item in run.items] == [(9, 9), (9, 9), (12, 10), (9, 9)]


def test_the_model_is_put_back_also_after_an_error(model, tmp_path):
    class Raising(Spy):
        def reduce(self, model, batch, forward):
            raise ValueError("no")

    model.module.train()
    with pytest.raises(PluginError, match="'raising'"):
        convviz.analyze(model, photos(2), Raising(), tmp_path / "run")
    assert model.module.training
    assert not (tmp_path / "run").exists()
    assert os.listdir(tmp_path) == []


def test_what_does_not_fit_is_refused_before_the_first_batch(model, tmp_path):
    out = tmp_path / "run"
    data = photos(3)
    with pytest.raises(UnknownNameError, match="layer"):
        convviz.analyze(model, data, Spy(layers=("0", "nine")), out)
    with pytest.raises(UnknownNameError, match="ray"):
        convviz.analyze(model, data, Spy(), out, engine="rya")
    with pytest.raises(ParameterError, match="batch_size"):
        convviz.analyze(model, data, Spy(), out, batch_size=0)
    with pytest.raises(ParameterError, match="single images"):
        convviz.analyze(model, data, "saliency", out)
    with pytest.raises(ParameterError, match="twice"):
        convviz.analyze(model, data, [Spy(), Spy(layers=("0",))], out)
    with pytest.raises(ModelError, match="preprocess"):
        convviz.analyze(convviz.Model(model.module), data, Spy(), out)
    assert model.module.passes == 0


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([Table(torch.zeros(1, 1))], "layer -> result"),
        ({"0": torch.zeros(1)}, "returned Tensor"),
        ({0: Table(torch.zeros(1, 1))}, "layer -> result"),
    ],
)
def test_a_wrong_finish_is_a_plugin_error(model, tmp_path, made, message):
    class Wrong(Spy):
        def finish(self, model, partials, items, needs):
            return made

    with pytest.raises(PluginError, match=message):
        convviz.analyze(model, photos(2), Wrong(), tmp_path / "run")


def test_a_wrong_partial_is_a_plugin_error(model, tmp_path):
    class Wrong(Spy):
        def reduce(self, model, batch, forward):
            return {"a": [1, 2]}

    with pytest.raises(PluginError, match="flat dict of tensors"):
        convviz.analyze(model, photos(2), Wrong(), tmp_path / "run")


def test_needs_that_lead_in_a_circle_are_refused(model, tmp_path):
    class Round(Spy):
        depth: int = 0

        def needs(self):
            return (Round(depth=self.depth + 1),)

    with pytest.raises(PluginError, match="circle"):
        convviz.analyze(model, photos(2), Round(), tmp_path / "run")


def test_an_explainer_that_cannot_finish_costs_only_itself(model, tmp_path):
    class Broken(Spy):
        def finish(self, model, partials, items, needs):
            raise ValueError("nothing to see")

    with pytest.raises(PluginError, match="nothing to see") as caught:
        convviz.analyze(model, photos(2), [Broken(), Spy()], tmp_path / "run")
    assert any("other explainers" in note for note in caught.value.__notes__)
    run = convviz.open_run(tmp_path / "run")
    assert run.explainers == ("spy",)
    assert "nothing to see" in run.plan["failed"]["broken"]
    with pytest.raises(ConvvizError, match=r"finished but for broken.*nothing to see"):
        convviz.analyze(model, photos(2), [Broken(), Spy()], tmp_path / "run")


# Bad files


def test_bad_files_become_rows_and_the_run_goes_on(model, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, photo in enumerate(photos(4)):
        Image.fromarray(photo).save(folder / f"{i}.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    (folder / "2b.jpg").write_bytes(b"")
    (folder / "3b.tif").write_text("I am no picture")
    run = convviz.analyze(model, folder, Spy(), tmp_path / "run", batch_size=2)
    assert [item.id for item in run.items] == ["0.png", "2.png", "3.png"]
    assert [(s.index, s.id) for s in run.skipped] == [(1, "1.png"), (3, "2b.jpg"), (5, "3b.tif")]
    assert all(s.reason for s in run.skipped)
    assert run["spy"]["0"].values.shape == (3, 4)
    alone = convviz.analyze(model, photos(4)[[0, 2, 3]], Spy(), tmp_path / "alone")
    assert torch.allclose(run["spy"]["0"].values, alone["spy"]["0"].values, rtol=0, atol=1e-10)


def test_a_shard_of_bad_files_only_is_passed_over(model, tmp_path):
    class Half:
        name, classes = "half", ()
        ids, labels = tuple("abcdef"), (None,) * 6

        def load(self, index):
            if index < 3:
                raise ImageError("bad")
            return photos(1, index)[0]

    found = sweep(model, Half(), Spy(), 2, 3, tmp_path / "run")["spy"]["0"]
    assert found.values.shape == (3, 4)
    assert [item.id for item in found.items] == ["d", "e", "f"]


def test_all_bad_is_an_error_that_names_the_first(model, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(ImageError, match=r"none of the 2 items.*'a\.png'"):
        convviz.analyze(model, tmp_path, Spy(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Data sets


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
    convviz.analyze(model, tmp_path, "neighbors", tmp_path / "run", k=1)
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
    given = {
        "folder": str(tmp_path),
        "paths": [str(paths[0]), *paths[1:]],
        "array": data,
        "tensor": torch.from_numpy(data),
        "pair": (data, ["b", "a", "b"]),
        "torch": TorchData(),
        "own": as_dataset(data),
    }
    for source in given.values():
        opened = as_dataset(source)
        assert len(opened.ids) == 3
        for i in range(3):
            assert np.array_equal(opened.load(i), data[i])
    assert as_dataset(given["pair"]).labels == (1, 0, 1)
    assert as_dataset(given["pair"]).classes == ("a", "b")
    assert as_dataset(given["torch"]).labels == (0, 1, 0)
    assert as_dataset(given["torch"]).classes == ("no", "yes")
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
    own = dataclasses.replace(dataset, labels=(0, None), classes=("a",))
    with pytest.raises(ParameterError, match=words):
        convviz.plugin.sources.as_dataset(dataclasses.replace(own, **given))


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


# The run folder


def test_the_run_folder_and_its_way_back(model, tmp_path):
    data = (photos(3), [0, 1, 0])
    run = convviz.analyze(model, data, Spy(), tmp_path / "run", batch_size=2)
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["model"]["weights_hash"] == model.weights_hash
    assert record["dataset"]["count"] == 3
    assert record["explainers"]["spy"]["layers"] == ["0", "1"]
    assert record["batch_size"] == 2
    assert set(record["versions"]) >= {"convviz", "torch", "torchvision"}
    again = convviz.open_run(tmp_path / "run")
    assert again.items == run.items
    assert [item.label for item in again.items] == [0, 1, 0]
    assert again["spy"]["0"].equals(run["spy"]["0"])
    leaf = convviz.load(tmp_path / "run" / "results" / "spy" / "1")
    assert torch.equal(leaf.values, run["spy"]["1"].values)
    assert leaf.layer == "1"
    assert [item.id for item in leaf.items] == ["0", "1", "2"]


def test_the_same_run_twice_gives_the_same_bytes(model, tmp_path):
    for name in ("a", "b"):
        convviz.analyze(model, (photos(9), [0, 1, 2] * 3), ["neighbors", "embedding"],
                        tmp_path / name, batch_size=4)  # fmt: skip
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) >= 9
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_single_layer_is_had_directly(model, tmp_path):
    run = convviz.analyze(model, photos(2), Spy(layers=("1",)), tmp_path / "one")
    assert torch.equal(run["spy"].values, run["spy"]["1"].values)
    assert run["spy"].layer == "1"
    two = convviz.analyze(model, photos(2), Spy(), tmp_path / "two")
    assert [(name, one.layer) for name, one in two["spy"].items()] == [("0", "0"), ("1", "1")]
    assert list(two["spy"]) == list(two["spy"].keys()) == ["0", "1"]
    assert "spy" in two
    assert "2" not in two["spy"]
    with pytest.raises(ConvvizError, match="choose one: 0, 1"):
        _ = two["spy"].values
    with pytest.raises(AttributeError):
        _ = run["spy"].nonsense
    with pytest.raises(UnknownNameError, match="'1'"):
        run["spy"]["2"]
    name = next(iter(run["spy"].only.result.arrays))
    with pytest.raises(
        ConvvizError, match=rf"is an array of spy, not a layer: \['1'\]\['{name}'\]"
    ):
        run["spy"][name]
    with pytest.raises(UnknownNameError, match="'spy'"):
        run["patches"]


def test_nothing_is_overwritten_unasked(model, tmp_path):
    out = tmp_path / "run"
    first = convviz.analyze(model, photos(2), Spy(), out)
    kept = first["spy"]["0"].values
    with pytest.raises(ParameterError, match="overwrite=True"):
        convviz.analyze(model, photos(3), Spy(), out)
    with pytest.raises(PluginError):
        convviz.analyze(model, photos(3), Unfinished(), out, overwrite=True)
    assert torch.equal(convviz.open_run(out)["spy"]["0"].values, kept)
    (out / "my notes.txt").write_text("keep me")
    convviz.analyze(model, photos(3), Other(), out, overwrite=True)
    assert convviz.open_run(out).explainers == ("other",)
    assert (out / "my notes.txt").read_text() == "keep me"
    assert sorted(os.listdir(tmp_path)) == ["run"]


class Unfinished(Spy):
    """Fails at the very end."""

    def finish(self, model, partials, items, needs):
        raise ValueError("not done")


def test_other_peoples_folders_are_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ParameterError, match="other files"):
            convviz.analyze(model, photos(2), Spy(), tmp_path, overwrite=overwrite)
    with pytest.raises(ParameterError, match="is a file"):
        convviz.analyze(model, photos(2), Spy(), tmp_path / "thesis.tex")
    (tmp_path / "empty").mkdir()
    convviz.analyze(model, photos(2), Spy(), tmp_path / "empty")
    with pytest.raises(ConvvizError, match="not a run folder"):
        convviz.open_run(tmp_path)


@pytest.mark.parametrize("move", [1, 2, 3, 4, 5])
def test_a_failed_move_is_made_up_for(model, tmp_path, monkeypatch, move):
    out = tmp_path / "run"
    former = convviz.analyze(model, photos(2), Spy(), out)["spy"]["0"].values
    rename, moves = Path.rename, []

    def stubborn(self, target):
        if self.parent in (out / ".convviz-sweep", out / ".convviz-sweep" / "done"):
            moves.append(self)
            if len(moves) == move:
                raise OSError("moved away")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(OSError, match="moved away"):
        convviz.analyze(model, photos(3), Spy(), out, overwrite=True)
    monkeypatch.undo()
    run = convviz.open_run(out)
    assert len(run["spy"]["0"].values) == len(run.items) == (2 if move == 1 else 3)
    if move == 1:
        assert torch.equal(run["spy"]["0"].values, former)
        convviz.analyze(model, photos(3), Spy(), out)
    assert len(convviz.open_run(out).items) == 3
    assert sorted(os.listdir(out)) == ["index.html", "items.parquet", "results", "run.json",
                                       "skipped.parquet"]  # fmt: skip


@pytest.mark.parametrize(
    "layer",
    ["layer4.1", "features.3/relu:2", "", "%", "a%2Fb", "..", ".hidden", "trailing.", "日本", "~x"],
)
def test_layer_names_become_folder_names_and_back(layer, tmp_path):
    folder = folder_name(layer)
    assert layer_name(folder) == layer
    (tmp_path / folder).mkdir()
    assert [p.name for p in tmp_path.iterdir()] == [folder]


def test_layers_with_slashes_are_kept(model, tmp_path):
    class Slashed(Spy):
        def finish(self, model, partials, items, needs):
            one = Table(torch.ones(1, 1))
            return {"block/relu:2": one, "block": one}

    run = convviz.analyze(model, photos(2), Slashed(), tmp_path / "run")
    assert list(run["slashed"]) == ["block", "block/relu:2"]
    assert run["slashed"]["block/relu:2"].layer == "block/relu:2"


def test_layers_are_listed_in_the_order_of_the_network(tmp_path):
    names = ["stem", *(f"{stage}.{i}" for stage in ("deep", "b") for i in range(11)), "out"]

    stages = {stage: nn.Sequential(*(nn.ReLU() for _ in range(11))) for stage in ("deep", "b")}
    head = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    module = nn.Sequential()
    for name, child in {"stem": nn.Conv2d(3, 2, 3), **stages, "out": head}.items():
        module.add_module(name, child)
    module(torch.zeros(1, 3, 8, 8))
    small = convviz.Model(module, preprocess=convviz.Preprocess(resize=8, crop=8))
    out = tmp_path / "run"
    run = convviz.analyze(small, photos(2), "statistics", out, layers=names)
    assert list(run["statistics"]) == names
    page = (out / "index.html").read_text("utf-8")
    places = [page.index(f"results/statistics/{name}/") for name in names if name.startswith("b.")]
    assert places == sorted(places)
