"""neighbors, against brute force in float64, in analyze() and in explain() with a run."""

from __future__ import annotations

import warnings

import faiss
import numpy as np
import pytest
import torch
from torch import nn

import convviz
import convviz.authoring
from convviz import ParameterError, Table, UnknownNameError
from convviz.authoring import Features, Pixels
from convviz_plugins.shared import vectors as space

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Swept:
    """Items as `finish` sees them."""

    def __init__(self, count, labels=None, classes=()):
        self.ids = tuple(f"item {i}" for i in range(count))
        self.labels = tuple(labels) if labels is not None else (None,) * count
        self.classes = tuple(classes)

    def __len__(self):
        return len(self.ids)


def finish(vectors, labels=None, pictures=None, classes=("a", "b", "c"), **params):
    """Run neighbors on given vectors `[n, d]`."""
    vectors = torch.as_tensor(vectors)
    if pictures is None:
        pictures = noise(len(vectors))
    shown = Table(convviz.authoring.pixel_vectors(pictures), arrays={"thumbnails": pictures})
    explainer = convviz.explainer("neighbors", **params)
    needs = ({"layer": Table(vectors)}, {"": shown})
    items = Swept(len(vectors), labels, classes if labels is not None else ())
    return explainer.finish(None, iter(()), items, needs)["layer"]


def noise(count, side=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, side, side, 3), generator=generator, dtype=torch.uint8)


