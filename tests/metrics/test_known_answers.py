"""Metrics give the known answers on networks and maps whose quality is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import convviz
from convviz.authoring import AttributionMap, ExplainedImage, MetricScores
from convviz_plugins.metrics._fills import rise_blur
from convviz_plugins.metrics._imputation import interpolate_removed
from convviz_plugins.metrics._segments import superpixels

SIDE = 16


class Linear(torch.nn.Module):
    """Two classes, of which the first is a linear function of the image."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, images):
        score = (images * self.weight).sum((1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], 1)


class OnePixel(torch.nn.Module):
    """Reads a single pixel."""

    def forward(self, images):
        score = 8 * images[:, :, 5, 9].sum(1) - 4
        return torch.stack([score, -score], 1)


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def explained(network, image, maps, **values):
    """Return the input of a metric for maps by name."""
    model = convviz.Model(network, dtype=torch.float64)
    (target,) = model.resolve(0, model.forward(image[None]))
    return ExplainedImage(
        id="image",
        model=model,
        image=image,
        pixels=values.pop("pixels", np.zeros((*image.shape[1:], 3), np.uint8)),
        target=target,
        maps=tuple(maps),
        forward=lambda images: model.forward(images).output,
        repeat=lambda images, model, other_seed: [],
        **values,
    )


def a_map(values, kind="rank", channels=None):
    values = np.asarray(values, dtype=np.float64)
    return AttributionMap("map", values, kind, kind != "rank", channels)


def score(name, image, **parameters):
    """Return the scores of all maps, suffix -> array."""
    returned = convviz.metric(name, **parameters).score(image)
    returned = returned if isinstance(returned, MetricScores) else MetricScores({"": returned})
    return {suffix: np.asarray(values, float) for suffix, values in returned.values.items()}


@pytest.fixture
def linear():
    """A linear network, an image, gradient, and gradient times image."""
    weight, image = draw(0, 3, SIDE, SIDE), draw(1, 3, SIDE, SIDE)
    return Linear(weight), image, weight.numpy(), (weight * image).numpy()


# Infidelity


def test_a_linear_network_has_no_infidelity(linear):
    network, image, gradient, product = linear
    maps = [
        a_map(np.abs(gradient).max(0), "gradient", gradient),
        a_map(product.sum(0), "contribution"),
        a_map(-7 * product.sum(0), "contribution"),
    ]
    scores = score("infidelity", explained(network, image, maps))
    np.testing.assert_allclose(scores[""], [1, 1, -1], rtol=1e-12)
    assert (scores["original"][:2] <= 1e-20).all()
    assert scores["original"][2] > 1
    np.testing.assert_allclose(scores["scaled"], 0, atol=1e-10)


def test_infidelity_is_undefined_for_ranks_and_for_zeros(linear):
    network, image, _, _ = linear
    maps = [a_map(np.ones((SIDE, SIDE))), a_map(np.zeros((SIDE, SIDE)), "contribution")]
    assert np.isnan(score("infidelity", explained(network, image, maps))[""]).all()


def test_infidelity_is_that_of_captum():
    """Captum's estimate with the same squares."""
    captum = pytest.importorskip("captum.metrics")
    weight, image = draw(0, 3, SIDE, SIDE), draw(1, 3, SIDE, SIDE)
    gradient = weight.numpy()

    class Curved(Linear):
        def forward(self, images):
            return torch.tanh(super().forward(images) / 20) * 20

    case = explained(Curved(weight), image, [a_map(gradient.sum(0), "gradient", gradient)])
    metric = convviz.metric("infidelity")
    boxes = metric._boxes(case)
    drops = torch.zeros(len(boxes), *image.shape, dtype=torch.float64)
    for drop, (y0, y1, x0, x1) in zip(drops, boxes.tolist(), strict=True):
        drop[:, y0:y1, x0:x1] = image[:, y0:y1, x0:x1]
    expected = captum.infidelity(
        case.model.module,
        lambda inputs: (drops, inputs - drops),
        image[None],
        weight[None],
        target=0,
        n_perturb_samples=len(boxes),
    )
    ours = score("infidelity", case)["original"][0]
    np.testing.assert_allclose(ours, expected.item(), rtol=1e-10)


