"""Histogram and examples of `patches` over all images, against sorted activations."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from helpers.small_photos import AS_IT_IS, Photos, batches, coarse, network

import convviz
import convviz.authoring
from convviz import Model, Result, Tiles
from convviz.authoring import Partial
from convviz_plugins.explainers.patches.weights import weight_neighbors

LAYER = "3"
SHARES = (0.001, 0.01, 0.1, 0.5, 1.0)


def photos_with_ties(count: int) -> np.ndarray:
    return coarse(count, seed=3)


def shards(model: Model, photos: np.ndarray, cuts: list[list[int]]) -> list[Partial]:
    """Reduce batches of these sizes; each list of sizes is merged to one shard."""
    patches = convviz.explainer("patches", layers=(LAYER,), k=2, draw=0)
    parts = iter(batches(model, photos, [size for cut in cuts for size in cut]))
    merged = []
    for cut in cuts:
        reduced = []
        for _ in cut:
            batch = next(parts)
            reduced.append(patches.reduce(model, batch, model.forward(batch.images, (LAYER,))))
        merged.append(functools.reduce(patches.merge, reduced))
    return merged


def finished(model: Model, photos: np.ndarray, partials: list[Partial]) -> Result:
    patches = convviz.explainer("patches", layers=(LAYER,), k=2, draw=0)
    return patches.finish(model, iter(partials), Photos(photos), ())[LAYER]


def peaks_of(model: Model, photos: np.ndarray) -> np.ndarray:
    """Return the highest value of every unit in every photo, `[C, N]`."""
    batch = convviz.authoring.make_batch(list(photos), model)
    return model.forward(batch.images, (LAYER,)).activations[LAYER].amax((2, 3)).detach().numpy().T


@pytest.mark.parametrize("count", [2, 41])
def test_counts_and_ranks_are_exact_however_the_images_are_divided(count: int) -> None:
    module, photos = network(dtype=torch.float32), photos_with_ties(count)
    model = Model(module, preprocess=AS_IT_IS)
    divisions = [[[count]], [[1] * count], [[1], [count - 1]], [[1, 1]] + [[1]] * (count - 2)]
    results = [finished(model, photos, shards(model, photos, cuts)) for cuts in divisions]
    for other in results[1:]:
        for name, array in results[0].arrays.items():
            if name.startswith(("peak_", "stratum_")):
                torch.testing.assert_close(array, other[name], rtol=1e-6, atol=1e-6, equal_nan=True)
    check_against_sorted(results[0], peaks_of(model, photos))


def check_against_sorted(result: Result, peaks: np.ndarray) -> None:
    count = peaks.shape[1]
    shown = min(3, count)
    for unit, values in enumerate(peaks):
        low, high = result["peak_range"][unit].tolist()
        assert (low, high) == (values.min(), values.max())
        expected, _ = np.histogram(values.astype(float), bins=48, range=(low, high))
        if low == high:
            expected = np.array([count] + [0] * 47)
        assert result["peak_histogram"][unit].tolist() == expected.tolist()
        order = sorted(range(count), key=lambda i: (-values[i], i))
        for stratum, share in enumerate(SHARES):
            ranks = result["stratum_ranks"][unit, stratum].tolist()
            items = result["stratum_items"][unit, stratum].tolist()
            assert [order[rank - 1] for rank in ranks[:shown]] == items[:shown]
            assert ranks[shown:] == items[shown:] == [-1] * (3 - shown)
            assert math.ceil(share * count) in ranks
            values_shown = result["stratum_values"][unit, stratum].tolist()
            assert values_shown[:shown] == [values[item] for item in items[:shown]]


def test_examples_have_the_place_of_their_value() -> None:
    model = Model(network(dtype=torch.float32), preprocess=AS_IT_IS)
    photos = photos_with_ties(12)
    result = finished(model, photos, shards(model, photos, [[12]]))
    batch = convviz.authoring.make_batch(list(photos), model)
    maps = model.forward(batch.images, (LAYER,)).activations[LAYER].detach()
    field = model.receptive_field(LAYER)
    for unit, stratum, rank in np.ndindex(*result["stratum_items"].shape):
        item = int(result["stratum_items"][unit, stratum, rank])
        y, x = result["stratum_positions"][unit, stratum, rank].tolist()
        assert maps[item, unit, y, x] == result["stratum_values"][unit, stratum, rank]
        assert tuple(result["stratum_boxes"][unit, stratum, rank].tolist()) == field.box(y, x)


def test_images_without_a_finite_value_do_not_count() -> None:
    patches = convviz.explainer("patches", layers=(LAYER,), k=2, draw=0)
    model = Model(network(dtype=torch.float32), preprocess=AS_IT_IS)
    photos = photos_with_ties(5)
    batch = convviz.authoring.make_batch(list(photos), model)
    forward = model.forward(batch.images, (LAYER,))
    forward.activations[LAYER][1, 0] = torch.nan
    forward.activations[LAYER][:, 1] = torch.inf
    result = patches.finish(
        model, iter([patches.reduce(model, batch, forward)]), Photos(photos), ()
    )[LAYER]
    assert result["peak_histogram"].sum(1).tolist() == [4, 0, *[5] * 4]
    assert 1 not in result["stratum_items"][0]
    assert (result["stratum_items"][1] == -1).all()
    assert result["peak_range"][1].isnan().all()


def test_shards_without_peaks_give_a_result_without_a_distribution() -> None:
    model = Model(network(dtype=torch.float32), preprocess=AS_IT_IS)
    photos = photos_with_ties(6)
    new = shards(model, photos, [[3], [3]])
    known = {name: t for name, t in new[1][LAYER].items() if not name.startswith("peaks")}
    old = {**new[1], LAYER: known}
    patches = convviz.explainer("patches", layers=(LAYER,), k=2, draw=0)
    for partials in ([new[0], old], [old, new[0]], [patches.merge(new[0], old)]):
        result = finished(model, photos, partials)
        assert isinstance(result, Tiles)
        assert not any(name.startswith(("peak_", "stratum_")) for name in result.arrays)
        assert result.values.isfinite().all()


def test_units_with_similar_weights_are_those_of_the_largest_cosine() -> None:
    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 9, 3), torch.nn.BatchNorm2d(9), torch.nn.ReLU())
    with torch.no_grad():
        block[0].weight[5] = 2 * block[0].weight[1]
        block[0].weight[7] = -3 * block[0].weight[1]
        block[1].weight[7] = -1
    head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = Model(torch.nn.Sequential(block, head).eval(), preprocess=AS_IT_IS)
    photos = photos_with_ties(3)
    patches = convviz.explainer("patches", layers=("0",), k=1, draw=0)
    batch = convviz.authoring.make_batch(list(photos), model)
    partial = patches.reduce(model, batch, model.forward(batch.images, ("0",)))
    result = patches.finish(model, iter([partial]), Photos(photos), ())["0"]
    assert result.measures["incoming weights"] == "0.0"
    assert result["weight_units"][1, :2].tolist() == [5, 7]
    torch.testing.assert_close(result["weight_cosines"][1, :2], torch.ones(2))
    weights = block[0].weight.detach().flatten(1).clone()
    weights[7] *= -1
    cosines = torch.nn.functional.cosine_similarity(weights[:, None], weights[None], dim=2)
    for unit, (units, values) in enumerate(
        zip(result["weight_units"], result["weight_cosines"], strict=True)
    ):
        known = units >= 0
        assert unit not in units
        torch.testing.assert_close(cosines[unit, units[known]], values[known], atol=1e-4, rtol=0)
        expected = cosines[unit].clone()
        expected[unit] = -1
        assert int((expected > 0.1).sum().clamp(max=6)) == int(known.sum())


class WithFunction(torch.nn.Module):
    """A convolution whose output goes through a function, before a layer of as many outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.relu(self.conv(x)).mean((2, 3)))


def test_the_output_of_a_function_has_no_weights() -> None:
    """Those of the last layer of the network would be other ones."""
    model = Model(WithFunction().eval())
    assert weight_neighbors(model, "relu", 4) is None
    for layer in ("conv", "conv:1"):
        neighbors = weight_neighbors(model, layer, 4)
        assert neighbors is not None
        assert neighbors.module == "conv"
