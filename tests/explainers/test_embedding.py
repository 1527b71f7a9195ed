"""embedding: the map, its measures, its grid, and the cases at the edge."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import convviz
from convviz import ParameterError, Table
from convviz_plugins.explainers.embedding import explainer as embedding
from convviz_plugins.explainers.embedding.grid import grid_cells
from convviz_plugins.explainers.embedding.quality import knn_accuracy


class Swept:
    """Items as `finish` sees them."""

    def __init__(self, count, labels=None):
        self.ids = tuple(f"item {i}" for i in range(count))
        self.labels = tuple(labels) if labels is not None else (None,) * count
        self.classes = ("a", "b", "c") if labels is not None else ()

    def __len__(self):
        return len(self.ids)


def finish(vectors, labels=None, **params):
    """Run embedding on given vectors `[n, d]`."""
    vectors = torch.as_tensor(vectors)
    pictures = torch.zeros(len(vectors), 8, 8, 3, dtype=torch.uint8)
    needs = ({"layer": Table(vectors)}, {"": Table(vectors, arrays={"thumbnails": pictures})})
    explainer = convviz.explainer("embedding", **params)
    return explainer.finish(None, iter(()), Swept(len(vectors), labels), needs)["layer"]


def clusters(each=20, length=12, seed=0):
    """Return three clouds far apart, `[3 * each, length]`, and their labels."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, length)) * 10
    labels = np.repeat(np.arange(3), each)
    noise = rng.normal(size=(3 * each, length))
    return (centres[labels] + noise).astype(np.float32), labels.tolist()


def apart(points, labels):
    """Return the least distance between classes over the largest within one."""
    points, labels = np.asarray(points, float), np.asarray(labels)
    far = np.linalg.norm(points[:, None] - points[None], axis=2)
    same = labels[:, None] == labels[None]
    middles = [points[labels == i].mean(axis=0) for i in range(3)]
    between = min(np.linalg.norm(a - b) for a, b in itertools.combinations(middles, 2))
    return between / np.median(far[same])


def test_tsne_keeps_clusters_apart_and_says_how_well():
    x, labels = clusters()
    result = finish(x, labels, perplexity=10)
    assert result.values.shape == (60, 2)
    assert result.values.dtype == torch.float32
    assert apart(result.values, labels) > 2
    assert result.measures["5-NN accuracy in the map"] == 1
    assert result.measures["5-NN accuracy of features"] == 1
    assert result.measures["trustworthiness"] > 0.85
    assert result.measures["KL divergence"] > 0
    assert result.measures["perplexity"] == 10
    assert result.axes == ("t-SNE 1", "t-SNE 2")
    assert result["labels"].tolist() == labels


def test_the_kl_divergence_is_that_of_the_points():
    x = np.random.default_rng(2).normal(size=(31, 12)).astype(np.float32)
    result = finish(x, perplexity=10)  # all others are neighbours: nothing is left out
    y = result.values.double().numpy()
    p = joint_probabilities(x.astype(np.float64), 10)
    q = 1 / (1 + ((y[:, None] - y[None]) ** 2).sum(axis=2))
    np.fill_diagonal(q, 0)
    q /= q.sum()
    exists = p > 0
    kl = float((p[exists] * np.log(p[exists] / q[exists])).sum())
    assert result.measures["KL divergence"] == pytest.approx(kl, rel=0.03)


def joint_probabilities(x, perplexity):
    """Return t-SNE's symmetric affinities, the width of each row found by bisection."""
    far = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    p = np.zeros_like(far)
    for i in range(len(x)):
        others = np.delete(far[i], i)
        low, high = 1e-12, 1e6
        for _ in range(200):
            beta = np.sqrt(low * high)
            row = np.exp(-(others - others.min()) * beta)
            row /= row.sum()
            entropy = -(row * np.log(np.maximum(row, 1e-300))).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        p[i, np.arange(len(x)) != i] = row
    return (p + p.T) / (2 * len(x))