def test_max_sensitivity_is_that_of_captum():
    """Captum's value for the same changed images."""
    captum = pytest.importorskip("captum.metrics")
    network, image = Linear(draw(0, 1, SIDE, SIDE)), draw(1, 1, SIDE, SIDE)

    def gradients(images):
        images = images.detach().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(torch.tanh(network(images)[:, 0]).sum(), images)[0]

    calls = []

    def explain(images, model, other_seed):
        calls.append(images)
        return [tuple(a_map(gradient[0]) for gradient in gradients(images).numpy())]

    case = explained(network, image, [a_map(gradients(image[None])[0, 0].numpy())])
    metric = convviz.metric("max_sensitivity", radius=0.05)
    ours = metric.score(replace(case, repeat=explain)).values
    changed = calls[0]
    assert len(changed) == 10
    assert 0.04 < (changed - image).abs().max() <= 0.05
    expected = captum.sensitivity_max(
        lambda inputs: (gradients(inputs[0]),),
        image[None],
        lambda inputs, radius: (changed,),
        n_perturb_samples=len(changed),
    )
    np.testing.assert_allclose(ours[""], expected.numpy(), rtol=1e-10)
    assert ours[""][0] > 0.01
    assert ours["noise"] == [0]


# SDS


def test_sds_of_gradient_times_input_of_a_linear_network_is_1(linear):
    network, image, _, product = linear
    flat, zero = np.full((SIDE, SIDE), 3.0), np.zeros((SIDE, SIDE))
    maps = [a_map(m, "contribution") for m in (product.sum(0), -product.sum(0), flat, zero)]
    values = score("sds", explained(network, image, maps))[""]
    np.testing.assert_allclose(values[:2], [1, -1])
    assert np.isnan(values[2:]).all()


def test_a_constant_network_has_no_sds(linear):
    _, image, _, product = linear
    network = Linear(torch.zeros(3, SIDE, SIDE, dtype=torch.float64))
    assert np.isnan(score("sds", explained(network, image, [a_map(product.sum(0))]))[""]).all()


# SRG


def random_maps(count):
    rng = np.random.default_rng(0)
    return [a_map(rng.standard_normal((SIDE, SIDE))) for _ in range(count)]


@pytest.mark.parametrize("regions", ["superpixels", "pixels"])
def test_srg_of_the_drops_is_the_largest_of_all_orders(linear, regions):
    network, image, _, product = linear
    small = Linear(network.weight.detach() / 20)
    best = a_map(product.sum(0), "contribution")
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    case = explained(small, image, [best, *random_maps(40)], pixels=pixels)
    values = score("srg", case, regions=regions, imputers="mean", segments=9)[""]
    assert values[0] > 0
    assert (values[1:] < values[0]).all()


def test_a_reversed_map_has_the_negative_srg(linear):
    network, image, _, product = linear
    maps = [a_map(sign * product.sum(0), "contribution") for sign in (1, -1)]
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    values = score("srg", explained(network, image, maps, pixels=pixels), segments=9)
    assert abs(values[""][0]) > 1e-3
    for both in values.values():
        np.testing.assert_allclose(both[0], -both[1], atol=1e-12)


def test_random_maps_have_an_srg_of_0_on_average(linear):
    network, image, _, _ = linear
    case = explained(Linear(network.weight.detach() / 20), image, random_maps(200))
    values = score("srg", case, regions="pixels", imputers="mean")[""]
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))


def test_orders_share_sets_of_superpixels_and_keep_their_scores(linear):
    network, image, _, _ = linear
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    passed = []

    def scores_of(maps):
        case = explained(network, image, maps, pixels=pixels)
        forward = case.forward
        case = replace(case, forward=lambda x: passed.append(len(x)) or forward(x))
        return score("srg", case, segments=9)

    maps = random_maps(4)
    together = scores_of([*maps, *maps])
    shared, passed[:] = sum(passed), []
    alone = [scores_of([single]) for single in maps]
    assert shared < sum(passed)
    for suffix, values in together.items():
        expected = [single[suffix][0] for single in alone]
        np.testing.assert_allclose(values, [*expected, *expected], rtol=1e-9)


def test_a_flat_map_does_not_remove_everything_at_once(linear):
    network, image, _, _ = linear
    metric = convviz.metric("srg", regions="pixels", imputers="mean")
    scores = metric.score(explained(network, image, [a_map(np.zeros((SIDE, SIDE)))]))
    for curve in scores.curves.values():
        assert len(np.unique(curve.y)) > 8


# Deletion and insertion


def test_deletion_of_the_only_pixel_falls_at_the_first_step():
    image = torch.ones(3, SIDE, SIDE, dtype=torch.float64)
    delta = np.zeros((SIDE, SIDE))
    delta[5, 9] = 1
    case = explained(OnePixel(), image, [a_map(delta), a_map(-delta)])
    on, off = (1 / (1 + np.exp(-2 * s)) for s in (20.0, -4.0))
    deletion = convviz.metric("deletion").score(case)
    np.testing.assert_allclose(
        deletion.curves["probability"].y, [[on] + [off] * 28, [on] * 28 + [off]]
    )
    np.testing.assert_allclose(deletion.values[""], [off + (on - off) / 56, on - (on - off) / 56])