def vectors(count, length=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


def brute_force(x, k, metric="l2"):
    """Return the k nearest others of each row, from the table of all pairs."""
    x = np.asarray(x, dtype=np.float64)
    if metric == "l2":
        far = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
    else:
        length = np.sqrt((x * x).sum(axis=1))
        far = 1 - (x @ x.T) / (length[:, None] * length[None])
    np.fill_diagonal(far, np.inf)
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(far, order, axis=1), order


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("count", [9, 70])
def test_equals_brute_force(metric, count):
    x = vectors(count)
    result = finish(x, k=5, metric=metric)
    distances, indices = brute_force(x, 5, metric)
    assert np.array_equal(result["indices"].numpy(), indices)
    assert np.abs(result.values.numpy() - distances).max() < 1e-6
    assert result.values.dtype == torch.float32


def test_pixel_neighbours_equal_brute_force():
    pictures = noise(12)
    result = finish(vectors(12), pictures=pictures, k=4)
    distances, indices = brute_force(pictures.double().flatten(1).numpy() / 255, 4)
    assert np.array_equal(result["pixel_indices"].numpy(), indices)
    assert np.abs(result["pixel_distances"].numpy() - distances).max() < 1e-5
    assert torch.equal(result["thumbnails"], pictures)


def test_self_is_left_out_and_duplicates_stay():
    x = vectors(6)
    x[4] = x[1]
    result = finish(x, k=2)
    assert result["indices"][1, 0] == 4
    assert result["indices"][4, 0] == 1
    assert result.values[1, 0] == 0
    assert (result["indices"] != torch.arange(6)[:, None]).all()


def test_many_duplicates_are_neighbours_of_each_other():
    result = finish(np.ones((30, 3), np.float32), k=3)
    assert (result.values == 0).all()
    assert (result["indices"] != torch.arange(30)[:, None]).all()
    assert all(len(set(row)) == 3 for row in result["indices"].tolist())


def test_close_vectors_far_from_the_origin_keep_their_order():
    x = (1000 + np.arange(8, dtype=np.float32) ** 2 / 64)[:, None] * np.ones((1, 4), np.float32)
    result = finish(x, k=3)
    assert np.array_equal(result["indices"].numpy(), brute_force(x, 3)[1])


def test_vectors_that_are_not_finite_are_left_out_and_named():
    x = vectors(9)
    x[2, 0], x[5, 3] = np.nan, np.inf
    result = finish(x, k=3)
    good = [0, 1, 3, 4, 6, 7, 8]
    distances, indices = brute_force(x[good], 3)
    assert np.array_equal(result["indices"][good].numpy(), np.array(good)[indices])
    assert np.abs(result.values[good].numpy() - distances).max() < 1e-6
    assert (result["indices"][[2, 5]] == -1).all()
    assert torch.isnan(result.values[[2, 5]]).all()
    assert result["rows"].tolist() == good
    assert "2 of 9 images ('item 2', 'item 5')" in result.notes[0]


def test_vectors_without_direction_are_left_out_for_cosine_only():
    x = vectors(5)
    x[3] = 0
    assert (finish(x, k=2, metric="cosine")["indices"][3] == -1).all()
    assert (finish(x, k=2)["indices"][3] >= 0).all()


def test_fewer_images_than_k():
    result = finish(vectors(4), k=8)
    assert result.values.shape == (4, 3)
    assert any("fewer than k=8" in note for note in result.notes)
    with pytest.raises(ParameterError, match="two images"):
        finish(vectors(1))
    with pytest.raises(ParameterError, match="0 of 3 have"):
        finish(np.full((3, 2), np.nan, np.float32))


def test_precision_counts_neighbours_of_the_same_class():
    x = np.array([[0], [1], [3], [10], [11], [13]], np.float32)
    result = finish(x, labels=[0, 0, 1, 1, 1, 2], k=2)
    # neighbours: 0:(1,2) 1:(0,2) 2:(1,0) 3:(4,5) 4:(3,5) 5:(4,3)
    assert result.measures["precision@2"] == pytest.approx((0.5 + 0.5 + 0 + 0.5 + 0.5 + 0) / 6)
    # of 5 others: 1, 1, 2, 2, 2, 0 have the same label
    assert result.measures["precision of chance"] == pytest.approx((1 + 1 + 2 + 2 + 2 + 0) / 30)
    assert 0 <= result.measures["precision@2 of pixels"] <= 1
    assert result["labels"].tolist() == [0, 0, 1, 1, 1, 2]
    assert not any("precision" in name for name in finish(x, k=2).measures)


def test_items_without_label_do_not_count():
    x = np.array([[0], [1], [2], [10]], np.float32)
    result = finish(x, labels=[0, None, 0, 1], k=2)
    # 0:(1,2) -> 1 of 1; 1 has no label; 2:(1,0) -> 1 of 1; 3:(2,1) -> 0 of 1
    assert result.measures["precision@2"] == pytest.approx(2 / 3)
    assert result["labels"].tolist() == [0, -1, 0, 1]


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_approximate_indexes_report_their_recall(kind, metric):
    x = vectors(600, 4)
    result = finish(x, index=kind, metric=metric, k=5)
    _, truth = brute_force(x, 5, metric)
    pairs = zip(result["indices"].tolist(), truth.tolist(), strict=True)
    share = np.mean([len(set(a) & set(b)) / 5 for a, b in pairs])
    assert result.measures["recall@5"] == pytest.approx(share, abs=1e-3)
    assert result.measures["recall@5"] > 0.7
    assert result.measures["recall measured on"] == 600
    again = finish(x, index=kind, metric=metric, k=5)
    assert again.files["index.faiss"] == result.files["index.faiss"]
    assert torch.equal(again["indices"], result["indices"])
    kinds = {"ivf": faiss.IndexIVFFlat, "hnsw": faiss.IndexHNSWFlat}
    stored = faiss.deserialize_index(np.frombuffer(result.files["index.faiss"], np.uint8))
    assert isinstance(stored, kinds[kind])


def test_the_index_file_holds_the_vectors_that_were_compared():
    x = vectors(7)
    x[3] = np.nan
    result = finish(x, k=2)
    index = faiss.deserialize_index(np.frombuffer(result.files["index.faiss"], np.uint8))
    assert np.array_equal(index.reconstruct_n(0, 6), x[result["rows"].numpy()])


def test_wrong_parameters():
    for name, value in [("k", 0), ("metric", "l3"), ("pool", "sum"), ("thumbnail", 1)]:
        with pytest.raises(ParameterError, match=name):
            convviz.explainer("neighbors", **{name: value})
    with pytest.raises(ParameterError, match="flat, ivf, hnsw"):
        finish(vectors(5), index="some/run")


def test_what_is_needed_is_shared_with_embedding():
    needs = convviz.explainer("neighbors").needs()
    assert needs == convviz.explainer("embedding").needs()
    assert needs == (Features(), Pixels(size=64))


# Features and Pixels


@pytest.mark.parametrize(
    ("pool", "by_hand"),
    [
        ("avg", lambda a: a.mean((2, 3))),
        ("max", lambda a: a.amax((2, 3))),
        ("flatten", lambda a: a.reshape(len(a), -1)),
    ],
)
def test_features_pool_a_layer(pool, by_hand):
    from convviz.plugin.dataset_features import pool_positions

    maps = torch.randn(3, 5, 4, 2, dtype=torch.float64)
    assert torch.allclose(pool_positions(maps, pool), by_hand(maps), rtol=0, atol=1e-12)
    assert torch.equal(pool_positions(maps[:, :, 0, 0], pool), maps[:, :, 0, 0])
    tokens = torch.randn(2, 7, 3)
    expected = {"avg": tokens.mean(1), "max": tokens.amax(1), "flatten": tokens.flatten(1)}
    assert torch.equal(pool_positions(tokens, pool), expected[pool])
    assert pool_positions(maps.half(), pool).dtype == torch.float32


def test_flattened_features_of_different_sizes_are_refused():
    explainer = Features(pool="flatten")
    with pytest.raises(ParameterError, match="pool='flatten'"):
        explainer.merge(
            {"a": {"vectors": torch.zeros(2, 8)}}, {"a": {"vectors": torch.zeros(1, 6)}}
        )


def test_pictures_are_means_of_areas():
    from convviz.plugin.dataset_features import make_thumbnails

    photo = noise(2, side=16)
    small = make_thumbnails(photo, 8)
    blocks = photo.double().view(2, 8, 2, 8, 2, 3).mean((2, 4))
    assert (small.double() - blocks).abs().max() <= 0.5 + 1e-6
    large = make_thumbnails(photo, 32)
    assert torch.equal(large, photo.repeat_interleave(2, 1).repeat_interleave(2, 2))


# In a run


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 3),
    )  # fmt: skip
    return convviz.Model(net, preprocess=convviz.Preprocess(resize=16, crop=16), name="tiny")


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(model, photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return convviz.analyze(model, (photos, [0, 1, 2] * 4), "neighbors", out, k=3)


def test_a_run_finds_the_neighbours_of_its_own_features(model, photos, run):
    with torch.no_grad():
        x = model.module[:-1](torch.stack([model.preprocess(p) for p in photos]))
    distances, indices = brute_force(x.numpy(), 3)
    assert np.array_equal(run["neighbors"].only["indices"].numpy(), indices)
    assert np.abs(run["neighbors"].values.numpy() - distances).max() < 1e-5


def test_what_is_found_is_named(model, photos, run, tmp_path):
    result = convviz.explain(model, photos[[5, 0]], "neighbors", index=run.folder, k=4)
    matches = run["neighbors"].only.result
    assert [len(item) for item in result.result.found] == [4, 4]
    for query, row in enumerate(result["indices"].tolist()):
        for rank, (index, item) in enumerate(zip(row, result.result.found[query], strict=True)):
            assert item["id"] == run.items[index].id
            assert item["distance"] == pytest.approx(float(result.values[query, rank]), rel=1e-6)
            label = run.items[index].label
            assert item.get("class") == (None if label is None else matches.classes[label])
    text = result.describe()
    for item in result.result.found[0]:
        assert f"{item['distance']:<9.4g} {item['id']}" in text
    assert text.count("nearest to ") == 2
    result.save(tmp_path / "leaf")
    assert convviz.load(tmp_path / "leaf").result.found == result.result.found


def test_memory_that_is_read_only_is_measured_without_a_warning():
    x = vectors(9).astype(np.float32)
    x.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distances, rows = space.neighbours(space.prepare(x, "l2"), 2)
    expected = np.linalg.norm(x[:, None].astype(float) - x[rows].astype(float), axis=2)
    np.testing.assert_allclose(distances, expected)


def test_an_image_is_looked_up_in_a_run(model, photos, run):
    result = convviz.explain(model, photos[[5, 0]], "neighbors", index=run.folder, k=4)
    assert result.values.shape == (2, 4)
    assert result["indices"][:, 0].tolist() == [5, 0]
    assert result["pixel_indices"][:, 0].tolist() == [5, 0]
    assert result.values[:, 0].abs().max() < 1e-4
    stored = run["neighbors"].only["indices"]
    assert torch.equal(result["indices"][:, 1:], stored[[5, 0]])
    assert torch.equal(
        result["pixel_indices"][:, 1:], run["neighbors"].only["pixel_indices"][[5, 0]]
    )
    assert result.layer == run["neighbors"].layer
    assert len(result.pictures()) == 1


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_a_run_with_an_approximate_index_is_looked_up(model, photos, tmp_path, kind):
    out = tmp_path / "run"
    convviz.analyze(model, photos, "neighbors", out, index=kind, metric="cosine", k=2)
    result = convviz.query(convviz.open_run(out, model), photos[7], k=1)
    assert result["indices"].tolist() == [[7]]
    assert float(result.values) < 1e-5


def test_query_needs_the_same_model(model, photos, run):
    assert convviz.query(run, photos[3], k=1)["indices"].tolist() == [[3]]
    opened = convviz.open_run(run.folder)
    with pytest.raises(ParameterError, match="the model of the run"):
        convviz.query(opened, photos[3])
    assert convviz.query(opened, photos[3], k=1, model=model)["indices"].tolist() == [[3]]
    other = convviz.Model(
        nn.Sequential(*model.module[:-1], nn.Linear(6, 3)), preprocess=model.preprocess
    )
    with pytest.raises(ParameterError, match="other weights"):
        convviz.query(opened, photos[3], model=other)


def test_a_run_loads_its_model_again(tmp_path):
    digits = convviz.open_dataset("demo-digits:?limit=20")
    convviz.analyze("demo-digits", digits, "neighbors", tmp_path / "run")
    run = convviz.open_run(tmp_path / "run")
    assert run.plan["model"]["source"] == "demo-digits"
    assert convviz.query(run, digits.load(7), k=2)["indices"][0, 0] == 7
    run.plan["model"]["weights_hash"] = "other"
    assert convviz.query(run, digits.load(3), k=1)["indices"].tolist() == [[3]]  # it is loaded once


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"weights_hash": "0" * 64}, "other weights than"),
        ({"source": "python:os:system"}, "the model of the run"),
        ({"source": ""}, "the model of the run"),
    ],
)
def test_a_run_does_not_take_another_model_for_its_own(tmp_path, saved, message):
    digits = convviz.open_dataset("demo-digits:?limit=12")
    convviz.analyze("demo-digits", digits, "neighbors", tmp_path / "run")
    run = convviz.open_run(tmp_path / "run")
    run.plan["model"].update(saved)
    with pytest.raises(ParameterError, match=message):
        convviz.query(run, digits.load(3))


def test_a_query_that_contradicts_the_run_is_refused(model, photos, run):
    with pytest.raises(ParameterError, match="metric='cosine'"):
        convviz.explain(model, photos[0], "neighbors", index=run.folder, metric="cosine")
    with pytest.raises(ParameterError, match="layers="):
        convviz.explain(model, photos[0], "neighbors", index=run.folder, layers=["0"])
    with pytest.raises(UnknownNameError, match="0/nothing"):
        convviz.explain(model, photos[0], "neighbors", index=run.folder, layers=["0/nothing"])
    with pytest.raises(convviz.ConvvizError, match="not a run folder"):
        convviz.explain(model, photos[0], "neighbors", index=str(run.folder / "results"))


def test_rough_neighbours_are_the_nearest_others():
    x = np.concatenate([vectors(60), np.zeros((30, 6), np.float32)])
    distances, rows = space.rough_neighbours(x, 7)
    assert (rows != np.arange(90)[:, None]).all()
    expected, _ = brute_force(x, 7)
    unit = np.abs(x - x.mean(axis=0)).max()
    np.testing.assert_allclose(np.sort(distances, axis=1), expected / unit, atol=1e-3)