def test_pca_equals_the_singular_vectors():
    x, _ = clusters(each=5, length=4)
    result = finish(x, method="pca")
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (u * s)[:, :2] / np.abs(centred).max()
    sign = np.sign((expected * result.values.numpy()).sum(axis=0))
    assert np.abs(result.values.numpy() - expected * sign).max() < 1e-5
    share = float((s[:2] ** 2).sum() / (s**2).sum())
    assert result.measures["explained variance"] == pytest.approx(share)
    assert "of variance" in result.axes[0]
    assert "KL divergence" not in result.measures


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    x, labels = clusters(each=12)
    a, b = finish(x, labels), finish(x, labels)
    assert a.values.numpy().tobytes() == b.values.numpy().tobytes()
    assert a.measures == b.measures
    assert torch.equal(a["cells"], b["cells"])
    assert not torch.equal(finish(x, seed=1).values, a.values)


def test_a_perplexity_that_is_too_large_is_lowered_and_said():
    x, _ = clusters(each=4)
    result = finish(x, perplexity=30)
    assert result.measures["perplexity"] == pytest.approx(11 / 3)
    assert any("Perplexity 30 is too large for 12 images" in note for note in result.notes)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_images_are_laid_out_by_pca(count):
    x, _ = clusters()
    result = finish(x[:count])
    assert result.values.shape == (count, 2)
    assert torch.isfinite(result.values).all()
    assert len({tuple(cell) for cell in result["cells"].tolist()}) == count
    if count > 1:
        assert any("at least 5 images" in note for note in result.notes)


def test_five_images_are_enough_for_tsne():
    result = finish(clusters()[0][::12])
    assert result.axes[0] == "t-SNE 1"
    assert torch.isfinite(result.values).all()


def test_equal_features_are_laid_out_in_one_place():
    result = finish(np.full((9, 4), 3, np.float32), [0, 1, 2] * 3)
    assert (result.values == 0).all()
    assert any("All features are equal" in note for note in result.notes)
    assert len({tuple(cell) for cell in result["cells"].tolist()}) == 9


def test_a_constant_feature_and_duplicates_do_no_harm():
    x, labels = clusters(each=6)
    x[:, 3] = 7
    x[1] = x[0]
    result = finish(x, labels)
    assert torch.isfinite(result.values).all()


def test_one_feature_is_enough():
    for method in ("tsne", "pca"):
        result = finish(np.arange(12, dtype=np.float32)[:, None], method=method)
        assert result.values.shape == (12, 2)
        assert torch.isfinite(result.values).all()


def test_vectors_that_are_not_finite_are_left_out_and_named():
    x, labels = clusters(each=5)
    x[4, 2] = np.nan
    result = finish(x, labels)
    assert torch.isnan(result.values[4]).all()
    assert result["cells"][4].tolist() == [-1, -1]
    rest = np.delete(np.arange(15), 4)
    assert torch.isfinite(result.values[rest]).all()
    assert "1 of 15 images ('item 4')" in result.notes[0]
    with pytest.raises(ParameterError, match="none of the 3"):
        finish(np.full((3, 2), np.inf, np.float32))


def test_huge_and_tiny_features_do_not_overflow():
    x, _ = clusters(each=5)
    for scale in (1e12, 1e-12):
        assert torch.isfinite(finish(x * np.float32(scale)).values).all()


# The grid


def test_the_grid_is_the_best_assignment():
    points = np.random.default_rng(3).normal(size=(6, 2))
    cells = grid_cells(points)
    unit = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    unit[:, 1] = 1 - unit[:, 1]  # y goes up in the map, rows go down

    def cost(order):
        places = [((c + 0.5) / 3, (r + 0.5) / 2) for r, c in order]
        return sum(np.sum((u - p) ** 2) for u, p in zip(unit, places, strict=True))

    every = itertools.permutations([(r, c) for r in range(2) for c in range(3)])
    best = min(cost(order) for order in every)
    assert cost(cells.tolist()) == pytest.approx(best)


def test_every_point_has_a_cell_of_its_own():
    points = np.random.default_rng(0).normal(size=(50, 2))
    cells = grid_cells(points)
    assert len({tuple(cell) for cell in cells.tolist()}) == 50
    assert cells.min() == 0
    assert cells.max() <= 7