def rise_auc(model, image, order, start, finish, step):
    """The procedure of RISE's published code, one image at a time."""
    scores, current = [], start.clone().reshape(3, -1)
    end = finish.reshape(3, -1)
    for i in range(len(order) // step + 1):
        x = current.reshape(1, *image.shape)
        scores.append(model.probabilities(model.forward(x).output)[0, 0].item())
        chosen = order[i * step : (i + 1) * step]
        current[:, chosen] = end[:, chosen]
    total = np.array(scores)
    return (total.sum() - total[0] / 2 - total[-1] / 2) / (len(total) - 1)


@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_areas_are_those_of_the_published_procedure(linear, name):
    network, image, _, product = linear
    case = explained(Linear(network.weight.detach() / 20), image, [a_map(product.sum(0))])
    order = np.argsort(-product.sum(0).ravel())
    zero, soft = torch.zeros_like(image), rise_blur(image)
    start, finish = (image, zero) if name == "deletion" else (soft, image)
    expected = rise_auc(case.model, image, order, start, finish, SIDE * SIDE // 32)
    actual = score(name, case, steps=32)[""][0]
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_the_blur_is_the_published_kernel():
    """The kernel of RISE: scipy's filter of an impulse in 11 x 11 pixels."""
    ndimage = pytest.importorskip("scipy.ndimage")
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    kernel = torch.from_numpy(ndimage.gaussian_filter(impulse, 5))
    image = draw(2, 3, 20, 23)
    expected = torch.nn.functional.conv2d(image[:, None], kernel[None, None], padding=5)[:, 0]
    torch.testing.assert_close(rise_blur(image), expected)


# Flip regret


def test_flip_regret_of_known_maps():
    """Class 0 wins unless the cell (1, 2) of a 4 x 4 grid is covered."""

    class Cell(torch.nn.Module):
        def forward(self, images):
            score = images[:, :, 4:8, 8:12].sum((1, 2, 3)) - 1
            return torch.stack([score, -score], 1)

    image = torch.ones(3, SIDE, SIDE, dtype=torch.float64)
    right, row = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    right[4:8, 8:12] = 1
    row[12:] = 1
    case = explained(Cell(), image, [a_map(right), a_map(row), a_map(-right)])
    values = score("flip_regret", case, grid=4)
    assert values[""][0] == 1
    assert values["search"][0] == pytest.approx(1 / 100)
    assert values["search"][2] == pytest.approx((100 - 36 + 1) / 100)
    # After the rectangles in the last rows come those of three rows, the first ones that flip.
    assert values[""][1] in (3, 6, 9, 12)
    never = score("flip_regret", explained(OnePixel(), 0 * image, [a_map(right)]), grid=4)
    assert np.isnan(never[""]).all()


def test_flip_regret_is_that_of_covering_all_rectangles():
    grid, side = 4, 4
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.LazyLinear(3)
    ).double()
    network(torch.zeros(1, 3, SIDE, SIDE, dtype=torch.float64))
    case = explained(network, draw(4, 3, SIDE, SIDE), random_maps(3))
    spans = [(a, b) for a in range(grid) for b in range(a + 1, grid + 1)]
    rectangles = [(*rows, *columns) for rows in spans for columns in spans]
    images = []
    for y0, y1, x0, x1 in rectangles:
        images.append(case.image.clone())
        images[-1][:, y0 * side : y1 * side, x0 * side : x1 * side] = 0
    top, *classes = case.top_classes([case.image, *images])
    areas = np.array([(y1 - y0) * (x1 - x0) for y0, y1, x0, x1 in rectangles])
    flips = np.array(classes) != top
    assert areas[flips].min() > 1
    covered = []
    case = replace(case, forward=lambda x: covered.append(len(x)) or network(x))
    values = score("flip_regret", case, grid=grid)
    for index, single in enumerate(case.maps):
        means = [
            single.values[y0 * side : y1 * side, x0 * side : x1 * side].mean()
            for y0, y1, x0, x1 in rectangles
        ]
        order = np.argsort(means)[::-1]
        first = int(flips[order].argmax())
        assert values[""][index] == areas[order[first]] / areas[flips].min()
        assert values["search"][index] == pytest.approx((first + 1) / len(order))
    assert sum(covered) <= len(rectangles) + 1


# Gini and localization


def test_gini_of_a_single_pixel_and_of_a_flat_map():
    delta, flat = np.zeros((SIDE, SIDE)), np.ones((SIDE, SIDE))
    delta[3, 4] = -2
    image = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
    maps = [a_map(delta), a_map(flat), a_map(0 * flat)]
    values = score("gini", explained(OnePixel(), image, maps))[""]
    np.testing.assert_allclose(values[:2], [1 - 1 / SIDE**2, 0], atol=1e-12)
    assert np.isnan(values[2])


def test_localization_of_known_maps():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:4, :4] = True
    half = np.zeros((SIDE, SIDE))
    half[:4, :2], half[8:12, :2], half[15, 15] = 3, 2, -50
    image = torch.zeros(3, SIDE, SIDE, dtype=torch.float64)
    case = explained(OnePixel(), image, [a_map(mask), a_map(half), a_map(~mask)], mask=mask)
    values = score("localization", case)
    np.testing.assert_allclose(values[""], [1, 1, 0])
    np.testing.assert_allclose(values["energy"], [1, 0.6, 0])
    np.testing.assert_allclose(values["rank"], [1, 0.5, 0])
    np.testing.assert_allclose(values["iou"], [1, 1 / 3, 0])
    for empty in (None, np.zeros_like(mask)):
        assert np.isnan(score("localization", replace(case, mask=empty))[""]).all()


