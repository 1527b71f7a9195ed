"""input_x_gradient and integrated_gradients, and what all gradient methods have in common."""

from __future__ import annotations

import math

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients
from helpers.attribution import TARGETS, Net, close, explain, images, net, not_in_place, with_seed
from torch import Tensor, nn

import convviz
from convviz import Model, Preprocess, Unit

METHODS = ("grad_cam", "guided_grad_cam", "input_x_gradient", "integrated_gradients")
CAMS = METHODS[:2]


def test_input_x_gradient_is_that_of_captum():
    expected = InputXGradient(net()).attribute(images().requires_grad_(), target=TARGETS)
    close(explain("input_x_gradient").values, expected.detach())


@pytest.mark.parametrize("params", [{}, {"steps": 7, "batch_size": 4}, {"baseline": 0.3}])
def test_integrated_gradients_are_those_of_captum(params):
    baseline = torch.full_like(images(), params.get("baseline", 0.0))
    expected = IntegratedGradients(net()).attribute(
        images(),
        baseline,
        target=TARGETS,
        n_steps=params.get("steps", 50),
        method="riemann_middle",
    )
    # Captum computes the step size in float32.
    result = explain("integrated_gradients", **params)
    close(result.values, expected.detach(), 1e-6)
    with torch.no_grad():
        scores, before = (net()(x)[range(3), TARGETS] for x in (images(), baseline))
    close(result["score_difference"], scores - before)
    close(result["sum"], expected.sum((1, 2, 3)).detach(), 1e-6)


def test_integrated_gradients_of_a_quadratic_score_are_exact():
    class Quadratic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            squares = self.factor * x**2
            return torch.stack([squares.sum((1, 2, 3)), x.sum((1, 2, 3))], 1)

    result = explain("integrated_gradients", 0, Quadratic(), steps=3, baseline=0.5)
    close(result.values, images() ** 2 - 0.25)
    assert result.result.measures["largest completeness gap"] <= 1e-9
    assert all("gap" not in note for note in result.result.notes)


def test_a_linear_network_has_the_same_contributions_by_both_methods():
    weight = torch.randn(5, 3 * 19 * 17, generator=torch.Generator().manual_seed(0)).double()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 19 * 17, 5)).double()
    with torch.no_grad():
        linear[1].weight.copy_(weight)
    expected = weight[TARGETS].view(3, 3, 19, 17) * images()
    close(explain("input_x_gradient", module=linear).values, expected)
    close(explain("integrated_gradients", module=linear, steps=1).values, expected)


def saturated_network() -> nn.Module:
    class Saturated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([3 * (50 * mean).sigmoid(), 0 * mean], 1)

    return Saturated()


def test_a_large_completeness_gap_is_noted():
    ones = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    result = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=0, steps=2
    )
    slope = sum(150 / (2 + 2 * math.cosh(50 * share)) for share in (0.25, 0.75)) / 2
    difference = 3 / (1 + math.exp(-50)) - 1.5
    assert result.result.measures["completeness gap"] == pytest.approx(difference - slope, rel=1e-5)
    assert any("2 steps" in note and "100%" in note for note in result.result.notes)
    many = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=0, steps=400
    )
    assert many.result.measures["completeness gap"] < 1e-3 * difference
    assert not any("steps" in note for note in many.result.notes)


def test_no_share_is_given_where_the_scores_are_equal():
    ones = torch.ones(2, 3, 8, 8, dtype=torch.float64)
    result = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=[0, 1]
    )
    assert result["score_difference"][1] == 0
    assert any(
        note.startswith("Image 2: the score of the baseline") for note in result.result.notes
    )
    assert not result.values[1].any()


@pytest.mark.parametrize("baseline", ["mean", "image_mean", "blur", "noise", "#808080", "0.25"])
def test_the_baseline_is_any_fill_of_occlusion(baseline):
    preprocess = Preprocess(resize=20, crop=20, mean=(0.4,) * 3, std=(0.3,) * 3)
    model = Model(net(), preprocess=preprocess)
    photo = (torch.rand(24, 24, 3, generator=torch.Generator().manual_seed(0)) * 255).byte().numpy()
    result = convviz.explain(model, photo, "integrated_gradients", steps=4, baseline=baseline)
    covered = convviz.explain(
        model, photo, "occlusion", fill=baseline, window=20, stride=20, engine="dense"
    )
    whole_window = baseline in ("blur", "noise")  # whose strength depends on the window
    if not whole_window:
        close(result["score_difference"], covered["grid"][:, 0, 0], 1e-12)
    again = convviz.explain(model, photo, "integrated_gradients", steps=4, baseline=baseline)
    assert torch.equal(result.values, again.values)


def test_a_baseline_may_be_a_tensor():
    start = images().flip(0)[:1, :, :, :]
    result = explain("integrated_gradients", baseline=start, steps=5)
    expected = IntegratedGradients(net()).attribute(
        images(), start.expand(3, -1, -1, -1), target=TARGETS, n_steps=5, method="riemann_middle"
    )
    close(result.values, expected.detach(), 1e-6)
    assert torch.equal(result["baseline_image"], start)


@pytest.mark.parametrize("name", METHODS)
def test_targets_may_differ_per_image_and_batches_do_not_matter(name):
    together, small = explain(name), explain(name, batch_size=2)
    for i in range(3):
        alone = convviz.explain(Model(net()), images()[i : i + 1], name, target=TARGETS[i])
        close(alone.values[0], together.values[i], 1e-10)
    close(small.values, together.values, 1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_units_are_targets(name):
    layer = {"layer": "relu1"} if name in CAMS else {}
    unit = Unit("relu2", 2, (3, 4))
    result = explain(name, unit, **layer)
    reference = not_in_place(net())
    activation = reference.relu2(reference.conv2(reference.relu1(reference.conv1(images()))))
    assert [t.score for t in result.target] == pytest.approx(activation[:, 2, 3, 4].tolist())
    assert result.values.any()


@pytest.mark.parametrize("name", METHODS)
def test_networks_that_couple_the_images_of_a_batch_run_image_by_image(name):
    class Coupled(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x - x.mean())

    module = with_seed(Coupled).double().eval()
    together = explain(name, module=module)
    alone = convviz.explain(Model(module), images()[1:2], name, target=TARGETS[1])
    close(alone.values[0], together.values[1], 1e-10)
    assert any("couples" in note for note in together.result.notes)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_gives_float32(name):
    model = Model(net().bfloat16())
    result = convviz.explain(model, images().float(), name, target=1)
    assert result.values.dtype == torch.float32
    assert torch.isfinite(result.values).all()


@pytest.mark.parametrize(
    ("name", "kind", "params"),
    [
        ("grad_cam", "rank", {}),
        ("guided_grad_cam", "rank", {}),
        ("input_x_gradient", "contribution", {}),
        ("integrated_gradients", "contribution", {}),
        ("saliency", "rank", {}),
        ("saliency", "gradient", {"channels": "signed"}),
        ("guided_backprop", "gradient", {}),
        ("occlusion", "contribution", {}),
        ("occlusion", None, {"output": "value"}),
        ("activations", None, {}),
    ],
)
def test_explainers_declare_what_their_map_is(name, kind, params):
    assert convviz.explainer(name, **params).map_kind == kind
