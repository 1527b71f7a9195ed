"""analyze(): one shared sweep, bad files, and errors of explainers."""

from __future__ import annotations

import os

import pytest
import torch
from helpers.spy import Other, Spy, photos, tiny_model
from PIL import Image

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
from convviz.explanation.provenance import named
from convviz.plugin.sources import as_dataset
from convviz.sweep.plan import make_plan


@pytest.fixture
def model():
    return tiny_model()


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
    actual = run["spy"]
    assert list(actual) == ["0", "1"]
    assert torch.allclose(actual["0"].values, conv.sum((2, 3)), rtol=0, atol=1e-9)
    assert torch.allclose(actual["1"].values, conv.relu().sum((2, 3)), rtol=0, atol=1e-9)
    assert torch.allclose(actual["1"]["features"], conv.relu().mean((2, 3)), rtol=0, atol=1e-12)
    assert actual["0"]["labels"].tolist() == labels
    assert torch.equal(actual["0"]["photo"], torch.from_numpy(data[4].mean(axis=2)))


def test_one_forward_pass_a_batch_and_equal_needs_swept_once(model, tmp_path):
    convviz.analyze(model, photos(5), Spy(), tmp_path / "first")  # also measures the network
    before = model.module.passes
    run = convviz.analyze(model, photos(5), [Spy(), Other()], tmp_path / "run", batch_size=2)
    assert model.module.passes == before + 3
    assert run.explainers == ("other", "predictions", "spy")
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


@pytest.mark.parametrize(
    ("partial", "message"),
    [
        ([], "not list"),
        ({"0/sum": torch.zeros(2)}, r"partial\['0/sum'\] is Tensor"),
        ({0: {"sum": torch.zeros(2)}}, r"partial\[0\]"),
        ({"0": {}}, r"partial\['0'\] is empty"),
        ({"0": {"sum": [1, 2]}}, r"partial\['0'\]\['sum'\] is list"),
        ({"0": {"sum": torch.zeros(2, device="meta")}}, r"partial\['0'\]\['sum'\] is on meta"),
    ],
)
def test_a_wrong_partial_is_a_plugin_error(model, tmp_path, partial, message):
    class Wrong(Spy):
        def reduce(self, model, batch, forward):
            return partial

    with pytest.raises(PluginError, match=message):
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
    assert run.explainers == ("predictions", "spy")
    assert "nothing to see" in run.plan["failed"]["broken"]
    with pytest.raises(ConvvizError, match=r"finished except for broken.*nothing to see"):
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

    actual = sweep(model, Half(), Spy(), 2, 3, tmp_path / "run")["spy"]["0"]
    assert actual.values.shape == (3, 4)
    assert [item.id for item in actual.items] == ["d", "e", "f"]


def test_all_bad_is_an_error_that_names_the_first(model, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(ImageError, match=r"none of the 2 items.*'a\.png'"):
        convviz.analyze(model, tmp_path, Spy(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Data sets