def test_many_points_snap_to_the_nearest_cell(monkeypatch):
    monkeypatch.setattr("convviz_plugins.explainers.embedding.grid.ASSIGNED_UP_TO", 10)
    monkeypatch.setattr("convviz_plugins.explainers.embedding.grid.SNAP_SIDE", 4)
    points = np.random.default_rng(0).uniform(size=(200, 2))
    cells = grid_cells(points)
    shown = np.flatnonzero(cells[:, 0] >= 0)
    assert len(shown) == 16
    unit = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    for i in shown:
        r, c = cells[i]
        off = np.linalg.norm(unit * 4 - np.array([c + 0.5, 4 - r - 0.5]), axis=1)
        assert off[i] == off.min()


def test_a_grid_that_leaves_images_out_says_so(monkeypatch):
    monkeypatch.setattr("convviz_plugins.explainers.embedding.grid.ASSIGNED_UP_TO", 10)
    monkeypatch.setattr("convviz_plugins.explainers.embedding.grid.SNAP_SIDE", 3)
    result = finish(clusters()[0], method="pca")
    shown = int((result["cells"][:, 0] >= 0).sum())
    assert 3 <= shown <= 9
    assert any(f"shows {shown} of 60 images" in note for note in result.notes)


# The measures


def test_knn_accuracy_leaves_the_item_itself_out():
    x = np.array([[0.0], [1], [2], [10], [11], [12], [3]])
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    measures = knn_accuracy(x, x, labels)
    assert measures["5-NN accuracy in the map"] == pytest.approx(vote(x, labels))
    assert knn_accuracy(x, x, np.full(7, -1)) == {}
    assert knn_accuracy(x, x, np.zeros(7, int)) == {}
    assert knn_accuracy(x, x, np.arange(7)) == {}


def vote(x, labels, count=5):
    right = 0
    for i in range(len(x)):
        others = sorted((abs(float(x[i, 0] - x[j, 0])), j) for j in range(len(x)) if j != i)
        votes = [int(labels[j]) for _, j in others[:count]]
        right += max(sorted(set(votes)), key=votes.count) == labels[i]
    return right / len(x)


def test_items_without_label_do_not_count():
    x, labels = clusters(each=6)
    labels[0] = None
    result = finish(x, labels)
    assert result["labels"][0] == -1
    assert result.measures["5-NN accuracy of features"] == 1


def test_wrong_parameters():
    for name, value in [("method", "umap"), ("perplexity", 0.5), ("seed", -1), ("pool", "sum")]:
        with pytest.raises(ParameterError, match=name):
            convviz.explainer("embedding", **{name: value})


def test_progress_is_reported():
    class Reporter:
        """Counts what it is told."""

        def __init__(self):
            self.totals, self.steps = {}, {}

        def add_task(self, description, *, total):
            self.totals[description] = total
            self.steps[len(self.totals)] = 0
            return len(self.totals)

        def advance(self, task_id, advance):
            self.steps[task_id] += advance

        def remove_task(self, task_id):
            pass

    from convviz.progress import report_progress_to

    reporter = Reporter()
    with report_progress_to(reporter):
        finish(clusters(each=5)[0])
    assert reporter.totals == {"t-SNE": 32}
    assert reporter.steps == {1: 32}


@pytest.mark.parametrize(("count", "length"), [(5000, 60), (40, 60), (60, 4)])
def test_components_are_those_of_the_singular_value_decomposition(count, length):
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(count, length)) * np.linspace(5, 0.1, length) + 7).astype(np.float32)
    scores, shares = embedding.principal(x, 0)
    centred = x - x.mean(0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[: scores.shape[1]].T
    ratio = np.abs(expected).max() / np.abs(scores).max()
    stored = sizes[: scores.shape[1]] > 1e-3
    np.testing.assert_allclose(
        np.abs(scores[:, stored]) * ratio, np.abs(expected[:, stored]), atol=1e-3 * ratio
    )
    np.testing.assert_allclose(shares, (sizes**2 / (sizes**2).sum())[: len(shares)], atol=1e-6)