# Invariances


@pytest.mark.parametrize(
    "name",
    ["srg", "deletion", "insertion", "sds", "infidelity", "flip_regret", "gini", "localization"],
)
def test_scores_depend_on_no_scale_and_no_batch_size(linear, name):
    network, image, gradient, product = linear
    maps = [a_map(scale * product.sum(0), "gradient", scale * gradient) for scale in (1.0, 8.0)]
    mask = np.zeros((SIDE, SIDE), bool)
    mask[2:7, 3:9] = True
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    case = explained(Linear(network.weight.detach() / 20), image, maps, mask=mask, pixels=pixels)
    values = score(name, case)
    again = score(name, replace(case, batch_size=5, cache={}))
    alone = score(name, replace(case, maps=maps[:1], cache={}))
    for suffix in values:
        if suffix != "original":
            np.testing.assert_allclose(values[suffix][0], values[suffix][1], rtol=1e-9)
        np.testing.assert_allclose(values[suffix], again[suffix], rtol=1e-9)
        np.testing.assert_allclose(values[suffix][:1], alone[suffix], rtol=1e-9)


# Helpers


def exact_interpolation(image, removed):
    """Solve ROAD's equations by a dense solver."""
    height, width = removed.shape
    matrix, right = np.eye(height * width), image.reshape(-1, image.shape[2]).astype(float)
    right = right.copy()
    for y, x in zip(*removed.nonzero(), strict=True):
        row = np.zeros((height, width))
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                if (dy or dx) and 0 <= y + dy < height and 0 <= x + dx < width:
                    row[y + dy, x + dx] = -(1 / 12 if dy and dx else 1 / 6)
        row[y, x] = -row.sum()
        matrix[y * width + x], right[y * width + x] = row.ravel(), 0
    return np.linalg.solve(matrix, right).reshape(image.shape)


@pytest.mark.parametrize("shape", [(17, 22), (9, 9)])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.97])
def test_linear_imputation_solves_its_equations(shape, share):
    rng = np.random.default_rng(int(100 * share))
    image = rng.standard_normal((*shape, 3)).astype(np.float32)
    scattered = rng.permutation(image[..., 0].size).reshape(shape) < share * image[..., 0].size
    block = np.zeros(shape, bool)
    block[: round(share * shape[0]), :-1] = True
    for removed in (scattered, block):
        expected = exact_interpolation(image, removed)
        actual = interpolate_removed(image, removed, tolerance=1e-5)
        np.testing.assert_allclose(actual, expected, atol=1e-4)
        coarse = interpolate_removed(image, removed)
        np.testing.assert_allclose(coarse, expected, atol=0.03)


def test_superpixels_are_connected_and_follow_edges():
    import cv2

    pixels = np.full((48, 64, 3), 20, np.uint8)
    pixels[:, 37:] = 220
    labels = superpixels(pixels, 12)
    assert sorted(np.unique(labels)) == list(range(labels.max() + 1))
    assert 8 <= labels.max() + 1 <= 12
    for label in range(labels.max() + 1):
        parts, _ = cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)
        assert parts == 2
        columns = (labels == label).any(0).nonzero()[0]
        assert columns.max() < 37 or columns.min() >= 37
